package firewall

import "slices"

// fewHops is less than packets need to get far: programs that write the TTL by
// way of hiding a router give it 64 or so.
const fewHops = 32

// rewrite notes the rule at hand, if it is surely met, as one that writes what
// packets are delivered by.
func (m *machine) rewrite() {
	if now := m.now; m.rewriter == nil && m.certain() {
		m.rewriter = &now
	}
}

// ebtNAT says whether an expression is a target of ebtables for other MACs.
func ebtNAT(e *Expr) bool { return e.Kind == "target" && (e.Key == "dnat" || e.Key == "snat") }

// delivery says whether two states of a header differ in an address, or the
// second has few hops left.
func (m *machine) delivery(header string, before, after bits) bool {
	from, to, hops := 0, 12, -1 // both MACs
	switch {
	case header == "network" && m.st.family == "ip":
		from, to, hops = ip4Src, ip4Src+8, 8
	case header == "network" && m.st.family == "ip6":
		from, to, hops = ip6Src, ip6Src+32, 7
	case header != "link":
		return false
	}
	changed := func(from, to int) bool { return !before.sub(from, to).same(after.sub(from, to)) }
	return changed(from, to) || hops >= 0 && changed(hops, hops+1) && after.known[hops] == 0xff && after.val[hops] < fewHops
}

// Rewrites says whether any rule may be such a one.
func (rs *Ruleset) Rewrites() bool {
	writes := func(e *Expr) bool {
		switch e.Kind {
		case "payload":
			// Before the hops of IPv6 stand the marks for routers, in both families.
			return e.Sreg != 0 && e.Dreg == 0 && (e.Key == "network" && e.Offset+e.Len > 7 || e.Key == "link" && e.Offset < 12)
		case "target":
			return e.Key == "TTL" || e.Key == "HL" || ebtNAT(e)
		}
		return false
	}
	return slices.ContainsFunc(rs.Tables, func(t Table) bool {
		return slices.ContainsFunc(t.Chains, func(c Chain) bool {
			return slices.ContainsFunc(c.Rules, func(r Rule) bool { return slices.ContainsFunc(r.Exprs, writes) })
		})
	})
}
