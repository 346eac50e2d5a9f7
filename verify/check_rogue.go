package verify

import (
	"fmt"
	"strconv"
)

func rogueChecks() []Check {
	return []Check{{
		ID: "rogue-dhcp", Title: "a second DHCP server answers on a network's bridge", Severity: Warning, Class: Manual,
		Needs: []Need{Networks, Links, Sockets},
		After: []string{"bridge-missing", "bridge-foreign-port", "dnsmasq-dead", "dnsmasq-port-conflict"},
		Doc: Doc{
			Symptom:  "Guests get addresses and gateways that are not the network's.",
			Cause:    "Somebody started a DHCP server on libvirt's bridge.",
			Evidence: "A socket on port 67 of the bridge that is not of the network's own server, on a network that serves DHCP. A network without DHCP of its own may have any server. A NIC in the bridge is told as bridge-foreign-port.",
			Cure:     "End the other server, or leave the network's own <dhcp> out.",
		},
		run: rogueDHCP,
	}}
}

func rogueDHCP(p *pass) {
	open := p.sockets()
	for _, srv := range p.services() {
		s := scope{kind: aNetwork, network: srv.net.Name, bridge: srv.def.Bridge}
		if !srv.net.Active || !srv.dhcp || p.links[srv.def.Bridge] == nil || !p.on(s) {
			continue
		}
		rogue := false
		for _, k := range open.byDevice[srv.def.Bridge] {
			if k.Port != 67 || k.Protocol != "udp" || srv.owns(k) || rogue {
				continue
			}
			rogue = true
			who := "a program"
			var steps []Step
			if k.Command != "" {
				who = show(k.Command)
			}
			if k.PID > 0 {
				who += fmt.Sprintf(" (process %d)", k.PID)
				steps = ended([]Step{{Do: Kill, On: strconv.Itoa(k.PID)}})
			}
			p.found(s, Finding{
				Message:  fmt.Sprintf("%s serves DHCP on bridge %s beside the server of network %s: guests take the answer that comes first", who, show(srv.def.Bridge), show(srv.net.Name)),
				Evidence: "udp socket on port 67 of " + show(srv.def.Bridge),
				Want:     "one DHCP server on " + show(srv.def.Bridge), Have: who + " too",
				Fix: Fix{Class: Manual, Say: "end the other server, or take <dhcp> out of network " + show(srv.net.Name), Steps: steps},
			})
		}
	}
}
