package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func noDefaultRoute(p *pass) {
	noDefaultRoute4(p)
	noDefaultRoute6(p)
}

func noDefaultRoute4(p *pass) {
	var list []*libvirtnet.Network
	for _, n := range p.routedNetworks() {
		if def := n.Def(); def.Mode != xml.Open {
			list = append(list, n)
		}
	}
	if p.mainUnasked(list) {
		return
	}
	p.judgeWayOut(list, 4, len(p.defaultRoutes()) == 0, func(network string) Finding {
		return Finding{
			Message: "the host has no default route: guests of network " + network + " reach nothing beyond its own subnets",
			Want:    "a default route", Fix: p.defaultRouteFix(),
		}
	})
}

// mainUnasked tells that no rule leads to the main table, which has the routes to
// guests, too.
func (p *pass) mainUnasked(list []*libvirtnet.Network) bool {
	asked := slices.ContainsFunc(p.snap.Kernel.Rules, func(r bridge.Rule) bool {
		return r.Family == 4 && r.Action == "lookup" && r.Table == tableMain
	})
	// A table of one's own may have all that main has.
	lost := slices.ContainsFunc(p.homes(), func(one home) bool {
		return one.own.Is4() && p.routing().lookup(flow{dst: one.own.Next()}).plain.kind == noRoute
	})
	if len(list) == 0 || asked || !lost || p.tables()[table{4, tableMain}] {
		return false
	}
	s := scope{kind: theHost, link: "host", network: list[0].Name}
	if p.on(s) {
		p.found(s, Finding{
			Severity: Error, Message: "no routing rule leads to the main table: neither the host nor guests of network " + show(list[0].Name) + " find any way",
			Evidence: "RTM_GETRULE of IPv4", Want: "a rule that looks up main", Have: "none",
			Fix: Fix{Class: Guarded, Say: "add the rule again that every host begins with", Steps: []Step{{Do: RuleAdd, On: "all", With: "32766", Args: []string{"from"}}}},
		})
	}
	return true
}

// judgeWayOut tells what refuses the packets of networks' guests by one family,
// or else that there is no default route: missing is then the finding.
func (p *pass) judgeWayOut(list []*libvirtnet.Network, family int, lost bool, missing func(network string) Finding) {
	if len(list) == 0 {
		return
	}
	first, used := p.busiestFirst(list)
	s := scope{kind: theHost, link: "host", network: first.Name}
	if p.lostHostBridge() || !p.on(s) {
		return
	}
	switch found := p.refusedBeyond(list, family); {
	case found != nil:
		p.tellRefused(found)
	case lost:
		f := missing(show(first.Name))
		f.Evidence, f.Have = "RTM_GETROUTE of every table that unmarked packets look in", "none"
		if f.Severity = Warning; !used {
			f.Severity = Info
		}
		p.found(s, f)
	}
}

// busiestFirst puts networks with guests first, for theirs is the harm, and
// says whether there are any.
func (p *pass) busiestFirst(list []*libvirtnet.Network) (first *libvirtnet.Network, used bool) {
	busy := func(n *libvirtnet.Network) int { return min(1, len(p.usersOf(n).active)) }
	slices.SortStableFunc(list, func(a, b *libvirtnet.Network) int { return busy(b) - busy(a) })
	return list[0], busy(list[0]) > 0
}

// lostHostBridge says whether a host bridge is at fault: its routes went with
// it.
func (p *pass) lostHostBridge() bool {
	return slices.ContainsFunc(p.hostBridges, func(name string) bool { return p.silenced(scope{bridge: name}) })
}

// refusal is what turns away what a network's guests, and the host itself, send
// to the outside.
type refusal struct {
	net  *libvirtnet.Network
	far  netip.Addr
	ends []answer // each by another route or rule
}

// widest is the longest prefix that is no single provider's or country's. A
// blackhole for less of the world is somebody's wish.
const widest = 4

// refusedBeyond finds the first of the networks whose packets to the outside
// are refused in a family. What is refused of guests alone is told as
// policy-route-steals.
func (p *pass) refusedBeyond(list []*libvirtnet.Network, family int) *refusal {
	worlds := outside4
	if family == 6 {
		worlds = outside6
	}
	for _, n := range list {
		homes := p.homes()
		i := slices.IndexFunc(homes, func(one home) bool { return one.net == n && familyOf(one.own) == family })
		if i < 0 {
			continue
		}
		src := homes[i].own.Next()
		if len(homes[i].guests) > 0 {
			src = homes[i].guests[0]
		}
		out := refusal{net: n}
		for _, world := range worlds {
			far := world.Addr().Next()
			guests := p.routing().lookup(p.marked(&homes[i], homes[i].prefix, src, far)).plain
			if !guests.refused() || !guests.wide() || p.routing().lookup(flow{dst: far}).plain.kind == toLink {
				continue
			}
			if len(out.ends) == 0 {
				out.far = far
			}
			if !slices.ContainsFunc(out.ends, func(a answer) bool { return a.evidence() == guests.evidence() }) {
				out.ends = append(out.ends, guests)
			}
		}
		if len(out.ends) > 0 {
			return &out
		}
	}
	return nil
}

// wide says whether what decided is for much of the world.
func (a answer) wide() bool {
	narrow := func(dst netip.Prefix) bool { return dst.IsValid() && plainPrefix(dst).Bits() > widest }
	return (len(a.routes) == 0 || !narrow(a.routes[0].Dst)) && (a.rule == nil || !narrow(a.rule.Dst))
}

func (p *pass) tellRefused(found *refusal) {
	end := found.ends[0]
	by, defaults, defaultFix := "", p.defaultRoutes, p.defaultRouteFix
	if found.far.Is6() {
		by, defaults, defaultFix = " by IPv6", p.defaultRoutes6, p.defaultRouteFix6
	}
	f := Finding{
		Severity: Error,
		Message:  fmt.Sprintf("what guests of network %s and the host itself send beyond it%s is refused: %s", show(found.net.Name), by, end.evidence()),
		Evidence: end.evidence(), Want: found.far.String() + " routed", Have: end.where(),
		Fix: Fix{Class: Manual, Say: "take the refusing rule away, or bring up what it waits for: VPN clients have such locks while their tunnel is down"},
	}
	if len(end.routes) == 0 || len(p.usersOf(found.net).active) == 0 {
		f.Severity = Warning
	}
	for _, a := range found.ends {
		for _, r := range a.routes {
			f.Fix.Say = "unless the host is to be cut off, delete what refuses, and keep the program that made it from doing so again"
			f.Fix.Steps = append(f.Fix.Steps, Step{Do: RouteDel, On: plainPrefix(r.Dst).String(), Args: routeWords(r)})
		}
	}
	if len(f.Fix.Steps) > 0 && len(defaults()) == 0 {
		more := defaultFix()
		f.Fix.Say, f.Fix.Steps = f.Fix.Say+"; then "+more.Say, append(f.Fix.Steps, more.Steps...)
	}
	p.found(scope{kind: theHost, link: "host", network: found.net.Name}, f)
}
