package verify

import (
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

type hostBridge struct {
	name   string
	nets   []*libvirtnet.Network
	maker  *libvirtnet.Network // the inactive network that would make it; nil: none
	active []*nic
	// needed says that a running or autostart guest or an active network
	// names it.
	needed bool
}

func (h *host) eachHostBridge(visit func(hostBridge)) {
	nets, makers := map[string][]*libvirtnet.Network{}, map[string]*libvirtnet.Network{}
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		switch def := n.Def(); {
		case def.Bridge == "":
		case def.Mode == xml.HostBridge:
			name := h.realName(def.Bridge)
			nets[name] = append(nets[name], n)
		case def.Managed() && !n.Active:
			setFirst(makers, def.Bridge, n)
		}
	}
	for _, name := range h.hostBridges {
		b := hostBridge{name: name, nets: nets[name], maker: makers[name], active: h.activeNICs(name)}
		b.needed = len(b.active) > 0
		for _, n := range b.nets {
			b.needed = b.needed || n.Active
		}
		for _, n := range h.byBridge[name] {
			b.needed = b.needed || n.guest.Autostart
		}
		visit(b)
	}
}

func (b hostBridge) scope() scope {
	s := scope{kind: aBridge, bridge: b.name, free: b.maker == nil}
	switch {
	case b.maker != nil:
		s.network = b.maker.Name
	case len(b.nets) > 0:
		s.network = b.nets[0].Name
	}
	if len(b.active) > 0 {
		s.guest = b.active[0].guest.Name
	}
	return s
}

func (b hostBridge) who(all []*nic) string {
	switch {
	case len(b.active) > 0:
		return "running guest " + someNames(guestNames(b.active))
	case len(b.nets) > 0:
		return "network " + show(b.nets[0].Name)
	}
	return "guest " + someNames(guestNames(all))
}
