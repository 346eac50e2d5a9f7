package verify

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// host is a snapshot with its cross references, built once: every check then
// walks lists and looks names up.
type host struct {
	snap *Snapshot
	gaps gaps

	links      map[string]*bridge.Link // by name and by alternative name
	bridges    map[string]*bridge.Bridge
	ports      map[string]*bridge.Port
	slaves     map[string][]*bridge.Link // by master
	addresses  map[string][]bridge.Address
	forwarding map[string]bool // IPv4, by link
	holders    map[string]*bridge.Holder

	networks map[string]*libvirtnet.Network
	portIDs  map[*libvirtnet.Network]map[string]bool // where ports are known
	nics     []nic
	byNet    map[string][]*nic // by the name of the network they refer to
	byBridge map[string][]*nic // by the bridge they belong into
	activeOn map[string][]*nic // those of byBridge whose guest is active
	byTap    map[string]*nic   // of active guests

	// owners are the active networks that own a bridge, by the bridge.
	owners map[string]*libvirtnet.Network
	// ownBridges and hostBridges are the bridges that are judged, sorted: those
	// that libvirt made, and the others that networks and guests refer to. A
	// bridge that no libvirt object refers to is not judged.
	ownBridges  []string
	hostBridges []string

	uplinksOf map[string][]*bridge.Link // filled by uplinks
	strays    map[string][]netip.Prefix // filled by straysOf
	inner     *inner                    // filled by inside
	lookups
	defaults   []*bridge.Route                // filled by defaultRoutes
	ways       map[string][]string            // by bridge, filled by exits
	runningIn  map[string]map[string]*nic     // by bridge, filled by runningOn
	withBridge []flowNet                      // filled by bridgeNets
	withRules  []flowNet                      // filled by flowNets
	subnets    map[netip.Prefix]bool          // filled by subnetOf
	made       map[services.FilterRule]string // filled by rulesMade
	// firewall, outsides and exitsOf serve packets, outside and waysOut.
	firewall *packetFilter
	outsides map[bool]netip.Prefix
	exitsOf  map[bool][]firewall.Interface
}

// newHost builds the cross references. Where names stand twice, the first
// holds.
func newHost(s *Snapshot) *host {
	h := &host{snap: s, gaps: findGaps(s), uplinksOf: map[string][]*bridge.Link{}, runningIn: map[string]map[string]*nic{}}
	h.indexKernel(&s.Kernel)
	h.indexNetworks()
	h.indexGuests()
	h.findHostBridges()
	return h
}

func (h *host) indexKernel(k *bridge.State) {
	h.links = make(map[string]*bridge.Link, len(k.Links))
	h.slaves = map[string][]*bridge.Link{}
	for i := range k.Links {
		l := &k.Links[i]
		setFirst(h.links, l.Name, l)
		if l.Master != "" {
			h.slaves[l.Master] = append(h.slaves[l.Master], l)
		}
	}
	for i := range k.Links {
		for _, name := range k.Links[i].AltNames {
			setFirst(h.links, name, &k.Links[i])
		}
	}
	h.bridges = make(map[string]*bridge.Bridge, len(k.Bridges))
	for i := range k.Bridges {
		setFirst(h.bridges, k.Bridges[i].Name, &k.Bridges[i])
	}
	h.ports = make(map[string]*bridge.Port, len(k.Ports))
	for i := range k.Ports {
		setFirst(h.ports, k.Ports[i].Name, &k.Ports[i])
	}
	h.addresses = map[string][]bridge.Address{}
	for _, a := range k.Addresses {
		h.addresses[a.Link] = append(h.addresses[a.Link], a)
	}
	h.forwarding = map[string]bool{}
	for _, f := range k.Forwarding {
		if f.Family == 4 {
			h.forwarding[f.Link] = f.On
		}
	}
	h.holders = map[string]*bridge.Holder{}
	for i := range k.Holders {
		setFirst(h.holders, k.Holders[i].Link, &k.Holders[i])
	}
}

func setFirst[V any](m map[string]V, key string, value V) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

func (h *host) indexNetworks() {
	h.networks = make(map[string]*libvirtnet.Network, len(h.snap.Libvirt.Networks))
	h.portIDs = map[*libvirtnet.Network]map[string]bool{}
	h.owners = map[string]*libvirtnet.Network{}
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		setFirst(h.networks, n.Name, n)
		if n.PortsKnown {
			ids := make(map[string]bool, len(n.Ports))
			for _, id := range n.Ports {
				ids[id] = true
			}
			h.portIDs[n] = ids
		}
		if def := n.Def(); n.Active && def.Managed() && def.Bridge != "" && !ovs(def.VirtualPort) {
			setFirst(h.owners, def.Bridge, n)
		}
	}
	h.ownBridges = slices.Sorted(maps.Keys(h.owners))
}

func (h *host) indexGuests() {
	count := 0
	for i := range h.snap.Libvirt.Guests {
		count += len(h.snap.Libvirt.Guests[i].Interfaces)
	}
	h.nics = make([]nic, 0, count)
	for i := range h.snap.Libvirt.Guests {
		g := &h.snap.Libvirt.Guests[i]
		for j := range g.Interfaces {
			h.nics = append(h.nics, h.newNIC(g, &g.Interfaces[j]))
		}
	}
	h.byNet, h.byBridge, h.activeOn = map[string][]*nic{}, map[string][]*nic{}, map[string][]*nic{}
	h.byTap = make(map[string]*nic, count)
	for i := range h.nics {
		n := &h.nics[i]
		if n.iface.Network != "" {
			h.byNet[n.iface.Network] = append(h.byNet[n.iface.Network], n)
		}
		if n.kind == bridged && n.bridge != "" {
			h.byBridge[n.bridge] = append(h.byBridge[n.bridge], n)
			if n.active {
				h.activeOn[n.bridge] = append(h.activeOn[n.bridge], n)
			}
		}
		if n.active && n.iface.Target != "" {
			setFirst(h.byTap, n.iface.Target, n)
		}
	}
}

// findHostBridges collects the bridges that guests and networks of mode
// bridge refer to and that no active network owns.
func (h *host) findHostBridges() {
	found := map[string]bool{}
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		if def := n.Def(); def.Mode == xml.HostBridge && def.Bridge != "" && !ovs(def.VirtualPort) {
			found[h.realName(def.Bridge)] = true
		}
	}
	for name, nics := range h.byBridge {
		for _, n := range nics {
			if n.iface.Type == "bridge" {
				found[name] = true
				break
			}
		}
	}
	for name := range found {
		if h.owners[name] != nil || h.isOVS(name) {
			delete(found, name)
		}
	}
	h.hostBridges = slices.Sorted(maps.Keys(found))
}

// realName is the name of the link that goes by this name, which may be an
// alternative one.
func (h *host) realName(name string) string {
	if l := h.links[name]; l != nil {
		return l.Name
	}
	return name
}

// isBridge says whether the kernel has a bridge of this name.
func (h *host) isBridge(name string) bool {
	l := h.links[name]
	return l != nil && l.Kind == "bridge"
}

// isOVS says whether the link is a bridge or datapath of Open vSwitch, which
// is not judged here.
func (h *host) isOVS(name string) bool {
	l := h.links[name]
	return name == "ovs-system" || l != nil && l.Kind == "openvswitch" || h.ovsBridge(name) != nil
}

// ovs says whether a <virtualport type> hands the tap to somebody else's
// switch.
func ovs(virtualPort string) bool {
	return virtualPort == "openvswitch" || virtualPort == "midonet"
}

// activeNICs are the interfaces of active guests that belong into a bridge.
func (h *host) activeNICs(bridgeName string) []*nic { return slices.Clip(h.activeOn[bridgeName]) }

// routed says whether a network's packets are routed by this host.
func routed(def xml.Network) bool {
	return def.Mode == xml.NAT || def.Mode == xml.Route || def.Mode == xml.Open
}

// hasIPv4 says whether the network has an IPv4 subnet.
func hasIPv4(def xml.Network) bool {
	for _, ip := range def.IPs {
		if ip.Address.IsValid() && ip.Address.Addr().Unmap().Is4() {
			return true
		}
	}
	return false
}
