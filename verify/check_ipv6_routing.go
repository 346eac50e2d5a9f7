package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
)

const ipv6Forward = "net.ipv6.conf.all.forwarding"

func ipv6Checks() []Check {
	return []Check{
		{
			ID: "ipv6-forward", Title: "the host does not route IPv6", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Sysctls},
			Doc: Doc{
				Symptom:  "Guests reach the host by IPv6 and nothing beyond.",
				Cause:    "A sysctl file or a network manager switched it off; libvirt switches it on only when a network with an IPv6 subnet starts.",
				Evidence: ipv6Forward + " is 0 while a network of mode nat, route or open with an IPv6 subnet is active. A bridge with force_forwarding does not count.",
				Cure:     "Switch it on; first let links that live on router advertisements go on taking them (accept_ra=2), for routing would end that.",
			},
			run: ipv6ForwardOff,
		},
		{
			ID: "accept-ra-lost", Title: "the host takes no router advertisements any more", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Routes, Sysctls, Forwarding}, After: []string{"ipv6-forward"},
			Doc: Doc{
				Symptom:  "The host loses its IPv6 default route and address some time after an IPv6 network was started; the network may refuse to start.",
				Cause:    "A link that routes takes no router advertisements unless its accept_ra is 2.",
				Evidence: "A link that routes IPv6 has routes that the kernel made of router advertisements, and its accept_ra is 0 or 1. Routes that a network manager made are none of them.",
				Cure:     "Set accept_ra of the link to 2.",
			},
			run: acceptRALost,
		},
	}
}

// routed6 are the active networks whose IPv6 packets the host routes.
func (h *host) routed6() []*libvirtnet.Network {
	var list []*libvirtnet.Network
	for _, name := range h.ownBridges {
		n := h.owners[name]
		if def := n.Def(); routed(def) && hasIPv6(n) {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *libvirtnet.Network) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// hasIPv6 says whether the network has an IPv6 subnet.
func hasIPv6(n *libvirtnet.Network) bool {
	for _, s := range spansOf(n) {
		if s.prefix.Addr().Is6() {
			return true
		}
	}
	return false
}

// sysctl is the value of a sysctl of the snapshot.
func (h *host) sysctl(name string) (value string, known bool) {
	value, known = h.snap.Kernel.Sysctls[name]
	return strings.TrimSpace(value), known
}

func ipv6ForwardOff(p *pass) {
	var names []string
	for _, n := range p.routed6() {
		if force, _ := p.sysctl("net.ipv6.conf." + n.Def().Bridge + ".force_forwarding"); force != "1" {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	value, known := p.sysctl(ipv6Forward)
	if !known {
		p.cannot("kernel sysctl "+ipv6Forward, "sysctl "+ipv6Forward+" was not read")
		return
	}
	s := scope{kind: theHost, link: ipv6Forward, network: names[0]}
	if !p.on(s) || value != "0" {
		return
	}
	var steps []Step
	for _, link := range p.advertised() {
		if value, _ := p.sysctl("net.ipv6.conf." + link + ".accept_ra"); value != "2" {
			steps = append(steps, Step{Do: SetSysctl, On: linkSysctl(6, link, "accept_ra"), With: "2"})
		}
	}
	p.found(s, Finding{
		Message:  "the host does not route IPv6: guests of network " + someNames(names) + " reach nothing beyond it",
		Evidence: "sysctl " + ipv6Forward, Want: ipv6Forward + " = 1", Have: ipv6Forward + " = 0",
		Fix: Fix{
			Class: Guarded, Say: "switch IPv6 routing on, and find the file in /etc/sysctl.d that switches it off",
			Steps: append(steps, Step{Do: SetSysctl, On: ipv6Forward, With: "1"}),
		},
	})
}

// advertised are the links with routes that the kernel made of router
// advertisements, sorted.
func (h *host) advertised() []string {
	var links []string
	for i := range h.snap.Kernel.Routes {
		if r := &h.snap.Kernel.Routes[i]; r.Autoconf && r.Link != "" {
			links = append(links, r.Link)
		}
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// routes6 says whether a link routes IPv6.
func (h *host) routes6(link string) bool {
	for i := range h.snap.Kernel.Forwarding {
		if f := &h.snap.Kernel.Forwarding[i]; f.Family == 6 && f.Link == link {
			return f.On
		}
	}
	return false
}

func acceptRALost(p *pass) {
	network := ""
	if list := p.routed6(); len(list) > 0 {
		network = list[0].Name
	}
	for _, link := range p.advertised() {
		name := linkSysctl(6, link, "accept_ra")
		value, known := p.sysctl("net.ipv6.conf." + link + ".accept_ra")
		s := scope{kind: theHost, link: link, network: network}
		if !known || !p.routes6(link) || !p.on(s) || value != "0" && value != "1" {
			continue
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("%s has IPv6 routes from router advertisements, routes itself, and takes no more of them: they run out and the host is offline by IPv6", show(link)),
			Evidence: "sysctl net.ipv6.conf." + show(link) + ".accept_ra", Want: "accept_ra = 2", Have: "accept_ra = " + value,
			Fix: Fix{
				Class: Guarded, Say: "let " + show(link) + " take router advertisements although it routes, also in /etc/sysctl.d",
				Steps: []Step{{Do: SetSysctl, On: name, With: "2"}},
			},
		})
	}
}
