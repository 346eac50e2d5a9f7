package firewall

import (
	"encoding/binary"
	"net/netip"
)

// translate is a nat, masquerade or redirect statement of nftables. It is the
// end of its chain.
func (m *machine) translate(t *Translate) tri {
	out := Translation{Kind: t.Kind}
	addr := func(reg uint8) netip.Addr {
		n := 4
		if m.st.family == "ip6" {
			n = 16
		}
		v := m.regs.at(reg, n)
		a, ok := netip.AddrFromSlice(v.val)
		if !ok || !v.complete() {
			out.Maybe = true
			return netip.Addr{}
		}
		return a
	}
	port := func(reg uint8) int {
		v := m.regs.at(reg, 2)
		out.Maybe = out.Maybe || !v.complete()
		return int(binary.BigEndian.Uint16(v.val))
	}
	if t.AddrMin != 0 {
		out.AddrMin = addr(t.AddrMin)
		out.AddrMax = out.AddrMin
	}
	if t.AddrMax != 0 {
		out.AddrMax = addr(t.AddrMax)
	}
	if t.PortMin != 0 {
		out.PortMin = port(t.PortMin)
		out.PortMax = out.PortMin
	}
	if t.PortMax != 0 {
		out.PortMax = port(t.PortMax)
	}
	if t.Flags&natNetmap != 0 {
		out.Maybe = true
	}
	m.rule.nat = &out
	return yes
}

// nat takes a new connection through the nat chains of a hook, in the order
// of their priorities: the first translation counts, and a chain that accepts
// without one leaves the next to try. Connections that conntrack knows do not
// come here.
func (j *journey) nat(s stage) {
	j.at.tracked = true
	conn, sure := j.connection()
	if sure && conn != StateNew && (conn != StateRelated || j.st.isProto(protoICMP, protoICMP6) == yes) {
		return
	}
	var choices []choice
	none := true
	for _, b := range j.f.chainsAt(hookKey{s.family, s.hook}, nil) {
		if b.Base.Type != "nat" {
			continue
		}
		j.enter(s, b)
		j.at.tracked = true
		j.sure = sure && len(choices) == 0
		o := j.run(b.chain)
		choices = append(choices, o.nat...)
		certain := len(o.nat) > 0 && o.accept == nil && (o.pass == nil || b.Base.Policy == "drop")
		if len(o.nat) > 0 && o.accept == nil {
			o.accept = o.nat[0].by
		}
		j.settle(s, b, o)
		if j.finished {
			return
		}
		if certain {
			none = false
			break
		}
	}
	if len(choices) > 0 {
		j.translated(s, choices, none || !sure)
	}
}

// translated applies what NAT chose.
func (j *journey) translated(s stage, choices []choice, perhaps bool) {
	first := *choices[0].translation
	first.By = choices[0].by.ref()
	first.Maybe = first.Maybe || perhaps
	destination := s.hook == "prerouting" || s.hook == "output"
	own := j.ownAddresses(s)
	own.complete(&first)
	addr, _ := j.st.address(destination)
	at := 2 * bool2int(destination)
	port := j.st.th.sub(at, at+2)
	addrBefore, portBefore := addr.clone(), port.clone()
	newAddr, newPort := addr.clone(), port.clone()
	ported := j.st.isProto(protoTCP, protoUDP) != no
	for i := range choices {
		t := *choices[i].translation
		own.complete(&t)
		if i > 0 && (t.Kind != first.Kind || t.AddrMin != first.AddrMin || t.AddrMax != first.AddrMax) {
			first.Maybe = true
		}
		copyBits(newAddr, addrBefore)
		copyBits(newPort, portBefore)
		t.apply(newAddr, newPort)
		if i == 0 && !perhaps {
			copyBits(addr, newAddr)
		}
		addr.widen(newAddr)
		if ported {
			if i == 0 && !perhaps {
				copyBits(port, newPort)
			}
			port.widen(newPort)
		}
	}
	// A translation to what was there before does not count as one.
	changed := max(differs(addrBefore, addr), differs(portBefore, port))
	bit := uint32(ipsSNAT)
	if destination {
		bit = ipsDNAT
		j.verdict.Destination = &first
	} else {
		j.verdict.Source = &first
	}
	if changed != no {
		j.mark(bit, first.Maybe || changed == maybe)
	}
	j.st.changed()
}

// differs says whether two values are certainly, perhaps or not different.
func differs(a, b bits) tri {
	answer := no
	for i := range a.val {
		both := a.known[i] & b.known[i]
		if (a.val[i]^b.val[i])&both != 0 {
			return yes
		}
		if both != 0xff {
			answer = maybe
		}
	}
	return answer
}

func copyBits(to, from bits) {
	copy(to.val, from.val)
	copy(to.known, from.known)
}

// mark sets a bit of the connection's status.
func (j *journey) mark(bit uint32, perhaps bool) {
	b := make([]byte, 4)
	j.order.PutUint32(b, bit)
	for i := range b {
		j.st.status.val[i] |= b[i]
		if perhaps {
			j.st.status.known[i] &^= b[i]
			j.st.status.val[i] &^= b[i]
		}
	}
}

// ownAddresses are those that the kernel chooses: of the device that a packet
// leaves by for masquerade, of the one it came in by for redirect. There is none
// where the device has several.
type ownAddresses struct{ masquerade, redirect netip.Addr }

func (j *journey) ownAddresses(s stage) ownAddresses {
	own := ownAddresses{masquerade: j.soleAddress(s.out), redirect: j.soleAddress(s.in)}
	if s.hook == "output" {
		own.redirect = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if j.st.family == "ip6" {
			own.redirect = netip.IPv6Loopback()
		}
	}
	return own
}

func (j *journey) soleAddress(dev *Interface) (sole netip.Addr) {
	if dev == nil {
		return sole
	}
	for i := range j.f.host.Addresses {
		a := &j.f.host.Addresses[i]
		addr := a.Prefix.Addr()
		if !same(dev, &a.Interface) || addr.Is4() != (j.st.family == "ip") || addr.IsLinkLocalUnicast() {
			continue
		}
		if sole.IsValid() {
			return netip.Addr{}
		}
		sole = addr
	}
	return sole
}

// complete fills in the address that the kernel chooses.
func (own *ownAddresses) complete(t *Translation) {
	if t.AddrMin.IsValid() {
		return
	}
	switch t.Kind {
	case "masquerade":
		t.AddrMin, t.AddrMax = own.masquerade, own.masquerade
	case "redirect":
		t.AddrMin, t.AddrMax = own.redirect, own.redirect
	}
}

// apply makes address and port what they are after a translation. Source ports
// may be changed by any SNAT that finds them taken.
func (t *Translation) apply(addr, port bits) {
	switch {
	case t.Kind == "netmap", t.AddrMin.IsValid() && t.AddrMin != t.AddrMax, t.AddrMin.BitLen() != 8*len(addr.val) && t.AddrMin.IsValid():
		addr.forget()
	case t.AddrMin.Is4():
		b := t.AddrMin.As4()
		addr.set(0, b[:])
	case t.AddrMin.IsValid():
		b := t.AddrMin.As16()
		addr.set(0, b[:])
	case t.Kind == "masquerade" || t.Kind == "redirect":
		addr.forget()
	}
	switch {
	case t.Kind == "snat" || t.Kind == "masquerade":
		port.forget()
	case t.PortMin > 0 && t.PortMin == t.PortMax:
		port.set(0, []byte{byte(t.PortMin >> 8), byte(t.PortMin)}) // a port has 16 bits
	case t.PortMin > 0:
		port.forget()
	}
}

// reroute finds the way of a packet whose destination changed.
func (j *journey) reroute(hook string) {
	t := j.verdict.Destination
	why := "the destination was translated, and the host's routes are not known"
	addr, _ := j.st.address(true)
	local := maybe
	if t != nil && t.Kind == "redirect" && !t.Maybe {
		local = yes
	} else if t != nil && !t.Maybe {
		local = j.f.host.local(addr)
	}
	var oif *Interface
	known := false
	if local == no {
		oif, known = j.f.host.route(addr, nil)
	}
	switch {
	case j.path == PathBridge:
		why = "the destination of a bridged packet was translated"
	case local == yes && hook == "prerouting":
		j.path = PathInput
		return
	case local == yes:
		j.out = Interface{Name: "lo", Index: 1}
		return
	case known && oif != nil:
		if hook == "prerouting" {
			j.path = PathForward
		}
		j.out = *oif
		return
	case known:
		why = "no route to the translated destination"
	}
	j.undecided(t, why)
}

// undecided: from here on the way of the packet is not known.
func (j *journey) undecided(t *Translation, why string) {
	j.finished = true
	j.verdict.Answer, j.verdict.Why = Depends, why
	if t != nil {
		j.verdict.By = t.By
	}
}
