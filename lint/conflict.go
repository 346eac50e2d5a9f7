package lint

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/xml"
)

// Conflict is a rule that a definition breaks on a host, and how.
type Conflict struct {
	Rule    string
	Message string
}

// OwnerOfUUID finds who has a definition's UUID under another name; nil when
// nobody has.
func (h Host) OwnerOfUUID(def xml.Network) *HostNetwork {
	for i, n := range h.Networks {
		if def.UUID != "" && n.UUID == def.UUID && n.Name != def.Name {
			return &h.Networks[i]
		}
	}
	return nil
}

// BridgeConflicts says who has the bridge that a definition names, or that
// nobody has the one it needs. own are networks that are no others: the one
// that the definition is of.
func (h Host) BridgeConflicts(def xml.Network, own ...string) []Conflict {
	h.index = h.look()
	if def.Mode == xml.HostBridge && h.makes(def.Name, def.Bridge) {
		return []Conflict{{"bridge-not-on-host", "bridge " + show(def.Bridge) + " is the network's own, and goes when it stops"}}
	}
	d := h.device(def.Bridge)
	if def.Mode == xml.HostBridge && def.VirtualPort == "openvswitch" && d != nil && d.Kind == "bridge" {
		return []Conflict{{"bridge-not-on-host", show(def.Bridge) + " is a bridge of the kernel, and none of Open vSwitch"}}
	}
	if found := h.bridgeOwners(def, own); len(found) > 0 || h.Devices == nil {
		return found
	}
	switch {
	case def.Mode == xml.HostBridge && d == nil:
		return []Conflict{{"bridge-not-on-host", "the host has no bridge " + show(def.Bridge) + " (" + h.look().hasBr + ")"}}
	case def.Mode == xml.HostBridge && d.Kind != "bridge" && def.VirtualPort == "":
		but := ""
		if d.Kind != "" {
			but = " but a " + show(d.Kind) + " device"
		}
		return []Conflict{{"bridge-not-on-host", show(def.Bridge) + " is no bridge" + but}}
	case def.Managed() && d != nil && !h.madeFor(d.Name, own):
		kind := "a NIC"
		if d.Kind != "" {
			kind = show(d.Kind)
		}
		return []Conflict{{"bridge-name-taken", "the host has a device " + show(def.Bridge) + " already (" + kind + ")"}}
	}
	return nil
}

// makes says whether a network that is active made the bridge itself.
func (h Host) makes(network, bridge string) bool {
	n := h.network(network)
	if n == nil || !n.Active {
		return false
	}
	is := n.inForce()
	return is.Managed() && is.Bridge != "" && h.kernelName(is.Bridge) == h.kernelName(bridge)
}

// bridgeOwners are other networks with the bridge, where one of both makes it.
// libvirt compares names when it defines a network; that two are of one bridge
// shows when the kernel is to make it.
func (h Host) bridgeOwners(def xml.Network, own []string) []Conflict {
	var found []Conflict
	bridge := h.kernelName(def.Bridge)
	for _, i := range h.look().bridges[bridge] {
		n, rule := h.Networks[i], ""
		if slices.Contains(own, n.Name) {
			continue
		}
		for _, other := range n.Definitions {
			switch {
			case other.Bridge == "" || h.kernelName(other.Bridge) != bridge:
			case def.Managed() && other.Bridge == def.Bridge:
				rule = "bridge-twice"
			case def.Managed() && rule == "":
				rule = "bridge-name-taken"
			case !def.Managed() && other.Managed():
				rule = "bridge-of-network"
			}
		}
		if rule != "" {
			found = append(found, Conflict{rule, "bridge " + show(def.Bridge) + " belongs to " + n.String()})
		}
	}
	return found
}

// madeFor says whether libvirt made the device for one of these networks.
func (h Host) madeFor(device string, own []string) bool {
	return slices.ContainsFunc(h.Networks, func(n HostNetwork) bool {
		def := n.inForce()
		return n.Active && slices.Contains(own, n.Name) && def.Managed() && h.kernelName(def.Bridge) == device
	})
}

// MissingDevice says that the host has no such device; nil when it has, and
// when that is not known.
func (h Host) MissingDevice(name string) []Conflict {
	if d := h.device(name); h.Devices == nil || d != nil && !d.Loopback {
		return nil
	}
	return []Conflict{{"device-not-on-host", "the host has no device " + show(name) + " (" + h.look().has + ")"}}
}

// RouteConflicts says that the main table has a route of the very length to
// where one of a definition's leads: libvirt does not start the network then. own
// are networks that are no others.
func (h Host) RouteConflicts(to netip.Prefix, own ...string) []Conflict {
	for _, r := range h.Routes {
		if r.Main && to.Addr().Is4() && r.To.Masked() == to.Masked() && !h.madeFor(r.Device, own) {
			return []Conflict{{"route-on-host", "a route to " + to.String() + ", and the host has one: " + r.Words}}
		}
	}
	return nil
}

// mostSources is how many addresses of a range for NAT are looked at.
const mostSources = 256

// NATConflicts says that guests would leave under an address of the uplink's
// subnet that the host does not have: nobody would answer for it. One of
// another subnet may be routed to the host, and is left alone.
func (h Host) NATConflicts(def xml.Network) []Conflict {
	if def.Mode != xml.NAT || def.NAT == nil {
		return nil
	}
	uplinks := h.uplinks(def)
	for addr, n := def.NAT.Start, 0; addr.IsValid() && !def.NAT.End.Less(addr) && n < mostSources; addr, n = addr.Next(), n+1 {
		i := slices.IndexFunc(h.Addresses, func(a HostAddress) bool { return slices.Contains(uplinks, a.Device) && a.Prefix.Contains(addr) })
		answered := slices.ContainsFunc(h.Addresses, func(a HostAddress) bool {
			return a.Prefix.Addr() == addr || a.Proxy && a.Device == h.Addresses[max(i, 0)].Device
		})
		if i >= 0 && !answered {
			return []Conflict{{"nat-address-not-on-host", "NAT to " + addr.String() + ", which is of " + show(h.Addresses[i].Device) +
				"'s subnet " + h.Addresses[i].Prefix.Masked().String() + " and no address of the host: nobody would answer for it"}}
		}
	}
	return nil
}

// uplinks are the devices that guests of a network leave by: its own, or those
// of the default routes.
func (h Host) uplinks(def xml.Network) []string {
	var names []string
	for _, dev := range def.ForwardDevs {
		names = append(names, h.kernelName(dev))
	}
	for _, r := range h.Routes {
		if len(def.ForwardDevs) == 0 && r.To.Bits() == 0 {
			names = append(names, r.Device)
		}
	}
	return names
}

// Claim is a range of addresses that somebody on the host uses already.
type Claim struct {
	Prefix  netip.Prefix
	Words   string // "10.0.0.0/24 of network lab (active)", "route 10.0.0.0/24 dev eth0 (...)"
	Network bool   // it is a libvirt network's
}

// Claims lists who uses which addresses: every network of libvirt, active or
// not, and every route of every table. The networks named own are those that
// it is asked for, and so are the routes on their bridges. Default routes lead
// everywhere and claim nothing; neither do the halves of the address space
// that VPNs set in their place, and link-local and multicast routes.
func (h Host) Claims(own ...string) []Claim {
	var list []Claim
	ours := map[string]bool{}
	for _, n := range h.Networks {
		if slices.Contains(own, n.Name) {
			ours[n.inForce().Bridge] = n.inForce().Managed()
			continue
		}
		list = append(list, n.claims()...)
	}
	for _, r := range h.Routes {
		to := r.To.Masked()
		if to.Bits() <= 1 || to.Addr().IsLinkLocalUnicast() || to.Addr().IsMulticast() || to.Addr().IsLoopback() || ours[r.Device] {
			continue
		}
		list = append(list, Claim{Prefix: to, Words: r.Words})
	}
	return list
}

// claims are the subnets and static routes of a network, as it is and as it
// will be at its next start.
func (n HostNetwork) claims() []Claim {
	var list []Claim
	seen := map[netip.Prefix]bool{}
	add := func(p netip.Prefix, words string) {
		if p = p.Masked(); p.IsValid() && p.Bits() > 0 && !seen[p] {
			seen[p] = true
			list = append(list, Claim{Prefix: p, Words: p.String() + " of " + words, Network: true})
		}
	}
	words := n.String()
	if b := n.inForce().Bridge; b != "" {
		words = words[:len(words)-1] + ", bridge " + show(b) + ")"
	}
	for _, def := range n.Definitions {
		for _, ip := range def.IPs {
			add(ip.Address, words)
		}
		for _, r := range def.Routes {
			add(r.To, "a route of "+words)
		}
	}
	return list
}

// Overlaps are the claims that share addresses with a subnet, in either
// direction. A network's subnet and the routes to it are one owner: the routes
// are only named where no network is.
func Overlaps(subnet netip.Prefix, taken []Claim) []Claim {
	var found []Claim
	named := map[netip.Prefix]bool{}
	for _, c := range taken {
		if !subnet.Overlaps(c.Prefix) || named[c.Prefix] && !c.Network {
			continue
		}
		named[c.Prefix] = named[c.Prefix] || c.Network
		found = append(found, c)
	}
	return found
}
