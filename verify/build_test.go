package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// namespace is the network namespace of the hosts built here.
const namespace = 4026532262

func ptr[T any](v T) *T { return &v }

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// emptyHost is a sealed host with libvirt and an uplink and nothing else.
func emptyHost() Snapshot {
	s := Snapshot{
		Version: Version, URI: "qemu:///system",
		Taken: time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC),
		Libvirt: libvirtnet.State{
			URI: "qemu:///system", Driver: "QEMU", Version: 9000000,
			Daemon:   libvirtnet.Daemon{Name: "libvirtd", PID: 42, Namespace: namespace, Local: true},
			Networks: []libvirtnet.Network{}, Guests: []libvirtnet.Guest{}, Gaps: []libvirtnet.Gap{},
		},
		Kernel: bridge.State{
			Namespace: namespace, Links: []bridge.Link{}, Bridges: []bridge.Bridge{}, Ports: []bridge.Port{},
			Addresses: []bridge.Address{}, Routes: []bridge.Route{}, Neighbours: []bridge.Neighbour{},
			FDB: []bridge.FDBEntry{}, Forwarding: []bridge.Forwarding{}, Sockets: []bridge.Socket{},
			Holders: []bridge.Holder{}, Gaps: []bridge.Gap{},
			Sysctls: map[string]string{"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "0"},
			Rules: []bridge.Rule{
				{Family: 4, Priority: 32766, Table: 254, Action: "lookup", SuppressPrefixLength: -1},
				{Family: 4, Priority: 32767, Table: 253, Action: "lookup", SuppressPrefixLength: -1},
				{Family: 6, Priority: 32766, Table: 254, Action: "lookup", SuppressPrefixLength: -1},
			},
		},
	}
	addLink(&s, bridge.Link{Name: "lo", MTU: 65536, Up: true, Carrier: true, Oper: "unknown", Loopback: true})
	addLink(&s, bridge.Link{Name: "eth0", Kind: "veth", MAC: "52:54:00:10:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addAddress(&s, "eth0", "203.0.113.2/24")
	addRoute(&s, "0.0.0.0/0", "203.0.113.1", "eth0")
	return s
}

// healthyHost is the host of the demo: the classic NAT network, a host bridge
// br0 with the uplink, and guests on both.
func healthyHost() Snapshot {
	s := emptyHost()
	addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
	moveUplink(&s, "br0")
	addNetwork(&s, libvirtnet.Network{
		Name: "lan", UUID: "33333333-0000-4000-8000-000000000002", Active: true, Persistent: true, Autostart: true,
		Config: &xml.Network{Name: "lan", Mode: xml.HostBridge, Bridge: "br0"},
	})
	addGuest(&s, "centos", libvirtnet.Running,
		onNetwork("default", "vnet0", "52:54:00:e4:75:83"), onBridge("br0", "vnet1", "52:54:00:e4:75:84"))
	addGuest(&s, "debian", libvirtnet.Running,
		onNetwork("default", "vnet2", "52:54:00:aa:00:01"), onHostNetwork("lan", "br0", "vnet3", "52:54:00:aa:00:02"))
	addGuest(&s, "spare", libvirtnet.ShutOff, libvirtnet.Interface{
		Type: "network", Network: "default", Source: "default", MAC: "52:54:00:aa:00:03", Model: "virtio", Managed: true,
	})
	return s
}

func addLink(s *Snapshot, l bridge.Link) *bridge.Link {
	l.Index = len(s.Kernel.Links) + 1
	s.Kernel.Links = append(s.Kernel.Links, l)
	s.Kernel.Forwarding = append(s.Kernel.Forwarding, bridge.Forwarding{Link: l.Name, Family: 4, On: true})
	return &s.Kernel.Links[len(s.Kernel.Links)-1]
}

func addAddress(s *Snapshot, link, address string) {
	p := prefix(address)
	scope := "global"
	if p.Addr().IsLinkLocalUnicast() {
		scope = "link"
	}
	s.Kernel.Addresses = append(s.Kernel.Addresses, bridge.Address{Link: link, Prefix: p, Scope: scope})
	s.Kernel.Routes = append(s.Kernel.Routes, bridge.Route{
		Table: 254, Dst: p.Masked(), Link: link, Protocol: "kernel", Scope: "link", Type: "unicast",
	})
}

func addRoute(s *Snapshot, dst, gateway, link string) {
	r := bridge.Route{Table: 254, Dst: prefix(dst), Link: link, Protocol: "static", Scope: "global", Type: "unicast"}
	if gateway != "" {
		r.Gateway = netip.MustParseAddr(gateway)
	}
	s.Kernel.Routes = append(s.Kernel.Routes, r)
}

func addBridge(s *Snapshot, name, mac string, stp, delay int) {
	addLink(s, bridge.Link{Name: name, Kind: "bridge", MAC: mac, MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	s.Kernel.Bridges = append(s.Kernel.Bridges, bridge.Bridge{Name: name, STP: stp, ForwardDelay: delay, HelloTime: 2000, MaxAge: 20000, AgeingTime: 300000, Priority: 32768})
}

func addPort(s *Snapshot, name, bridgeName string) {
	s.Kernel.Ports = append(s.Kernel.Ports, s.forwarding(name, bridgeName))
	s.link(name).Master = bridgeName
}

// forwarding is a port as it is once it forwards.
func (s *Snapshot) forwarding(name, bridgeName string) bridge.Port {
	return bridge.Port{
		Name: name, Bridge: bridgeName, State: bridge.PortForwarding, Number: len(s.Kernel.Ports) + 1,
		Cost: 100, Priority: 32, Learning: true, Flood: true, MulticastFlood: true, BroadcastFlood: true,
	}
}

// moveUplink puts eth0 into a new host bridge and its address on that.
func moveUplink(s *Snapshot, name string) {
	addBridge(s, name, s.link("eth0").MAC, 0, 15000)
	addPort(s, "eth0", name)
	for i := range s.Kernel.Addresses {
		if a := &s.Kernel.Addresses[i]; a.Link == "eth0" {
			a.Link = name
		}
	}
	for i := range s.Kernel.Routes {
		if r := &s.Kernel.Routes[i]; r.Link == "eth0" {
			r.Link = name
		}
	}
}

// natNetwork is an active network as net-define makes it.
func natNetwork(name, bridgeName, address string) libvirtnet.Network {
	p := prefix(address)
	first := p.Addr().Next()
	ip := xml.IP{Address: p, Ranges: []xml.Range{{Start: first, End: first.Next()}}}
	if p.Addr().Is6() {
		ip.Ranges = nil
	}
	return libvirtnet.Network{
		Name: name, UUID: fmt.Sprintf("22222222-0000-4000-8000-%012x", len(name)), Active: true, Persistent: true, Autostart: true,
		Config: &xml.Network{
			Name: name, Mode: xml.NAT, Bridge: bridgeName, STP: ptr(true), Delay: ptr(0), MAC: "52:54:00:" + bridgeMAC(bridgeName),
			IPs: []xml.IP{ip},
		},
		PortsKnown: true,
	}
}

func bridgeMAC(name string) string {
	sum := 0
	for _, c := range name {
		sum = sum*31 + int(c)
	}
	return fmt.Sprintf("%02x:%02x:%02x", sum>>16&0xff, sum>>8&0xff, sum&0xff)
}

// addNetwork adds a network and, when libvirt makes its bridge, all that
// libvirt sets up with it.
func addNetwork(s *Snapshot, n libvirtnet.Network) {
	n.PortsKnown = true
	n.Ports = []string{}
	if n.Active && n.Live == nil {
		n.Live = ptr(*n.Config)
	}
	s.Libvirt.Networks = append(s.Libvirt.Networks, n)
	def := n.Def()
	if !n.Active || !def.Managed() {
		return
	}
	stp, delay := 0, 0
	if def.STP == nil || *def.STP {
		stp = 1
	}
	if def.Delay != nil {
		delay = xml.KernelDelay(stp == 1, *def.Delay)
	}
	addBridge(s, def.Bridge, def.MAC, stp, delay)
	if def.MTU > 0 {
		s.link(def.Bridge).MTU = def.MTU
	}
	for _, ip := range def.IPs {
		if routed(def) && ip.Address.Addr().Is6() {
			s.Kernel.Sysctls["net.ipv6.conf.all.forwarding"] = "1" // libvirt does
		}
		addAddress(s, def.Bridge, ip.Address.String())
		addDnsmasq(s, n.Name, def.Bridge, ip)
	}
}

func addDnsmasq(s *Snapshot, name, bridgeName string, ip xml.IP) {
	args := []string{"/usr/sbin/dnsmasq", "--conf-file=/var/lib/libvirt/dnsmasq/" + name + ".conf", "--leasefile-ro"}
	sock := bridge.Socket{Protocol: "udp", Address: ip.Address.Addr(), Port: 53, PID: 100 + len(s.Kernel.Sockets), Command: "dnsmasq", Args: args}
	s.Kernel.Sockets = append(s.Kernel.Sockets, sock)
	sock.Protocol = "tcp"
	s.Kernel.Sockets = append(s.Kernel.Sockets, sock)
	if ip.DHCP() && ip.Address.Addr().Is4() {
		sock.Protocol, sock.Port, sock.Address, sock.Device = "udp", 67, netip.IPv4Unspecified(), bridgeName
		s.Kernel.Sockets = append(s.Kernel.Sockets, sock)
	}
}

// onNetwork is the live interface of a guest on a network of libvirt's.
func onNetwork(network, tap, mac string) libvirtnet.Interface {
	return libvirtnet.Interface{Type: "network", Network: network, Source: network, Target: tap, MAC: mac, Model: "virtio", Alias: "net0", Managed: true}
}

// onBridge is the live interface of a guest on a host bridge.
func onBridge(name, tap, mac string) libvirtnet.Interface {
	return libvirtnet.Interface{Type: "bridge", Bridge: name, Source: name, Target: tap, MAC: mac, Model: "virtio", Managed: true}
}

// onHostNetwork is the live interface of a guest on a network of mode bridge:
// its type is bridge, and what virsh shows as its source is the network.
func onHostNetwork(network, name, tap, mac string) libvirtnet.Interface {
	i := onBridge(name, tap, mac)
	i.Network, i.Source = network, network
	return i
}

// addGuest adds a guest and, when it is active, its taps and network ports.
func addGuest(s *Snapshot, name, state string, interfaces ...libvirtnet.Interface) {
	g := libvirtnet.Guest{
		Name: name, UUID: fmt.Sprintf("11111111-0000-4000-8000-%012x", len(s.Libvirt.Guests)+1),
		ID: len(s.Libvirt.Guests) + 1, State: state, Persistent: true,
	}
	if state == libvirtnet.ShutOff {
		g.ID = -1
	}
	for _, i := range interfaces {
		if i.Network != "" && g.ID >= 0 {
			i = plug(s, i)
		}
		if g.ID >= 0 && i.Target != "" {
			addTap(s, i)
		}
		g.Interfaces = append(g.Interfaces, i)
	}
	s.Libvirt.Guests = append(s.Libvirt.Guests, g)
}

// plug gives an interface a network port and the bridge of its network.
func plug(s *Snapshot, i libvirtnet.Interface) libvirtnet.Interface {
	n := s.network(i.Network)
	if n == nil {
		return i
	}
	i.PortID = fmt.Sprintf("44444444-0000-4000-8000-%s", strings.ReplaceAll(i.MAC, ":", ""))
	n.Ports = append(n.Ports, i.PortID)
	if n.Live != nil {
		n.Live.Connections++
		if i.Type == "network" {
			i.Bridge = n.Live.Bridge
		}
	}
	return i
}

func addTap(s *Snapshot, i libvirtnet.Interface) {
	if i.Type == "direct" {
		addLink(s, bridge.Link{Name: i.Target, Kind: "macvtap", MAC: i.MAC, MTU: 1500, Up: true, Carrier: true, Oper: "up", Parent: i.Dev, Mode: i.Mode})
		return
	}
	addLink(s, bridge.Link{
		Name: i.Target, Kind: "tun", MAC: tapMAC(i.MAC), MTU: 1500, Up: true, Carrier: true, Oper: "unknown", Tun: &bridge.Tun{Tap: true},
	})
	if i.Bridge != "" && s.link(i.Bridge) != nil {
		addPort(s, i.Target, i.Bridge)
	}
}

func (s *Snapshot) link(name string) *bridge.Link {
	for i := range s.Kernel.Links {
		if s.Kernel.Links[i].Name == name {
			return &s.Kernel.Links[i]
		}
	}
	return nil
}

func (s *Snapshot) bridge(name string) *bridge.Bridge {
	i := slices.IndexFunc(s.Kernel.Bridges, func(b bridge.Bridge) bool { return b.Name == name })
	return &s.Kernel.Bridges[i]
}

func (s *Snapshot) port(name string) *bridge.Port {
	i := slices.IndexFunc(s.Kernel.Ports, func(p bridge.Port) bool { return p.Name == name })
	return &s.Kernel.Ports[i]
}

func (s *Snapshot) network(name string) *libvirtnet.Network {
	for i := range s.Libvirt.Networks {
		if s.Libvirt.Networks[i].Name == name {
			return &s.Libvirt.Networks[i]
		}
	}
	return nil
}

func (s *Snapshot) guest(name string) *libvirtnet.Guest {
	i := slices.IndexFunc(s.Libvirt.Guests, func(g libvirtnet.Guest) bool { return g.Name == name })
	return &s.Libvirt.Guests[i]
}

// dropLink deletes a link as the kernel does: its ports lose their master.
func (s *Snapshot) dropLink(name string) {
	s.Kernel.Links = slices.DeleteFunc(s.Kernel.Links, func(l bridge.Link) bool { return l.Name == name })
	s.Kernel.Bridges = slices.DeleteFunc(s.Kernel.Bridges, func(b bridge.Bridge) bool { return b.Name == name })
	s.Kernel.Ports = slices.DeleteFunc(s.Kernel.Ports, func(p bridge.Port) bool { return p.Name == name || p.Bridge == name })
	s.Kernel.Addresses = slices.DeleteFunc(s.Kernel.Addresses, func(a bridge.Address) bool { return a.Link == name })
	s.Kernel.Routes = slices.DeleteFunc(s.Kernel.Routes, func(r bridge.Route) bool { return r.Link == name })
	s.Kernel.Forwarding = slices.DeleteFunc(s.Kernel.Forwarding, func(f bridge.Forwarding) bool { return f.Link == name })
	for i := range s.Kernel.Links {
		if l := &s.Kernel.Links[i]; l.Master == name {
			l.Master = ""
		}
	}
}

// unplug takes a link out of its bridge.
func (s *Snapshot) unplug(name string) {
	s.link(name).Master = ""
	s.Kernel.Ports = slices.DeleteFunc(s.Kernel.Ports, func(p bridge.Port) bool { return p.Name == name })
}

// stop makes a network inactive as libvirt does.
func (s *Snapshot) stop(name string) {
	n := s.network(name)
	bridgeName := n.Live.Bridge
	n.Active, n.Live, n.Ports = false, nil, []string{}
	if n.Config.Managed() {
		s.dropLink(bridgeName)
		s.Kernel.Sockets = slices.DeleteFunc(s.Kernel.Sockets, func(k bridge.Socket) bool {
			return slices.ContainsFunc(k.Args, func(a string) bool { return strings.HasSuffix(a, "/"+name+".conf") })
		})
	}
}

// transient has a network without a definition.
func transient(n *libvirtnet.Network) { n.Persistent, n.Autostart, n.Config = false, false, nil }

// staticRoute has the default network declare a subnet behind a guest.
func staticRoute(s *Snapshot) {
	g := xml.Gateway{To: prefix("10.50.0.0/16"), Via: netip.MustParseAddr("192.168.122.77"), Metric: 5}
	n := s.network("default")
	for _, def := range []*xml.Network{n.Config, n.Live} {
		if def != nil {
			def.Routes = []xml.Gateway{g}
		}
	}
}
