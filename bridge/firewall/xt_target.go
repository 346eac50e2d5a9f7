package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// xtSilent are targets after which the packet goes on, unchanged as far as
// rules can tell.
var xtSilent = map[string]bool{"LOG": true, "NFLOG": true, "ULOG": true, "CHECKSUM": true, "TCPMSS": true, "CLASSIFY": true,
	"DSCP": true, "TOS": true, "TRACE": true, "AUDIT": true, "SECMARK": true, "CONNSECMARK": true,
	"TEE": true, "IDLETIMER": true, "LED": true, "RATEEST": true, "ECN": true, "TCPOPTSTRIP": true, "ACCOUNT": true}

func (m *machine) xtTarget(e *Expr) tri {
	switch e.Key {
	case "REJECT":
		m.rule.verdicts, m.rule.rejected = append(m.rule.verdicts, Jump{Code: "drop"}), true
		return yes
	case "MARK":
		return m.xtMark(e)
	case "CONNMARK":
		return m.xtConnmarkTarget(e)
	case "NOTRACK":
		m.untrack()
		return yes
	case "CT":
		return m.xtCTTarget(e)
	case "SET", "HMARK":
		m.assign(&m.st.mark, unknownBits(4)) // --map-mark
		return yes
	case "NFQUEUE":
		return m.queued(xtQueueOf(e))
	case "TTL", "HL":
		for _, o := range e.Options {
			if n, err := strconv.Atoi(o.Value); err == nil && strings.HasSuffix(o.Name, "-set") && n < fewHops {
				m.rewrite()
			}
		}
		return yes
	case "MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP":
		return m.xtTranslate(e)
	}
	if xtSilent[e.Key] {
		return yes
	}
	return m.anything("target " + e.Key + " is not understood")
}

// changeMark applies one option of MARK, or CONNMARK, that sets bits.
func (m *machine) changeMark(to *bits, o Option) bool {
	v, k, ok := masked32(o.Value)
	if !ok {
		return false
	}
	switch o.Name {
	case "--set-xmark":
	case "--set-mark":
		k |= v
	case "--and-mark":
		v, k = 0, ^v
	case "--or-mark":
		k = v
	case "--xor-mark":
		k = 0
	default:
		return false
	}
	m.assign(to, to.maskXor(m.host32(^k), m.host32(v)))
	return true
}

func (m *machine) xtMark(e *Expr) tri {
	for _, o := range e.Options {
		if !m.changeMark(&m.st.mark, o) {
			m.assign(&m.st.mark, unknownBits(4))
		}
	}
	return yes
}

func (m *machine) xtConnmarkTarget(e *Expr) tri {
	if conn, sure := m.connection(); sure && (conn == StateInvalid || conn == StateUntracked) {
		return yes
	}
	nf, ct := uint32(0xffffffff), uint32(0xffffffff)
	what := Option{}
	for _, o := range e.Options {
		v, _, ok := masked32(o.Value)
		switch {
		case o.Name == "--nfmask" && ok:
			nf = v
		case o.Name == "--ctmask" && ok:
			ct = v
		case o.Name == "--mask" && ok:
			nf, ct = v, v
		default:
			what = o
		}
	}
	s := m.st
	zero := make([]byte, 4)
	switch what.Name {
	case "--save-mark":
		m.assign(&s.ctmark, s.ctmark.maskXor(m.host32(^ct), zero).xor(s.mark.maskXor(m.host32(nf), zero)))
	case "--restore-mark":
		m.assign(&s.mark, s.mark.maskXor(m.host32(^nf), zero).xor(s.ctmark.maskXor(m.host32(ct), zero)))
	default:
		if !m.changeMark(&s.ctmark, what) {
			m.assign(&s.ctmark, unknownBits(4))
			m.assign(&s.mark, unknownBits(4))
		}
	}
	return yes
}

func (m *machine) xtTranslate(e *Expr) tri {
	t := Translation{Kind: strings.ToLower(e.Key)}
	for _, o := range e.Options {
		switch o.Name {
		case "--to", "--to-source", "--to-destination":
			if p, err := netip.ParsePrefix(o.Value); err == nil { // NETMAP's
				t.AddrMin, t.AddrMax = p.Masked().Addr(), p.Masked().Addr()
				break
			}
			t.parseTarget(o.Value)
		case "--to-ports", "--to-port":
			lo, hi, ok := span(o.Value, "-")
			t.PortMin, t.PortMax, t.Maybe = int(lo), int(hi), !ok
		case "--random", "--random-fully", "--persistent":
		default:
			t.Maybe = true
		}
	}
	if t.Kind == "netmap" {
		t.Maybe = true
	}
	m.rule.nat = &t
	return yes
}

// parseTarget reads ADDRESS[-ADDRESS][:PORT[-PORT]], IPv6 with ports in
// brackets.
func (t *Translation) parseTarget(text string) {
	addrs, ports, hasPorts := text, "", false
	if rest, ok := strings.CutPrefix(text, "["); ok {
		addrs, ports, _ = strings.Cut(rest, "]")
		ports, hasPorts = strings.CutPrefix(ports, ":")
	} else if strings.Count(text, ":") == 1 {
		addrs, ports, hasPorts = strings.Cut(text, ":")
	}
	if addrs != "" {
		lo, hi, two := strings.Cut(addrs, "-")
		if !two {
			hi = lo
		}
		a, err1 := netip.ParseAddr(lo)
		b, err2 := netip.ParseAddr(hi)
		if err1 != nil || err2 != nil {
			t.Maybe = true
			return
		}
		t.AddrMin, t.AddrMax = a, b
	}
	if hasPorts {
		lo, hi, ok := span(ports, "-")
		t.PortMin, t.PortMax, t.Maybe = int(lo), int(hi), t.Maybe || !ok
	}
}
