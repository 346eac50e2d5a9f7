package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

const ipForward = "net.ipv4.ip_forward"

func routingChecks() []Check {
	return []Check{
		{
			ID: "ip-forward-off", Title: "the host does not route IPv4", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Sysctls},
			Doc: Doc{
				Symptom:  "Guests reach the host and nothing beyond.",
				Cause:    "A sysctl file or a hardening tool switched routing off; libvirt switches it on only when a network starts.",
				Evidence: "net.ipv4.ip_forward is 0 while a network of mode nat, route or open with an IPv4 subnet is active.",
				Cure:     "Switch it on, and find the file in /etc/sysctl.d that switches it off.",
			},
			run: ipForwardOff,
		},
		{
			ID: "ip-forward-per-if-off", Title: "a link on the guests' way does not route", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Links, Routes, Rules, Forwarding}, After: []string{"ip-forward-off", "bridge-missing"},
			Doc: Doc{
				Symptom:  "Guests reach the host and nothing beyond, though ip_forward is 1.",
				Cause:    "A network manager, or a default that stood when the link was made; writing 1 to ip_forward again changes nothing.",
				Evidence: "The forwarding flag of the bridge and of the link that the guests leave by: the network's forward device, else the one that rules and tables lead to for a guest's address. Either cuts both ways.",
				Cure:     "Switch it on for the link.",
			},
			run: ipForwardPerLink,
		},
		{
			ID: "host-no-default-route", Title: "no default route leads off the host", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, Routes, Rules},
			After: []string{"if-source-not-a-bridge", "bridge-admin-down", "policy-route-steals"},
			Doc: Doc{
				Symptom:  "Guests hear from their gateway that the network is unreachable.",
				Cause:    "The host itself is offline, or its network manager did not set the route; or routes of type blackhole, unreachable or prohibit for all addresses, or for half of them, are in front of it.",
				Evidence: "No rule that leads to the main table: an error. No IPv4 default route in any table that a rule leads to, while a network of mode nat or route is active: a warning, info when no guest runs on it. Or every rule and table is followed for packets of guests and of the host to addresses all over the world, and a route to a sixteenth of them or more refuses: an error, a warning when no guest runs on the network, or when a rule refuses, as the lock of a VPN client does while its tunnel is down. The same by IPv6: no default route where a network has NAT for IPv6 and a NIC of the host a public IPv6 address; refusals where a network has NAT for IPv6, or the host an IPv6 default route and a network of mode route, or of mode nat with public addresses. A host without IPv6 is none of it.",
				Cure:     "Give the host a default route, or delete the routes that refuse; a host that is to be offline needs isolated networks.",
			},
			run: noDefaultRoute,
		},
	}
}

// routedNetworks are the active networks whose IPv4 packets the host routes.
func (h *host) routedNetworks() []*libvirtnet.Network {
	var list []*libvirtnet.Network
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		if def := n.Def(); n.Active && routed(def) && hasIPv4(def) {
			list = append(list, n)
		}
	}
	return list
}

func ipForwardOff(p *pass) {
	list := p.routedNetworks()
	if len(list) == 0 {
		return
	}
	value, known := p.snap.Kernel.Sysctls[ipForward]
	if !known {
		p.cannot("kernel sysctl "+ipForward, "sysctl "+ipForward+" was not read")
		return
	}
	s := scope{kind: theHost, link: ipForward, network: list[0].Name}
	if !p.on(s) || strings.TrimSpace(value) != "0" {
		return
	}
	names := make([]string, 0, len(list))
	for _, n := range list {
		names = append(names, n.Name)
	}
	p.found(s, Finding{
		Message:  "the host does not route IPv4: guests of network " + someNames(names) + " reach nothing beyond it",
		Evidence: "sysctl " + ipForward,
		Want:     ipForward + " = 1", Have: ipForward + " = 0",
		Fix: Fix{
			Class: Safe, Say: "switch routing on, and find the file in /etc/sysctl.d that switches it off",
			Steps: []Step{{Do: SetSysctl, On: ipForward, With: "1"}},
		},
	})
}

func ipForwardPerLink(p *pass) {
	seen := map[string]bool{}
	judge := func(s scope, name, network, role string) {
		on, known := p.forwarding[name]
		if seen[name] || !known {
			return
		}
		seen[name] = true
		if !p.on(s) || on {
			return
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("%s, %s network %s, does not route IPv4", show(name), role, show(network)),
			Evidence: "sysctl " + show(linkSysctl(4, name, "forwarding")),
			Want:     "forwarding on", Have: "forwarding off",
			Fix: Fix{
				Class: Safe, Say: "switch routing on for " + show(name),
				Steps: []Step{{Do: SetSysctl, On: linkSysctl(4, name, "forwarding"), With: "1"}},
			},
		})
	}
	for _, n := range p.routedNetworks() {
		def := n.Def()
		if def.Bridge == "" {
			continue
		}
		judge(scope{kind: aBridge, bridge: def.Bridge, network: n.Name}, def.Bridge, n.Name, "the bridge of")
		for _, name := range p.exits(def) {
			judge(scope{kind: theHost, link: name, network: n.Name}, name, n.Name, "the way out of")
		}
	}
}

// exits are the links that a network's packets leave the host by: its forward
// devices, else where rules and tables lead what its guests send far away.
func (h *host) exits(def xml.Network) []string {
	if len(def.ForwardDevs) > 0 {
		return def.ForwardDevs
	}
	if ways, ok := h.ways[def.Bridge]; ok {
		return ways
	}
	far := h.routing().beyond(4)
	fl := flow{dst: far, iif: def.Bridge}
	homes := h.homes()
	if i := slices.IndexFunc(homes, func(one home) bool { return one.bridge == def.Bridge && one.own.Is4() }); i >= 0 && len(homes[i].guests) > 0 {
		fl = h.marked(&homes[i], homes[i].prefix, homes[i].guests[0], far)
	}
	ways := []string{}
	if found := h.routing().lookup(fl).plain; found.kind == toLink {
		for _, r := range found.routes {
			if r.Link != "" && r.Link != def.Bridge && !slices.Contains(ways, r.Link) {
				ways = append(ways, r.Link)
			}
		}
	}
	if h.ways == nil {
		h.ways = map[string][]string{}
	}
	h.ways[def.Bridge] = ways
	return ways
}
