package firewall

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// legacyPriorities are the hook priorities of iptables' tables (NF_IP_PRI_*,
// linux/netfilter_ipv4.h); nat has others on two hooks.
var legacyPriorities = map[string]int{"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}

const priorityNATSource = 100 // NF_IP_PRI_NAT_SRC

// saveParser reads what iptables-legacy-save prints.
type saveParser struct {
	family string
	tables []Table
	chain  map[string]int // chains of the current table
	rules  int
	pool   *exprPool
}

// ParseSave reads the output of iptables-legacy-save or ip6tables-legacy-save
// (family ip or ip6). Options it does not know stay in the rules by name; a
// line that is none of the format's is an error with its number.
func ParseSave(family string, text []byte) ([]Table, error) {
	if family != "ip" && family != "ip6" {
		return nil, fmt.Errorf("parse save: family %q is neither ip nor ip6", family)
	}
	p := saveParser{family: family, pool: newExprPool()}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if err := p.line(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("parse save: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("parse save: %w", err)
	}
	rs := Ruleset{Tables: p.tables}
	rs.finish()
	return rs.Tables, nil
}

func (p *saveParser) line(line string) error {
	switch {
	case line == "" || line[0] == '#' || line == "COMMIT":
		return nil
	case line[0] == '*':
		p.tables = append(p.tables, Table{Family: p.family, Name: line[1:], Legacy: true, Chains: []Chain{}})
		p.chain = map[string]int{}
		return nil
	case p.chain == nil:
		return fmt.Errorf("%.40q outside of a table", line)
	case line[0] == ':':
		return p.declare(line)
	}
	if line[0] == '[' { // counters
		_, line, _ = strings.Cut(line, "] ")
	}
	return p.rule(line)
}

func (p *saveParser) table() *Table { return &p.tables[len(p.tables)-1] }

// declare reads ":NAME POLICY [packets:bytes]"; the policy of a user's chain
// is "-".
func (p *saveParser) declare(line string) error {
	fields := strings.Fields(line[1:])
	if len(fields) < 2 {
		return fmt.Errorf("chain %.40q without a policy", line)
	}
	t := p.table()
	c := Chain{Name: fields[0], Rules: []Rule{}}
	if fields[1] != "-" {
		c.Base = legacyBase(t.Name, fields[0], fields[1])
	}
	p.chain[c.Name] = len(t.Chains)
	t.Chains = append(t.Chains, c)
	return nil
}

func legacyBase(table, chain, policy string) *Base {
	b := &Base{Type: "filter", Hook: strings.ToLower(chain), Priority: legacyPriorities[table], Policy: strings.ToLower(policy)}
	if table == "nat" {
		b.Type = "nat"
		if b.Hook == "postrouting" || b.Hook == "input" {
			b.Priority = priorityNATSource
		}
	}
	return b
}

func (p *saveParser) rule(line string) error {
	words, err := splitWords(line)
	if err != nil {
		return err
	}
	if len(words) < 2 || words[0] != "-A" {
		return fmt.Errorf("%.40q is not a rule", line)
	}
	i, ok := p.chain[words[1]]
	if !ok {
		return fmt.Errorf("rule in undeclared chain %.40q", words[1])
	}
	c := &p.table().Chains[i]
	if p.rules++; p.rules > MaxRules {
		c.Truncated = true
		return nil
	}
	r := ruleParser{family: p.family, words: words[2:], chains: p.chain}
	r.parse()
	c.Rules = append(c.Rules, Rule{Exprs: p.pool.shareAll(r.exprs), Text: line, Comment: r.comment, Compat: true})
	return nil
}

// splitWords splits at blanks; double quotes keep blanks, a backslash in them
// keeps the next character.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, quoted := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, in = !quoted, true
		case c == ' ' && !quoted:
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("quote without end in %.40q", line)
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// ruleParser turns the words of a rule into the expressions that iptables-nft
// would have made of them.
type ruleParser struct {
	family  string
	words   []string
	chains  map[string]int
	exprs   []Expr
	comment string
}

func (r *ruleParser) next() string {
	if len(r.words) == 0 {
		return ""
	}
	w := r.words[0]
	r.words = r.words[1:]
	return w
}

func (r *ruleParser) parse() {
	not := false
	for len(r.words) > 0 {
		switch w := r.next(); w {
		case "!":
			not = true
			continue
		case "-s", "-d":
			r.address(w == "-d", r.next(), not)
		case "-i", "-o":
			r.device(w == "-o", r.next(), not)
		case "-p":
			r.protocol(r.next(), not)
		case "-f":
			r.fragment(not)
		case "-4", "-6":
		case "-m":
			r.exprs = append(r.exprs, Expr{Kind: "match", Key: r.next()})
		case "-j", "-g":
			r.target(w == "-g", r.next())
		default:
			r.option(w, not)
		}
		not = false
	}
}

// option belongs to the match or target before it. Its value is all words up
// to the next option.
func (r *ruleParser) option(name string, not bool) {
	var values []string
	for len(r.words) > 0 && r.words[0] != "!" && !isOption(r.words[0]) {
		values = append(values, r.next())
	}
	o := Option{Name: name, Value: strings.Join(values, " "), Not: not}
	if name == "--comment" {
		r.comment = o.Value
	}
	i := len(r.exprs) - 1
	if i < 0 || r.exprs[i].Kind != "match" && r.exprs[i].Kind != "target" {
		r.exprs = append(r.exprs, Expr{Kind: "match", Unknown: true})
		i++
	}
	r.exprs[i].Options = append(r.exprs[i].Options, o)
}

func isOption(w string) bool {
	return strings.HasPrefix(w, "--") && len(w) > 2 || len(w) == 2 && w[0] == '-' && w[1] != '-'
}

func (r *ruleParser) unknown(what string) {
	r.exprs = append(r.exprs, Expr{Kind: "match", Key: what, Unknown: true})
}

func cmpOp(not bool) string {
	if not {
		return "neq"
	}
	return "eq"
}

func (r *ruleParser) address(dst bool, text string, not bool) {
	addr, mask, ok := parseMasked(text)
	if !ok || addr.Is6() != (r.family == "ip6") {
		r.unknown("address " + text)
		return
	}
	off, n := uint32(12), uint32(4)
	if r.family == "ip6" {
		off, n = 8, 16
	}
	if dst {
		off += n
	}
	value := addr.AsSlice()
	for i := range value {
		value[i] &= mask[i]
	}
	r.exprs = append(r.exprs,
		Expr{Kind: "payload", Key: "network", Offset: off, Len: n, Dreg: 1},
		Expr{Kind: "bitwise", Op: "mask-xor", Sreg: 1, Dreg: 1, Len: n, Mask: mask, Data: make(Bytes, n)},
		Expr{Kind: "cmp", Op: cmpOp(not), Sreg: 1, Data: value})
}

// parseMasked reads ADDRESS, ADDRESS/LENGTH or ADDRESS/MASK.
func parseMasked(text string) (netip.Addr, Bytes, bool) {
	host, mask, has := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return addr, nil, false
	}
	if !has {
		mask = strconv.Itoa(addr.BitLen())
	}
	if m, err := netip.ParseAddr(mask); err == nil && m.Zone() == "" {
		return addr, m.AsSlice(), m.BitLen() == addr.BitLen()
	}
	n, err := strconv.Atoi(mask)
	if err != nil || n < 0 || n > addr.BitLen() {
		return addr, nil, false
	}
	out := make(Bytes, addr.BitLen()/8)
	for i := range out {
		out[i] = ^byte(0xff >> max(0, min(8, n-8*i)))
	}
	return addr, out, true
}

func (r *ruleParser) device(out bool, name string, not bool) {
	key := "iifname"
	if out {
		key = "oifname"
	}
	var value Bytes
	if prefix, ok := strings.CutSuffix(name, "+"); ok {
		value = Bytes(prefix)
	} else {
		value = append(Bytes(name), make(Bytes, max(1, 16-len(name)))...)[:max(16, len(name)+1)]
	}
	if len(value) == 0 { // "+": every device
		if not {
			r.exprs = append(r.exprs, Expr{Kind: "immediate", Jump: &Jump{Code: "break"}})
		}
		return
	}
	r.exprs = append(r.exprs,
		Expr{Kind: "meta", Key: key, Dreg: 1},
		Expr{Kind: "cmp", Op: cmpOp(not), Sreg: 1, Data: slices.Clip(value[:min(len(value), 16)])})
}

func (r *ruleParser) protocol(name string, not bool) {
	n, ok := protocols[name]
	if name == "icmpv6" {
		n, ok = 58, true
	}
	if v, err := strconv.ParseUint(name, 10, 8); err == nil {
		n, ok = uint8(v), true
	}
	switch {
	case name == "all" || ok && n == 0 && name != "0" || name == "0":
		return
	case !ok:
		r.unknown("protocol " + name)
		return
	}
	r.exprs = append(r.exprs,
		Expr{Kind: "meta", Key: "l4proto", Dreg: 1},
		Expr{Kind: "cmp", Op: cmpOp(not), Sreg: 1, Data: Bytes{n}})
}

// fragment matches second and further fragments.
func (r *ruleParser) fragment(not bool) {
	r.exprs = append(r.exprs,
		Expr{Kind: "payload", Key: "network", Offset: 6, Len: 2, Dreg: 1},
		Expr{Kind: "bitwise", Op: "mask-xor", Sreg: 1, Dreg: 1, Len: 2, Mask: Bytes{0x1f, 0xff}, Data: Bytes{0, 0}},
		Expr{Kind: "cmp", Op: cmpOp(!not), Sreg: 1, Data: Bytes{0, 0}})
}

func (r *ruleParser) target(isGoto bool, name string) {
	jump := func(code, chain string) {
		r.exprs = append(r.exprs, Expr{Kind: "immediate", Jump: &Jump{Code: code, Chain: chain}})
	}
	_, isChain := r.chains[name]
	switch {
	case isGoto:
		jump("goto", name)
	case isChain:
		jump("jump", name)
	case name == "ACCEPT" || name == "DROP" || name == "RETURN" || name == "QUEUE":
		jump(strings.ToLower(name), "")
	default:
		r.exprs = append(r.exprs, Expr{Kind: "target", Key: name})
	}
}
