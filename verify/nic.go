package verify

import (
	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// nicKind says what a guest's interface is made of.
type nicKind int

const (
	other   nicKind = iota // user, hostdev, vhostuser, vdpa, a switch that is not ours: nothing here to judge
	bridged                // a tap that belongs into a Linux bridge
	direct                 // a macvtap on a NIC
	plain                  // a tap of type ethernet: it belongs nowhere
)

// nic is an interface of a guest with what it refers to.
type nic struct {
	guest  *libvirtnet.Guest
	iface  *libvirtnet.Interface
	net    *libvirtnet.Network // nil: refers to none, or to one that is not defined
	kind   nicKind
	bridge string // where it belongs: the link's real name; "" when that is unknown
	active bool   // its guest has a process
	// portLost says that the network does not know the interface's port: the
	// mark of a network that was restarted under its guests.
	portLost bool

	tap     *bridge.Link // the link of an active guest's interface; nil: none
	port    *bridge.Port // its port; nil: none
	homely  bool         // there is a bridge where it belongs
	subject scope        // what a verdict on it is about
}

// newNIC resolves an interface. Links and networks are indexed already.
func (h *host) newNIC(g *libvirtnet.Guest, i *libvirtnet.Interface) nic {
	n := nic{guest: g, iface: i, active: g.Active() && g.State != libvirtnet.ShutOff}
	if i.Network != "" {
		n.net = h.networks[i.Network]
	}
	def := definition(n.net)
	if n.active && i.Target != "" {
		n.tap, n.port = h.links[i.Target], h.ports[i.Target]
	}
	if n.kind = kindOf(i, n.net != nil, def); n.kind == bridged {
		n.bridge = h.belongsInto(&n, def)
		if h.isOVS(n.bridge) || n.tap != nil && h.isOVS(n.tap.Master) {
			n.kind, n.bridge = other, ""
		}
		n.homely = h.isBridge(n.bridge)
	}
	n.portLost = n.net != nil && n.net.Active && n.net.PortsKnown && i.PortID != "" && !h.portIDs[n.net][i.PortID]
	// The fate of a network of mode bridge is not that of its taps: it goes
	// down and the taps stay.
	n.subject = scope{
		kind: aLink, link: n.id(), bridge: n.bridge, network: i.Network, guest: g.Name,
		free: n.net != nil && !def.Managed(),
	}
	return n
}

// definition is the definition of a network in force, empty for none. It is
// not copied as Def does.
func definition(n *libvirtnet.Network) *xml.Network {
	switch {
	case n != nil && n.Live != nil:
		return n.Live
	case n != nil && n.Config != nil:
		return n.Config
	}
	return &xml.Network{}
}

func kindOf(i *libvirtnet.Interface, known bool, def *xml.Network) nicKind {
	if ovs(i.VirtualPort) || ovs(def.VirtualPort) {
		return other
	}
	switch i.Type {
	case "bridge":
		return bridged
	case "direct":
		return direct
	case "ethernet":
		return plain
	case "network":
		switch {
		case !known || def.Managed() || def.Bridge != "":
			return bridged
		case def.Mode == xml.HostDev:
			return other
		}
		return direct
	}
	return other
}

// belongsInto is the bridge that a tap belongs into: what the guest's live
// document says while there is such a bridge, else what the network says. The
// two differ after a network was restarted with another bridge.
func (h *host) belongsInto(n *nic, def *xml.Network) string {
	said := n.iface.Bridge
	if n.iface.Type == "bridge" && said == "" && n.iface.Network == "" {
		said = n.iface.Source
	}
	if def.Bridge == "" {
		return h.realName(said)
	}
	if said == "" || n.net.Active && said != def.Bridge && !h.isBridge(said) {
		return h.realName(def.Bridge)
	}
	return h.realName(said)
}

// id names an interface: its tap, else its MAC, else its alias.
func (n *nic) id() string {
	switch {
	case n.iface.Target != "":
		return n.iface.Target
	case n.iface.MAC != "":
		return n.iface.MAC
	}
	return n.iface.Alias
}

// title names an interface in a message.
func (n *nic) title() string {
	if n.iface.Target == "" {
		return "an interface of guest " + show(n.guest.Name)
	}
	return show(n.iface.Target) + " of guest " + show(n.guest.Name)
}

// running says whether the guest executes: a paused one does not send, and
// libvirt itself holds some of its links down.
func (n *nic) running() bool {
	return n.active && (n.guest.State == libvirtnet.Running || n.guest.State == libvirtnet.Idle)
}
