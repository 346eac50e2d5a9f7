package verify

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/xml"
)

func renamedChecks() []Check {
	return []Check{{
		ID: "uplink-renamed", Title: "a configuration names a NIC that does not exist", Severity: Error, Class: Manual,
		Needs: []Need{Networks, Guests, Links}, After: []string{"macvtap-lower-missing"},
		Doc: Doc{
			Symptom:  "Guests or networks do not start any more after a card was added, or after an update of kernel or firmware.",
			Cause:    "The NIC bears another name now, or is gone.",
			Evidence: "The NICs that libvirt's macvtap and SR-IOV networks, guests' macvtaps and the host's own network configuration name are looked up among the kernel's links and their alternative names. A warning where nothing that runs or starts with the host needs it, info for a network that nobody uses.",
			Cure:     "Write the new name, or give the NIC the old one as an alternative; pin names by MAC in a .link file of systemd.",
		},
		run: uplinkRenamed,
	}}
}

// reference is who names a NIC that does not exist.
type reference struct {
	dev, who string
	severity Severity
	scope    scope
	now      string // what the NIC is called now, where the kernel tells
	lacks    string // the bridge that has no uplink without it
}

func uplinkRenamed(p *pass) {
	refs := append(p.networkDevices(), p.guestDevices()...)
	refs = append(refs, p.configuredDevices()...)
	byDev := map[string][]reference{}
	var order []string
	for _, r := range refs {
		if byDev[r.dev] == nil {
			order = append(order, r.dev)
		}
		byDev[r.dev] = append(byDev[r.dev], r)
	}
	for _, dev := range order {
		list := byDev[dev]
		if !p.on(list[0].scope) || p.links[dev] != nil {
			continue
		}
		now, severity := "", Info
		var who []string
		for _, r := range list {
			now = cmp.Or(now, r.now)
			who = append(who, r.who)
			if r.severity.AtLeast(severity) {
				severity = r.severity
			}
		}
		slices.Sort(who)
		who = slices.Compact(who)
		have, f := "no such link", p.renamedFix(dev, now)
		if now != "" {
			have = show(now)
		}
		for _, r := range list {
			if r.lacks == "" {
				continue
			}
			p.covers(key{aBridge, r.lacks})
			if len(f.Steps) > 0 {
				f.Steps = append(f.Steps, Step{Do: SetMaster, On: dev, With: r.lacks}, Step{Do: LinkUp, On: dev})
			}
		}
		p.found(list[0].scope, Finding{
			Severity: severity, Subject: dev,
			Message:  fmt.Sprintf("%s names NIC %s, which does not exist: it was renamed or is gone", someTexts(who), show(dev)),
			Evidence: "link " + show(dev) + " (RTM_GETLINK, IFLA_ALT_IFNAME)",
			Want:     "link " + show(dev), Have: have,
			Fix: f,
		})
	}
}

// renamedFix gives the NIC its old name as a second one, when it is known which
// one it is: libvirt and the kernel find it by either.
func (p *pass) renamedFix(dev, now string) Fix {
	pin := "; pin the name by MAC in /etc/systemd/network/10-NAME.link, or write the new name into the configuration"
	if now != "" {
		return Fix{
			Class: Manual, Say: "the NIC is called " + show(now) + " now: let it answer to " + show(dev) + ", too" + pin,
			Steps: []Step{{Do: AltName, On: now, With: dev}},
		}
	}
	if spare := p.spareNICs(); len(spare) == 1 {
		return Fix{
			Class: Manual, Say: show(spare[0].Name) + " is the only NIC that is free: if it is the one, let it answer to " + show(dev) + pin,
			Steps: []Step{{Do: AltName, On: spare[0].Name, With: dev}},
		}
	}
	return Fix{Class: Manual, Say: "find the NIC by its MAC (ip -br link)" + pin}
}

// networkDevices are the NICs that libvirt's networks hand to guests. What a
// routed network names as its way out is another matter.
func (p *pass) networkDevices() []reference {
	var list []reference
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := definition(n)
		var devs []string
		switch def.Mode {
		case xml.HostBridge, xml.Private, xml.VEPA, xml.Passthrough:
			devs = def.ForwardDevs
		case xml.HostDev:
			if def.PF != "" {
				devs = []string{def.PF}
			}
		}
		left := 0
		for _, dev := range devs {
			if p.links[dev] != nil {
				left++
			}
		}
		for _, dev := range devs {
			if dev == "" {
				continue
			}
			severity := Warning
			switch {
			case left == 0 && (n.Active || n.Autostart || p.usersOf(n).needed()):
				severity = Error
			case left == 0 && len(p.usersOf(n).all) == 0:
				severity = Info
			}
			list = append(list, reference{
				dev: dev, who: "network " + show(n.Name), severity: severity,
				scope: scope{kind: aNetwork, link: dev, network: n.Name},
			})
		}
	}
	return list
}

// guestDevices are the NICs that guests' own macvtaps stand on. A running guest
// whose macvtap is there goes on with the NIC under its new name.
func (p *pass) guestDevices() []reference {
	var list []reference
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != direct || n.iface.Dev == "" || n.active && (n.tap == nil || n.tap.ParentElsewhere) {
			continue
		}
		r := reference{
			dev: n.iface.Dev, who: "guest " + show(n.guest.Name), severity: Warning,
			scope: scope{kind: aGuest, link: n.iface.Dev, network: n.iface.Network, guest: n.guest.Name, free: true},
		}
		switch {
		case n.active:
			r.now = n.tap.Parent
		case n.guest.Autostart:
			r.severity = Error
		}
		list = append(list, r)
	}
	return list
}

// configuredDevices are the NICs that the host's network configuration puts
// into bridges that guests use. The bridge lacks its uplink then, which is no
// fault of its own.
func (p *pass) configuredDevices() []reference {
	if p.snap.Services == nil || len(p.gaps.lacks[Devices]) > 0 {
		return nil
	}
	var list []reference
	p.eachHostBridge(func(b hostBridge) {
		if !b.needed || !p.isBridge(b.name) {
			return
		}
		for _, port := range p.snap.Services.Ports {
			if p.realName(port.Bridge) != b.name || p.links[port.Link] != nil {
				continue
			}
			r := reference{dev: port.Link, who: oneLine(port.File), severity: Warning, scope: b.scope()}
			if len(p.uplinks(b.name)) == 0 {
				r.severity, r.lacks = Error, b.name
			}
			list = append(list, r)
		}
	})
	return list
}
