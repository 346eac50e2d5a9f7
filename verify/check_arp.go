package verify

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

// arpDeaf is the arp_ignore with which a link answers for no address of the
// host; smaller ones choose among them (Documentation/networking/ip-sysctl.rst).
const arpDeaf = "8"

func arpChecks() []Check {
	return []Check{
		{
			ID: "bridge-arp-off", Title: "a bridge, or the link that guests leave by, is without ARP", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, Addresses, Routes, Rules, Sysctls},
			After: []string{"bridge-missing", "if-source-not-a-bridge", "bridge-admin-down", "bridge-ip-missing", "bridge-ip-mismatch"},
			Doc: Doc{
				Symptom:  "Guests have an address and reach each other, but neither the host nor anything behind it.",
				Cause:    "ARP was switched off on the link, or it was told to answer for no address.",
				Evidence: "A bridge with an IPv4 address has the flag NOARP, or the greater of the arp_ignore of all and of the bridge is 8. Smaller values choose among the host's addresses, and guests still find their gateway. Or the link of the route that packets of guests to the outside take has the flag, and needs a gateway's MAC: one of Ethernet, and not a tunnel or modem, with no entry for the gateway that was set by hand.",
				Cure:     "Switch ARP on, and set arp_ignore to 0.",
			},
			run: bridgeARPOff,
		},
		{
			ID: "neighbour-wrong", Title: "the host has a guest's address at another MAC", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"guest-ip-dup", "guest-mac-dup"}, homeless...),
			Doc: Doc{
				Symptom:  "One guest is not reached from the host, and no answer from outside comes back to it; its own requests arrive.",
				Cause:    "An entry of the neighbour table was set by hand, for a guest that had the address before.",
				Evidence: "A permanent neighbour on the network's bridge with the address of a running guest, and a MAC that is none of that guest's: one that it has leased or reserved, or an IPv6 address that was made of its MAC. The kernel does not correct such an entry. The MACs of VRRP do not count.",
				Cure:     "Delete the entry: the host asks again.",
			},
			run: neighbourWrong,
		},
	}
}

func bridgeARPOff(p *pass) {
	var deaf []scope // by the sysctl of all links
	p.eachBridge(func(b judgedBridge) {
		l := p.links[b.Name]
		if l == nil || !l.Up || !p.hasIPv4(b.Name) || !p.on(b.scope) {
			return
		}
		own := linkSysctl(4, b.Name, "arp_ignore")
		switch {
		case l.NoARP:
			p.arpOff(b.scope, []scope{b.scope}, Finding{
				Evidence: "IFF_NOARP of " + show(b.Name), Want: "arp on", Have: "arp off",
				Fix: Fix{Steps: []Step{{Do: SetARP, On: b.Name, With: "on"}}},
			})
		case p.ignoresARP("all"):
			deaf = append(deaf, b.scope)
		case p.ignoresARP(b.Name):
			p.arpOff(b.scope, []scope{b.scope}, Finding{
				Evidence: "sysctl " + show(own), Want: "arp_ignore = 0", Have: "arp_ignore = " + arpDeaf,
				Fix: Fix{Steps: []Step{{Do: SetSysctl, On: own, With: "0"}}},
			})
		}
	})
	p.exitsWithoutARP()
	if len(deaf) > 0 {
		all := linkSysctl(4, "all", "arp_ignore")
		p.arpOff(scope{kind: theHost, link: all, network: deaf[0].network}, deaf, Finding{
			Evidence: "sysctl " + all, Want: "arp_ignore = 0", Have: "arp_ignore = " + arpDeaf,
			Fix: Fix{Steps: []Step{{Do: SetSysctl, On: all, With: "0"}}},
		})
	}
}

// exitsWithoutARP reports links that guests leave by and that ask for no neighbour.
func (p *pass) exitsWithoutARP() {
	seen := map[string]bool{}
	for _, n := range p.bridgeNets() {
		for _, r := range p.gatewaysOf(n) {
			l := p.links[r.Link]
			if l == nil || !l.NoARP || !asksARP(l) || seen[l.Name] || !r.Gateway.IsValid() {
				continue
			}
			s := scope{kind: theHost, link: l.Name, network: n.net.Name}
			if at := p.neighbour(l.Name, r.Gateway); at != nil && at.State == "permanent" || !p.on(s) {
				continue
			}
			seen[l.Name] = true
			p.found(s, Finding{
				Message:  fmt.Sprintf("%s, which guests of network %s leave by, is without ARP: gateway %s is not found, and nothing goes out", show(l.Name), show(n.net.Name), r.Gateway),
				Evidence: "IFF_NOARP of " + show(l.Name), Want: "arp on", Have: "arp off",
				Fix: Fix{Class: Guarded, Say: "switch ARP on, unless it is somebody's choice", Steps: []Step{{Do: SetARP, On: l.Name, With: "on"}}},
			})
		}
	}
}

// asksARP says whether a link is one of Ethernet, which needs a gateway's MAC. A modem
// (named ww... by udev) has a MAC and nobody behind it who answers.
func asksARP(l *bridge.Link) bool {
	switch l.Kind {
	case "", "veth", "bond", "team", "vlan", "macvlan":
		return len(l.MAC) == len("00:00:00:00:00:00") && !strings.HasPrefix(l.Name, "ww")
	}
	return false
}

// arpOff reports bridges that answer nobody, for one reason.
func (p *pass) arpOff(s scope, bridges []scope, f Finding) {
	var names []string
	for _, b := range bridges {
		names = append(names, b.bridge)
	}
	f.Severity = Error
	f.Message = "bridge " + someNames(names) + " does not answer ARP: nobody there finds the host, and guests not their gateway"
	f.Fix.Class, f.Fix.Say = Guarded, "let it answer again, unless it is somebody's choice"
	p.foundAll(s, bridges, f)
}

// ignoresARP says whether a link, or all of them, answer for no address.
func (h *host) ignoresARP(link string) bool {
	return h.snap.Kernel.Sysctls["net.ipv4.conf."+link+".arp_ignore"] == arpDeaf
}

func (h *host) hasIPv4(link string) bool {
	for _, a := range h.globalAddresses(link) {
		if a.Addr().Unmap().Is4() {
			return true
		}
	}
	return false
}
