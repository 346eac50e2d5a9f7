package verify

import (
	"fmt"
	"net/netip"

	"github.com/kvnet/kvnet/libvirtnet"
)

func hostDNSChecks() []Check {
	return []Check{
		{
			ID: "host-dns", Title: "the host has no way to its name servers", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, Links, Addresses, Routes, Rules, Resolver},
			After: []string{"bridge-missing", "dnsmasq-dead", "dns-loop", "dns-upstream-unusable", "host-no-default-route", "accept-ra-lost", "net-subnet-collision", "if-source-not-a-bridge", "bridge-admin-down"},
			Doc: Doc{
				Symptom:  "Guests reach others by number, but resolve no name outside; nor does the host.",
				Cause:    "The name servers are of a VPN that is down, or have IPv6 addresses while the host has no IPv6 any more.",
				Evidence: "A route lookup for every server of /etc/resolv.conf, or of those behind systemd-resolved's stub: none of them has a way. Servers on this host and on its links are reached. Networks that do not forward to the host, and hosts that reach nothing outside, are left alone.",
				Cure:     "Give the host a name server that it reaches, or a route to the ones it has.",
			},
			run: hostDNS,
		},
	}
}

// nameServers are those that the host asks in the end; known is false where
// only its own stub is known.
func (h *host) nameServers() (list []netip.Addr, known bool) {
	r := h.snap.Services.Resolver
	servers, stub := r.Servers, false
	for _, text := range append(append([]string{}, servers...), r.Upstream...) {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil:
		case a.Unmap().IsLoopback() || a.IsUnspecified():
			stub = true
		default:
			list = append(list, a)
		}
	}
	for _, link := range r.Links {
		stub = stub || len(link.Servers) > 0 && len(r.Upstream) == 0
	}
	return list, len(list) > 0 && (!stub || len(r.Upstream) > 0)
}

// noWayTo says whether the host's own packets to a server have nowhere to go.
// A link-local server is on the link that its zone names.
func (h *host) noWayTo(a netip.Addr) bool {
	if a.Zone() != "" || a.IsLinkLocalUnicast() {
		return false
	}
	return h.routing().lookup(flow{dst: a.Unmap()}).all(func(end answer) bool {
		return end.kind == noRoute || end.refused()
	})
}

func hostDNS(p *pass) {
	servers, known := p.nameServers()
	online := p.routing().lookup(flow{dst: p.routing().beyond(4)}).plain.kind == toLink
	for _, name := range p.hostBridges {
		online = online && !p.silenced(scope{bridge: name}) // its routes went with it
	}
	if !known || !online {
		return
	}
	p.forwarders(func(s scope, n *libvirtnet.Network) {
		var texts []string
		for _, a := range servers {
			if !p.noWayTo(a) {
				return
			}
			texts = append(texts, a.String())
		}
		have := p.routing().lookup(flow{dst: servers[0].Unmap()}).plain
		p.found(s, Finding{
			Message:  fmt.Sprintf("the host has no way to its name servers (%s), which network %s asks: its guests resolve no name outside", someTexts(texts), show(n.Name)),
			Evidence: "nameserver lines of /etc/resolv.conf; lookup of " + servers[0].String(),
			Want:     "a route to a name server", Have: servers[0].String() + " " + have.where(),
			Fix: Fix{Class: Manual, Say: "give the host a name server that it reaches or a route to these, or network " + show(n.Name) + " a forwarder (<dns><forwarder addr='...'/></dns>)"},
		})
	})
}
