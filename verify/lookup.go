package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
)

// tableLocal is the table of the host's own addresses (linux/rtnetlink.h).
const tableLocal = 255

// maxAlternatives is more than the routes that a table has for one prefix: a
// multipath route has at most 256 next hops.
const maxAlternatives = 512

// noEntry is the metric of IPv6's "no route" (ip6_null_entry), which older
// kernels show as an unreachable default route in every main table.
const noEntry = 1<<32 - 1

// flow is a packet as far as routing looks at it.
type flow struct {
	dst, src netip.Addr // no src: none is chosen yet
	iif      string     // the link it came by; "" for the host's own
	// mark is what is known of its mark. Where that is nothing, it may have
	// any, and is plain without one.
	mark firewall.Mark
}

// What becomes of a packet.
const (
	toLink  = "unicast"
	toLocal = "local"
	noRoute = "none"
)

// answer is what a lookup ends in.
type answer struct {
	kind string // toLink, toLocal, noRoute, or blackhole, unreachable, prohibit
	// routes are those that decided: the equal next hops of toLink, or the one
	// that refuses; none when a rule did.
	routes []*bridge.Route
	rule   *bridge.Rule // nil with noRoute
}

// over says whether the packet leaves by the link, or may.
func (a answer) over(link string) bool {
	return a.kind == toLink && slices.ContainsFunc(a.routes, func(r *bridge.Route) bool { return r.Link == link })
}

// refused says whether a route or rule turns the packet away.
func (a answer) refused() bool {
	return a.kind != toLink && a.kind != toLocal && a.kind != noRoute
}

// answers are what becomes of the packets of a flow.
type answers struct {
	plain answer // of one without a mark that is not known, and of no protocol or port that a rule names
	// rest is what others of them may end in: those with marks, or of a
	// protocol that only the name of a rule's condition is known of.
	rest []answer
}

// all says whether every packet of the flow ends in what f accepts.
func (a answers) all(f func(answer) bool) bool {
	return f(a.plain) && !slices.ContainsFunc(a.rest, func(one answer) bool { return !f(one) })
}

// fib is the host's routing, ready for lookups.
type fib struct {
	links  map[string]*bridge.Link
	routes map[table]map[netip.Prefix][]*bridge.Route
	rules  map[int][]*bridge.Rule // by family
	local  map[netip.Addr]bool
	ignore map[string]bool // links whose routes need a carrier, by link and family
	vrf    bool            // there is a VRF
}

// routing builds the tables once.
func (h *host) routing() *fib {
	if h.fib != nil {
		return h.fib
	}
	k := &h.snap.Kernel
	f := &fib{
		links: h.links, routes: map[table]map[netip.Prefix][]*bridge.Route{}, rules: map[int][]*bridge.Rule{},
		local: map[netip.Addr]bool{}, ignore: map[string]bool{},
	}
	for i := range k.Routes {
		r := &k.Routes[i]
		dst, t := plainPrefix(r.Dst), tableOf(r)
		if !dst.IsValid() || r.TOS != 0 || t.family == 6 && !usable(r) && r.Metric == noEntry {
			continue
		}
		if f.routes[t] == nil {
			f.routes[t] = map[netip.Prefix][]*bridge.Route{}
		}
		if len(f.routes[t][dst]) < maxAlternatives {
			f.routes[t][dst] = append(f.routes[t][dst], r)
		}
	}
	for i := range k.Rules {
		f.rules[k.Rules[i].Family] = append(f.rules[k.Rules[i].Family], &k.Rules[i])
	}
	for _, family := range []int{4, 6} {
		f.rules[family] = withLocal(family, f.rules[family])
	}
	for _, a := range k.Addresses {
		addr := a.Prefix.Addr().WithZone("").Unmap()
		f.local[addr] = true
		if last := lastOf(plainPrefix(a.Prefix)); addr.Is4() && plainPrefix(a.Prefix).Bits() < 31 {
			f.local[last] = true
		}
	}
	for i := range k.Forwarding {
		if n := &k.Forwarding[i]; n.IgnoreLinkdown {
			f.ignore[ignoreKey(n.Link, n.Family)] = true
		}
	}
	f.vrf = slices.ContainsFunc(k.Links, func(l bridge.Link) bool { return l.Kind == "vrf" })
	h.fib = f
	return f
}

func ignoreKey(link string, family int) string { return string(rune('0'+family)) + link }

// withLocal completes the rules of a family: every packet is held against the
// host's addresses first, unless a rule for that stands elsewhere.
func withLocal(family int, rules []*bridge.Rule) []*bridge.Rule {
	rule := func(priority, table int) *bridge.Rule {
		return &bridge.Rule{Family: family, Priority: priority, Table: table, Action: "lookup", SuppressPrefixLength: -1}
	}
	if len(rules) == 0 {
		rules = []*bridge.Rule{rule(32766, tableMain), rule(32767, tableDefault)}
	}
	if slices.ContainsFunc(rules, func(r *bridge.Rule) bool { return r.Table == tableLocal }) {
		return rules
	}
	return append([]*bridge.Rule{rule(0, tableLocal)}, rules...)
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		for bit := range 8 {
			if i*8+bit >= p.Bits() {
				b[i] |= 0x80 >> bit
			}
		}
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// lookup follows the rules in their order as fib_rules_lookup does
// (net/core/fib_rules.c). A rule whose conditions are not wholly known splits
// the flow: some packets take it, others go on.
func (f *fib) lookup(fl flow) answers {
	rules := f.rules[familyOf(fl.dst)]
	var out answers
	// reached tells for each rule whether any packet comes to it; a goto only
	// leads forward.
	reached := make([]bool, len(rules)+1)
	reached[0] = true
	plainAt := 0
	for i, r := range rules {
		if !reached[i] {
			continue
		}
		m := f.match(r, fl)
		next, final := i+1, answer{}
		if m.some {
			next, final = f.act(rules, i, fl)
		}
		if !m.every {
			reached[i+1] = true
		}
		plain := plainAt == i && m.plain
		switch {
		case plain && final.kind != "":
			out.plain, plainAt = final, -1
		case plain:
			plainAt = next
		case plainAt == i:
			plainAt = i + 1
		}
		switch {
		case !m.some:
		case final.kind == "":
			reached[next] = true
		case !plain:
			out.rest = append(out.rest, final)
		}
	}
	if plainAt >= 0 {
		out.plain = answer{kind: noRoute}
	} else if reached[len(rules)] {
		out.rest = append(out.rest, answer{kind: noRoute})
	}
	return out
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// act is what a rule does with a packet that it applies to: an end, or the
// rule that comes next.
func (f *fib) act(rules []*bridge.Rule, i int, fl flow) (next int, end answer) {
	r := rules[i]
	switch r.Action {
	case "lookup":
		if found := f.inTable(r, fl); found.kind != "" {
			found.rule = r
			return 0, found
		}
	case "goto":
		for j := i + 1; j < len(rules); j++ {
			if rules[j].Priority == r.Goto {
				return j, answer{}
			}
		}
	case "unreachable", "blackhole", "prohibit":
		return 0, answer{kind: r.Action, rule: r}
	}
	return i + 1, answer{}
}

// matching says which packets of a flow a rule applies to.
type matching struct{ some, every, plain bool }

// match holds the packets of a flow against a rule's conditions.
func (f *fib) match(r *bridge.Rule, fl flow) matching {
	m := matching{some: true, every: true, plain: true}
	and := func(yes bool) { m.some, m.every, m.plain = m.some && yes, m.every && yes, m.plain && yes }
	perhaps := func(plain bool) { m.every, m.plain = false, m.plain && plain }
	and(selects(r.Src, fl.src))
	and(selects(r.Dst, fl.dst))
	if r.IIF != "" {
		and(r.IIF == fl.iif || r.IIF == "lo" && fl.iif == "")
	}
	if r.OIF != "" {
		and(false) // no packet has a link to leave by before it is looked up
	}
	if r.Mark != 0 || r.Mask != 0 {
		mask := r.Mask
		if mask == 0 {
			mask = ^uint32(0)
		}
		switch known := fl.mark.Known & mask; {
		case (fl.mark.Value^r.Mark)&known != 0:
			and(false)
		case known != mask:
			perhaps(r.Mark&mask&^known == 0)
		}
	}
	for _, s := range r.Selectors {
		switch {
		case s == "l3mdev" && !f.vrf, s == "tun_id":
			and(false)
		default:
			perhaps(false)
		}
	}
	if !m.some {
		m.every, m.plain = false, false
	}
	if r.Invert {
		m.some, m.every, m.plain = !m.every, !m.some, !m.plain
	}
	return m
}

// selects says whether a rule's prefix has an address; no address is the
// unspecified one.
func selects(p netip.Prefix, a netip.Addr) bool {
	if !p.IsValid() || p.Bits() == 0 {
		return true
	}
	if !a.IsValid() {
		a = netip.IPv6Unspecified()
		if p.Addr().Is4() {
			a = netip.IPv4Unspecified()
		}
	}
	return plainPrefix(p).Contains(a)
}
