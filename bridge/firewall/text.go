package firewall

import (
	"fmt"
	"net/netip"
	"slices"
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
		implied := impliedBy(c)
		named := slices.ContainsFunc(list[i+1:], func(later clause) bool {
			return slices.ContainsFunc(implied, func(p string) bool { return strings.HasPrefix(later.left, p+" ") })
		})
		if !named {
			out = append(out, c)
		}
	}
	return out
}

// impliedBy are the words that a later clause begins with when this one needs
// not be said.
func impliedBy(c clause) []string {
	switch {
	case c.op != "":
		return nil
	case c.left == "meta l4proto" || c.left == "ip protocol" || c.left == "ip6 nexthdr":
		if c.right == "ipv6-icmp" {
			return []string{"icmpv6"}
		}
		return []string{c.right}
	case c.left == "meta nfproto" && c.right == "ipv4":
		return []string{"ip", "icmp"}
	case c.left == "meta nfproto" && c.right == "ipv6":
		return []string{"ip6", "icmpv6"}
	case c.left == "meta protocol" || c.left == "ether type":
		return []string{c.right}
	case c.left == "meta iiftype":
		return []string{"ether"}
	}
	return nil
}

// iptablesText is the rule as `iptables -S` prints it, and false for one that
// iptables has no words for.
func iptablesText(c *Chain, list []clause) (string, bool) {
	basic := map[string]string{} // iptables has an order for these
	var rest strings.Builder
	proto := ""
	for _, cl := range list {
		switch {
		case cl.left == "counter":
		case cl.xt != nil && cl.xt.Kind == "match":
			fmt.Fprintf(&rest, " -m %s%s", cl.xt.Key, optionText(cl.xt.Options))
		case cl.xt != nil:
			fmt.Fprintf(&rest, " -j %s%s", cl.xt.Key, optionText(cl.xt.Options))
		case cl.verdict != nil:
			rest.WriteString(iptablesVerdict(cl.verdict))
		default:
			flag, text, ok := iptablesClause(cl, &proto)
			if !ok || flag != "" && basic[flag] != "" {
				return "", false
			}
			if flag == "" {
				rest.WriteString(text)
			} else {
				basic[flag] = text
			}
		}
	}
	return "-A " + c.Name + basic["-s"] + basic["-d"] + basic["-i"] + basic["-o"] + basic["-p"] + rest.String(), true
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
	"meta l4proto": "-p", "ip protocol": "-p",
}

// iptablesClause writes one comparison; flag is set for those that stand
// before all matches.
func iptablesClause(cl clause, proto *string) (flag, text string, ok bool) {
	not := ""
	switch cl.op {
	case "":
	case "!=":
		not = " !"
	default:
		return "", "", false
	}
	right := strings.Trim(cl.right, `"`)
	if strings.ContainsAny(right, "{@&") || strings.Contains(cl.left, "&") {
		return "", "", false
	}
	flag = iptablesFlags[cl.left]
	switch flag {
	case "":
		text, ok = iptablesMatchText(cl, not, right, *proto)
		return "", text, ok
	case "-p":
		*proto = right
	case "-i", "-o":
		if prefix, wild := strings.CutSuffix(right, "*"); wild {
			right = prefix + "+"
		}
	case "-s", "-d":
		if a, err := netip.ParseAddr(right); err == nil {
			right = netip.PrefixFrom(a, a.BitLen()).String()
		}
	}
	return flag, not + " " + flag + " " + right, true
}

// iptablesMatchText writes what iptables-nft turns into nftables' own
// expressions and its users know as a match.
func iptablesMatchText(cl clause, not, right, proto string) (string, bool) {
	if rate, ok := strings.CutPrefix(cl.left, "limit rate "); ok {
		return " -m limit --limit " + strings.NewReplacer("second", "sec", "minute", "min").Replace(rate), true
	}
	p, what, _ := strings.Cut(cl.left, " ")
	switch {
	case cl.left == "meta mark":
		return " -m mark" + not + " --mark " + right, true
	case what == "flags" && p == proto:
		want, mask, _ := strings.Cut(strings.ToUpper(right), " / ")
		return " -m tcp" + not + " --tcp-flags " + mask + " " + want, true
	case p == proto && (what == "dport" || what == "sport") && !strings.ContainsAny(right, "<>"):
		return " -m " + p + not + " --" + what + " " + strings.Replace(right, "-", ":", 1), true
	}
	return "", false
}
