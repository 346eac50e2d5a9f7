package firewall

import "net/netip"

// Types of addresses (RTN_*, linux/rtnetlink.h).
const (
	rtnUnicast, rtnLocal, rtnBroadcast, rtnMulticast, rtnUnreachable = 1, 2, 3, 5, 7
)

// Flags of a fib expression (NFTA_FIB_F_*).
const (
	fibSource = 1 << iota
	fibDest
	fibMark
	fibIIF
	fibOIF
	fibPresent
)

func (m *machine) fib(e *Expr) tri {
	addr, ok := m.st.address(e.Flags&fibSource == 0)
	var dev *Interface
	switch {
	case e.Flags&fibIIF != 0:
		dev = m.at.in
	case e.Flags&fibOIF != 0:
		dev = m.at.out
	}
	v := unknownBits(16)
	switch {
	case !ok:
	case e.Key == "type":
		if n, known := m.f.host.addrType(addr, dev); known {
			v = m.number(n, 4)
		}
	case e.Flags&fibSource != 0:
		if len(addr.val) == 16 && dev == nil && addr.sub(0, 2).linkLocal() == yes {
			dev = m.at.in // addresses of a link are looked for on it
		}
		v = m.fibDevice(e, addr, dev)
	}
	m.regs.store(e.Dreg, v)
	if !v.complete() {
		m.doubtful(e)
	}
	return yes
}

// fibDevice is the device that a route to the address leads to; with a device
// given only routes by that one count. 0 or "" when there is none.
func (m *machine) fibDevice(e *Expr, addr bits, dev *Interface) bits {
	var found *Interface
	switch exempt := m.fibExempt(); {
	case exempt == yes:
		found = m.at.in
	case exempt == maybe:
		return unknownBits(16)
	default:
		var known bool
		if found, known = m.f.host.route(addr, dev); !known {
			return unknownBits(16)
		}
		if found == nil && len(addr.val) == 16 && addr.sub(0, 2).linkLocal() != no {
			return unknownBits(16) // it comes with the link's carrier, that is with the first packet
		}
	}
	if e.Flags&fibPresent != 0 {
		return knownBits([]byte{byte(bool2int(found != nil))})
	}
	if e.Key == "oifname" {
		return ifName(found)
	}
	return m.ifIndex(found)
}

// fibExempt says whether the kernel takes a packet that comes in for right without
// a look at its routes: from lo, and those by which hosts without an address ask for
// one (net/ipv4/netfilter/nft_fib_ipv4.c, nft_fib4_eval, and nft_fib_ipv6.c,
// nft_fib_v6_skip_icmpv6). IPv6's link-local sources are not among them: they have a
// route on each link that has a carrier.
func (m *machine) fibExempt() tri {
	src, ok := m.st.address(false)
	dst, _ := m.st.address(true)
	pre := m.at.hook == "prerouting" || m.at.hook == "ingress"
	switch {
	case !ok || m.at.in == nil:
		return no
	case pre && m.at.in.Name == "lo":
		return yes
	case len(src.val) == 4:
		return min(src.equal(make([]byte, 4)), max(dst.equal([]byte{255, 255, 255, 255}), dst.sub(0, 3).equal([]byte{224, 0, 0})))
	case !pre:
		return no
	}
	return min(src.equal(make([]byte, 16)), m.st.isProto(protoICMP6), dst.sub(0, 2).linkLocal())
}

// linkLocal says whether an IPv6 address that begins with these two bytes is one of
// a link only, unicast or multicast (net/ipv6/addrconf_core.c, __ipv6_addr_type).
func (b bits) linkLocal() tri {
	unicast := b.maskXor([]byte{0xff, 0xc0}, make([]byte, 2)).equal([]byte{0xfe, 0x80})
	multicast := b.maskXor([]byte{0xff, 0x0f}, make([]byte, 2)).equal([]byte{0xff, 0x02})
	return max(unicast, multicast)
}

// prefixOf is the range of addresses that a value stands for; false when its
// unknown bits are not the last ones.
func prefixOf(b bits) (netip.Prefix, bool) {
	n, ok := prefixLen(b.known)
	a, valid := netip.AddrFromSlice(b.val)
	if !ok || !valid {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, n), true
}

// addrType is the type of all addresses of a value, with a device that of
// local addresses on it; known is false if it cannot be told or they differ.
func (h *Host) addrType(b bits, dev *Interface) (typ uint32, known bool) {
	p, ok := prefixOf(b)
	if !ok || len(h.Addresses) == 0 {
		return 0, false
	}
	if typ, known, found := specialType(p, dev); found {
		return typ, known
	}
	if typ, known, found := h.ownType(p, dev); found {
		return typ, known
	}
	if p.Addr().Is6() {
		r, known := h.route(b, nil)
		if known && r == nil {
			return rtnUnreachable, true
		}
		return rtnUnicast, known
	}
	return rtnUnicast, true
}

// specialType is that of a range whose type does not depend on the host.
func specialType(p netip.Prefix, dev *Interface) (typ uint32, known, found bool) {
	for special, t := range specialRanges {
		if special.Addr().BitLen() != p.Addr().BitLen() || !special.Overlaps(p) {
			continue
		}
		if dev != nil && t == rtnLocal && dev.Name != "lo" {
			t = rtnUnicast
		}
		return t, p.Bits() >= special.Bits(), true
	}
	return 0, false, false
}

// ownType is that of the host's own addresses.
func (h *Host) ownType(p netip.Prefix, dev *Interface) (typ uint32, known, found bool) {
	for _, a := range h.Addresses {
		for addr, t := range a.locals() {
			if !p.Contains(addr) {
				continue
			}
			if !p.IsSingleIP() {
				return 0, false, true
			}
			if dev == nil || same(dev, &a.Interface) {
				return t, t != 0, true
			}
		}
	}
	return 0, false, false
}

// specialRanges are those whose type does not depend on the host.
var specialRanges = map[netip.Prefix]uint32{
	netip.MustParsePrefix("127.0.0.0/8"):        rtnLocal,
	netip.MustParsePrefix("224.0.0.0/4"):        rtnMulticast,
	netip.MustParsePrefix("255.255.255.255/32"): rtnBroadcast,
	netip.MustParsePrefix("0.0.0.0/8"):          rtnBroadcast,
	netip.MustParsePrefix("::1/128"):            rtnLocal,
	netip.MustParsePrefix("ff00::/8"):           rtnMulticast,
}

// locals are the address itself and, for IPv4, the network's broadcast
// address, for IPv6 its first, of which the type is not known (0).
func (a HostAddress) locals() map[netip.Addr]uint32 {
	out := map[netip.Addr]uint32{}
	addr := a.Prefix.Addr()
	if addr.Is4() && a.Prefix.Bits() < 31 {
		last := a.Prefix.Masked().Addr().As4()
		for i := range last {
			last[i] |= 0xff >> max(0, min(8, a.Prefix.Bits()-8*i))
		}
		out[netip.AddrFrom4(last)] = rtnBroadcast
	}
	if addr.Is6() {
		out[a.Prefix.Masked().Addr()] = 0 // anycast on a router
	}
	out[addr] = rtnLocal
	return out
}

func same(a, b *Interface) bool {
	if a.Index > 0 && b.Index > 0 {
		return a.Index == b.Index
	}
	return a.Name == b.Name
}

// route is the device that packets to the address leave by, nil for none.
// With a device, only routes by it count, as in the kernel's reverse path
// check.
func (h *Host) route(b bits, dev *Interface) (oif *Interface, known bool) {
	p, ok := prefixOf(b)
	if !ok || len(h.Routes) == 0 {
		return nil, false
	}
	best := -1
	for i := range h.Routes {
		r := &h.Routes[i]
		if r.Dst.Addr().BitLen() != p.Addr().BitLen() || dev != nil && !same(dev, &r.OIF) || !r.Dst.Overlaps(p) {
			continue
		}
		if r.Dst.Bits() > p.Bits() {
			return nil, false // some of the addresses only
		}
		if r.Dst.Bits() > best {
			best, oif = r.Dst.Bits(), &r.OIF
		}
	}
	return oif, true
}

// local says whether packets to the address stay on this host.
func (h *Host) local(b bits) tri {
	t, known := h.addrType(b, nil)
	if !known {
		return maybe
	}
	return triOf(t == rtnLocal)
}
