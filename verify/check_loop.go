package verify

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func loopChecks() []Check {
	return []Check{
		{
			ID: "bridge-loop", Title: "a bridge is in a loop", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, FDB}, After: []string{"bridge-missing", "if-source-not-a-bridge", "bridge-admin-down", "bridge-foreign-port"},
			Doc: Doc{
				Symptom:  "A storm of broadcasts; the network is slow or dead; the kernel logs packets with its own address as source.",
				Cause:    "Two NICs of one switch are in the bridge without spanning tree, or a guest bridges two of its interfaces.",
				Evidence: "Spanning tree is off, two uplinks or two taps of one guest forward, and in several looks at the forwarding table addresses of others go to and fro between them: an error. Two hardware uplinks without spanning tree are a warning. One that is blocked, down or without carrier makes no loop, and a guest's own address may change between its bonded taps.",
				Cure:     "Take one of the ports out, bond them, or switch spanning tree on.",
			},
			run: bridgeLoop,
		},
		{
			ID: "bridge-port-limit", Title: "a bridge has almost as many ports as the kernel allows", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: []string{"bridge-missing", "if-source-not-a-bridge"},
			Doc: Doc{
				Symptom:  "Guest number 1024 does not start: exchange full.",
				Cause:    "A bridge has 1023 ports at most.",
				Evidence: "The number of its ports: a warning from 900 on, an error at 1023.",
				Cure:     "Put further guests on a second bridge and connect the two.",
			},
			run: bridgePortLimit,
		},
	}
}

// forwards are those of the links that forward for the bridge.
func (h *host) forwards(links []*bridge.Link) []*bridge.Link {
	var list []*bridge.Link
	for _, l := range links {
		if port := h.ports[l.Name]; port != nil && l.Up && l.Carrier && port.State == bridge.PortForwarding {
			list = append(list, l)
		}
	}
	return list
}

// doubles are the ports of a bridge that may lead to the same place: its
// uplinks, and the taps of each guest with several.
func (h *host) doubles(b judgedBridge) [][]*bridge.Link {
	if b.STP != 0 {
		return nil
	}
	var groups [][]*bridge.Link
	if up := h.forwards(h.uplinks(b.Name)); len(up) > 1 && !b.own {
		groups = append(groups, up)
	}
	taps := map[string][]*bridge.Link{}
	var order []string
	for _, n := range h.homeTaps(b) {
		id := n.guest.UUID + "/" + n.guest.Name
		if len(taps[id]) == 0 {
			order = append(order, id)
		}
		taps[id] = append(taps[id], n.tap)
	}
	for _, id := range order {
		if links := h.forwards(taps[id]); len(links) > 1 {
			groups = append(groups, links)
		}
	}
	return groups
}

func bridgeLoop(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if !p.on(b.scope) {
			return
		}
		for _, links := range p.doubles(b) {
			if macs := p.circling(b, links); len(macs) > 0 {
				p.loop(b, links, macs)
				return
			}
		}
		hardware := 0
		up := p.forwards(p.uplinks(b.Name))
		for _, l := range up {
			if l.Kind == "" || l.Kind == "bond" || l.Kind == "team" {
				hardware++
			}
		}
		if hardware > 1 && b.STP == 0 && !b.own && len(b.nics) > 0 {
			p.loop(b, up, nil)
		}
	})
}

// circling are the addresses that the watch saw go to and fro between some
// ports. A guest's own address between its own taps is a bond.
func (h *host) circling(b judgedBridge, links []*bridge.Link) []string {
	if h.snap.Kernel.Watch == nil {
		return nil
	}
	among := map[string]bool{}
	own := map[string]bool{}
	for _, l := range links {
		among[l.Name] = true
		if n := h.byTap[l.Name]; n != nil {
			own[strings.ToLower(n.iface.MAC)] = true
		}
	}
	var macs []string
	for _, m := range h.snap.Kernel.Watch.Moves {
		if m.Bridge != b.Name || own[strings.ToLower(m.MAC)] || !returned(m) {
			continue
		}
		seen := 0
		for _, port := range distinct(m.Ports) {
			if among[port] {
				seen++
			}
		}
		// The address of a guest also comes back through one uplink.
		if local := h.macsOf(b)[strings.ToLower(m.MAC)]; seen > 1 || local != nil && seen == 1 {
			macs = append(macs, m.MAC)
		}
	}
	return macs
}

func (p *pass) loop(b judgedBridge, links []*bridge.Link, macs []string) {
	var names []string
	var steps []Step
	for i, l := range links {
		names = append(names, l.Name)
		if i > 0 && len(macs) > 0 {
			steps = append(steps, Step{Do: NoMaster, On: l.Name})
		}
	}
	f := Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("bridge %s has %s as uplinks and no spanning tree: if they lead to one switch, frames circle", show(b.Name), someNames(names)),
		Evidence: "IFLA_BR_STP_STATE of " + show(b.Name) + " and its forwarding ports " + someNames(names),
		Want:     "one way out, or stp on", Have: someNames(names) + " forwarding, stp off",
		Fix: Fix{Class: Manual, Say: "bond the NICs, take one out, or switch spanning tree on: ip link set dev BRIDGE type bridge stp_state 1"},
	}
	if len(macs) > 0 {
		f.Severity = Error
		f.Message = fmt.Sprintf("bridge %s is in a loop: %s go to and fro between %s", show(b.Name), someNames(macs), someNames(names))
		f.Evidence = fmt.Sprintf("forwarding entries of %s in %d looks within %s", show(b.Name), p.snap.Kernel.Watch.Looks, seconds(int(p.snap.Kernel.Watch.Duration)))
		f.Have = someNames(macs) + " at several ports"
		f.Fix = Fix{Class: Manual, Say: "take all but one of the ports out; then look which cable or guest closes the loop", Steps: steps}
		if p.byTap[links[0].Name] != nil {
			f.Fix = Fix{Class: Manual, Say: "look into guest " + show(p.byTap[links[0].Name].guest.Name) + ": it bridges its interfaces " + someNames(names)}
		}
	}
	p.found(b.scope, f)
}

const (
	// maxPorts is BR_MAX_PORTS without the port 0, which is never given
	// (net/bridge/br_private.h).
	maxPorts  = 1<<10 - 1
	manyPorts = 900
)

func bridgePortLimit(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		count := len(p.slaves[b.Name])
		if !p.on(b.scope) || count < manyPorts {
			return
		}
		severity := Warning
		message := fmt.Sprintf("bridge %s has %d ports of %d at most: there is little room for guests", show(b.Name), count, maxPorts)
		if count >= maxPorts {
			severity, message = Error, fmt.Sprintf("bridge %s has all the %d ports that it can have: no further guest starts on it", show(b.Name), maxPorts)
		}
		p.found(b.scope, Finding{
			Severity: severity, Message: message, Evidence: "IFLA_MASTER of links in " + show(b.Name),
			Want: fmt.Sprintf("fewer than %d ports", manyPorts), Have: fmt.Sprintf("%d ports", count),
			Fix: Fix{Class: Manual, Say: "make a second bridge for further guests and connect the two with a veth pair"},
		})
	})
}
