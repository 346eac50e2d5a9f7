package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

// refusedInPart: a routing rule for some protocols or ports refuses what guests
// send, or what is for them; which ones is not among what was read.
func refusedInPart(p *pass) (message, probe string) {
	if !p.kernelKnown() || p.toldBy("policy-route-steals") || !slices.ContainsFunc(p.snap.Kernel.Rules, forSome) {
		return "", ""
	}
	homes := p.homes()
	for i := range homes {
		one := &homes[i]
		if len(one.guests) == 0 || !p.asked(key{aNetwork, one.net.Name}) {
			continue
		}
		flows := p.flowsTo(one, one.guests[0])
		if routed(one.def) {
			flows = append(flows, p.marked(one, one.prefix, one.guests[0], p.routing().beyond(familyOf(one.own))))
		}
		for _, fl := range flows {
			for _, a := range p.routing().lookup(fl).rest {
				if !a.refused() || a.rule == nil || !forSome(*a.rule) {
					continue
				}
				return fmt.Sprintf("a part of the packets from or to guests of network %s is refused by a routing rule: which ones is not seen from here; %s", show(one.net.Name), a.evidence()),
					shellJoin(append(ipTool(one.own.String()), "rule", "show"))
			}
		}
	}
	return "", ""
}

// forSome says whether a rule is for some protocols or ports, whatever the mark.
func forSome(r bridge.Rule) bool {
	return r.Mark == 0 && r.Mask == 0 && !r.Invert && len(r.Selectors) > 0 &&
		!slices.ContainsFunc(r.Selectors, func(s string) bool { return s != "ipproto" && s != "sport" && s != "dport" && s != "tos" })
}
