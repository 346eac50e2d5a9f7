package firewall

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// number is a value of 1, 2 or 4 bytes in host order.
func (m *machine) number(n uint32, size int) bits {
	b := make([]byte, 4)
	switch size {
	case 1:
		return knownBits([]byte{byte(n)})
	case 2:
		m.order.PutUint16(b, uint16(n)) // fits by its meaning
	default:
		m.order.PutUint32(b, n)
	}
	return knownBits(b[:size])
}

// ifName is what nftables loads for a device: its name filled up to IFNAMSIZ,
// all zero where the hook has none.
func ifName(i *Interface) bits {
	b := make([]byte, 16)
	if i == nil {
		return knownBits(b)
	}
	if i.Name == "" {
		return unknownBits(16)
	}
	copy(b, i.Name)
	b[15] = 0
	return knownBits(b)
}

func (m *machine) ifIndex(i *Interface) bits {
	if i == nil {
		return m.number(0, 4)
	}
	if i.Index <= 0 {
		return unknownBits(4)
	}
	return m.number(uint32(i.Index), 4) // an interface index
}

// nfproto is the family that the hook is of (NFPROTO_*); in ingress of family inet
// that of the packet.
func (m *machine) nfproto() byte { return familyNumber(m.at.pf) }

func (m *machine) meta(e *Expr) tri {
	if e.Sreg != 0 && e.Dreg == 0 {
		v := m.regs.at(e.Sreg, 4)
		if e.Key == "mark" {
			m.assign(&m.st.mark, v)
		}
		return yes // priority, nftrace, ...: no rule's match is known to hang on them
	}
	v, ok := m.metaValue(e)
	if ok == no {
		return no
	}
	m.regs.store(e.Dreg, v)
	if ok == maybe {
		m.doubtful(e)
	}
	return yes
}

// metaValue is what a meta key loads; no for a packet that has no such thing,
// maybe for one of which it is not known.
func (m *machine) metaValue(e *Expr) (bits, tri) {
	switch e.Key {
	case "protocol":
		return m.st.ll.sub(12, 14), yes
	case "mark":
		return m.st.mark, yes
	case "iif":
		return m.ifIndex(m.at.in), yes
	case "oif":
		return m.ifIndex(m.at.out), yes
	case "iifname":
		return ifName(m.at.in), yes
	case "oifname":
		return ifName(m.at.out), yes
	case "nfproto":
		return knownBits([]byte{m.nfproto()}), yes
	case "l4proto":
		if m.st.family == "arp" {
			return bits{}, no
		}
		return m.st.proto(), yes
	case "ibrname":
		return m.bridgeName(m.at.in, m.flow.IIF)
	case "obrname":
		return m.bridgeName(m.at.out, m.flow.OIF)
	case "pkttype":
		return m.pktType()
	case "secpath":
		return knownBits([]byte{0}), yes
	case "skuid", "skgid", "cgroup":
		if !m.at.local && m.at.hook != "input" {
			return bits{}, no // no socket
		}
	case "iiftype", "iifgroup", "iifkind":
		in := m.at.in
		if e.Key == "iiftype" && in == nil && m.at.family == "netdev" {
			in = m.at.out // at egress the kernel tells that of the device itself
		}
		if in == nil {
			return bits{}, no
		}
		if e.Key == "iiftype" && m.ethernet(in) {
			return m.number(unix.ARPHRD_ETHER, 2), yes
		}
	case "oiftype", "oifgroup", "oifkind":
		if m.at.out == nil {
			return bits{}, no
		}
	}
	return unknownBits(16), maybe
}

// ethernet: the link is known to be of Ethernet, the packet came with a MAC address,
// or by a bridge.
func (m *machine) ethernet(in *Interface) bool {
	f := m.flow
	return in.Name != "" && slices.Contains(m.f.host.Ethernet, in.Name) || f.SrcMAC != "" || f.DstMAC != "" || f.Path == PathBridge || f.FromPort && same(in, &f.IIF) ||
		f.PhysIn != (Interface{}) && (same(in, &f.PhysIn) || same(in, &f.IIF)) || f.PhysOut != (Interface{}) && same(in, &f.PhysOut)
}

func (m *machine) bridgeName(port *Interface, bridge Interface) (bits, tri) {
	if m.at.family != "bridge" || port == nil {
		return bits{}, no
	}
	return ifName(&bridge), yes
}

// pktType is PACKET_* of linux/if_packet.h.
func (m *machine) pktType() (bits, tri) {
	const host, broadcast, multicast, other = 0, 1, 2, 3
	n := -1
	switch m.flow.PktType {
	case "host", "unicast":
		n = host
	case "broadcast":
		n = broadcast
	case "multicast":
		n = multicast
	case "other":
		n = other
	case "":
		if n = guessPktType(m.st); n < 0 && m.forwarded() {
			n = host
		}
	}
	switch {
	case n < 0:
		return unknownBits(1), maybe
	case m.at.local:
		n = host
	case n == host && m.flow.Path == PathBridge && m.at.family != "ip" && m.at.family != "ip6":
		n = other // a frame to a guest is not addressed to the port it comes in by
	}
	return knownBits([]byte{byte(n)}), yes
}

// forwarded says whether the packet is one of IP that the host routes, and not to a
// group: the kernel forwards none that is not addressed to it (net/ipv4/ip_forward.c).
func (m *machine) forwarded() bool {
	p, dst := m.flow.Path, m.flow.Dst
	return p == PathForward && (m.at.family == "ip" || m.at.family == "ip6") && dst.IsValid() && !groups4.Overlaps(dst) && !groups6.Overlaps(dst)
}

var groups4, groups6 = netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("ff00::/8")

// guessPktType follows from the destination; -1 if that is not known well
// enough.
func guessPktType(s *state) int {
	b, ok := s.address(true)
	if !ok || !b.complete() {
		return -1
	}
	a, _ := netip.AddrFromSlice(b.val)
	switch {
	case a.IsMulticast():
		return 2
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return 1
	case a.Is4() && b.val[3] == 255:
		return -1 // perhaps a network's broadcast address
	}
	return 0
}

// payload loads or writes bytes of a header.
func (m *machine) payload(e *Expr) tri {
	var from *bits
	switch e.Key {
	case "link":
		if m.at.local && m.at.family != "bridge" && m.at.family != "netdev" {
			return no // not there yet
		}
		from = &m.st.ll
	case "network":
		from = &m.st.nh
	case "transport":
		if m.st.family == "arp" {
			return no
		}
		from = &m.st.th
	}
	n := int(min(e.Len, 64))
	if e.Sreg != 0 && e.Dreg == 0 {
		if from != nil && int(e.Offset) < len(from.val) && int(e.Offset)+n <= len(from.val) {
			before := from.clone()
			to := from.sub(int(e.Offset), int(e.Offset)+n)
			v := to.clone()
			m.assign(&v, m.regs.at(e.Sreg, n))
			copy(to.val, v.val)
			copy(to.known, v.known)
			if m.delivery(e.Key, before, *from) {
				m.rewrite()
			}
		}
		return yes
	}
	v := unknownBits(n)
	if from != nil {
		for i := range n {
			if at := uint64(e.Offset) + uint64(i); at < uint64(len(from.val)) {
				v.val[i], v.known[i] = from.val[at], from.known[at]
			}
		}
	}
	m.regs.store(e.Dreg, v)
	if !v.complete() {
		m.openField(e)
	}
	return yes
}

// openField names a header field of which the flow says nothing or not all.
func (m *machine) openField(e *Expr) {
	if m.rule.why != "" {
		return
	}
	d := decompiler{writer: &writer{rs: m.f.rs, family: m.st.family}}
	if v := m.st.proto(); m.st.family != "arp" && v.complete() {
		d.proto = protocolName(v.val[0])
	}
	m.doubt("%s: the flow has more than one", d.payload(e).text)
}
