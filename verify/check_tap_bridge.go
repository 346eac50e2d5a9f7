package verify

import (
	"fmt"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// stranded are the taps that one event left in no bridge.
type stranded struct {
	bridge string
	// network is the one that makes the bridge, where it was the bridge that
	// went and not the tap.
	network *libvirtnet.Network
	remade  bool // by somebody else
	nics    []*nic
}

// tapNotEnslaved reports the taps that are in no bridge: those of a bridge
// that was made anew in one finding, for they have one cause and one cure; a
// tap that fell out alone in one of its own.
func tapNotEnslaved(p *pass) {
	var groups []*stranded
	byBridge := map[string]*stranded{}
	p.eachTap(func(n *nic, tap *bridge.Link) {
		if !n.homely {
			return
		}
		if !p.on(n.subject) || tap.Master != "" {
			return
		}
		network, remade := p.madeAnew(n)
		if network == nil {
			groups = append(groups, &stranded{bridge: n.bridge, nics: []*nic{n}})
			return
		}
		group := byBridge[n.bridge]
		if group == nil {
			group = &stranded{bridge: n.bridge, network: network, remade: remade}
			byBridge[n.bridge] = group
			groups = append(groups, group)
		}
		group.nics = append(group.nics, n)
	})
	for _, group := range groups {
		p.strandedTaps(group)
	}
}

// madeAnew is the network whose bridge was made anew under the interface: by
// libvirt, which then forgets the network's ports, or by somebody else.
func (h *host) madeAnew(n *nic) (network *libvirtnet.Network, remade bool) {
	owner := h.owners[n.bridge]
	switch {
	case n.portLost && owner == nil:
		return n.net, false
	case n.portLost || n.iface.Network == "" && h.bounced(n.bridge):
		return owner, false
	case h.remade(n.bridge):
		return owner, true
	}
	return nil, false
}

// strandedTaps reports a group.
func (p *pass) strandedTaps(g *stranded) {
	var scopes []scope
	var taps []string
	var steps []Step
	for _, n := range g.nics {
		scopes = append(scopes, n.subject)
		taps = append(taps, n.tap.Name)
		steps = append(steps, p.backIntoBridge(n)...)
	}
	f := Finding{
		Evidence: "IFLA_MASTER of " + someNames(taps),
		Want:     "master " + show(g.bridge), Have: "no master",
		Fix: Fix{Class: Safe, Say: "put " + someNames(taps) + " back into " + show(g.bridge), Steps: steps},
	}
	if len(g.nics) == 1 {
		n := g.nics[0]
		f.Message = fmt.Sprintf("%s is in no bridge: %s", n.title(), g.cause(n))
		p.found(n.subject, f)
		return
	}
	guests := guestNames(g.nics)
	s := scope{kind: aNetwork, network: g.network.Name, bridge: g.bridge}
	if len(guests) == 1 {
		s.guest = guests[0]
	}
	f.Message = fmt.Sprintf("%d taps of %s are in no bridge: %s", len(g.nics), guestsNamed(guests), g.cause(g.nics[0]))
	p.foundAll(s, scopes, f)
}

// cause says what left the taps without a bridge.
func (g *stranded) cause(n *nic) string {
	switch {
	case g.network == nil:
		return "it was taken out behind libvirt's back"
	case g.remade:
		return "bridge " + show(g.bridge) + " was made anew by somebody, without its ports"
	}
	network := "network " + show(g.network.Name)
	switch {
	case len(g.nics) > 1:
		return network + " was restarted under them"
	case n.iface.Network == "":
		return network + ", which makes " + show(g.bridge) + ", was restarted under the guest"
	}
	return network + " was restarted under the guest"
}

// guestsNamed writes one or several guests for a message.
func guestsNamed(names []string) string {
	if len(names) == 1 {
		return "guest " + show(names[0])
	}
	return "guests " + someNames(names)
}
