package verify

import (
	"fmt"
	"net/netip"

	"github.com/kvnet/kvnet/bridge"
)

func uplinkChecks() []Check {
	off := []string{"if-source-not-a-bridge"}
	return []Check{
		{
			ID: "uplink-missing", Title: "a host bridge with guests has no uplink", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, Addresses, Routes, Rules}, After: append([]string{"uplink-renamed"}, off...),
			Doc: Doc{
				Symptom:  "Guests on the bridge reach each other and nothing else.",
				Cause:    "The NIC was never put into the bridge, was taken out, or bears another name now.",
				Evidence: "All ports of the bridge are taps, and running guests are on it. The veth of a container, known by the name that its runtime gave it, leads nowhere either, unless the gateway was heard there; other veths count as uplinks. A bridge on which the host itself has an address and no way out is meant to be host-only or routed. An error when the host's default route leads over the bridge.",
				Cure:     "Put the NIC into the bridge in the host's network configuration.",
			},
			run: uplinkMissing,
		},
		{
			ID: "uplink-down", Title: "a bridge's uplink is switched off", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Guests, Links}, After: off,
			Doc: Doc{
				Symptom:  "Guests on the bridge are offline.",
				Cause:    "Somebody set the NIC down.",
				Evidence: "The administrative flag of the bridge's ports that lead out. A warning when another uplink works or no guest runs.",
				Cure:     "Set the NIC up.",
			},
			run: uplinkDown,
		},
		{
			ID: "uplink-no-carrier", Title: "a bridge's uplink has no carrier", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"uplink-down"}, off...),
			Doc: Doc{
				Symptom:  "Guests on the bridge are offline.",
				Cause:    "Cable, switch, or the other end of a virtual link.",
				Evidence: "The uplink is up and has no carrier, and no other uplink of the bridge has one.",
				Cure:     "Look at the cable and the switch.",
			},
			run: uplinkNoCarrier,
		},
		{
			ID: "uplink-has-ip", Title: "the host's address is on a bridge's uplink", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, Addresses, Routes}, After: off,
			Doc: Doc{
				Symptom:  "The host loses its connection once the NIC is in the bridge, or host and guests do not reach each other.",
				Cause:    "The address was not moved from the NIC to the bridge.",
				Evidence: "A port that leads out has a global address or a route. Link-local addresses do not count. An error when a route leads over it, else a warning.",
				Cure:     "Move the address and the default route to the bridge; do it from the console.",
			},
			run: uplinkHasIP,
		},
	}
}

func uplinkMissing(p *pass) {
	defaults := map[string]bool{}
	for _, r := range p.defaultRoutes() {
		defaults[r.Link] = true
	}
	gateways := map[string]bool{}
	for i := range p.snap.Kernel.Routes {
		if r := &p.snap.Kernel.Routes[i]; r.Gateway.IsValid() && !r.Gateway.IsUnspecified() {
			gateways[r.Link] = true
		}
	}
	p.eachHostBridge(func(b hostBridge) {
		if !p.isBridge(b.name) || len(b.active) == 0 {
			return
		}
		s := b.scope()
		if !p.on(s) {
			return
		}
		have := "taps only"
		if ends := p.uplinks(b.name); len(ends) > 0 {
			if !p.containers(ends) || !defaults[b.name] && !gateways[b.name] && len(p.spareHardware()) == 0 || p.gatewayBehind(b.name, ends) {
				return
			}
			have = "taps, and " + show(ends[0].Name) + " of a container"
		}
		severity := Warning
		switch {
		case defaults[b.name]:
			severity = Error
		case gateways[b.name]:
		case len(p.globalAddresses(b.name)) > 0:
			return
		}
		f := Fix{Class: Manual, Say: "put the NIC that leads to the LAN into " + show(b.name) + " in the host's network configuration"}
		if spare := p.spareNICs(); len(spare) == 1 {
			f.Say += "; " + show(spare[0].Name) + " is the only one that is free"
			f.Steps = []Step{{Do: SetMaster, On: spare[0].Name, With: b.name}, {Do: LinkUp, On: spare[0].Name}}
		}
		p.found(s, Finding{
			Severity: severity,
			Message:  fmt.Sprintf("bridge %s has no uplink: its guests reach nothing outside this host", show(b.name)),
			Evidence: "IFLA_MASTER of every link",
			Want:     "a NIC as a port of " + show(b.name), Have: have, Fix: f,
		})
	})
}

// eachUplink visits the uplinks of the host bridges that somebody needs.
// works says that another uplink of the bridge is up with a carrier.
func (p *pass) eachUplink(visit func(b hostBridge, l *bridge.Link, works bool)) {
	p.eachHostBridge(func(b hostBridge) {
		if !p.isBridge(b.name) || !b.needed {
			return
		}
		links := p.uplinks(b.name)
		working := 0
		for _, l := range links {
			if l.Up && l.Carrier {
				working++
			}
		}
		for _, l := range links {
			visit(b, l, working > 0)
		}
	})
}

func (b hostBridge) uplinkScope(l *bridge.Link) scope {
	s := b.scope()
	s.kind, s.link = aLink, l.Name
	return s
}

func uplinkDown(p *pass) {
	p.eachUplink(func(b hostBridge, l *bridge.Link, works bool) {
		s := b.uplinkScope(l)
		if !p.on(s) || l.Up {
			return
		}
		severity := Error
		if works || len(b.active) == 0 {
			severity = Warning
		}
		p.found(s, Finding{
			Severity: severity,
			Message:  fmt.Sprintf("uplink %s of bridge %s is switched off", show(l.Name), show(b.name)),
			Evidence: "IFF_UP of " + show(l.Name),
			Want:     "up", Have: "down",
			Fix: Fix{Class: Safe, Say: "set " + show(l.Name) + " up", Steps: []Step{{Do: LinkUp, On: l.Name}}},
		})
	})
}

func uplinkNoCarrier(p *pass) {
	p.eachUplink(func(b hostBridge, l *bridge.Link, works bool) {
		s := b.uplinkScope(l)
		if !l.Up || !p.on(s) || l.Carrier || works {
			return
		}
		severity := Error
		if len(b.active) == 0 {
			severity = Warning
		}
		p.found(s, Finding{
			Severity: severity,
			Message:  fmt.Sprintf("uplink %s of bridge %s has no carrier", show(l.Name), show(b.name)),
			Evidence: "IFLA_CARRIER of " + show(l.Name),
			Want:     "carrier", Have: "no carrier (" + show(l.Oper) + ")",
			Fix: p.noCarrierFix(l),
		})
	})
}

func uplinkHasIP(p *pass) {
	routes := map[string][]*bridge.Route{}
	for i := range p.snap.Kernel.Routes {
		r := &p.snap.Kernel.Routes[i]
		dst := plainPrefix(r.Dst)
		if dst.IsValid() && !dst.Addr().IsLinkLocalUnicast() && !dst.Addr().IsMulticast() {
			routes[r.Link] = append(routes[r.Link], r)
		}
	}
	for _, name := range p.hostBridges {
		for _, l := range p.uplinks(name) {
			s := scope{kind: aLink, link: l.Name, bridge: name}
			if !p.on(s) {
				continue
			}
			addresses := p.globalAddresses(l.Name)
			if len(addresses)+len(routes[l.Name]) > 0 {
				p.uplinkAddress(s, addresses, routes[l.Name])
			}
		}
	}
}

func (p *pass) uplinkAddress(s scope, addresses []netip.Prefix, routes []*bridge.Route) {
	steps := p.takeAddresses(s.link, addresses)
	for _, a := range addresses {
		if !p.hasPrefix(s.bridge, a) {
			steps = append(steps, Step{Do: AddressAdd, On: s.bridge, With: a.String()})
		}
	}
	severity, have := Warning, prefixes(addresses)
	for _, r := range routes {
		severity = Error
		if dst := plainPrefix(r.Dst); dst.Bits() == 0 && r.Gateway.IsValid() && r.Table == tableMain {
			steps = append(steps, Step{Do: RouteDefault, On: s.bridge, With: r.Gateway.String()})
			have += ", default route via " + r.Gateway.String()
		}
	}
	p.found(s, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s is a port of bridge %s and still has the host's address or routes: answers get lost", show(s.link), show(s.bridge)),
		Evidence: "RTM_GETADDR and RTM_GETROUTE of " + show(s.link),
		Want:     "address and routes on " + show(s.bridge), Have: have,
		Fix: Fix{
			Class: Manual, Steps: steps,
			Say: "move the address and the default route from " + show(s.link) + " to " + show(s.bridge) + ", from the console: the host is cut off meanwhile",
		},
	})
}
