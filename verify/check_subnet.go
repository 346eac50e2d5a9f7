package verify

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

func subnetChecks() []Check {
	return []Check{
		{
			ID: "net-subnet-overlap", Title: "two networks use overlapping subnets", Severity: Error, Class: Manual,
			Needs: []Need{Networks},
			Doc: Doc{
				Symptom:  "The second network does not start, or guests of one of them are not reached.",
				Cause:    "A definition was copied; libvirt does not compare the subnets of networks that are not active.",
				Evidence: "The addresses of all defined networks. An error when both are active or start with the host, a warning when one is, info when neither is.",
				Cure:     "Move one of them to a free subnet.",
			},
			run: netSubnetOverlap,
		},
		{
			ID: "net-subnet-collision", Title: "a network's subnet is also reached elsewhere", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Routes, Rules},
			Doc: Doc{
				Symptom:  "The network does not start because it is in use, or guests do not reach the office, the VPN or the host.",
				Cause:    "The host itself stands in that subnet (a guest that hosts guests), or a VPN or container network took it.",
				Evidence: "Routes that lead to the subnet over another link, in the main table; while the network is not active, in every table that packets of guests go through. Default routes do not count, nor the routes of libvirt's own bridges, nor a subnet around an active network on a link where the host answers for it (proxy_arp, proxy_ndp), nor a route to nowhere of the very subnet with a greater metric than the network's own. An error when the route is as narrow as the subnet, a warning when it is wider or the network is not active. A narrower route through an active network is route-shadow, unless the host itself stands in it.",
				Cure:     "Move the network to a free subnet.",
			},
			run: netSubnetCollision,
		},
	}
}

// span is a prefix with what has it: a network, or a route.
type span struct {
	prefix netip.Prefix
	net    *libvirtnet.Network
	route  *bridge.Route
}

// spansOf are the subnets of a network's definition in force.
func spansOf(n *libvirtnet.Network) []span {
	var spans []span
	def := n.Def()
	if !def.Managed() {
		return nil
	}
	for _, ip := range def.IPs {
		if p := plainPrefix(ip.Address); p.IsValid() {
			spans = append(spans, span{prefix: p, net: n})
		}
	}
	return spans
}

// plainPrefix is the masked prefix, IPv4 as IPv4.
func plainPrefix(p netip.Prefix) netip.Prefix {
	addr := p.Addr().WithZone("")
	if addr.Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked()
	}
	return netip.PrefixFrom(addr, p.Bits()).Masked()
}

// eachNested calls visit for each span with those that contain it or are equal
// to it and stand before it, the narrowest last. Prefixes nest or are disjoint,
// so one sorted walk with a stack finds all overlaps.
func eachNested(spans []span, visit func(outer []span, inner span)) {
	sort.SliceStable(spans, func(i, j int) bool {
		a, b := &spans[i], &spans[j]
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits())) < 0
	})
	var stack []span
	for _, s := range spans {
		for len(stack) > 0 && !stack[len(stack)-1].prefix.Overlaps(s.prefix) {
			stack = stack[:len(stack)-1]
		}
		visit(stack, s)
		stack = append(stack, s)
	}
}

func netSubnetOverlap(p *pass) {
	var spans []span
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		if own := spansOf(n); len(own) > 0 {
			spans = append(spans, own...)
			p.on(scope{kind: aNetwork, network: n.Name})
		}
	}
	type pair struct {
		outer, inner span
		severity     Severity
	}
	var pairs []pair
	eachNested(spans, func(outer []span, inner span) {
		// Of those around it the one that is most in use counts, else the
		// nearest.
		at := -1
		for i := len(outer) - 1; i >= 0; i-- {
			if outer[i].net != inner.net && (at < 0 || life(outer[i].net) > life(outer[at].net)) {
				at = i
			}
		}
		if at >= 0 {
			severity := bothAlive(outer[at].net, inner.net, Warning)
			if life(outer[at].net) == 0 && life(inner.net) == 0 {
				severity = Info
			}
			pairs = append(pairs, pair{outer[at], inner, severity})
		}
	})
	// The worst is told first: one finding for a network is enough.
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.severity.rank(), b.severity.rank()) })
	reported := map[*libvirtnet.Network]bool{}
	for _, both := range pairs {
		p.overlap(both.outer, both.inner, both.severity, reported)
	}
}

// overlap reports two networks with overlapping subnets, once for the network
// that should move.
func (p *pass) overlap(a, b span, severity Severity, reported map[*libvirtnet.Network]bool) {
	first, second := a, b
	if second.net.Name < first.net.Name {
		first, second = second, first
	}
	keep, move := p.byLife(first.net, second.net)
	mine, theirs := a.prefix, b.prefix
	if move == b.net {
		mine, theirs = theirs, mine
	}
	s := scope{kind: aNetwork, network: move.Name}
	if reported[move] {
		return
	}
	reported[move] = true
	p.found(s, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("networks %s (%s) and %s (%s) overlap", show(keep.Name), theirs, show(move.Name), mine),
		Evidence: "ip/@address of networks " + show(keep.Name) + " and " + show(move.Name),
		Want:     "a subnet of its own", Have: mine.String(),
		Fix: p.moveSubnet(move),
	})
}

// moveSubnet is the cure of a subnet that somebody else has.
func (p *pass) moveSubnet(n *libvirtnet.Network) Fix {
	steps := []Step{{Do: NetDefine, On: n.Name, Args: []string{"--subnet", "auto"}}}
	if n.Active {
		again := p.restart(n)
		if again[0].Do == NetRestart {
			again[0].Args = []string{"--force"} // what guests have leased is of no use
		}
		steps = append(steps, again...)
	}
	return Fix{
		Class: Manual, Steps: steps,
		Say: "move network " + show(n.Name) + " to a free subnet; its guests take new addresses",
	}
}

func netSubnetCollision(p *pass) {
	var spans []span
	bridges := map[string]bool{}
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := n.Def()
		if def.Managed() && def.Bridge != "" {
			bridges[def.Bridge] = true
		}
		s := scope{kind: aNetwork, network: n.Name}
		if own := spansOf(n); len(own) > 0 && (n.Active || n.Autostart || len(p.byNet[n.Name]) > 0) && p.on(s) {
			spans = append(spans, own...)
		}
	}
	if len(spans) == 0 {
		return
	}
	tables := p.tables()
	for i := range p.snap.Kernel.Routes {
		r := &p.snap.Kernel.Routes[i]
		if r.Table != tableLocal && tables[tableOf(r)] && foreign(r) && !bridges[r.Link] && !p.strayed(r) {
			spans = append(spans, span{prefix: plainPrefix(r.Dst), route: r})
		}
	}
	reported := map[*libvirtnet.Network]bool{}
	// A route inside a subnet is worse than one around it: it is looked for
	// first, and one finding per network is enough.
	eachNested(spans, func(outer []span, inner span) {
		if inner.route != nil {
			subnet := nearest(outer, func(s span) bool { return s.net != nil })
			if subnet.net != nil && collides(inner.route, subnet) && !shadows(inner.route, subnet) && !p.loses(inner.route, subnet) {
				p.collide(subnet, inner, reported)
			}
		}
	})
	eachNested(spans, func(outer []span, inner span) {
		if inner.net != nil {
			p.collide(inner, nearest(outer, func(s span) bool {
				return s.route != nil && usable(s.route) && collides(s.route, inner) && !p.cutOut(inner, s.route)
			}), reported)
		}
	})
}

func nearest(outer []span, want func(span) bool) span {
	for i := len(outer) - 1; i >= 0; i-- {
		if want(outer[i]) {
			return outer[i]
		}
	}
	return span{}
}

// collide reports a route that leads a network's subnet elsewhere.
func (p *pass) collide(subnet, way span, reported map[*libvirtnet.Network]bool) {
	if subnet.net == nil || way.route == nil || reported[subnet.net] {
		return
	}
	reported[subnet.net] = true
	n, r := subnet.net, way.route
	severity := Error
	if !n.Active || way.prefix.Bits() < subnet.prefix.Bits() {
		severity = Warning
	}
	have := way.prefix.String()
	if r.Gateway.IsValid() {
		have += " via " + r.Gateway.String()
	}
	if r.Link != "" {
		have += " dev " + show(r.Link)
	} else {
		have = show(r.Type) + " " + have
	}
	p.found(scope{kind: aNetwork, network: n.Name}, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("subnet %s of network %s is also reached elsewhere: route %s", subnet.prefix, show(n.Name), have),
		Evidence: "RTM_GETROUTE: " + have,
		Want:     fmt.Sprintf("no other route to %s", subnet.prefix), Have: have,
		Fix: p.moveSubnet(n),
	})
}

// collides says whether a route stands beside that of a network's subnet. In a
// table of its own it takes packets only where a rule leads there first, which
// is policy-route-steals', as long as the network is there to be stolen from.
func collides(r *bridge.Route, subnet span) bool {
	return !subnet.net.Active || r.Table == tableMain || r.Table == tableLocal
}

// cutOut says whether an active network's subnet is a part of one that the host
// stands in and answers for: it was given to the guests, and who else is on
// that link reaches them through the host.
func (p *pass) cutOut(subnet span, r *bridge.Route) bool {
	return subnet.net.Active && r.Protocol == "kernel" && !r.Gateway.IsValid() &&
		plainPrefix(r.Dst).Bits() < subnet.prefix.Bits() && p.proxied(subnet.prefix.Addr(), r.Link)
}

// loses says whether a route that leads nowhere stands behind the active network's
// own of the same prefix: it keeps packets from going astray while that is away.
func (p *pass) loses(r *bridge.Route, subnet span) bool {
	if usable(r) || !subnet.net.Active || plainPrefix(r.Dst) != subnet.prefix {
		return false
	}
	f := p.routing()
	return slices.ContainsFunc(f.routes[tableOf(r)][subnet.prefix], func(own *bridge.Route) bool {
		return usable(own) && p.realName(own.Link) == subnet.net.Def().Bridge && own.Metric < r.Metric && f.alive(own)
	})
}

// shadows says whether a route takes a part of an active network's subnet; that
// is route-shadow's to tell. A part that the host itself stands in is a
// collision.
func shadows(r *bridge.Route, subnet span) bool {
	connected := r.Protocol == "kernel" && !r.Gateway.IsValid()
	return subnet.net.Active && plainPrefix(r.Dst).Bits() > subnet.prefix.Bits() && !connected
}

// foreign says whether a route can take a subnet's packets: default routes,
// link-local and multicast ones do not, nor one that sends the lookup on to the
// next rule.
func foreign(r *bridge.Route) bool {
	dst := plainPrefix(r.Dst)
	return r.Type != "throw" && dst.IsValid() && dst.Bits() > 1 && !dst.Addr().IsLinkLocalUnicast() && !dst.Addr().IsMulticast() && !dst.Addr().IsLoopback()
}

// usable says whether a route leads somewhere. A blackhole around a subnet is
// what careful routers have, and the narrower route still wins.
func usable(r *bridge.Route) bool { return r.Type == "unicast" || r.Type == "" }
