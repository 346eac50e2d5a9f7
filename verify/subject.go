package verify

import "github.com/kvnet/kvnet/libvirtnet"

// expand turns names of networks, bridges and guests into all things that
// belong to them; nil when no name is given.
func (h *host) expand(names []string) map[key]bool {
	if len(names) == 0 {
		return nil
	}
	set := map[key]bool{}
	for _, name := range names {
		h.expandNetwork(set, name)
		h.expandBridge(set, name)
		h.expandGuest(set, name)
	}
	for k := range set {
		if n := h.networks[k.name]; k.kind == aNetwork && n != nil && routed(n.Def()) {
			set[hostKey] = true
			break
		}
	}
	return set
}

func (h *host) expandNetwork(set map[key]bool, name string) {
	n := h.networks[name]
	if n == nil && len(h.byNet[name]) == 0 {
		return
	}
	set[key{aNetwork, name}] = true
	if n != nil {
		h.addBridge(set, n)
	}
	for _, nic := range h.byNet[name] {
		set[key{aLink, nic.id()}] = true
		set[key{aGuest, nic.guest.Name}] = true
		addLower(set, nic)
	}
}

// addLower adds the NIC that a macvtap stands on, by the name that the guest
// has for it and by the kernel's.
func addLower(set map[key]bool, n *nic) {
	if n.kind != direct {
		return
	}
	set[key{aLink, n.iface.Dev}] = true
	if n.tap != nil {
		set[key{aLink, n.tap.Parent}] = true
	}
}

// addBridge adds a network's bridge; the ports that are no guest's go with it.
func (h *host) addBridge(set map[key]bool, n *libvirtnet.Network) {
	if def := n.Def(); def.Bridge != "" {
		h.addBridgeName(set, h.realName(def.Bridge))
	}
}

func (h *host) addBridgeName(set map[key]bool, name string) {
	set[key{aBridge, name}] = true
	for _, l := range h.slaves[name] {
		if h.byTap[l.Name] == nil {
			set[key{aLink, l.Name}] = true
		}
	}
}

func (h *host) expandBridge(set map[key]bool, name string) {
	name = h.realName(name)
	if !h.isBridge(name) && len(h.byBridge[name]) == 0 && h.owners[name] == nil {
		return
	}
	h.addBridgeName(set, name)
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		if def := n.Def(); def.Bridge != "" && h.realName(def.Bridge) == name {
			set[key{aNetwork, n.Name}] = true
		}
	}
	for _, nic := range h.byBridge[name] {
		set[key{aLink, nic.id()}] = true
		set[key{aGuest, nic.guest.Name}] = true
	}
}

func (h *host) expandGuest(set map[key]bool, name string) {
	for i := range h.snap.Libvirt.Guests {
		if h.snap.Libvirt.Guests[i].Name == name {
			set[key{aGuest, name}] = true
		}
	}
	for i := range h.nics {
		n := &h.nics[i]
		if n.guest.Name != name {
			continue
		}
		set[key{aLink, n.id()}] = true
		addLower(set, n)
		if n.bridge != "" {
			h.addBridgeName(set, n.bridge)
		}
		if n.iface.Network != "" {
			set[key{aNetwork, n.iface.Network}] = true
		}
		if n.net != nil {
			h.addBridge(set, n.net)
		}
	}
}

// count fills in what was looked at.
func (p *pass) count() {
	in := func(k key) bool { return p.wanted == nil || p.wanted[k] }
	for i := range p.snap.Libvirt.Networks {
		if in(key{aNetwork, p.snap.Libvirt.Networks[i].Name}) {
			p.report.Networks++
		}
	}
	for i := range p.snap.Libvirt.Guests {
		if in(key{aGuest, p.snap.Libvirt.Guests[i].Name}) {
			p.report.Guests++
		}
	}
	for i := range p.nics {
		if in(key{aLink, p.nics[i].id()}) {
			p.report.Interfaces++
		}
	}
	for _, list := range [][]string{p.ownBridges, p.hostBridges} {
		for _, name := range list {
			if in(key{aBridge, name}) {
				p.report.Bridges++
			}
		}
	}
}
