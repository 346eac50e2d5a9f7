package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// How long a gateway may be without an answer, in milliseconds: one that was
// given up longer ago may be back, and nobody asked since; one that is asked for
// was not heard a second time after two questions (RETRANS_TIMER of RFC 4861, 1 s,
// which Linux has for ARP, too).
const (
	gaveUpLately = 30_000
	askedTwice   = 1_500
)

func gatewayChecks() []Check {
	return []Check{{
		ID: "gateway-unreachable", Title: "the gateway that guests leave by does not answer", Severity: Warning, Class: Manual,
		Needs: []Need{Networks, Guests, Links, Routes, Rules},
		After: []string{
			"bridge-missing", "bridge-admin-down", "bridge-mac-lost", "uplink-ip-missing", "host-no-default-route", "policy-route-steals", "if-source-not-a-bridge",
			"uplink-missing", "uplink-down", "uplink-no-carrier", "uplink-has-ip", bridgeDrop,
		},
		Doc: Doc{
			Symptom:  "Guests reach the host and nothing beyond, nor does the host.",
			Cause:    "The router is off or gone, the cable or VLAN is another, or the default route names an address that nobody has.",
			Evidence: fmt.Sprintf("The route that packets of the network's guests to the outside take has a gateway in IPv4 whose entry in the neighbour table failed within the last %d seconds, or is incomplete and was asked for twice. An older failure says nothing: nobody asked since. With several gateways, all of them.", gaveUpLately/1000),
			Cure:     "Bring the router back, or correct the default route in the host's network configuration.",
		},
		run: gatewayUnreachable,
	}}
}

// exit is the routes by which guests of some networks leave the host in IPv4.
type exit struct {
	routes []*bridge.Route
	scopes []scope
	names  []string // of the networks
}

// gateways are the exits of all networks.
func (h *host) gateways() []exit {
	var list []exit
	for _, n := range h.bridgeNets() {
		subnets := n.prefixes(false)
		if n.def.Mode == xml.Isolated || len(subnets) == 0 {
			continue
		}
		way := h.routing().lookup(flow{dst: h.outside(false).Addr().Next(), src: subnets[0].Addr().Next(), iif: n.bridge.Name}).plain
		if way.kind != toLink {
			continue
		}
		s := scope{kind: theHost, link: "host", bridge: way.routes[0].Link, network: n.net.Name}
		i := slices.IndexFunc(list, func(e exit) bool { return slices.Equal(e.routes, way.routes) })
		if i < 0 {
			i, list = len(list), append(list, exit{routes: way.routes})
		}
		list[i].scopes, list[i].names = append(list[i].scopes, s), append(list[i].names, n.net.Name)
	}
	return list
}

func gatewayUnreachable(p *pass) {
	for _, e := range p.gateways() {
		var scopes []scope
		var names []string
		for i, s := range e.scopes {
			if p.on(s) {
				scopes, names = append(scopes, s), append(names, e.names[i])
			}
		}
		silent := p.silentGateway(e.routes)
		if silent == nil || len(scopes) == 0 {
			continue
		}
		where := silent.IP.String() + " dev " + show(silent.Link)
		p.foundAll(scopes[0], scopes, Finding{
			Message:  fmt.Sprintf("gateway %s, which guests of network %s leave by, does not answer: they reach nothing beyond the host's own subnets", where, someNames(names)),
			Evidence: "RTM_GETNEIGH: " + where, Want: "reachable", Have: silent.State,
			Fix: Fix{Class: Manual, Say: "bring the gateway back, or correct the default route in the host's network configuration"},
		})
	}
}

// silentGateway is the gateway of routes that does not answer; nil when one of
// them may.
func (h *host) silentGateway(routes []*bridge.Route) *bridge.Neighbour {
	var silent *bridge.Neighbour
	for _, r := range routes {
		at := h.neighbour(r.Link, r.Gateway)
		if at == nil || !unanswered(at) {
			return nil
		}
		silent = at
	}
	return silent
}

// unanswered says whether a neighbour was just asked for in vain.
func unanswered(n *bridge.Neighbour) bool {
	return n.State == "failed" && n.Updated > 0 && n.Updated <= gaveUpLately || n.State == "incomplete" && n.Updated >= askedTwice
}

// neighbour is the entry of an address on a link; nil without.
func (h *host) neighbour(link string, addr netip.Addr) *bridge.Neighbour {
	list := h.snap.Kernel.Neighbours
	i := slices.IndexFunc(list, func(n bridge.Neighbour) bool {
		return n.Link == link && n.IP.Unmap() == addr.Unmap() && n.State != "proxy"
	})
	if i < 0 || !addr.IsValid() {
		return nil
	}
	return &list[i]
}
