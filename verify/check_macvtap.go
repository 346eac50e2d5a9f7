package verify

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func macvtapChecks() []Check {
	return []Check{
		{
			ID: "macvtap-lower-missing", Title: "the NIC below a running guest's macvtap is gone", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links},
			Doc: Doc{
				Symptom:  "The guest is offline; neither its macvtap nor the NIC is there any more.",
				Cause:    "The NIC was unplugged or deleted, or its driver unloaded: its macvtaps go with it.",
				Evidence: "Neither the macvtap of the live document nor its source/@dev is among the kernel's links and their alternative names.",
				Cure:     "Bring the NIC back, then plug the guest's interface in anew.",
			},
			run: macvtapLowerMissing,
		},
		{
			ID: "macvtap-lower-down", Title: "the NIC below running guests' macvtaps is down", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links},
			Doc: Doc{
				Symptom:  "Guests on the NIC are offline.",
				Cause:    "Somebody set the NIC down, or its cable or switch is off.",
				Evidence: "The administrative flag and the carrier of the link that running guests' macvtaps stand on. Paused guests do not count.",
				Cure:     "Set the NIC up; without a carrier look at the cable.",
			},
			run: macvtapLowerDown,
		},
		{
			ID: "macvtap-rxfilter", Title: "a macvtap does not let its guest's frames in", Severity: Warning, Class: Manual,
			Needs: []Need{Guests, Links}, After: []string{"tap-missing", "macvtap-lower-missing"},
			Doc: Doc{
				Symptom:  "The guest sends and gets nothing back, or its second MAC (VRRP, ipvlan) is not reached.",
				Cause:    "A macvtap takes frames for its own MAC only. It follows a MAC that the guest sets with trustGuestRxFilters='yes' alone.",
				Evidence: "The macvtap's MAC is not that of the live document (a warning), or the guest set another MAC, mac/@currentAddress of libvirt 11.2 and later (info). With trusted filters both are as it should be.",
				Cure:     "Give the macvtap the guest's MAC, or trust the guest's filters.",
			},
			run: macvtapRxFilter,
		},
		{
			ID: "macvtap-vepa-no-hairpin", Title: "guests on one NIC reach each other only if the switch sends frames back", Severity: Info, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: []string{"macvtap-lower-down"},
			Doc: Doc{
				Symptom:  "Guests on the same NIC reach the LAN and not each other.",
				Cause:    "Mode vepa, libvirt's default, leaves frames between guests to the switch, and few switches reflect them (802.1Qbg, hairpin).",
				Evidence: "IFLA_MACVLAN_MODE is vepa for the macvtaps of two or more running guests on one NIC. What the switch does cannot be seen from here.",
				Cure:     "Use mode bridge.",
			},
			run: macvtapVEPA,
		},
		{
			ID: "macvtap-host-isolation", Title: "host and macvtap guests do not reach each other", Severity: Info, Class: Manual,
			Needs: []Need{Networks, Guests, Links, Addresses, Routes}, After: []string{"macvtap-lower-down"},
			Doc: Doc{
				Symptom:  "The guest reaches the whole LAN, except for its own host.",
				Cause:    "So macvtap is made: what the host sends by the NIC goes out, never up to the macvtaps on it.",
				Evidence: "The host looked for a neighbour on that NIC in vain (state failed or incomplete), running guests stand on it by macvtap and have no second way to the host, and the host has no macvlan there. Without such a neighbour nothing is said: it is by design.",
				Cure:     "Give the guest a second interface on an isolated network, or the host a macvlan on the NIC.",
			},
			run: macvtapIsolation,
		},
	}
}

// lower is a link with the macvtaps of running guests that stand on it.
type lower struct {
	link  *bridge.Link
	nics  []*nic
	scope scope
}

// lowers are the links below macvtaps of running guests, in the order of the
// guests.
func (p *pass) lowers() []*lower {
	var list []*lower
	byName := map[string]*lower{}
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != direct || n.tap == nil || !n.running() {
			continue
		}
		l := p.links[n.tap.Parent]
		if n.tap.Parent == "" || l == nil {
			continue
		}
		at := byName[l.Name]
		if at == nil {
			at = &lower{link: l, scope: scope{kind: aLink, link: l.Name, network: n.iface.Network, guest: n.guest.Name, free: true}}
			byName[l.Name] = at
			list = append(list, at)
		}
		at.nics = append(at.nics, n)
	}
	return list
}

func macvtapLowerMissing(p *pass) {
	gone := map[string][]*nic{}
	var order []string
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != direct || !n.active || n.tap != nil || n.iface.Dev == "" || n.iface.Target == "" || p.links[n.iface.Dev] != nil {
			continue
		}
		if gone[n.iface.Dev] == nil {
			order = append(order, n.iface.Dev)
		}
		gone[n.iface.Dev] = append(gone[n.iface.Dev], n)
	}
	for _, dev := range order {
		nics := gone[dev]
		s := scope{kind: aLink, link: dev, network: nics[0].iface.Network, guest: nics[0].guest.Name, free: true}
		if !p.on(s) {
			continue
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("NIC %s is gone, and with it the macvtap of guest %s", show(dev), someNames(guestNames(nics))),
			Evidence: "links " + show(dev) + " and " + show(nics[0].iface.Target) + " (RTM_GETLINK)",
			Want:     "link " + show(dev), Have: "no such link",
			Fix: Fix{Class: Manual, Say: "plug " + show(dev) + " in again, or load its driver; then plug the guests' interfaces in anew, or restart the guests"},
		})
		for _, n := range nics {
			p.covers(key{aLink, n.id()})
		}
	}
}

// covers marks further things for which the check that runs has named the
// cause.
func (p *pass) covers(k key) {
	if p.fired[p.check.ID] == nil {
		p.fired[p.check.ID] = map[key]bool{}
	}
	p.fired[p.check.ID][k] = true
}

func macvtapLowerDown(p *pass) {
	for _, at := range p.lowers() {
		l := at.link
		if !p.on(at.scope) {
			continue
		}
		who := "guest " + someNames(guestNames(at.nics))
		switch {
		case !l.Up:
			p.found(at.scope, Finding{
				Message:  fmt.Sprintf("NIC %s below the macvtap of %s is switched off", show(l.Name), who),
				Evidence: "IFF_UP of " + show(l.Name),
				Want:     "up", Have: "down",
				Fix: Fix{Class: Safe, Say: "set " + show(l.Name) + " up", Steps: []Step{{Do: LinkUp, On: l.Name}}},
			})
		case !l.Carrier && l.Kind != "bridge":
			p.found(at.scope, Finding{
				Message:  fmt.Sprintf("NIC %s below the macvtap of %s has no carrier", show(l.Name), who),
				Evidence: "IFLA_CARRIER of " + show(l.Name),
				Want:     "carrier", Have: "no carrier (" + show(l.Oper) + ")",
				Fix: p.noCarrierFix(l),
			})
		}
	}
}

func macvtapRxFilter(p *pass) {
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != direct || n.tap == nil || n.iface.MAC == "" || n.iface.TrustRxFilters || !p.on(n.subject) {
			continue
		}
		switch mac := n.iface.MAC; {
		case n.tap.MAC != "" && !strings.EqualFold(n.tap.MAC, mac):
			link, also := n.tap.Name, ""
			if n.tap.Mode == "passthru" { // it shares the MAC of what it stands on
				also = "; in mode passthrough the NIC below has the same MAC"
			}
			p.found(n.subject, Finding{
				Message:  fmt.Sprintf("the macvtap %s has MAC %s, and the guest %s: frames for the guest do not come in", n.title(), show(n.tap.MAC), show(mac)),
				Evidence: "IFLA_ADDRESS of " + show(link),
				Want:     show(mac), Have: show(n.tap.MAC),
				Fix: Fix{
					Class: Guarded, Say: "give " + show(link) + " the guest's MAC" + also,
					Steps: []Step{{Do: SetMAC, On: link, With: mac}},
				},
			})
		case n.iface.CurrentMAC != "" && !strings.EqualFold(n.iface.CurrentMAC, mac):
			p.found(n.subject, Finding{
				Severity: Info,
				Message:  fmt.Sprintf("the guest gave %s the MAC %s, and its macvtap takes frames for %s only", n.title(), show(n.iface.CurrentMAC), show(mac)),
				Evidence: "mac/@currentAddress and interface/@trustGuestRxFilters of " + show(n.iface.Target),
				Want:     show(mac) + ", or trusted filters", Have: show(n.iface.CurrentMAC),
				Fix: Fix{Class: Manual, Say: "set trustGuestRxFilters='yes' for the interface in guest " + show(n.guest.Name) + " (virsh edit) and restart the guest, or give the interface its old MAC inside"},
			})
		}
	}
}

func macvtapVEPA(p *pass) {
	for _, at := range p.lowers() {
		var vepa []*nic
		for _, n := range at.nics {
			if n.tap.Mode == "vepa" {
				vepa = append(vepa, n)
			}
		}
		names := guestNames(vepa)
		if len(vepa) == 0 || !p.on(at.scope) || len(names) < 2 {
			continue
		}
		p.found(at.scope, Finding{
			Message:  fmt.Sprintf("guests %s on %s reach each other only if the switch sends their frames back: mode vepa", someNames(names), show(at.link.Name)),
			Evidence: "IFLA_MACVLAN_MODE of " + show(vepa[0].tap.Name) + " and " + show(vepa[1].tap.Name),
			Want:     "mode bridge, or a switch that reflects", Have: "mode vepa",
			Fix: Fix{Class: Manual, Say: "if they are to reach each other and do not, write mode='bridge' into <source> of their interfaces (virsh edit), or into their network, and restart them"},
		})
	}
}

func macvtapIsolation(p *pass) {
	for _, at := range p.lowers() {
		var cut []*nic
		for _, n := range at.nics {
			if n.tap.Mode != "passthru" && !p.reachesHost(n) {
				cut = append(cut, n)
			}
		}
		if len(cut) == 0 || p.macvlanOn(at.link.Name) || !p.on(at.scope) {
			continue
		}
		ip, state := p.silentNeighbour(at.link.Name)
		if ip == "" {
			continue
		}
		p.found(at.scope, Finding{
			Message:  fmt.Sprintf("%s did not answer the host on %s: if it is guest %s, that is macvtap's way, which keeps host and guest apart", ip, show(at.link.Name), someNames(guestNames(cut))),
			Evidence: "neighbour " + ip + " dev " + show(at.link.Name),
			Want:     "reachable", Have: show(state),
			Fix: Fix{
				Class: Manual, Say: "if host and guest are to talk, give guest " + show(cut[0].guest.Name) + " a second interface on an isolated network",
				Steps: []Step{
					{Do: NetDefine, On: "host-and-guests", Args: []string{"--mode", "isolated", "--subnet", "auto", "--start", "--autostart"}},
					{Do: Attach, On: cut[0].guest.Name, With: "host-and-guests", Args: []string{"--type", "network"}},
				},
			},
		})
	}
}

// reachesHost says whether the guest has another interface, in a bridge on
// which the host has an address.
func (p *pass) reachesHost(n *nic) bool {
	for i := range p.nics {
		other := &p.nics[i]
		if other.guest == n.guest && other.kind == bridged && len(p.globalAddresses(other.bridge)) > 0 {
			return true
		}
	}
	return false
}

// macvlanOn says whether the host itself has a macvlan on the link.
func (h *host) macvlanOn(link string) bool {
	for i := range h.snap.Kernel.Links {
		if l := &h.snap.Kernel.Links[i]; l.Kind == "macvlan" && l.Parent == link {
			return true
		}
	}
	return false
}
