package firewall

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// matcher evaluates one option of an xtables match.
type matcher func(m *machine, o Option) tri

// xtMatchers are the matches of iptables that are understood, each by what
// one of its options says. An option that a matcher does not know is maybe.
var xtMatchers = map[string]matcher{
	"comment":   func(*machine, Option) tri { return yes },
	"nfacct":    func(*machine, Option) tri { return yes },
	"tcp":       (*machine).xtPort,
	"udp":       (*machine).xtPort,
	"udplite":   (*machine).xtPort,
	"sctp":      (*machine).xtPort,
	"dccp":      (*machine).xtPort,
	"multiport": (*machine).xtMultiport,
	"conntrack": (*machine).xtConntrack,
	"state":     (*machine).xtConntrack,
	"mark":      (*machine).xtMarkMatch,
	"connmark":  (*machine).xtConnmark,
	"physdev":   (*machine).xtPhysdev,
	"addrtype":  (*machine).xtAddrtype,
	"icmp":      (*machine).xtICMP,
	"icmp6":     (*machine).xtICMP,
	"mac":       (*machine).xtMAC,
	"pkttype":   (*machine).xtPktType,
	"iprange":   (*machine).xtIPRange,
	"policy":    (*machine).xtPolicy,
	"owner":     (*machine).xtOwner,
	"ip":        (*machine).ebtIP,
}

func (m *machine) xtMatch(e *Expr) tri {
	if e.Key == "rpfilter" {
		return m.xtRPFilter(e.Options)
	}
	eval, ok := xtMatchers[e.Key]
	if !ok {
		return m.doubt("match %s is not understood", e.Key)
	}
	answer := yes
	for _, o := range e.Options {
		t := eval(m, o)
		if strings.HasPrefix(o.Name, "--limit-iface") {
			continue // belongs to the type before it
		}
		if e.Key == "addrtype" && slices.ContainsFunc(e.Options, func(o Option) bool { return strings.HasPrefix(o.Name, "--limit-iface") }) {
			t = m.xtAddrtypeOn(o, e.Options)
		}
		answer = min(answer, t)
	}
	if answer == maybe {
		m.doubt("match %s: the flow leaves it open", e.Key)
	}
	return answer
}

func (m *machine) openOption(e string, o Option) tri {
	return m.doubt("option %s of match %s is not understood", o.Name, e)
}

// span reads A or A:B (A-B).
func span(text, sep string) (lo, hi uint16, ok bool) {
	a, b, two := strings.Cut(text, sep)
	if !two {
		b = a
	}
	if two && a == "" {
		a = "0"
	}
	if two && b == "" {
		b = "65535"
	}
	x, err1 := strconv.ParseUint(a, 10, 16)
	y, err2 := strconv.ParseUint(b, 10, 16)
	return uint16(x), uint16(y), err1 == nil && err2 == nil
}

func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func (m *machine) xtPort(o Option) tri {
	at := 0
	switch o.Name {
	case "--sport", "--source-port":
	case "--dport", "--destination-port":
		at = 2
	case "--tcp-flags":
		return m.xtTCPFlags(o)
	default:
		return m.openOption("tcp", o)
	}
	lo, hi, ok := span(o.Value, ":")
	if !ok {
		return m.openOption("tcp", o)
	}
	return m.st.th.sub(at, at+2).between(be16(lo), be16(hi)).invert(o.Not)
}

func (m *machine) xtTCPFlags(o Option) tri {
	mask, want, ok := strings.Cut(o.Value, " ")
	a, okA := tcpFlagBits(mask)
	b, okB := tcpFlagBits(want)
	if !ok || !okA || !okB {
		return m.openOption("tcp", o)
	}
	return m.st.th.sub(13, 14).maskXor([]byte{a}, []byte{0}).equal([]byte{b}).invert(o.Not)
}

func tcpFlagBits(text string) (b byte, ok bool) {
	for _, name := range strings.Split(text, ",") {
		i := slices.Index(tcpFlags, name)
		switch {
		case name == "ALL":
			b |= 0x3f
		case name == "NONE":
		case i < 0:
			return 0, false
		default:
			b |= 1 << i
		}
	}
	return b, true
}

func (m *machine) xtMultiport(o Option) tri {
	var fields []int
	switch o.Name {
	case "--sports", "--source-ports":
		fields = []int{0}
	case "--dports", "--destination-ports":
		fields = []int{2}
	case "--ports":
		fields = []int{0, 2}
	default:
		return m.openOption("multiport", o)
	}
	answer := no
	for _, part := range strings.Split(o.Value, ",") {
		lo, hi, ok := span(part, ":")
		if !ok {
			return m.openOption("multiport", o)
		}
		for _, at := range fields {
			answer = max(answer, m.st.th.sub(at, at+2).between(be16(lo), be16(hi)))
		}
	}
	return answer.invert(o.Not)
}

// statusBit says whether a bit of the connection's status is set.
func (m *machine) statusBit(bit uint32) tri {
	b := make([]byte, 4)
	m.order.PutUint32(b, bit)
	return m.st.status.maskXor(b, make([]byte, 4)).equal(b)
}

func (m *machine) xtConntrack(o Option) tri {
	conn, sure := m.connection()
	none := sure && (conn == StateInvalid || conn == StateUntracked)
	answer := no
	switch o.Name {
	case "--state", "--ctstate":
		for _, want := range strings.Split(o.Value, ",") {
			switch {
			case !sure:
				answer = max(answer, maybe)
			case want == "SNAT" && !none:
				answer = max(answer, m.statusBit(ipsSNAT))
			case want == "DNAT" && !none:
				answer = max(answer, m.statusBit(ipsDNAT))
			default:
				answer = max(answer, triOf(strings.EqualFold(want, conn)))
			}
		}
		return answer.invert(o.Not)
	case "--ctstatus":
		if none {
			return no
		}
		bit := map[string]uint32{"EXPECTED": ipsExpected, "SEEN_REPLY": ipsSeenReply, "ASSURED": ipsAssured, "CONFIRMED": ipsConfirmed}
		for _, want := range strings.Split(o.Value, ",") {
			if bit[want] == 0 {
				return m.openOption("conntrack", o)
			}
			answer = max(answer, m.statusBit(bit[want]))
		}
		return answer.invert(o.Not)
	case "--ctdir":
		if none {
			return no
		}
		return triOf((o.Value == "REPLY") == (conn != StateNew && m.flow.Reply)).invert(o.Not)
	}
	if none {
		return no
	}
	return m.openOption("conntrack", o)
}

// masked32 reads VALUE or VALUE/MASK.
func masked32(text string) (value, mask uint32, ok bool) {
	a, b, two := strings.Cut(text, "/")
	if !two {
		b = "0xffffffff"
	}
	v, err1 := strconv.ParseUint(a, 0, 32)
	k, err2 := strconv.ParseUint(b, 0, 32)
	return uint32(v), uint32(k), err1 == nil && err2 == nil
}

func (m *machine) host32(n uint32) []byte {
	b := make([]byte, 4)
	m.order.PutUint32(b, n)
	return b
}

// xtMarkMatch is -m mark. (connmark has the same option.)
func (m *machine) xtMarkMatch(o Option) tri { return m.markIs(m.st.mark, o) }

func (m *machine) markIs(mark bits, o Option) tri {
	v, k, ok := masked32(o.Value)
	if o.Name != "--mark" || !ok {
		return m.openOption("mark", o)
	}
	return mark.maskXor(m.host32(k), make([]byte, 4)).equal(m.host32(v)).invert(o.Not)
}

func (m *machine) xtConnmark(o Option) tri {
	if conn, sure := m.connection(); sure && (conn == StateInvalid || conn == StateUntracked) {
		return no
	}
	return m.markIs(m.st.ctmark, o)
}

func (m *machine) xtPhysdev(o Option) tri {
	f := m.flow
	in, out := &f.PhysIn, &f.PhysOut
	// br_netfilter remembers the ports of what it handed to the IP hooks.
	if !f.BridgeCall && m.at.family != "bridge" || m.at.local {
		in = nil
	}
	if in == nil || f.Path != PathBridge || m.at.hook == "prerouting" {
		out = nil
	}
	if o.Name == "--physdev-out" && in != nil && out == nil {
		return no // inverted or not: the kernel wants a device to compare
	}
	switch o.Name {
	case "--physdev-in":
		return nameMatches(in, o.Value).invert(o.Not)
	case "--physdev-out":
		return nameMatches(out, o.Value).invert(o.Not)
	case "--physdev-is-in":
		return present(in).invert(o.Not)
	case "--physdev-is-out":
		return present(out).invert(o.Not)
	case "--physdev-is-bridged":
		return triOf(in != nil && f.Path == PathBridge && m.at.hook != "prerouting").invert(o.Not)
	}
	return m.openOption("physdev", o)
}

func present(i *Interface) tri { return triOf(i != nil && *i != Interface{}) }

func nameMatches(i *Interface, pattern string) tri {
	switch {
	case i == nil || *i == Interface{}:
		return no
	case i.Name == "":
		return maybe
	}
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		return triOf(strings.HasPrefix(i.Name, prefix))
	}
	return triOf(i.Name == pattern)
}

func (m *machine) xtICMP(o Option) tri {
	if o.Name != "--icmp-type" && o.Name != "--icmpv6-type" {
		return m.openOption("icmp", o)
	}
	if o.Value == "any" {
		return yes.invert(o.Not)
	}
	t, c, hasCode := strings.Cut(o.Value, "/")
	typ, err := strconv.ParseUint(t, 10, 8)
	if err != nil {
		return m.openOption("icmp", o)
	}
	answer := m.st.th.sub(0, 1).equal([]byte{byte(typ)})
	if hasCode {
		code, err := strconv.ParseUint(c, 10, 8)
		if err != nil {
			return m.openOption("icmp", o)
		}
		answer = min(answer, m.st.th.sub(1, 2).equal([]byte{byte(code)}))
	}
	return answer.invert(o.Not)
}

func (m *machine) xtIPRange(o Option) tri {
	a, b, ok := strings.Cut(o.Value, "-")
	lo, err1 := netip.ParseAddr(a)
	hi, err2 := netip.ParseAddr(b)
	addr, has := m.st.address(o.Name == "--dst-range")
	if !ok || err1 != nil || err2 != nil || !has || o.Name != "--dst-range" && o.Name != "--src-range" {
		return m.openOption("iprange", o)
	}
	return addr.between(lo.AsSlice(), hi.AsSlice()).invert(o.Not)
}
