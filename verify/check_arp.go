package verify

import (
	"fmt"
	"strings"
)

// arpDeaf is the arp_ignore with which a link answers for no address of the
// host; smaller ones choose among them (Documentation/networking/ip-sysctl.rst).
const arpDeaf = "8"

func arpChecks() []Check {
	return []Check{
		{
			ID: "bridge-arp-off", Title: "a bridge does not answer ARP", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, Addresses, Sysctls},
			After: []string{"bridge-missing", "if-source-not-a-bridge", "bridge-admin-down", "bridge-ip-missing", "bridge-ip-mismatch"},
			Doc: Doc{
				Symptom:  "Guests have an address and reach each other, but neither the host nor anything behind it.",
				Cause:    "ARP was switched off on the bridge, or it was told to answer for no address.",
				Evidence: "A bridge with an IPv4 address has the flag NOARP, or the greater of the arp_ignore of all and of the bridge is 8. Smaller values choose among the host's addresses, and guests still find their gateway.",
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
				Evidence: "A permanent neighbour on the network's bridge with the leased address of a running guest and a MAC that is none of that guest's. The kernel does not correct such an entry. The MACs of VRRP do not count.",
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
	if len(deaf) > 0 {
		all := linkSysctl(4, "all", "arp_ignore")
		p.arpOff(scope{kind: theHost, link: all, network: deaf[0].network}, deaf, Finding{
			Evidence: "sysctl " + all, Want: "arp_ignore = 0", Have: "arp_ignore = " + arpDeaf,
			Fix: Fix{Steps: []Step{{Do: SetSysctl, On: all, With: "0"}}},
		})
	}
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

func neighbourWrong(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		if !n.LeasesKnown || !p.on(scope{kind: aNetwork, network: n.Name, bridge: name}) {
			continue
		}
		running := p.runningOn(name)
		for _, at := range p.neighboursOn(name) {
			if at.State != "permanent" || at.MAC == "" || virtualMAC(at.MAC) {
				continue
			}
			for _, l := range p.liveLeases(n) {
				holder := running[strings.ToLower(l.MAC)]
				if l.IP != at.IP || holder == nil || strings.EqualFold(l.MAC, at.MAC) || ownedBy(holder, running[strings.ToLower(at.MAC)]) {
					continue
				}
				p.found(holder.subject, Finding{
					Message:  fmt.Sprintf("the host has %s, the address of guest %s, at %s by hand: what it sends to the guest goes astray", at.IP, show(holder.guest.Name), show(at.MAC)),
					Evidence: "permanent neighbour " + at.IP.String() + " on " + show(name) + "; lease of " + show(l.MAC),
					Want:     at.IP.String() + " at " + show(l.MAC), Have: "at " + show(at.MAC),
					Fix: Fix{Class: Guarded, Say: "delete the entry: the host asks again", Steps: []Step{{Do: NeighbourDel, On: name, With: at.IP.String()}}},
				})
			}
		}
	}
}

// ownedBy says whether another interface is of the same guest.
func ownedBy(n, other *nic) bool { return other != nil && other.guest == n.guest }
