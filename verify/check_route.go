package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// homeless are the causes of packets that do not find a network's bridge.
var homeless = []string{"bridge-missing", "bridge-admin-down", "bridge-ip-missing", "bridge-ip-mismatch", "net-subnet-overlap", "net-subnet-collision"}

// routeChecks are those of the host's routing, its tables, and the addresses
// that guests have.
func routeChecks() []Check {
	return slices.Concat(wayChecks(), reverseChecks(), ipv6Checks(), tableChecks(), leaseChecks(), staticChecks(), addressChecks(), hostDNSChecks())
}

func wayChecks() []Check {
	return []Check{
		{
			ID: "route-shadow", Title: "a narrower route takes guests' addresses", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Links, Addresses, Routes, Rules}, After: homeless,
			Doc: Doc{
				Symptom:  "The host does not reach some of its guests, or their answers get lost, since a VPN came up or a route was added.",
				Cause:    "A route to a part of the subnet is more specific than the network's own, so it wins.",
				Evidence: "Every rule and table is followed for addresses of guests, from the host and from the way out: packets to them leave by another link than the bridge, or are taken for the host's own by a route. A warning when only addresses outside of the DHCP ranges, leases and reservations are hit.",
				Cure:     "Delete the route, or have packets to the subnet looked up in the main table first.",
			},
			run: routeShadow,
		},
		{
			ID: "policy-route-steals", Title: "a routing rule takes guests' packets", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Links, Addresses, Routes, Rules}, After: append([]string{"route-shadow"}, homeless...),
			Doc: Doc{
				Symptom:  "With a VPN or an exit node up, the host does not reach its guests, or guests reach nothing.",
				Cause:    "A rule sends packets to a table that knows nothing of the network, before the main table is asked; or a rule refuses what guests send, or what the packet filter marks, while the host's own packets pass; or only those are led to a table with a default route.",
				Evidence: "Every rule and table is followed for packets to guests and from guests, these with the mark that the packet filter gives them; and packets from guests to the host's address on the bridge must be the host's. A way out over a VPN is none of it, nor is a table that only packets with another mark get to. A warning when packets from beyond find the bridge with a mark, or a single guest is hit.",
				Cure:     "Have packets to the subnet looked up in the main table first; with Tailscale, allow access to the local network.",
			},
			run: policyRouteSteals,
		},
	}
}

func (one *home) scope() scope {
	return scope{kind: aNetwork, network: one.net.Name, bridge: one.bridge}
}

// worstTheft is the theft to tell of a network: one that is proven before one
// that is not, one of addresses that guests have before others.
func worstTheft(list []theft, n string, want func(*theft) bool) *theft {
	var worst *theft
	weight := func(t *theft) (w int) {
		if t.proven {
			w++
		}
		if t.likely {
			w += 2
		}
		return w
	}
	for i := range list {
		t := &list[i]
		if t.home.net.Name == n && want(t) && (worst == nil || weight(t) > weight(worst)) {
			worst = t
		}
	}
	return worst
}

// eachNetwork calls judge once for each network that has subnets.
func (p *pass) eachNetwork(judge func(*home)) {
	homes := p.homes()
	last := ""
	for i := range homes {
		if one := &homes[i]; one.net.Name != last && p.on(one.scope()) {
			judge(one)
		}
		last = homes[i].net.Name
	}
}

func routeShadow(p *pass) {
	p.eachNetwork(func(one *home) {
		t := worstTheft(p.thefts(), one.net.Name, (*theft).narrow)
		if t == nil {
			return
		}
		r := t.answer.routes[0]
		f := Finding{
			Severity: Error,
			Message:  fmt.Sprintf("packets to %s of network %s do not go to its bridge: %s is narrower than %s", t.flow.dst, show(one.net.Name), routeText(r), t.home.prefix),
			Evidence: t.answer.evidence(), Want: t.flow.dst.String() + " dev " + show(one.bridge), Have: t.flow.dst.String() + " " + t.answer.where(),
		}
		if !t.proven || !t.likely {
			f.Severity = Warning
		}
		f.Fix = p.unshadow(t, r)
		p.found(one.scope(), f)
	})
}

// unshadow is the cure of a narrower route: in the main table it has to go, in
// another one the main table can be asked before.
func (p *pass) unshadow(t *theft, r *bridge.Route) Fix {
	if r.Table != tableMain {
		if fix, ok := p.mainFirst(t.answer.rule, "to", t.home.prefix); ok {
			return fix
		}
	}
	step := Step{Do: RouteDel, On: plainPrefix(r.Dst).String(), Args: routeWords(r)}
	return Fix{
		Class: Guarded, Steps: []Step{step},
		Say: "delete the route, and keep the program that made it from doing so again; or move network " + show(t.home.net.Name) + " to a free subnet",
	}
}

// routeWords are what tells a route from others to the same target.
func routeWords(r *bridge.Route) []string {
	var words []string
	if r.Gateway.IsValid() {
		words = append(words, "via", r.Gateway.String())
	}
	if r.Link != "" && usable(r) {
		words = append(words, "dev", r.Link)
	}
	if r.Table != tableMain {
		words = append(words, "table", strconv.Itoa(r.Table))
	}
	if r.Metric != 0 {
		words = append(words, "metric", strconv.Itoa(r.Metric))
	}
	if !usable(r) {
		words = append([]string{r.Type}, words...)
	}
	return words
}

// usualPriority is where the rule of the cure stands when nothing is before it:
// in front of Tailscale's (5210 and up) and wg-quick's (32764 and up).
const usualPriority = 2500

// mainPriority is where the kernel has the rule for the main table.
const mainPriority = 32766

// mainFirst is the cure that has the main table asked before a rule; ok is
// false when there is no room before it.
func (p *pass) mainFirst(thief *bridge.Rule, direction string, subnet netip.Prefix) (Fix, bool) {
	if thief == nil || thief.Priority < 2 {
		return Fix{}, false
	}
	priority := min(usualPriority, thief.Priority-1)
	return Fix{
		Class: Guarded,
		Steps: []Step{{Do: RuleAdd, On: subnet.String(), With: strconv.Itoa(priority), Args: []string{direction}}},
		Say:   fmt.Sprintf("have packets %s %s looked up in the main table first, also after a reboot; Tailscale has --exit-node-allow-lan-access for that", direction, subnet),
	}, true
}

func policyRouteSteals(p *pass) {
	p.eachNetwork(func(one *home) {
		t := worstTheft(p.thefts(), one.net.Name, func(t *theft) bool { return !t.narrow() })
		if p.localUnasked(one) {
			return
		}
		from := p.refused(one.net.Name)
		// A rule that refuses what guests send also refuses what their host
		// sends by the bridge's address: the cure of the first cures both.
		switch {
		case from != nil && (t == nil || t.answer.rule == from.plain.rule):
			p.stealsFrom(from)
		case t != nil:
			p.stealsTo(one, t)
		}
	})
}

// localUnasked tells that packets of guests to the host's own address on the bridge
// find a route before the table that says that it is the host's.
func (p *pass) localUnasked(one *home) bool {
	src := one.own.Next()
	if len(one.guests) > 0 {
		src = one.guests[0]
	}
	to := p.routing().lookup(flow{dst: one.own, src: src, iif: one.bridge}).plain
	if to.kind == toLocal || to.rule == nil {
		return false
	}
	p.found(one.scope(), Finding{
		Severity: Error,
		Message:  fmt.Sprintf("what guests of network %s send to the host's address %s is not taken for the host's: %s", show(one.net.Name), one.own, to.evidence()),
		Evidence: to.evidence(), Want: one.own.String() + " local", Have: one.own.String() + " " + to.where(),
		Fix: Fix{Class: Manual, Say: "have the table local asked before all others (ip rule add priority 0 lookup local)"},
	})
	return true
}

func (p *pass) stealsTo(one *home, t *theft) {
	f := Finding{
		Severity: Error,
		Message:  fmt.Sprintf("packets to %s of network %s do not go to its bridge: %s", t.flow.dst, show(one.net.Name), t.answer.evidence()),
		Evidence: t.answer.evidence(), Want: t.flow.dst.String() + " dev " + show(one.bridge), Have: t.flow.dst.String() + " " + t.answer.where(),
	}
	if !t.proven {
		f.Severity = Warning
	}
	fix, ok := p.mainFirst(t.answer.rule, "to", t.home.prefix)
	if t.answer.kind == toLocal {
		fix, ok = p.unshadow(t, t.answer.routes[0]), true
	}
	if !ok {
		fix = Fix{Class: Manual, Say: "have packets to " + t.home.prefix.String() + " looked up in the main table before that rule"}
	}
	f.Fix = fix
	p.found(one.scope(), f)
}

// refused finds a subnet of a network of which what guests send beyond the host
// is refused, while the host's own packets pass.
func (p *pass) refused(name string) *refusedFlow {
	homes := p.homes()
	for i := range homes {
		one := &homes[i]
		if one.net.Name != name || !routed(one.def) || one.def.Mode == xml.Open || len(one.guests) == 0 {
			continue
		}
		far := p.routing().beyond(familyOf(one.own))
		if p.routing().lookup(flow{dst: far}).plain.kind != toLink {
			continue
		}
		if found := p.refusedOf(one); found != nil {
			return found
		}
	}
	return nil
}

func (p *pass) stealsFrom(found *refusedFlow) {
	one, far := found.home, found.flow.dst
	who, from := "guests of network "+show(one.net.Name)+" send", one.prefix
	if found.guest {
		from = single(found.flow.src)
		who = fmt.Sprintf("guest %s of network %s sends", found.flow.src, show(one.net.Name))
	}
	f := Finding{
		Severity: Error,
		Message:  fmt.Sprintf("what %s beyond the host is refused: %s", who, found.evidence()),
		Evidence: found.evidence(), Want: far.String() + " from " + found.flow.src.String() + " routed", Have: found.plain.where(),
	}
	if found.guest || !found.all(answer.lost) {
		f.Severity = Warning
	}
	f.Fix = Fix{Class: Manual, Say: "take the refusing rule or route away, or put a rule for " + from.String() + " before it"}
	if own := p.routing().lookup(flow{dst: far}).plain; found.plain.kind == noRoute && found.flow.mark.By.Table == "" && own.rule != nil {
		// Behind the main table: what is for this host's subnets still goes there.
		table := strconv.Itoa(own.rule.Table)
		f.Message = fmt.Sprintf("what %s beyond the host finds no route, while the host's own finds one: %s", who, own.evidence())
		f.Fix.Say = "have packets from " + from.String() + " looked up in table " + table + " too, also after a reboot: the host's own way out is there"
		if own.rule.Priority > mainPriority {
			f.Fix.Steps = []Step{{Do: RuleAdd, On: from.String(), With: strconv.Itoa(own.rule.Priority), Args: []string{"from", table}}}
		}
	} else if fix, ok := p.mainFirst(found.plain.rule, "from", from); ok && p.mainLeadsOut(far) {
		f.Fix.Steps, f.Fix.Say = fix.Steps, "if the refusal is not meant for guests, "+fix.Say
	}
	p.found(one.scope(), f)
}

// mainLeadsOut says whether the main table alone has a way to an address.
func (p *pass) mainLeadsOut(far netip.Addr) bool {
	main := &bridge.Rule{Family: familyOf(far), Table: tableMain, SuppressPrefixLength: -1}
	return p.routing().inTable(main, flow{dst: far}).kind == toLink
}
