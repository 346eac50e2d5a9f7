package verify

import (
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
)

// Leftovers are the steps that take away what libvirt left of these bridges when
// it died while it started or stopped their networks: the DHCP and DNS server,
// which would keep the new one from its port, the bridge, which libvirt would
// not make anew, and the firewall rules, which it would add a second time. What
// an active network has is never among them, nor a bridge that is, or has,
// somebody else's.
func Leftovers(s Snapshot, bridges []string) []Step {
	p := &pass{host: newHost(&s)}
	var steps []Step
	for _, srv := range p.services() {
		if !slices.Contains(bridges, srv.def.Bridge) {
			continue
		}
		if k := p.leftServer(srv); k != nil && k.PID > 0 {
			steps = append(steps, ended([]Step{{Do: Kill, On: strconv.Itoa(k.PID)}})...)
		}
	}
	for i := range s.Libvirt.Networks {
		n := &s.Libvirt.Networks[i]
		if l := p.ownLeftover(n); l != nil && slices.Contains(bridges, n.Def().Bridge) && p.onlyGuestsOn(l, n) {
			steps = append(steps, deleteBridge(l.Name)...)
		}
	}
	if f := p.packets(); f != nil {
		left := f.leftovers()
		for _, name := range bridges {
			steps = append(steps, f.deleteRules(left[name])...)
		}
	}
	return steps
}

// LeakedPorts are the steps that delete the network ports of these guests that none
// of their interfaces has.
func LeakedPorts(s Snapshot, guests []string) []Step {
	h := newHost(&s)
	var steps []Step
	for i := range s.Libvirt.Networks {
		n := &s.Libvirt.Networks[i]
		for _, port := range h.leaked(n) {
			if slices.Contains(guests, port.OwnerName) {
				steps = append(steps, Step{Do: PortDel, On: n.Name, With: port.UUID})
			}
		}
	}
	return steps
}

// Rejects are libvirt's rules that reject all that comes from, or goes to, the
// bridge of a network and that its other rules do not accept; none where one of
// them is not nf_tables'.
func Rejects(s Snapshot, bridge string) []firewall.Place {
	h := newHost(&s)
	f := h.packets()
	if f == nil {
		return nil
	}
	var places []firewall.Place
	legacy := false
	f.networkRules(func(r placedRule) {
		if links := f.ruleLinks(r.rule()); len(links) == 1 && h.nameIn(links[0]) == bridge && rejectsAll(r.rule()) {
			legacy = legacy || r.table.Legacy
			places = append(places, firewall.Place(r.place()))
		}
	})
	if legacy {
		return nil
	}
	return places
}

// rejectsAll says whether a rule asks for one thing, and rejects.
func rejectsAll(r *firewall.Rule) bool {
	var kinds []string
	for _, e := range r.Exprs {
		if e.Kind == "target" && e.Key == "REJECT" {
			kinds = append(kinds, "reject")
		} else if e.Kind != "counter" {
			kinds = append(kinds, e.Kind)
		}
	}
	return slices.Equal(kinds, []string{"meta", "cmp", "reject"})
}

// deleteBridge are the steps, in libvirt's own order.
func deleteBridge(name string) []Step {
	return []Step{{Do: LinkDown, On: name}, {Do: LinkDel, On: name}}
}

// ownLeftover is the bridge that libvirt once made for a network which is not
// active; nil where there is none, and where the bridge is, or may be, another's.
func (h *host) ownLeftover(n *libvirtnet.Network) *bridge.Link {
	def := n.Def()
	if n.Active || !def.Managed() || def.Bridge == "" || !h.isBridge(def.Bridge) {
		return nil
	}
	if l := h.links[def.Bridge]; !h.claimed(def.Bridge) && def.MAC != "" && l.MAC == def.MAC {
		return l
	}
	return nil
}

// claimed says whether an active network or a guest names the bridge.
func (h *host) claimed(name string) bool {
	name = h.realName(name)
	_, own := slices.BinarySearch(h.ownBridges, name)
	_, hosts := slices.BinarySearch(h.hostBridges, name)
	return own || hosts
}

// onlyGuestsOn says whether all ports of the bridge are taps of the network's
// guests.
func (h *host) onlyGuestsOn(l *bridge.Link, n *libvirtnet.Network) bool {
	active := h.usersOf(n).active
	return !slices.ContainsFunc(h.slaves[l.Name], func(port *bridge.Link) bool {
		return !slices.ContainsFunc(active, func(n *nic) bool { return n.iface.Target == port.Name })
	})
}
