package lint

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

var hostRules = []Rule{
	{"bridge-not-on-host", "A host bridge that the host does not have", Error, AtStart,
		"libvirt takes any name; a guest does not start on it (virNetDevBridgeAddPort)."},
	{"bridge-name-taken", "A network is to make a bridge, and the host has a device of that name", Error, AtStart,
		"libvirt makes no bridge where a device has its name or alternative name (virNetDevBridgeCreate); 11.3 then removes the bridge that has it as an alternative one."},
	{"device-not-on-host", "A device that the host does not have", Error, Never,
		"libvirt starts the network all the same: rules for a NIC that is not there match nothing, and no guest starts in a pool or by macvtap without its device."},
	{"nat-address-not-on-host", "NAT to an address of the uplink's subnet that the host does not have", Error, Never,
		"Guests' packets leave under it, and nobody answers the ARP requests of those who reply. One of another subnet may be routed to the host."},
	{"network-not-on-host", "A guest is on a network that neither a document nor the host defines", Error, AtStart,
		"The guest does not start (virDomainNetCreatePort)."},
	{"subnet-on-route", "A subnet overlaps a route of the host", Error, Never,
		"Two routes to one address: the kernel takes one. libvirt refuses to start where the main table has the very same IPv4 subnet, and no other (networkCheckRouteCollision)."},
	{"route-on-host", "A route to where the host has one", Error, AtStart,
		"libvirt compares destination and length with IPv4's main table, whatever the metric (networkCheckRouteCollision)."},
	{"tftp-root-missing", "A TFTP folder that the host does not have", Error, AtStart,
		"dnsmasq does not start without it (main of its src/dnsmasq.c)."},
	{"filter-not-on-host", "A network filter that the host does not have", Error, AtStart,
		"libvirt looks for it when the guest starts (virNWFilterInstantiateFilterInternal)."},
}

// onHost judges what documents say against a host. Networks and guests of the
// host that a document describes are taken to be as that document says.
func (p *pass) onHost(w *world, nets, guests []named) {
	h, ownNets, ownGuests, made := w.host, namesOf(nets), namesOf(guests), map[string]bool{}
	p.identitiesOnHost(nets, guests, h)
	for _, n := range w.networks {
		made[n.bridge] = made[n.bridge] || managed(n.mode)
	}
	claims := h.Claims(ownNets...)
	macs := h.macs(ownNets, ownGuests)
	take := func(spot Spot, object, mac string) {
		if owner := macs[mac]; mac != "" && owner != "" {
			p.note("mac-twice", spot, object, nil, "MAC "+mac+" is that of "+owner+" on the host, too")
		}
	}
	for _, n := range w.networks {
		if managed(n.mode) || !made[n.bridge] {
			def := xml.Network{Name: n.name, Mode: n.mode, Bridge: n.bridge, VirtualPort: n.virtualPort}
			p.bridgeOnHost(Spot{n.File, n.bridgeAt}, n.object, def, h, ownNets)
		}
		p.subnetsOnHost(n, claims)
		for _, d := range n.devs {
			p.conflicts(Spot{n.File, d.at}, n.object, h.MissingDevice(d.name))
		}
		p.conflicts(Spot{n.File, n.natAt}, n.object, h.NATConflicts(xml.Network{Mode: n.mode, NAT: n.nat, ForwardDevs: n.names()}))
		for _, r := range n.ways {
			p.conflicts(Spot{n.File, r.at}, n.object, h.RouteConflicts(r.to, ownNets...))
		}
		for _, f := range n.tftp {
			if there, known := h.Folders[f.name]; known && !there {
				p.note("tftp-root-missing", Spot{n.File, f.at}, n.object, nil, "the host has no folder "+show(f.name))
			}
		}
		take(Spot{n.File, n.mAt}, n.object, n.mac)
	}
	for _, g := range w.guests {
		for _, i := range g.nics {
			if !made[i.bridge] {
				def := xml.Network{Mode: xml.HostBridge, Bridge: i.bridge, VirtualPort: i.virtualPort}
				p.bridgeOnHost(Spot{g.File, i.sourceAt}, g.object, def, h, ownNets)
			}
			take(Spot{g.File, i.macAt}, g.object, i.mac)
			p.nicOnHost(g, i, h, ownNets)
		}
	}
}

func namesOf(list []named) []string {
	var names []string
	for _, n := range list {
		names = append(names, n.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// identitiesOnHost judges names and UUIDs. A document of the same name, and of
// the same UUID or none, is of that network or guest.
func (p *pass) identitiesOnHost(nets, guests []named, h *Host) {
	told := map[string]bool{} // by a document's own finding
	for _, n := range slices.Concat(nets, guests) {
		told[n.object+" "+n.uuid] = true
	}
	judge := func(n named, name, uuid, owner, object string) {
		switch {
		case n.uuid == "" || uuid == "" || (n.name == name) == (n.uuid == uuid):
		case n.name == name:
			p.note("name-twice", Spot{n.File, n.nameAt}, n.object, nil, "the host has "+owner+" with UUID "+show(uuid)+", and the UUIDs are not the same")
		case !told[object+" "+uuid]:
			p.note("uuid-twice", Spot{n.File, n.uuidAt}, n.object, nil, "UUID "+n.uuid+" is that of "+owner+" on the host")
		}
	}
	for _, n := range nets {
		for _, o := range h.Networks {
			judge(n, o.Name, o.UUID, o.String(), "network "+show(o.Name))
		}
	}
	for _, g := range guests {
		for _, o := range h.Guests {
			judge(g, o.Name, o.UUID, "guest "+show(o.Name), "guest "+show(o.Name))
		}
	}
}

func (p *pass) bridgeOnHost(spot Spot, object string, def xml.Network, h *Host, own []string) {
	if def.Bridge != "" && !strings.Contains(def.Bridge, "%d") {
		p.conflicts(spot, object, h.BridgeConflicts(def, own...))
	}
}

// mostClaims is how many owners of addresses are told of one subnet: a wide one
// overlaps every route of a router.
const mostClaims = 10

func (p *pass) subnetsOnHost(n *network, claims []Claim) {
	for _, s := range n.subnets {
		found := Overlaps(s.Masked(), claims)
		for i, c := range found[:min(len(found), mostClaims)] {
			rule := "subnet-on-route"
			if c.Network {
				rule = "subnet-overlap"
			}
			words := c.Words
			if more := len(found) - mostClaims; more > 0 && i == mostClaims-1 {
				words += ", and " + strconv.Itoa(more) + " more"
			}
			p.note(rule, Spot{n.File, s.at}, n.object, nil, "subnet "+s.Masked().String()+" overlaps "+words)
		}
	}
}

// nicOnHost judges what an interface is plugged into, bridges aside.
func (p *pass) nicOnHost(g *guest, i nic, h *Host, own []string) {
	spot := Spot{g.File, i.sourceAt}
	if i.dev != "" {
		p.conflicts(spot, g.object, h.MissingDevice(i.dev))
	}
	if there, known := h.Filters[i.filter]; known && !there {
		p.note("filter-not-on-host", Spot{g.File, i.filterAt}, g.object, nil, "the host has no network filter "+show(i.filter))
	}
	if i.network == "" || slices.Contains(own, i.network) {
		return
	}
	n := h.network(i.network)
	switch {
	case n == nil && !h.Partial:
		p.note("network-not-on-host", spot, g.object, nil, "neither a document nor the host defines network "+show(i.network))
	case n == nil || len(n.Definitions) == 0:
		return
	case i.portgroup != "" && !slices.Contains(n.inForce().PortGroups, i.portgroup):
		p.note("portgroup-missing", spot, g.object, nil, n.String()+" has no port group "+show(i.portgroup))
	}
	if n != nil {
		p.shapingOnHost(g, i, n)
	}
}

// shapingOnHost judges what only some networks give. What the port groups of
// one have of their own is not known.
func (p *pass) shapingOnHost(g *guest, i nic, n *HostNetwork) {
	is := n.inForce()
	if i.floor.Line > 0 && (!is.Managed() || is.Bandwidth.Inbound.Average == 0) {
		p.note("floor-without-inbound", Spot{g.File, i.floor}, g.object, nil, "a floor, and "+n.String()+" has no inbound bandwidth on a bridge of its own")
	}
	plain := is.Managed() || is.Mode == xml.HostBridge && is.Bridge != "" && p.version < vlansOnBridges &&
		is.VirtualPort == "" && i.virtualPort == "" && len(is.PortGroups) == 0
	if i.vlan.Line > 0 && plain {
		p.note("guest-vlan-on-plain-network", Spot{g.File, i.vlan}, g.object, nil, "a VLAN, and the bridge of "+n.String()+" is a plain one")
	}
}

func (p *pass) conflicts(spot Spot, object string, list []Conflict) {
	for _, c := range list {
		p.note(c.Rule, spot, object, nil, c.Message)
	}
}

// macs are the addresses in use, with their owners: bridges and guests that no
// document describes.
func (h *Host) macs(nets, guests []string) map[string]string {
	owners := map[string]string{}
	for _, n := range h.Networks {
		for _, def := range n.Definitions {
			if !slices.Contains(nets, n.Name) {
				owners[def.MAC] = n.String()
			}
		}
	}
	for _, g := range h.Guests {
		for _, i := range g.Interfaces {
			if !slices.Contains(guests, g.Name) {
				owners[i.MAC] = "guest " + show(g.Name)
			}
		}
	}
	return owners
}
