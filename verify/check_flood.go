package verify

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func floodChecks() []Check {
	return []Check{
		{
			ID: "port-flood-off", Title: "a port does not flood or learn", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, FDB}, After: append([]string{"bridge-vlanfilter-drift", "hub-mode"}, noPort...),
			Doc: Doc{
				Symptom:  "One guest gets no DHCP or ARP answer, or is reached only after it has sent something.",
				Cause:    "Somebody switched flooding, learning or locking of the port.",
				Evidence: "The flood, mcast_flood, bcast_flood, learning and locked flags of guests' taps and of uplinks. A static forwarding entry makes up for flooding, learning and locking, but not for broadcast. Networks with macTableManager='libvirt' and ports that answer ARP themselves (neigh_suppress, EVPN) are meant to be so.",
				Cure:     "Switch the flags back to the kernel's defaults.",
			},
			run: portFloodOff,
		},
		{
			ID: "hub-mode", Title: "no port of a bridge learns", Severity: Info, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, FDB}, After: []string{"bridge-missing", "if-source-not-a-bridge"},
			Doc: Doc{
				Symptom:  "Every guest sees the frames of all others, and the bridge is slow.",
				Cause:    "Learning was switched off on all ports, to mirror traffic or by mistake.",
				Evidence: "The learning and flood flags of all ports of a bridge with three or more. With macTableManager='libvirt' or static entries it is meant to be so.",
				Cure:     "Switch learning on.",
			},
			run: hubMode,
		},
		{
			ID: "fdb-aging-zero", Title: "a bridge forgets addresses at once, or never", Severity: Info, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: []string{"bridge-missing", "if-source-not-a-bridge"},
			Doc: Doc{
				Symptom:  "Every guest sees the frames of all others; or, with a very long time, a guest that moved is not found.",
				Cause:    "Somebody set the ageing time.",
				Evidence: "The bridge's ageing time: 0, or more than a day. The bridges that OpenStack puts between a guest and Open vSwitch (qbr...) have 0 on purpose.",
				Cure:     "Set the kernel's default of 300 s.",
			},
			run: fdbAgingZero,
		},
	}
}

// portFlag is a flag of a port in bridge(8)'s word, with the kernel's default.
type portFlag struct {
	word     string
	have     bool
	normal   bool
	excusing bool // a static forwarding entry makes up for it
}

func flagsOfPort(port *bridge.Port) []portFlag {
	return []portFlag{
		{"flood", port.Flood, true, true},
		{"mcast_flood", port.MulticastFlood, true, false},
		{"bcast_flood", port.BroadcastFlood, true, false},
		{"learning", port.Learning, true, true},
		{"locked", port.Locked, false, true},
	}
}

func portFloodOff(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if b.macTable {
			return
		}
		for _, n := range p.homeTaps(b) {
			if p.on(n.subject) {
				p.portFlags(n.subject, n.port, n.title(), p.inside().static(n.port.Name, n.iface.MAC))
			}
		}
		if b.own {
			return
		}
		for _, l := range p.uplinks(b.Name) {
			s := b.scope
			s.kind, s.link = aLink, l.Name
			if port := p.ports[l.Name]; port != nil && p.on(s) {
				p.portFlags(s, port, show(l.Name)+", the uplink of bridge "+show(b.Name)+",", p.inside().static(l.Name, ""))
			}
		}
	})
}

func (p *pass) portFlags(s scope, port *bridge.Port, title string, static bool) {
	if port.NeighSuppress {
		return
	}
	var want, have, args []string
	for _, f := range flagsOfPort(port) {
		if f.have == f.normal || f.excusing && static {
			continue
		}
		want, have = append(want, f.word+" "+onOff(f.normal)), append(have, f.word+" "+onOff(f.have))
		args = append(args, f.word, onOff(f.normal))
	}
	if len(args) == 0 {
		return
	}
	p.found(s, Finding{
		Message:  fmt.Sprintf("port %s has %s: frames that others depend on do not pass it", title, strings.Join(have, ", ")),
		Evidence: "IFLA_BRPORT_* flags of " + show(port.Name) + " and its static forwarding entries",
		Want:     strings.Join(want, ", "), Have: strings.Join(have, ", "),
		Fix: Fix{
			Class: Guarded, Say: "switch the flags of " + show(port.Name) + " back, unless they are somebody's choice",
			Steps: []Step{{Do: SetPort, On: port.Name, Args: args}},
		},
	})
}

// portsOf are the ports of a bridge.
func (h *host) portsOf(name string) []*bridge.Port {
	var list []*bridge.Port
	for _, l := range h.slaves[name] {
		if port := h.ports[l.Name]; port != nil {
			list = append(list, port)
		}
	}
	return list
}

func hubMode(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		ports := p.portsOf(b.Name)
		if b.macTable || len(ports) < 3 || len(b.nics) == 0 || !p.on(b.scope) {
			return
		}
		var steps []Step
		for _, port := range ports {
			if port.Learning || !port.Flood || port.NeighSuppress || p.inside().static(port.Name, "") {
				return
			}
			steps = append(steps, Step{Do: SetPort, On: port.Name, Args: []string{"learning", "on"}})
		}
		p.found(b.scope, Finding{
			Message:  fmt.Sprintf("none of the %d ports of bridge %s learns: every frame goes to all of them", len(ports), show(b.Name)),
			Evidence: "IFLA_BRPORT_LEARNING of the ports of " + show(b.Name), Want: "learning on", Have: "learning off",
			Fix: Fix{Class: Guarded, Say: "switch learning on, unless traffic is mirrored on purpose", Steps: steps},
		})
	})
}

const (
	// ageing is the kernel's default in milliseconds (BR_DEFAULT_AGEING_TIME,
	// linux/if_bridge.h), and longAgeing is from where on nothing is forgotten
	// in practice.
	ageing     = 300_000
	longAgeing = 24 * 60 * 60 * 1000
	// hybridPlug is how os-vif names the bridges between a guest and Open
	// vSwitch, which have two ports and need no table.
	hybridPlug = "qbr"
)

func fdbAgingZero(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if !b.own && strings.HasPrefix(b.Name, hybridPlug) || !p.on(b.scope) || b.AgeingTime > 0 && b.AgeingTime <= longAgeing {
			return
		}
		message := fmt.Sprintf("bridge %s forgets every address at once: all frames go to all ports", show(b.Name))
		if b.AgeingTime > 0 {
			message = fmt.Sprintf("bridge %s forgets an address after %s only: a guest that moved is looked for at its old port", show(b.Name), seconds(b.AgeingTime))
		}
		p.found(b.scope, Finding{
			Message: message, Evidence: "IFLA_BR_AGEING_TIME of " + show(b.Name),
			Want: "ageing time " + seconds(ageing), Have: "ageing time " + seconds(b.AgeingTime),
			Fix: Fix{
				Class: Guarded, Say: "set the ageing time of " + show(b.Name) + " to the kernel's default, unless somebody wants it so",
				// ip takes hundredths of a second.
				Steps: []Step{{Do: SetBridge, On: b.Name, Args: []string{"ageing_time", "30000"}}},
			},
		})
	})
}
