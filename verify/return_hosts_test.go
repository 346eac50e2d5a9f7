package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// counts gives the accepting rules of the routed network numbers: of packets
// that guests sent, and of those that came.
func counts(s *Snapshot, sent, came uint64, more string) {
	routeNetwork(s)
	s.Firewall = iptablesRules(s, more)
	for chain, packets := range map[string]uint64{"LIBVIRT_FWO": sent, "LIBVIRT_FWI": came} {
		c := chainOf(s, "ip", "filter", chain)
		for i := range c.Rules {
			r := &c.Rules[i]
			r.Exprs = append([]*firewall.Expr{{Kind: "counter"}}, r.Exprs...)
			if slices.ContainsFunc(addressesOf(r), func(p netip.Prefix) bool { return p.String() == "10.7.0.0/24" }) {
				r.Packets = packets
			}
		}
	}
}

func returnFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"routed-no-return": func(s *Snapshot) { counts(s, 57, 0, "") },
	}
}

func returnHealthy() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"ok-routed":       func(s *Snapshot) { counts(s, 57, 41, "") },
		"ok-routed-quiet": func(s *Snapshot) { counts(s, 12, 0, "") },
		// Answers pass a rule of somebody else's, in front of libvirt's.
		"ok-routed-behind-ones-own-rules": func(s *Snapshot) {
			counts(s, 57, 0, "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n")
			c := chainOf(s, "ip", "filter", "FORWARD")
			last := len(c.Rules) - 1
			c.Rules = append([]firewall.Rule{c.Rules[last]}, c.Rules[:last]...)
		},
	}
}
