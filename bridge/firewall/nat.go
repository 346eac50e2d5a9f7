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
	first := choices[0].translation
	first.By = choices[0].by.ref()
	first.Maybe = first.Maybe || perhaps
	destination := s.hook == "prerouting" || s.hook == "output"
	j.complete(&first, s)
	addr, _ := j.st.address(destination)
	at := 2 * bool2int(destination)
	port := j.st.th.sub(at, at+2)
	addrBefore, portBefore := addr.clone(), port.clone()
	for i, c := range choices {
		t := c.translation
		j.complete(&t, s)
		if i > 0 && (t.Kind != first.Kind || t.AddrMin != first.AddrMin || t.AddrMax != first.AddrMax) {
			first.Maybe = true
		}
		newAddr, newPort := t.applied(addrBefore, portBefore)
		if i > 0 || perhaps {
			newAddr, newPort = addr.join(newAddr), port.join(newPort)
		}
		copyBits(addr, newAddr)
		if j.st.isProto(protoTCP, protoUDP) != no {
			copyBits(port, newPort)
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

// complete fills in the address that the kernel chooses: that of the device
// for masquerade and redirect, if there is only one.
func (j *journey) complete(t *Translation, s stage) {
	if t.AddrMin.IsValid() {
		return
	}
	dev := s.out
	switch t.Kind {
	case "masquerade":
	case "redirect":
		dev = s.in
		if s.hook == "output" {
			t.AddrMin = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			if j.st.family == "ip6" {
				t.AddrMin = netip.IPv6Loopback()
			}
			t.AddrMax = t.AddrMin
			return
		}
	default:
		return
	}
	var found []netip.Addr
	for _, a := range j.f.host.Addresses {
		addr := a.Prefix.Addr()
		if dev != nil && same(dev, &a.Interface) && addr.Is4() == (j.st.family == "ip") && !addr.IsLinkLocalUnicast() {
			found = append(found, addr)
		}
	}
	if len(found) == 1 {
		t.AddrMin, t.AddrMax = found[0], found[0]
	}
}

// applied is the address and port after a translation. Source ports may be
// changed by any SNAT that finds them taken.
func (t Translation) applied(addr, port bits) (bits, bits) {
	newAddr, newPort := addr.clone(), port.clone()
	switch {
	case t.Kind == "netmap":
		newAddr = unknownBits(len(addr.val))
	case t.AddrMin.IsValid():
		newAddr = unknownBits(len(addr.val))
		if lo, hi := knownBits(t.AddrMin.AsSlice()), knownBits(t.AddrMax.AsSlice()); len(lo.val) == len(addr.val) {
			newAddr = lo.join(hi)
			if t.AddrMin != t.AddrMax {
				newAddr = unknownBits(len(addr.val))
			}
		}
	case t.Kind == "masquerade" || t.Kind == "redirect":
		newAddr = unknownBits(len(addr.val))
	}
	switch {
	case t.Kind == "snat" || t.Kind == "masquerade":
		newPort = unknownBits(2)
	case t.PortMin > 0 && t.PortMin == t.PortMax:
		newPort = knownBits(binary.BigEndian.AppendUint16(nil, uint16(t.PortMin))) // a port
	case t.PortMin > 0:
		newPort = unknownBits(2)
	}
	return newAddr, newPort
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
