package verify

import (
	"fmt"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

func bridgeChecks() []Check {
	return []Check{
		{
			ID: "if-source-not-a-bridge", Title: "a guest or network names a host bridge that is none", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: []string{"net-inactive"},
			Doc: Doc{
				Symptom:  "The guest does not start: unable to add the port, or no such device. A running guest is cut off.",
				Cause:    "The bridge was never made or is gone, or the name is that of a NIC or bond.",
				Evidence: "The source of interfaces of type bridge and the bridge of networks of mode bridge is looked up in the kernel. An error when a running or autostart guest or an active network names it, else a warning: it may be made on demand. Open vSwitch bridges are not judged.",
				Cure:     "Make the bridge in the host's network configuration, or attach the guest to the NIC with type direct.",
			},
			run: sourceNotABridge,
		},
		{
			ID: "bridge-missing", Title: "an active network has no bridge", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Links},
			Doc: Doc{
				Symptom:  "Guests lose everything; virsh still lists the network as active.",
				Cause:    "The bridge was deleted or renamed behind libvirt's back; libvirt notices only when it restarts.",
				Evidence: "The live document names a bridge, and the kernel has no bridge of that name. A bridge with the network's MAC that no other network has is the same under another name.",
				Cure:     "Give the bridge its name back; if it is gone, stop and start the network and plug the taps of running guests in again.",
			},
			run: bridgeMissing,
		},
		{
			ID: "bridge-leftover", Title: "the bridge of an inactive network exists", Severity: Error, Class: Manual,
			Needs: []Need{EveryNetwork, EveryGuest, Links},
			Doc: Doc{
				Symptom:  "The network does not start: the file exists.",
				Cause:    "libvirt ended without cleaning up, or somebody else made a bridge of that name.",
				Evidence: "A bridge of the name that an inactive network would make. libvirt's own leftover bears the MAC of the definition. A bridge that another network or a guest names is meant to be there. An error when the network starts with the host or a guest needs it.",
				Cure:     "Delete a leftover; give the network another bridge name when the bridge is somebody else's.",
			},
			run: bridgeLeftover,
		},
		{
			ID: "bridge-admin-down", Title: "a bridge is switched off", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Guests, Links},
			After: []string{"bridge-missing", "if-source-not-a-bridge"},
			Doc: Doc{
				Symptom:  "No guest on the bridge reaches anything, not even its neighbour.",
				Cause:    "Somebody set the link down, or a network manager did.",
				Evidence: "The administrative flag of the bridge. No carrier is no fault: a bridge without running guests has none.",
				Cure:     "Set the link up.",
			},
			run: bridgeAdminDown,
		},
		{
			ID: "bridge-foreign-port", Title: "a bridge that libvirt made has a port that is no guest's", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, EveryGuest, Links},
			After: []string{"bridge-missing"},
			Doc: Doc{
				Symptom:  "A second DHCP server answers on the LAN, or guests take addresses of the LAN.",
				Cause:    "Somebody wanted bridged guests and put the NIC into libvirt's NAT bridge.",
				Evidence: "Ports that are neither a guest's nor a tap. The dummy virbr0-nic of old libvirt versions is no fault, nor are containers: veths to another namespace with a name that a container runtime made up.",
				Cure:     "Take the port out, and use a host bridge for bridged guests.",
			},
			run: bridgeForeignPort,
		},
	}
}

// hostBridge is a judged bridge that libvirt did not make, with who names it.
// eachHostBridge describes the host bridges in order.
// who names a host bridge's users for a message.
func sourceNotABridge(p *pass) {
	p.eachHostBridge(func(b hostBridge) {
		s := b.scope()
		if !p.on(s) || p.isBridge(b.name) {
			return
		}
		f := Finding{Severity: Warning, Evidence: "RTM_GETLINK of " + show(b.name), Want: "bridge " + show(b.name), Have: "no such link"}
		if b.needed {
			f.Severity = Error
		}
		who := b.who(p.byBridge[b.name])
		l := p.links[b.name]
		switch {
		case l != nil:
			f.Have = kindName(l)
			f.Message = fmt.Sprintf("%s names %s as its bridge, which is %s", who, show(b.name), f.Have)
			f.Fix = Fix{
				Class: Manual, Say: "make a bridge with " + show(b.name) + " as its port and name that; the commands attach to the NIC itself (macvtap) instead",
				Steps: directly(l, p.byBridge[b.name]),
			}
		case b.maker != nil:
			f.Message = fmt.Sprintf("%s names bridge %s, which does not exist while network %s is inactive", who, show(b.name), show(b.maker.Name))
			f.Fix = Fix{
				Class: Manual, Say: "start network " + show(b.maker.Name) + ", which makes the bridge",
				Steps: append([]Step{{Do: NetStart, On: b.maker.Name}}, p.replug(b.active)...),
			}
		default:
			f.Message = fmt.Sprintf("%s names bridge %s, which does not exist", who, show(b.name))
			f.Fix = Fix{
				Class: Manual, Say: "make bridge " + show(b.name) + " in the host's network configuration, with its uplink; the commands make an empty one",
				Steps: append([]Step{{Do: BridgeAdd, On: b.name}, {Do: LinkUp, On: b.name}}, p.putBack(b.active)...),
			}
		}
		p.found(s, f)
	})
}

// kindName says what a link is, for a message.
func kindName(l *bridge.Link) string {
	switch {
	case l.Loopback:
		return "the loopback"
	case l.Kind == "":
		return "a NIC"
	}
	return "a link of kind " + show(l.Kind)
}

func bridgeMissing(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if !p.on(s) || p.isBridge(name) {
			continue
		}
		have := "no such link"
		if l := p.links[name]; l != nil {
			have = kindName(l)
		}
		message := fmt.Sprintf("network %s is active, but its bridge %s does not exist", show(n.Name), show(name))
		active, now := p.activeNICs(name), p.renamed(n)
		if len(active) > 0 {
			s.guest = active[0].guest.Name
		}
		if len(active) > 0 && now == nil {
			message += "; cut off: guest " + someNames(guestNames(active))
		}
		fix := Fix{Class: Guarded, Say: "stop and start network " + show(n.Name) + " and plug the taps of running guests in again"}
		if now != nil {
			have = "bridge " + show(now.Name)
			message += "; it is called " + show(now.Name) + " now"
			fix.Say = "give bridge " + show(now.Name) + " its name back; its guests are cut off for a moment"
			fix.Steps = nameBack(now.Name, n.Def())
		} else {
			for _, ip := range n.Def().IPs {
				_, away := p.bearers(ip.Address.Addr())
				fix.Steps = append(fix.Steps, away...)
			}
			fix.Steps = append(fix.Steps, p.restart(n)...)
		}
		p.found(s, Finding{Message: message, Evidence: "RTM_GETLINK of " + show(name), Want: "bridge " + show(name), Have: have, Fix: fix})
	}
}

func bridgeLeftover(p *pass) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := n.Def()
		if n.Active || !def.Managed() || def.Bridge == "" || p.claimed(def.Bridge) {
			continue
		}
		s := scope{kind: aBridge, bridge: p.realName(def.Bridge), network: n.Name}
		if !p.on(s) || !p.isBridge(def.Bridge) {
			continue
		}
		p.leftover(n, s, p.links[def.Bridge])
	}
}

func (p *pass) leftover(n *libvirtnet.Network, s scope, l *bridge.Link) {
	u := p.usersOf(n)
	severity := Warning
	if n.Autostart || u.needed() {
		severity = Error
	}
	start := append([]Step{{Do: NetStart, On: n.Name}}, p.replug(u.active)...)
	f := Finding{
		Severity: severity,
		Evidence: "RTM_GETLINK of " + show(l.Name) + ", mac/@address of network " + show(n.Name),
		Want:     "no link " + show(l.Name) + " while network " + show(n.Name) + " is inactive",
		Have:     fmt.Sprintf("bridge %s with MAC %s and %d ports", show(l.Name), show(l.MAC), len(p.slaves[l.Name])),
	}
	if p.ownLeftover(n) != nil {
		f.Message = fmt.Sprintf("bridge %s is left over from network %s, which cannot start while it exists", show(l.Name), show(n.Name))
		f.Fix = Fix{
			Class: Guarded, Say: "delete the leftover bridge and start network " + show(n.Name),
			Steps: append(deleteBridge(l.Name), start...),
		}
		// Taps of its own guests are plugged in again; other ports are somebody's.
		if !p.onlyGuestsOn(l, n) {
			f.Fix.Class = Manual
		}
	} else {
		free := p.freeBridgeName()
		f.Message = fmt.Sprintf("network %s cannot start: somebody else made bridge %s", show(n.Name), show(l.Name))
		f.Fix = Fix{
			Class: Manual, Say: "give network " + show(n.Name) + " another bridge name, or delete the bridge if nobody needs it",
			Steps: append([]Step{{Do: NetDefine, On: n.Name, Args: []string{"--bridge", free}}}, start...),
		}
	}
	p.found(s, f)
}

func bridgeAdminDown(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if l := p.links[name]; p.on(s) && l != nil && !l.Up {
			var back []Step
			for _, a := range p.lostAddresses(n.Def(), name) {
				back = append(back, Step{Do: AddressAdd, On: name, With: a.String()})
			}
			p.bridgeDown(s, Error, append(back, gatewaySteps(name, p.lostGateways(n))...))
		}
	}
	p.eachHostBridge(func(b hostBridge) {
		if !b.needed {
			return
		}
		severity := Warning
		if len(b.active) > 0 {
			severity = Error
		}
		s := b.scope()
		if l := p.links[b.name]; p.on(s) && l != nil && !l.Up {
			p.bridgeDown(s, severity, nil)
		}
	})
}

// bridgeDown reports a bridge that is switched off. The kernel takes IPv6
// addresses and static routes from a link that goes down: back sets them again.
func (p *pass) bridgeDown(s scope, severity Severity, back []Step) {
	say := "set bridge " + show(s.bridge) + " up"
	if p.owners[s.bridge] == nil {
		say += "; the host's routes over it went with it and must be set again"
	}
	steps := append([]Step{{Do: LinkUp, On: s.bridge}}, back...)
	p.found(s, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("bridge %s is switched off: nothing passes it", show(s.bridge)),
		Evidence: "IFF_UP of " + show(s.bridge),
		Want:     "up", Have: "down",
		Fix: Fix{Class: Safe, Say: say, Steps: steps},
	})
}

func bridgeForeignPort(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if !p.on(s) {
			continue
		}
		var ports, names []string
		var steps []Step
		for _, l := range p.slaves[name] {
			if p.byTap[l.Name] == nil && l.Kind != "tun" && !placeholder(l, name) && !p.containers([]*bridge.Link{l}) {
				ports = append(ports, show(l.Name)+" ("+kindName(l)+")")
				names = append(names, l.Name)
				steps = append(steps, Step{Do: NoMaster, On: l.Name})
			}
		}
		if len(ports) == 0 {
			continue
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("bridge %s, which libvirt made for the guests of network %s, has a port that is no guest's: %s", show(name), show(n.Name), someTexts(ports)),
			Evidence: "IFLA_MASTER of " + someNames(names),
			Want:     "only guests in " + show(name), Have: someTexts(ports),
			Fix: Fix{
				Class: Manual, Steps: steps,
				Say: "take the port out of " + show(name) + "; bridged guests belong on a host bridge",
			},
		})
	}
}

// placeholder says whether a port is the dummy that libvirt up to 6.x kept in
// its bridges, or the end of a container of libvirt's own LXC driver, which
// names it like a tap.
func placeholder(l *bridge.Link, bridgeName string) bool {
	return l.Kind == "dummy" && l.Name == bridgeName+"-nic" || l.Kind == "veth" && vnetName(l.Name)
}
