package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

func uplinkAddressChecks() []Check {
	return []Check{{
		ID: "uplink-ip-missing", Title: "the link that guests leave by has no address", Severity: Error, Class: Manual,
		Needs: []Need{Networks, Guests, Links, Addresses, Routes, Rules},
		After: []string{"bridge-missing", "bridge-admin-down", "host-no-default-route", "policy-route-steals", "uplink-down", "uplink-has-ip"},
		Doc: Doc{
			Symptom:  "Guests of a network with NAT reach the host and nothing beyond, nor does the host.",
			Cause:    "A network manager or an address flush took the address away, and the default route stayed or was set again without it (onlink).",
			Evidence: "The link of the route that packets of guests to the outside take has no IPv4 address, while all that the host has are on bridges of libvirt's: NAT gives the packets one of those, to which nothing comes back. An address elsewhere, as on the loopback of a router, is one to leave with; tunnels and networks with source addresses of their own are left alone.",
			Cure:     "Give the link its address again, in the host's network configuration.",
		},
		run: uplinkIPMissing,
	}}
}

func uplinkIPMissing(p *pass) {
	for _, n := range p.bridgeNets() {
		if n.def.Mode != xml.NAT || n.def.NAT != nil && n.def.NAT.Start.IsValid() || p.standsElsewhere() {
			continue
		}
		for _, r := range p.gatewaysOf(n) {
			l := p.links[r.Link]
			if l == nil || tableOf(r).family != 4 || p.owners[l.Name] != nil || !p.isBridge(l.Name) && !asksARP(l) {
				continue
			}
			s := scope{kind: theHost, link: l.Name, network: n.net.Name}
			if !p.on(s) {
				continue
			}
			p.found(s, Finding{
				Message:  fmt.Sprintf("%s, which guests of network %s leave by, has no IPv4 address: their packets leave with the address of one of libvirt's bridges, and no answer comes back", show(l.Name), show(n.net.Name)),
				Evidence: "RTM_GETADDR of " + show(l.Name), Want: "an IPv4 address", Have: "none",
				Fix: Fix{Class: Manual, Say: "give " + show(l.Name) + " its address again, in the host's network configuration"},
			})
			return
		}
	}
}

// standsElsewhere says whether the host has an IPv4 address beside the loopback's and
// those of libvirt's bridges.
func (h *host) standsElsewhere() bool {
	return slices.ContainsFunc(h.snap.Kernel.Addresses, func(a bridge.Address) bool {
		addr := a.Prefix.Addr().Unmap()
		return addr.Is4() && !addr.IsLoopback() && h.owners[a.Link] == nil
	})
}
