package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

func returnChecks() []Check {
	return []Check{{
		ID: "routed-no-return", Title: "nothing comes back to the guests of a routed network", Severity: Warning, Class: Manual,
		Needs: filterNeeds,
		After: append(slices.Clone(filterCauses), "host-no-default-route", "route-shadow", "policy-route-steals", "rp-filter-strict", "ip-forward-per-if-off"),
		Doc: Doc{
			Symptom:  "Guests of a routed network reach the host and nothing beyond.",
			Cause:    "The routers and hosts of the LAN have no route to the network's subnet: without NAT they answer to an address that they send elsewhere.",
			Evidence: fmt.Sprintf("The counters of libvirt's own rules, where those decide: the one that lets guests' packets out counted %d or more, and the one that lets packets in to them none at all. Without such counts it cannot be known from here, and is a hint (return-route).", sentEnough),
			Cure:     "Give the LAN's router a route to the subnet by way of this host, or make the network one of mode nat.",
		},
		run: routedNoReturn,
	}}
}

// sentEnough is a number of packets, none of which was answered, that is no
// accident: connections that are tried again send half a dozen each.
const sentEnough = 30

func routedNoReturn(p *pass) {
	f := p.packets()
	if f == nil {
		return
	}
	for _, n := range p.flowNets() {
		if n.def.Mode != xml.Route || len(p.usersOf(n.net).active) == 0 || !p.on(n.scope()) {
			continue
		}
		for _, v6 := range []bool{false, true} {
			if sent, by, lost := f.unanswered(n, v6); lost {
				p.found(n.scope(), p.noReturn(n, v6, sent, by))
				break
			}
		}
	}
}

// unanswered says whether the rules that decide over a network's packets
// counted many of those to the outside and none from there.
func (f *packetFilter) unanswered(n flowNet, v6 bool) (sent uint64, by firewall.Reference, lost bool) {
	back := false
	for _, w := range f.h.forwardFlows(n, v6) {
		for _, way := range w.ways {
			v := f.filter.Decide(way)
			rule := f.rule(v.By)
			if v.Answer != firewall.Accept || v.Source != nil || rule == nil || !rule.Counts() || !f.libvirts(v.By) {
				return 0, by, false // somebody else may have let the rest through, or translates
			}
			switch {
			case w.say == flowOut:
				sent += rule.Packets
			case rule.Packets > 0:
				return 0, by, false
			default:
				by, back = v.By, true
			}
		}
	}
	return sent, by, back && sent >= sentEnough
}

func (p *pass) noReturn(n flowNet, v6 bool, sent uint64, by firewall.Reference) Finding {
	subnet := prefixes(n.prefixes(v6))
	way := "this host's address there"
	for _, out := range p.host.waysOut(n, p.outside(v6), n.prefixes(v6)[0]) {
		for _, a := range p.addresses[out.Name] {
			if addr := plainPrefix(a.Prefix).Addr(); addr.Is6() == v6 && !addr.IsLinkLocalUnicast() {
				way = a.Prefix.Addr().String()
			}
		}
	}
	return Finding{
		Message: fmt.Sprintf("guests of network %s sent %d packets to the outside and none came back: the LAN has no route to %s, or sends it elsewhere",
			show(n.net.Name), sent, subnet),
		Evidence: "counter of " + evidence(by),
		Want:     "packets from the outside", Have: "0, and " + fmt.Sprint(sent) + " to the outside",
		Fix: Fix{Class: Manual, Say: fmt.Sprintf("on the LAN's router, add a route to %s via %s; or make network %s one of mode nat", subnet, way, show(n.net.Name))},
	}
}
