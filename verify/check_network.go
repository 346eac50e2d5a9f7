package verify

import (
	"fmt"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func networkChecks() []Check {
	return []Check{
		{
			ID: "net-undefined", Title: "a guest refers to a network that is not defined", Severity: Error, Class: Manual,
			Needs: []Need{EveryNetwork, Guests},
			Doc: Doc{
				Symptom:  "The guest does not start: no network with a matching name. A guest that runs keeps a tap that leads nowhere.",
				Cause:    "The network was never installed, was undefined, or was transient and is gone.",
				Evidence: "The network names in the guests' interfaces are looked up among all networks of the same connection. An error when the guest runs or starts with the host, else a warning.",
				Cure:     "Define the network again, or point the guest at another.",
			},
			run: netUndefined,
		},
		{
			ID: "net-inactive", Title: "a network that guests need is not active", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Guests}, After: []string{"bridge-leftover", "dnsmasq-port-conflict", "dnsmasq-binary-missing", "fw-backend-unavailable"},
			Doc: Doc{
				Symptom:  "Guests on the network do not start, or run without a network.",
				Cause:    "It was never started, was stopped, or could not start with the host.",
				Evidence: "The network is inactive. An error when a running or an autostart guest refers to it; info when only shut-off guests do, or when it should have started with the host. A network that nobody uses is left alone.",
				Cure:     "Start it, and plug the taps of running guests in again.",
			},
			run: netInactive,
		},
		{
			ID: "net-no-autostart", Title: "a network in use does not start with the host", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, Guests},
			Doc: Doc{
				Symptom:  "All is well until the host restarts; then guests do not start.",
				Cause:    "The network was started by hand and never marked.",
				Evidence: "A persistent, active network without autostart that an autostart guest (warning) or a running guest (info) refers to. A transient network, which cannot have the mark, only with an autostart guest.",
				Cure:     "Mark it; give a transient network a definition with the mark.",
			},
			run: netNoAutostart,
		},
		{
			ID: "net-live-config-drift", Title: "a network runs with another definition than the stored one", Severity: Info, Class: Manual,
			Needs: []Need{Networks},
			Doc: Doc{
				Symptom:  "An edit has no effect, or the network changes at its next start.",
				Cause:    "A definition takes effect when the network starts; it was edited since.",
				Evidence: "The live document is compared with the stored one; what only a live document has, or libvirt fills in, is no difference.",
				Cure:     "Restart the network and plug its guests in again, at a time that suits them.",
			},
			run: netDrift,
		},
		{
			ID: "net-bridge-name-dup", Title: "two networks want one bridge name", Severity: Error, Class: Manual,
			Needs: []Need{Networks},
			Doc: Doc{
				Symptom:  "The second of the two networks does not start.",
				Cause:    "A definition was copied.",
				Evidence: "Equal bridge names among the networks whose bridge libvirt makes, active or not. Several networks of mode bridge may share a host bridge.",
				Cure:     "Give one of them another bridge name.",
			},
			run: netBridgeNameDup,
		},
		{
			ID: "net-ports-stale", Title: "libvirt lost count of a network's ports", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests},
			After: []string{"tap-missing", "tap-not-enslaved", "bridge-missing", "net-inactive"},
			Doc: Doc{
				Symptom:  "Nothing yet; libvirt does not know that the guest is attached, and will stop the network under it without a word.",
				Cause:    "The network was stopped and started under a running guest: both forget every port.",
				Evidence: "The port id in the guest's live document is not among the network's ports. Interfaces on host bridges have none. Info where it is the other way round: a port of a guest that has no such interface, as a daemon leaves it that dies while it attaches one.",
				Cure:     "Create the port again, with the tap in its bridge; delete one that nobody has.",
			},
			run: netPortsStale,
		},
	}
}

// users are the interfaces that need a network.
// usersOf finds the interfaces that refer to a network, and those of type
// bridge that name the bridge it makes.
// needed says that somebody is cut off, or will be after a restart.
// say names the most affected guests.
// first is the interface that a finding on the network names.
func netUndefined(p *pass) {
	for i := range p.snap.Libvirt.Networks {
		if name := p.snap.Libvirt.Networks[i].Name; len(p.byNet[name]) > 0 {
			p.on(scope{kind: aNetwork, network: name})
		}
	}
	for i := range p.nics {
		n := &p.nics[i]
		name := n.iface.Network
		if name == "" || n.net != nil || p.byNet[name][0] != n {
			continue // found already, with the first interface that refers to it
		}
		s := scope{kind: aNetwork, network: name, guest: n.guest.Name}
		if !p.on(s) {
			continue
		}
		u := sortUsers(p.byNet[name])
		severity := Warning
		flags := []string{"--start"}
		if u.needed() {
			severity = Error
			flags = append(flags, "--autostart")
		}
		say := "define network " + show(name) + " again, or move its guests to another network"
		if name != "default" {
			flags = append([]string{"--subnet", "auto"}, flags...)
			say += "; the command makes a NAT network on a free subnet"
		}
		steps := append([]Step{{Do: NetDefine, On: name, Args: flags}}, p.replug(u.active)...)
		p.found(s, Finding{
			Severity: severity,
			Message:  fmt.Sprintf("network %s is not defined, and needed by %s", show(name), u.say()),
			Evidence: "source/@network of " + u.say(),
			Want:     "network " + show(name) + " defined", Have: "no such network",
			Fix: Fix{Class: Manual, Say: say, Steps: steps},
		})
	}
}

func netInactive(p *pass) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := n.Def()
		u := p.usersOf(n)
		s := scope{kind: aNetwork, network: n.Name, bridge: p.realName(def.Bridge)}
		if !p.on(s) || n.Active || len(u.all) == 0 && !n.Autostart {
			continue
		}
		severity, message := Info, "network "+show(n.Name)+" is not active although it is to start with the host"
		if len(u.all) > 0 {
			message = fmt.Sprintf("network %s is not active, and needed by %s", show(n.Name), u.say())
			s.guest = u.first().guest.Name
		}
		if u.needed() {
			severity = Error
		}
		steps := append([]Step{{Do: NetStart, On: n.Name}}, p.replug(u.active)...)
		p.found(s, Finding{
			Severity: severity, Message: message, Evidence: "virNetworkIsActive of network " + show(n.Name), Want: "active", Have: "inactive",
			Fix: Fix{Class: Guarded, Say: "start network " + show(n.Name) + " and plug the taps of running guests in again", Steps: steps},
		})
	}
}

func netNoAutostart(p *pass) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		s := scope{kind: aNetwork, network: n.Name}
		if !n.Active || !p.on(s) || n.Autostart {
			continue
		}
		u := p.usersOf(n)
		severity, who := Info, u.active
		if len(u.autostart) > 0 {
			severity, who = Warning, u.autostart
		}
		if len(who) == 0 || !n.Persistent && severity == Info {
			continue
		}
		s.guest = who[0].guest.Name
		kind := "running guest "
		if severity == Warning {
			kind = "autostart guest "
		}
		f := Finding{
			Severity: severity,
			Message:  fmt.Sprintf("network %s will not be active after the host restarts, and is needed by %s%s", show(n.Name), kind, someNames(guestNames(who))),
			Evidence: "virNetworkGetAutostart of network " + show(n.Name),
			Want:     "autostart", Have: "no autostart",
			Fix: Fix{Class: Safe, Say: "let network " + show(n.Name) + " start with the host", Steps: []Step{{Do: NetAutostart, On: n.Name}}},
		}
		if !n.Persistent {
			// Somebody may make it at each boot, and would find it there.
			f.Evidence, f.Have = "virNetworkIsPersistent of network "+show(n.Name), "no definition"
			f.Fix = Fix{
				Class: Manual, Say: "give network " + show(n.Name) + " a definition, as it is, unless something makes it whenever the host starts",
				Steps: []Step{{Do: NetDefine, On: n.Name, Args: []string{"--autostart"}}},
			}
		}
		p.found(s, f)
	}
}

func netDrift(p *pass) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		s := scope{kind: aNetwork, network: n.Name}
		if !n.Active || n.Live == nil || n.Config == nil || !p.on(s) {
			continue
		}
		changes := xml.Drift(*n.Live, *n.Config)
		if len(changes) == 0 {
			continue
		}
		var paths, want, have []string
		for _, c := range changes {
			paths = append(paths, show(c.Path))
			want = append(want, show(c.Path)+" "+orNone(c.Want))
			have = append(have, show(c.Path)+" "+orNone(c.Have))
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("network %s runs with another definition than the stored one: %s", show(n.Name), someTexts(paths)),
			Evidence: "virNetworkGetXMLDesc of network " + show(n.Name) + ", live and inactive",
			Want:     someTexts(want), Have: someTexts(have),
			Fix: Fix{
				Class: Manual, Steps: p.restart(n),
				Say: "restart network " + show(n.Name) + " and plug its guests in again: they are cut off meanwhile",
			},
		})
	}
}

func netBridgeNameDup(p *pass) {
	byBridge := map[string]*libvirtnet.Network{}
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := n.Def()
		if !def.Managed() || def.Bridge == "" {
			continue
		}
		first := byBridge[def.Bridge]
		if first == nil {
			byBridge[def.Bridge] = n
			p.on(scope{kind: aNetwork, network: n.Name})
			continue
		}
		keep, move := p.byLife(first, n)
		byBridge[def.Bridge] = keep
		s := scope{kind: aNetwork, network: move.Name, bridge: def.Bridge}
		if keep.Name == move.Name || !p.on(s) {
			continue
		}
		free := p.freeBridgeName()
		steps := []Step{{Do: NetDefine, On: move.Name, Args: []string{"--bridge", free}}}
		if move.Active {
			steps = append(steps, p.restart(move)...)
		}
		p.found(s, Finding{
			Severity: bothAlive(keep, move, Warning),
			Message:  fmt.Sprintf("networks %s and %s both want to make bridge %s: only one of them can be active", show(keep.Name), show(move.Name), show(def.Bridge)),
			Evidence: "bridge/@name of networks " + show(keep.Name) + " and " + show(move.Name),
			Want:     "a bridge name of its own, such as " + free, Have: show(def.Bridge),
			Fix: Fix{Class: Manual, Say: "give network " + show(move.Name) + " another bridge name", Steps: steps},
		})
	}
}

// byLife orders two networks in conflict: the one that is more in use keeps
// what both want.
// bothAlive is error when both networks are to be active, else the milder
// severity.
// connections holds the count of a network's live document against its
// guests, where there are no port ids to compare.
