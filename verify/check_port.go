package verify

import (
	"fmt"

	"github.com/kvnet/kvnet/bridge"
)

func portChecks() []Check {
	return []Check{
		{
			ID: "port-not-forwarding", Title: "a port does not forward", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links},
			After: []string{
				"bridge-missing", "bridge-leftover", "if-source-not-a-bridge", "bridge-admin-down", "tap-missing", "tap-not-enslaved", "tap-wrong-bridge",
				"tap-admin-down", "tap-no-carrier", "uplink-down", "uplink-no-carrier",
			},
			Doc: Doc{
				Symptom:  "A guest, or the whole bridge, is cut off from its bridge.",
				Cause:    "Spanning tree holds the port back (a loop, or a port that just came), or somebody set its state.",
				Evidence: "The state of guests' taps and of uplinks that are up and have a carrier. A new port listens and learns for twice the forward delay; verify waits for that before it judges. An uplink that blocks beside one that forwards is what spanning tree is for.",
				Cure:     "Without spanning tree set the port forwarding; with it, find the loop or switch it off.",
			},
			run: portNotForwarding,
		},
		{
			ID: "port-isolated-unexpected", Title: "a port's isolation is not as libvirt says", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests, Links},
			After: []string{"bridge-missing", "if-source-not-a-bridge", "tap-missing", "tap-not-enslaved", "tap-wrong-bridge"},
			Doc: Doc{
				Symptom:  "Guests of one bridge do not reach each other, or, where they should not, do.",
				Cause:    "Somebody switched the port's isolation, or the tap was put back into the bridge without it.",
				Evidence: "The isolated flag of a guest's port and the <port isolated> of its interface, else of its network; an isolated uplink cuts isolated guests off the LAN.",
				Cure:     "Switch it as libvirt says.",
			},
			run: portIsolated,
		},
	}
}

func portNotForwarding(p *pass) {
	p.eachTap(func(n *nic, tap *bridge.Link) {
		if port := n.port; port != nil && tap.Up && tap.Carrier && p.on(n.subject) && port.State != bridge.PortForwarding {
			p.notForwarding(n.subject, port, "of guest "+show(n.guest.Name))
		}
	})
	for _, name := range p.hostBridges {
		uplinks := p.uplinks(name)
		forwards := false
		for _, l := range uplinks {
			if port := p.ports[l.Name]; port != nil && port.State == bridge.PortForwarding {
				forwards = true
			}
		}
		for _, l := range uplinks {
			s := scope{kind: aLink, link: l.Name, bridge: name}
			if port := p.ports[l.Name]; port != nil && l.Up && l.Carrier && p.on(s) && !forwards {
				p.notForwarding(s, port, "which leads to the LAN")
			}
		}
	}
}

func (p *pass) notForwarding(s scope, port *bridge.Port, whose string) {
	f := Finding{
		Message:  fmt.Sprintf("port %s %s in bridge %s does not forward: it is %s", show(port.Name), whose, show(port.Bridge), show(port.State)),
		Evidence: "IFLA_BRPORT_STATE of " + show(port.Name),
		Want:     bridge.PortForwarding, Have: show(port.State),
	}
	b := p.bridges[port.Bridge]
	switch {
	case b == nil || b.STP == 0:
		f.Fix = Fix{
			Class: Manual, Say: "no spanning tree runs, so somebody set the state: set the port forwarding",
			Steps: []Step{{Do: PortForward, On: port.Name}},
		}
	case b.STP == 1:
		f.Message += " by spanning tree"
		if port.DesignatedRoot != "" && port.State == bridge.PortBlocking {
			f.Message += ", root " + show(port.DesignatedRoot)
		}
		f.Fix = Fix{Class: Manual, Say: "find the loop that spanning tree cuts; if there is none, switch it off"}
		if n := p.owners[port.Bridge]; n != nil {
			// The network would want it on again.
			f.Fix.Steps = append([]Step{{Do: NetDefine, On: n.Name, Args: []string{"--no-stp"}}}, p.restart(n)...)
		} else {
			f.Fix.Steps = []Step{{Do: SetSTP, On: port.Bridge, With: "0"}}
		}
	default:
		f.Message += " by the spanning tree in user space"
		f.Fix = Fix{Class: Manual, Say: "ask the spanning tree daemon (mstpctl) why the port does not forward"}
	}
	p.found(s, f)
}

// wantsIsolation says whether libvirt wants the port isolated.
func (n *nic) wantsIsolation() bool {
	return n.iface.PortIsolated(definition(n.net))
}

func portIsolated(p *pass) {
	p.eachTap(func(n *nic, _ *bridge.Link) {
		if n.port == nil || !p.on(n.subject) {
			return
		}
		want := n.wantsIsolation()
		if n.port.Isolated == want {
			return
		}
		message := fmt.Sprintf("port %s is isolated, and libvirt does not say so: other isolated ports do not reach it", n.title())
		if want {
			message = fmt.Sprintf("port %s is not isolated as libvirt says: it reaches the other guests", n.title())
		}
		p.isolation(n.subject, message, want)
	})
	for _, name := range p.hostBridges {
		for _, l := range p.uplinks(name) {
			s := scope{kind: aLink, link: l.Name, bridge: name}
			port := p.ports[l.Name]
			if port == nil || !p.on(s) || !port.Isolated {
				continue
			}
			p.isolation(s, fmt.Sprintf("uplink %s of bridge %s is isolated: isolated guests do not reach the LAN", show(l.Name), show(name)), false)
		}
	}
}

func (p *pass) isolation(s scope, message string, want bool) {
	p.found(s, Finding{
		Message: message, Evidence: "IFLA_BRPORT_ISOLATED of " + show(s.link), Want: "isolated " + onOff(want), Have: "isolated " + onOff(!want),
		Fix: Fix{
			Class: Guarded, Say: "switch the isolation of port " + show(s.link) + " " + onOff(want),
			Steps: []Step{{Do: SetIsolated, On: s.link, With: onOff(want)}},
		},
	})
}
