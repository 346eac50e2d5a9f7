package firewall

import "strconv"

var ctStateBits = map[string]uint32{StateInvalid: 1, StateEstablished: 2, StateRelated: 4, StateNew: 8, StateUntracked: 64}

// connection is the state of the packet's connection as rules see it here:
// conntrack has not looked at it before its own priority.
func (m *machine) connection() (state string, sure bool) {
	switch {
	case m.st.untracked == maybe:
		return "", false
	case m.st.untracked == yes:
		return StateUntracked, true
	case !m.at.tracked:
		return StateInvalid, true
	}
	return m.st.ct, true
}

// untrack is notrack: it has no effect once conntrack saw the packet.
func (m *machine) untrack() {
	if m.at.tracked || m.st.untracked == yes || m.st.zoned == yes {
		return
	}
	want := yes
	if !m.certain() {
		want = maybe
	}
	if m.st.untracked != want {
		m.st.untracked = want
		if now := m.now; want == yes {
			m.untracker = &now
		}
		m.st.changed()
	}
}

// zone puts the packet into a zone of conntrack, in which alone it looks for the
// connection. Like notrack it comes before conntrack, and the first one counts. A zone
// of one direction only is not followed: its value is unknown.
func (m *machine) zone(v bits) {
	if m.at.tracked || m.st.untracked == yes || m.st.zoned == yes || m.at.family != "ip" && m.at.family != "ip6" {
		return
	}
	if m.st.zoned == maybe { // a rule before may have been the first
		v = m.st.zone.join(v)
	}
	m.assign(&m.st.zone, v)
	if m.st.zoned = maybe; m.certain() {
		now := m.now
		m.st.zoned, m.zoner = yes, &now
	}
	m.st.changed()
}

// xtCTTarget is CT: notrack, a zone, or what no verdict hangs on.
func (m *machine) xtCTTarget(e *Expr) tri {
	for _, o := range e.Options {
		switch o.Name {
		case "--notrack":
			m.untrack()
		case "--zone", "--zone-orig", "--zone-reply":
			v := unknownBits(2)
			if n, err := strconv.ParseUint(o.Value, 0, 16); err == nil && o.Name == "--zone" {
				v = m.number(uint32(n), 2)
			}
			m.zone(v)
		}
	}
	return yes
}

func (m *machine) ct(e *Expr) tri {
	conn, sure := m.connection()
	none := conn == StateInvalid || conn == StateUntracked
	if e.Sreg != 0 && e.Dreg == 0 {
		switch {
		case e.Key == "mark" && !(sure && none):
			m.assign(&m.st.ctmark, m.regs.at(e.Sreg, 4))
		case e.Key == "zone" && e.Op == "":
			m.zone(m.regs.at(e.Sreg, 2))
		case e.Key == "zone":
			m.zone(unknownBits(2))
		}
		return yes
	}
	if e.Key == "state" && sure {
		m.regs.store(e.Dreg, m.number(ctStateBits[conn], 4))
		return yes
	}
	if sure && none && e.Key != "state" {
		return no // no connection
	}
	v := unknownBits(16)
	if sure {
		v = m.ctValue(e, conn)
	}
	m.regs.store(e.Dreg, v)
	if !v.complete() {
		m.doubtful(e)
	}
	return yes
}

// ctValue is what conntrack knows of the connection. The addresses of its
// first packet are known while this is it.
func (m *machine) ctValue(e *Expr, conn string) bits {
	switch e.Key {
	case "direction":
		if conn == StateNew {
			return m.number(0, 1)
		}
		return m.number(uint32(bool2int(m.flow.Reply)), 1)
	case "status":
		return m.st.status
	case "mark":
		return m.st.ctmark
	case "protocol":
		return m.st.proto()
	case "l3proto":
		return knownBits([]byte{familyNumber(m.st.family)})
	case "zone":
		return m.st.zone
	}
	if conn == StateNew && e.Op == "original" {
		return m.original(e.Key)
	}
	return unknownBits(16)
}

// original is a field of the packet as it came.
func (m *machine) original(key string) bits {
	nh, th := networkHeader(m.flow), transportHeader(m.flow)
	s := state{family: m.flow.Family, nh: nh}
	src, _ := s.address(false)
	dst, ok := s.address(true)
	switch {
	case !ok:
	case key == "saddr" || key == "ip saddr" || key == "ip6 saddr":
		return src
	case key == "daddr" || key == "ip daddr" || key == "ip6 daddr":
		return dst
	case key == "proto-src":
		return th.sub(0, 2)
	case key == "proto-dst":
		return th.sub(2, 4)
	}
	return unknownBits(16)
}
