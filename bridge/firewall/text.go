package firewall

import (
	"fmt"
	"strings"
)

// writer prints the rules of one table.
type writer struct {
	rs     *Ruleset
	family string
	sets   map[string]*Set
	compat bool // the table is one that iptables' tools use
}

func newWriter(rs *Ruleset, t *Table) *writer {
	w := &writer{rs: rs, family: t.Family, sets: make(map[string]*Set, len(t.Sets)), compat: compatTable(t)}
	for i := range t.Sets {
		w.sets[t.Sets[i].Name] = &t.Sets[i]
	}
	return w
}

// compatTable says whether a table has the name and family of one that
// iptables-nft makes.
func compatTable(t *Table) bool {
	if t.Family != "ip" && t.Family != "ip6" {
		return false
	}
	_, ok := legacyPriorities[t.Name]
	return ok
}

// clause is a part of a rule: what is compared with what, or a statement.
type clause struct {
	left, op, right string // iifname, "", "virbr0"
	xt              *Expr  // an xtables match or target
	verdict         *Jump
}

func (c clause) nft() string {
	switch {
	case c.xt != nil:
		return strings.TrimSpace("xt " + c.xt.Kind + " " + c.xt.Key + optionText(c.xt.Options))
	case c.verdict != nil:
		return verdictText(c.verdict)
	}
	parts := make([]string, 0, 3)
	for _, p := range []string{c.left, c.op, c.right} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " ")
}

func verdictText(j *Jump) string {
	if j.Chain == "" {
		return j.Code
	}
	return j.Code + " " + j.Chain
}

func optionText(options []Option) string {
	var b strings.Builder
	for _, o := range options {
		if o.Not {
			b.WriteString(" !")
		}
		b.WriteString(" " + o.Name)
		if o.Value != "" {
			b.WriteString(" " + quoteOption(o.Name, o.Value))
		}
	}
	return b.String()
}

func quoteOption(name, v string) string {
	if (name == "--comment" || name == "--log-prefix") && strings.ContainsAny(v, " \"\\'") {
		return fmt.Sprintf("%q", v)
	}
	return v
}

// rule prints a rule, and says whether in the words of iptables.
func (w *writer) rule(c *Chain, r *Rule) (text string, compat bool) {
	clauses := w.decompile(r)
	if w.compat {
		if text, ok := iptablesText(c, clauses); ok {
			return text, true
		}
	}
	clauses = withoutDependencies(clauses)
	parts := make([]string, 0, len(clauses)+1)
	for _, c := range clauses {
		parts = append(parts, c.nft())
	}
	if r.Comment != "" {
		parts = append(parts, fmt.Sprintf("comment %q", r.Comment))
	}
	if r.Damaged {
		parts = append(parts, "(damaged)")
	}
	return strings.Join(parts, " "), false
}

// withoutDependencies leaves out what nft adds by itself: the protocol, when a
// later clause names it.
func withoutDependencies(list []clause) []clause {
	out := make([]clause, 0, len(list))
	for i, c := range list {
		var implied string
		switch {
		case c.op != "":
		case c.left == "meta l4proto" || c.left == "ip protocol" || c.left == "ip6 nexthdr":
			implied = c.right + " "
			if c.right == "ipv6-icmp" {
				implied = "icmpv6 "
			}
		case c.left == "meta nfproto":
			implied = map[string]string{"ipv4": "ip ", "ipv6": "ip6 "}[c.right]
		case c.left == "meta protocol" || c.left == "ether type":
			implied = c.right + " "
		}
		named := false
		for _, later := range list[i+1:] {
			named = named || implied != "" && strings.HasPrefix(later.left, implied)
		}
		if !named {
			out = append(out, c)
		}
	}
	return out
}

// iptablesText is the rule as `iptables -S` prints it, and false for one that
// iptables has no words for.
func iptablesText(c *Chain, list []clause) (string, bool) {
	var b strings.Builder
	b.WriteString("-A " + c.Name)
	proto := ""
	for _, cl := range list {
		switch {
		case cl.left == "counter":
		case cl.xt != nil && cl.xt.Kind == "match":
			fmt.Fprintf(&b, " -m %s%s", cl.xt.Key, optionText(cl.xt.Options))
		case cl.xt != nil:
			fmt.Fprintf(&b, " -j %s%s", cl.xt.Key, optionText(cl.xt.Options))
		case cl.verdict != nil:
			b.WriteString(iptablesVerdict(cl.verdict))
		default:
			s, ok := iptablesClause(cl, &proto)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		}
	}
	return b.String(), true
}

func iptablesVerdict(j *Jump) string {
	switch j.Code {
	case "jump":
		return " -j " + j.Chain
	case "goto":
		return " -g " + j.Chain
	}
	return " -j " + strings.ToUpper(j.Code)
}

var iptablesFlags = map[string]string{
	"iifname": "-i", "oifname": "-o", "ip saddr": "-s", "ip daddr": "-d", "ip6 saddr": "-s", "ip6 daddr": "-d",
	"meta l4proto": "-p", "ip protocol": "-p", "meta mark": "-m mark --mark",
}

func iptablesClause(cl clause, proto *string) (string, bool) {
	not := ""
	switch cl.op {
	case "":
	case "!=":
		not = " !"
	default:
		return "", false
	}
	flag, ok := iptablesFlags[cl.left]
	right := strings.Trim(cl.right, `"`)
	switch {
	case flag == "-p":
		*proto = right
	case flag == "-i" || flag == "-o":
		if strings.HasSuffix(right, "*") {
			right = strings.TrimSuffix(right, "*") + "+"
		}
	case strings.HasPrefix(cl.left, "limit rate "):
		return " -m limit --limit " + strings.TrimPrefix(cl.left, "limit rate "), true
	case !ok:
		// udp dport 53, after -p udp
		p, what, cut := strings.Cut(cl.left, " ")
		if !cut || p != *proto || what != "dport" && what != "sport" {
			return "", false
		}
		flag = "-m " + p + " --" + what
		right = strings.Replace(right, "-", ":", 1)
		if strings.ContainsAny(right, "{@") {
			return "", false
		}
		return strings.Replace(" "+flag+" "+right, " --", not+" --", 1), true
	}
	if strings.ContainsAny(right, "{@&") || strings.Contains(cl.left, "&") {
		return "", false
	}
	if flag == "-m mark --mark" {
		return " -m mark" + not + " --mark " + right, true
	}
	return not + " " + flag + " " + right, true
}
