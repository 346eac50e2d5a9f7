package verify

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// staticRouteChecks are those of the routes that networks declare.
func staticRouteChecks() []Check {
	return []Check{{
		ID: "static-route-missing", Title: "a network's static route is gone", Severity: Error, Class: Safe,
		Needs: []Need{Networks, Links, Addresses, Routes},
		After: []string{"bridge-missing", "bridge-admin-down", "bridge-ip-missing", "bridge-ip-mismatch", "bridge-ipv6-broken"},
		Doc: Doc{
			Symptom:  "The host and its networks do not reach a subnet that lies behind a guest; all else works.",
			Cause:    "The bridge was switched off and on, or the route was deleted; libvirt sets it only when the network starts.",
			Evidence: "Each <route> of the live document is looked up in every table of the kernel. A route to the same target, whoever set it and wherever it leads, is somebody's will, and so is a wider one over the same bridge.",
			Cure:     "Add the route again.",
		},
		run: staticRouteMissing,
	}}
}

func staticRouteMissing(p *pass) {
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if l == nil || !l.Up || !p.on(s) {
			continue
		}
		lost := p.lostGateways(n)
		if len(lost) == 0 {
			continue
		}
		var routes []string
		for _, g := range lost {
			routes = append(routes, fmt.Sprintf("%s via %s", g.To.Masked(), g.Via))
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("bridge %s of network %s lost its static route %s: what lies behind that guest is not reached", show(name), show(n.Name), someTexts(routes)),
			Evidence: "RTM_GETROUTE of every table",
			Want:     "route " + someTexts(routes), Have: "no such route",
			Fix: Fix{Class: Safe, Say: "add the route again", Steps: gatewaySteps(name, lost)},
		})
	}
}

// lostGateways are the static routes of a network that the kernel does not have.
func (h *host) lostGateways(n *libvirtnet.Network) []xml.Gateway {
	if len(h.gaps.lacks[Routes]) > 0 {
		return nil
	}
	def := n.Def()
	return slices.DeleteFunc(slices.Clone(def.Routes), func(g xml.Gateway) bool { return routedTo(&h.snap.Kernel, g, def.Bridge) })
}

// routedTo says that the kernel has a static route, or cannot have it.
func routedTo(k *bridge.State, g xml.Gateway, name string) bool {
	if !g.To.IsValid() || !g.Via.IsValid() || g.To.Addr().Is6() && ipv6Off(k, name) {
		return true
	}
	to := plainPrefix(g.To)
	for i := range k.Routes {
		r := &k.Routes[i]
		dst := plainPrefix(r.Dst)
		if dst == to || r.Link == name && dst.Bits() < to.Bits() && dst.Contains(to.Addr()) {
			return true
		}
	}
	return false
}

// gatewaySteps set static routes as libvirt does.
func gatewaySteps(bridge string, lost []xml.Gateway) []Step {
	var steps []Step
	for _, g := range lost {
		steps = append(steps, Step{Do: RouteVia, On: bridge, With: plainPrefix(g.To).String(), Args: []string{"via", g.Via.String(), "metric", strconv.Itoa(max(g.Metric, 1))}})
	}
	return steps
}

// routeVia adds a route; Args are its gateway and metric.
func routeVia(s Step) []string {
	return append(append(ipTool(s.With), "route", "replace", s.With, "dev", s.On), s.Args...)
}
