package firewall

import (
	"encoding/binary"
	"fmt"
)

// registers are nftables' 64 bytes (NFT_REG32_*), with what is known of them.
type registers struct{ val, known [64]byte }

func (r *registers) at(reg uint8, n int) bits {
	i := slot(reg) * 4
	j := i + max(0, min(n, len(r.val)-i))
	return bits{r.val[i:j], r.known[i:j]}
}

// store writes a value and fills the last register up with zeros.
func (r *registers) store(reg uint8, b bits) {
	i := slot(reg) * 4
	for k := range (len(b.val) + 3) &^ 3 {
		if i+k >= len(r.val) {
			return
		}
		if k < len(b.val) {
			r.val[i+k], r.known[i+k] = b.val[k], b.known[k]
		} else {
			r.val[i+k], r.known[i+k] = 0, 0xff
		}
	}
}

// hookPoint is where in a packet's way a base chain is met.
type hookPoint struct {
	family   string // of the chain's hook: ip, ip6, arp, bridge, netdev
	pf       string // what meta nfproto tells
	hook     string
	priority int
	in, out  *Interface // nil: there is none at this hook
	tracked  bool       // conntrack saw the packet before
	local    bool       // the packet comes from a socket of this host
}

// machine evaluates rules for one packet.
type machine struct {
	f     *Filter
	flow  *Flow
	st    *state
	at    hookPoint
	regs  registers
	order binary.ByteOrder
	// sure: the packet certainly gets to this rule. What a rule changes when
	// it is not sure may be changed or not.
	sure  bool
	table *table
	depth int
	steps int
	memo  map[memoKey]outcome
	rule  ruleResult
	// now is the rule that is evaluated, marker that which wrote the mark last,
	// untracker that which takes the packet from conntrack for sure, zoner that
	// which chooses its zone for sure, and rewriter the first that writes what
	// packets are delivered by.
	now                                cause
	marker, untracker, zoner, rewriter *cause
}

// ruleResult is what a rule does: nothing (no), or one of its verdicts.
type ruleResult struct {
	match    tri
	why      string // of a maybe
	verdicts []Jump // empty: the next rule
	nat      *Translation
	rejected bool
	unheard  bool
	split    bool // several verdicts are possible although it matches
}

// doubt makes the match a maybe and keeps the first reason.
func (m *machine) doubt(format string, args ...any) tri {
	if m.rule.why == "" {
		m.rule.why = fmt.Sprintf(format, args...)
	}
	return maybe
}

// evaluate runs a rule's expressions until one does not match or gives a
// verdict.
func (m *machine) evaluate(r *Rule) ruleResult {
	m.rule = ruleResult{match: yes}
	m.regs = registers{}
	if r.Damaged {
		m.anything("a rule that could not be read whole")
	}
	for i := range r.Exprs {
		e := r.Exprs[i]
		t := m.expr(e)
		if t == no {
			return ruleResult{match: no}
		}
		if t == maybe {
			m.rule.match = maybe
			m.doubt("%s", describe(e))
		}
		if len(m.rule.verdicts) > 0 && !m.rule.split || m.rule.nat != nil {
			break
		}
	}
	return m.rule
}

// anything: it may accept, drop, or go on.
func (m *machine) anything(why string) tri {
	m.rule.match = maybe
	m.doubt("%s", why)
	m.rule.verdicts = append(m.rule.verdicts, Jump{Code: "accept"}, Jump{Code: "drop"})
	m.rule.split = true
	return maybe
}

func (m *machine) certain() bool { return m.sure && m.rule.match == yes }

// assign changes a part of the packet's state.
func (m *machine) assign(to *bits, v bits) {
	if len(v.val) != len(to.val) {
		v = unknownBits(len(to.val))
	}
	if !m.certain() {
		v = to.join(v)
	}
	if !to.same(v) {
		*to = v.clone()
		m.st.changed()
		if to == &m.st.mark {
			now := m.now
			m.marker = &now
		}
	}
}

func describe(e *Expr) string {
	if e.Unknown {
		return fmt.Sprintf("%s %s is not understood", e.Kind, e.Key)
	}
	switch e.Kind {
	case "cmp", "lookup", "range":
		return "a value that the flow leaves open"
	case "match", "target":
		return e.Kind + " " + e.Key
	}
	return e.Kind + " " + e.Key
}

// expr evaluates one expression.
func (m *machine) expr(e *Expr) tri {
	if e.Unknown || e.NAT == nil && (e.Kind == "nat" || e.Kind == "masq" || e.Kind == "redir") {
		return m.unknown(e)
	}
	switch e.Kind {
	case "cmp":
		return m.regs.at(e.Sreg, len(e.Data)).compare(e.Op, e.Data)
	case "range":
		return m.regs.at(e.Sreg, len(e.Data)).between(e.Data, e.End).invert(e.Op == "neq")
	case "bitwise":
		return m.bitwise(e)
	case "byteorder":
		return m.byteorder(e)
	case "meta":
		return m.meta(e)
	case "payload":
		return m.payload(e)
	case "ct":
		return m.ct(e)
	case "lookup":
		return m.lookup(e)
	case "fib":
		return m.fib(e)
	case "immediate":
		return m.immediate(e)
	case "match":
		return m.xtMatch(e)
	case "target":
		return m.xtTarget(e)
	}
	return m.statement(e)
}

func (m *machine) immediate(e *Expr) tri {
	if e.Jump == nil {
		m.regs.store(e.Dreg, knownBits(e.Data))
		return yes
	}
	switch e.Jump.Code {
	case "continue":
		return yes
	case "break":
		return no
	}
	m.rule.verdicts = append(m.rule.verdicts, *e.Jump)
	m.rule.split = false
	if m.rule.match == maybe && len(m.rule.verdicts) > 1 {
		m.rule.split = true // what could not be understood may have decided before
	}
	return yes
}

// unknown expressions load something, match something or, if it is a
// statement or one that this package never heard of, do anything.
func (m *machine) unknown(e *Expr) tri {
	for i := range m.regs.known {
		m.regs.known[i], m.regs.val[i] = 0, 0
	}
	if ebtNAT(e) {
		m.rewrite()
	}
	_, known := layouts[e.Kind]
	why := fmt.Sprintf("%s %s is not understood", e.Kind, e.Key)
	switch {
	case e.Kind == "match":
		return m.doubt("%s", why)
	case e.Kind == "target", !known, terminal[e.Kind]:
		return m.anything(why)
	}
	return m.doubt("%s", why)
}

var terminal = map[string]bool{"nat": true, "masq": true, "redir": true, "reject": true, "queue": true, "tproxy": true, "synproxy": true, "fwd": true, "immediate": true}

// statement evaluates what neither loads nor compares, and what loads
// something that is never known.
func (m *machine) statement(e *Expr) tri {
	switch e.Kind {
	case "counter", "log", "last", "dup", "flow_offload":
		return yes
	case "dynset":
		if e.Key == "stateful" || e.Invert {
			return m.doubt("%s @%s: a limit per element", e.Op, e.Set)
		}
		return yes
	case "notrack":
		m.untrack()
		return yes
	case "reject":
		m.rule.verdicts, m.rule.rejected = append(m.rule.verdicts, Jump{Code: "drop"}), true
		return yes
	case "masq", "redir", "nat":
		return m.translate(e.NAT)
	case "limit", "quota", "connlimit":
		return m.doubt("%s", map[string]string{"limit": "a rate limit", "quota": "a quota", "connlimit": "a number of connections"}[e.Kind])
	case "queue":
		return m.queued(int(e.Offset), int(e.Offset+max(e.Len, 1))-1, e.Flags&queueBypass != 0, e.Sreg == 0)
	case "tproxy", "synproxy", "fwd":
		return m.anything(map[string]string{"tproxy": "a transparent proxy",
			"synproxy": "a SYN proxy", "fwd": "it is forwarded to another device"}[e.Kind])
	case "objref":
		return m.object(e)
	case "exthdr":
		return m.exthdr(e)
	case "rt", "socket", "numgen", "hash", "osf", "xfrm", "tunnel":
		if e.Dreg != 0 {
			m.regs.store(e.Dreg, unknownBits(16))
		}
		m.doubtful(e)
		return yes
	}
	return m.anything(describe(e))
}

// doubtful remembers what an unknown value was, should the rule hang on it.
func (m *machine) doubtful(e *Expr) { m.doubt("%s %s is not known", e.Kind, e.Key) }

// object refers to an object by name, or by a map of the set e.Set.
func (m *machine) object(e *Expr) tri {
	answer, kind := yes, e.Flags
	if e.Set != "" {
		s := m.table.sets[e.Set]
		if s == nil {
			return m.doubt("set %s is missing", e.Set)
		}
		answer, _ = s.search(m.regs.at(e.Sreg, s.KeyLen), &m.steps)
		kind = s.Object
	}
	switch kind { // NFT_OBJECT_*
	case 2, 4, 5:
		return min(answer, m.doubt("a limit, quota or number of connections"))
	case 10:
		return m.anything("a SYN proxy")
	}
	return answer
}

// exthdr: packets have no options and no extension headers but those of TCP,
// which are not known.
func (m *machine) exthdr(e *Expr) tri {
	if e.Dreg == 0 {
		return yes // sets an option
	}
	if e.Op == "ip6" || e.Op == "ip" {
		if e.Flags&1 == 0 { // NFT_EXTHDR_F_PRESENT: only whether there is one
			return no
		}
		m.regs.store(e.Dreg, knownBits([]byte{0}))
		return yes
	}
	m.regs.store(e.Dreg, unknownBits(max(1, min(16, int(e.Len)))))
	m.doubtful(e)
	return yes
}

func (m *machine) bitwise(e *Expr) tri {
	n := max(0, min(int(e.Len), 64-slot(e.Sreg)*4, 64-slot(e.Dreg)*4))
	src := m.regs.at(e.Sreg, n)
	out := unknownBits(n)
	switch {
	case e.Op == "mask-xor":
		out = src.maskXor(e.Mask, e.Data)
	case (e.Op == "lshift" || e.Op == "rshift") && n <= 4 && src.complete() && len(e.Data) == 4:
		var b [4]byte
		copy(b[:], src.val)
		v, by := m.order.Uint32(b[:]), m.order.Uint32(e.Data)
		if e.Op == "lshift" {
			v <<= by
		} else {
			v >>= by
		}
		m.order.PutUint32(b[:], v)
		out = knownBits(b[:n])
	case e.Sreg2 != 0 && (e.Op == "and" || e.Op == "or" || e.Op == "xor"):
		other := m.regs.at(e.Sreg2, n)
		if src.complete() && other.complete() && len(other.val) == n {
			b := make([]byte, n)
			for i := range b {
				b[i] = map[string]byte{"and": src.val[i] & other.val[i], "or": src.val[i] | other.val[i], "xor": src.val[i] ^ other.val[i]}[e.Op]
			}
			out = knownBits(b)
		}
	}
	m.regs.store(e.Dreg, out)
	return yes
}

// byteorder swaps on a little-endian host; e.Offset is the unit in bytes.
func (m *machine) byteorder(e *Expr) tri {
	n := max(0, min(int(e.Len), 64-slot(e.Sreg)*4, 64-slot(e.Dreg)*4))
	v := m.regs.at(e.Sreg, n).clone()
	if unit := int(e.Offset); m.order == binary.ByteOrder(binary.LittleEndian) && (unit == 2 || unit == 4 || unit == 8) {
		v = v.swap(unit)
	}
	m.regs.store(e.Dreg, v)
	return yes
}
