package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

func uplinkKindChecks() []Check {
	return []Check{
		{
			ID: "uplink-wireless", Title: "guests are bridged to a wireless network", Severity: Error, Class: Manual, Recorded: true,
			Needs: []Need{Networks, Guests, Links, WirelessLinks}, After: []string{"if-source-not-a-bridge", "uplink-down"},
			Doc: Doc{
				Symptom:  "Guests send and get no answer; the host on the same wireless link is well.",
				Cause:    "A station may send frames with its own MAC only: the access point drops those of guests.",
				Evidence: "The type that nl80211 tells of a host bridge's uplink, or of the NIC below a running guest's macvtap. Access points, mesh points and stations with four addresses carry other MACs and are no fault.",
				Cure:     "Put the guests on a network of mode nat or route.",
			},
			run: uplinkWireless,
		},
		{
			ID: "uplink-bond-mode", Title: "a bridge's uplink is a bond in a mode that does not fit bridges", Severity: Warning, Class: Manual, Recorded: true,
			Needs: []Need{Networks, Guests, Links}, After: []string{"if-source-not-a-bridge"},
			Doc: Doc{
				Symptom:  "Guests lose packets now and then; the switch reports MACs that move between its ports.",
				Cause:    "The bond sends frames of one guest over several ports, or rewrites MACs in ARP, which only works for addresses of the host itself.",
				Evidence: "IFLA_BOND_MODE of a bond that is an uplink or stands below one: balance-rr, broadcast, balance-tlb or balance-alb. IFLA_BOND_ARP_INTERVAL, which watches ports by ARP, is as unfit. A switch that is set up for balance-rr may carry it.",
				Cure:     "Use active-backup, balance-xor or 802.3ad, with MII monitoring.",
			},
			run: uplinkBondMode,
		},
		{
			ID: "uplink-lro-on", Title: "a NIC that forwards for guests joins received segments", Severity: Warning, Class: Guarded, Recorded: true,
			Needs: []Need{Networks, Guests, Links, Routes, Rules, Forwarding, LinkOffloads}, After: []string{"if-source-not-a-bridge"},
			Doc: Doc{
				Symptom:  "TCP into guests is very slow, or stalls; the host itself is fast.",
				Cause:    "Somebody switched large receive offload on: what it joins cannot be sent on as it came. The kernel had switched it off when the NIC began to forward.",
				Evidence: "The feature rx-lro of a host bridge's uplink, of what stands below it, and of a forwarding way out of a routed network. Generic receive offload is harmless.",
				Cure:     "Switch it off with ethtool.",
			},
			run: uplinkLRO,
		},
	}
}

// wayOut is a link that guests' frames leave by.
type wayOut struct {
	link  *bridge.Link
	scope scope
	what  string // "uplink of bridge br0"
}

// waysOut are the uplinks of the host bridges that somebody needs, and the
// links below the macvtaps of active guests; each once.
func (p *pass) waysOut() []wayOut {
	var list []wayOut
	p.eachUplink(func(b hostBridge, l *bridge.Link, _ bool) {
		list = append(list, wayOut{l, b.uplinkScope(l), "the uplink of bridge " + show(b.name)})
	})
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != direct || n.tap == nil {
			continue
		}
		if l := p.links[n.tap.Parent]; l != nil {
			s := scope{kind: aLink, link: l.Name, network: n.iface.Network, guest: n.guest.Name, free: true}
			list = append(list, wayOut{l, s, "the NIC below " + n.title()})
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(w wayOut) bool {
		before := seen[w.link.Name]
		seen[w.link.Name] = true
		return before
	})
}

// below are a link and all that it stands on: the lower device of a VLAN or
// macvlan, the ports of a bond or team.
func (h *host) below(l *bridge.Link) []*bridge.Link {
	list := []*bridge.Link{l}
	for i := 0; i < len(list); i++ {
		at := list[i]
		add := func(lower *bridge.Link) {
			if lower != nil && !slices.Contains(list, lower) {
				list = append(list, lower)
			}
		}
		switch at.Kind {
		case "vlan", "macvlan", "ipvlan", "macsec":
			add(h.links[at.Parent])
		case "bond", "team":
			for _, port := range h.slaves[at.Name] {
				add(port)
			}
		}
	}
	return list
}

func uplinkWireless(p *pass) {
	for _, w := range p.waysOut() {
		if !p.on(w.scope) {
			continue
		}
		for _, l := range p.below(w.link) {
			if l.Wireless == nil || l.Wireless.Type != "managed" || l.Wireless.FourAddress {
				continue
			}
			p.found(w.scope, Finding{
				Message:  fmt.Sprintf("%s, %s, is a wireless station: the access point takes frames of its own MAC only, and drops those of guests", show(l.Name), w.what),
				Evidence: "NL80211_ATTR_IFTYPE and NL80211_ATTR_4ADDR of " + show(l.Name),
				Want:     "a wired link, or four addresses", Have: "wireless, three addresses",
				Fix: Fix{Class: Manual, Say: "put the guests on a network of mode nat or route, such as libvirt's default one; or have the access point and " + show(l.Name) + " use four addresses (WDS)"},
			})
			break
		}
	}
}

// fitBonds are the modes in which a bond can be a bridge's uplink.
var fitBonds = []string{bridge.BondActiveBackup, bridge.BondXOR, bridge.BondLACP, ""}

func uplinkBondMode(p *pass) {
	for _, w := range p.waysOut() {
		if !p.on(w.scope) {
			continue
		}
		for _, l := range p.below(w.link) {
			if l.Bond == nil {
				continue
			}
			mode, arp := l.Bond.Mode, l.Bond.ARPInterval
			f := Finding{Fix: Fix{Class: Manual}}
			switch {
			case !slices.Contains(fitBonds, mode):
				f.Message = fmt.Sprintf("bond %s, %s, is in mode %s, which sends frames of one MAC over several ports", show(l.Name), w.what, show(mode))
				f.Evidence = "IFLA_BOND_MODE of " + show(l.Name)
				f.Want, f.Have = "active-backup, balance-xor or 802.3ad", show(mode)
				f.Fix.Say = "set mode active-backup (or 802.3ad with a switch that does LACP) and miimon 100 for " + show(l.Name) + " in the host's network configuration: a mode changes only while the bond is down and empty"
			case arp > 0:
				f.Message = fmt.Sprintf("bond %s, %s, watches its ports by ARP, which does not see through a bridge", show(l.Name), w.what)
				f.Evidence = "IFLA_BOND_ARP_INTERVAL of " + show(l.Name)
				f.Want, f.Have = "MII monitoring", fmt.Sprintf("ARP every %d ms", arp)
				f.Fix.Say = "set miimon 100 in place of arp_interval for " + show(l.Name)
				f.Fix.Steps = []Step{{Do: BondMonitor, On: l.Name, With: "100"}}
			default:
				continue
			}
			p.found(w.scope, f)
			break
		}
	}
}

func uplinkLRO(p *pass) {
	ways := p.waysOut()
	for _, n := range p.routedNetworks() {
		for _, name := range p.exits(n.Def()) {
			if l := p.links[name]; l != nil && p.forwarding[l.Name] {
				ways = append(ways, wayOut{l, scope{kind: aLink, link: l.Name, network: n.Name}, "the way out of network " + show(n.Name)})
			}
		}
	}
	seen := map[string]bool{}
	for _, w := range ways {
		if seen[w.link.Name] || !p.on(w.scope) {
			continue
		}
		seen[w.link.Name] = true
		for _, l := range p.below(w.link) {
			if l.Offloads == nil || !l.Offloads.LRO || l != w.link && seen[l.Name] {
				continue
			}
			seen[l.Name] = true
			s := w.scope
			s.link = l.Name
			p.found(s, Finding{
				Message:  fmt.Sprintf("%s, %s, joins the segments that it receives: TCP into guests is slow", show(l.Name), w.what),
				Evidence: "feature rx-lro of " + show(l.Name),
				Want:     "rx-lro off", Have: "rx-lro on",
				Fix: Fix{
					Class: Guarded, Say: "switch large receive offload off for " + show(l.Name) + ", and find what switches it on",
					Steps: []Step{{Do: OffloadOff, On: l.Name, With: "lro"}},
				},
			})
		}
	}
}
