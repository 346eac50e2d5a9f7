package verify

import (
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
}

// newNIC resolves an interface. Links and networks are indexed already.
func (h *host) newNIC(g *libvirtnet.Guest, i *libvirtnet.Interface) nic {
	n := nic{guest: g, iface: i, active: g.Active() && g.State != libvirtnet.ShutOff}
	var def xml.Network
	if i.Network != "" {
		if n.net = h.networks[i.Network]; n.net != nil {
			def = n.net.Def()
		}
	}
	n.kind = kindOf(i, n.net != nil, def)
	if n.kind != bridged {
		return n
	}
	n.bridge = h.belongsInto(&n, def)
	tap := h.links[i.Target]
	if h.isOVS(n.bridge) || n.active && tap != nil && h.isOVS(tap.Master) {
		n.kind = other
	}
	return n
}

func kindOf(i *libvirtnet.Interface, known bool, def xml.Network) nicKind {
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
func (h *host) belongsInto(n *nic, def xml.Network) string {
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

// subject names an interface: its tap, else its MAC, else its alias.
func (n *nic) subject() string {
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

// scope is what a verdict on the interface is about. The fate of a network of
// mode bridge is not that of its taps: it goes down and the taps stay.
func (n *nic) scope() scope {
	return scope{
		kind: aLink, link: n.subject(), bridge: n.bridge, network: n.iface.Network, guest: n.guest.Name,
		free: n.net != nil && !n.netOwnsBridge(),
	}
}

func (n *nic) netOwnsBridge() bool {
	def := n.net.Def()
	return def.Managed()
}

// portLost says that the network does not know the interface's port: the mark
// of a network that was restarted under its guests.
func (h *host) portLost(n *nic) bool {
	return n.net != nil && n.net.Active && n.net.PortsKnown && n.iface.PortID != "" && !h.portIDs[n.net][n.iface.PortID]
}
