package verify

import (
	"net/netip"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// with is a host that a function builds on the demo's.
func with(change func(*Snapshot)) func() Snapshot {
	return func() Snapshot {
		s := healthyHost()
		change(&s)
		return s
	}
}

// healthyHosts are hosts that work and look as if they did not.
func healthyHosts() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-demo": healthyHost,
		"ok-idle-network": func() Snapshot {
			s := emptyHost()
			addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
			s.link("virbr0").Carrier, s.link("virbr0").Oper = false, "down"
			return s
		},
		"ok-openstack":      openStack,
		"ok-openstack-bare": bareNeutron,
		"ok-virbr0-nic": with(func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "virbr0-nic", Kind: "dummy", MAC: "52:54:00:00:00:09", MTU: 1500, Oper: "down"})
			addPort(s, "virbr0-nic", "virbr0")
			s.port("virbr0-nic").State = bridge.PortDisabled
		}),
		"ok-virbr0-nic-tap": with(func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "virbr0-nic", Kind: "tun", MAC: "52:54:00:00:00:09", MTU: 1500, Oper: "down", Tun: &bridge.Tun{Tap: true, Persist: true}})
			addPort(s, "virbr0-nic", "virbr0")
			s.port("virbr0-nic").State = bridge.PortDisabled
		}),
		"ok-macvtap":      with(macvtap),
		"ok-ovs":          with(openVSwitch),
		"ok-no-taps":      with(noTaps),
		"ok-modes":        with(modes),
		"ok-own-user-stp": with(func(s *Snapshot) { s.bridge("virbr0").STP = 2; s.bridge("virbr0").ForwardDelay = 4000 }),
		"ok-user-stp":     with(func(s *Snapshot) { s.bridge("br0").STP = 2 }),
		"ok-two-uplinks":  with(twoUplinks),
		"ok-isolated-but-one": with(func(s *Snapshot) {
			// What an interface says counts more than what its network says.
			s.network("default").Live.PortsIsolated, s.network("default").Config.PortsIsolated = ptr(true), ptr(true)
			s.guest("centos").Interfaces[0].Isolated = ptr(false)
			s.port("vnet2").Isolated = true
		}),
		"ok-host-only-bridge": with(func(s *Snapshot) {
			addBridge(s, "br1", "02:00:00:00:01:01", 0, 15000)
			addAddress(s, "br1", "10.9.0.1/24")
			addGuest(s, "inner", libvirtnet.Running, onBridge("br1", "vnet7", "52:54:00:aa:00:09"))
		}),
		"ok-nested-bridge": with(func(s *Snapshot) {
			addBridge(s, "br1", "02:00:00:00:01:01", 0, 15000)
			addLink(s, bridge.Link{Name: "inner", Kind: "veth", MAC: "02:00:00:00:02:01", MTU: 1500, Up: true, Carrier: true, Oper: "up", Parent: "outer"})
			addLink(s, bridge.Link{Name: "outer", Kind: "veth", MAC: "02:00:00:00:02:02", MTU: 1500, Up: true, Carrier: true, Oper: "up", Parent: "inner"})
			addPort(s, "inner", "br1")
			addPort(s, "outer", "br0")
			addGuest(s, "deep", libvirtnet.Running, onBridge("br1", "vnet7", "52:54:00:aa:00:09"))
		}),
		"ok-same-mac-elsewhere": with(func(s *Snapshot) {
			addGuest(s, "twin", libvirtnet.Running, onBridge("br0", "vnet7", "52:54:00:e4:75:83"))
			switched := onBridge("br-int", "", "52:54:00:e4:75:83")
			switched.VirtualPort = "openvswitch"
			addGuest(s, "tenant", libvirtnet.ShutOff, switched)
			addGuest(s, "another-tenant", libvirtnet.ShutOff, switched)
			addGuest(s, "bond", libvirtnet.Running, onBridge("br0", "vnet8", "52:54:00:bb:00:01"), onBridge("br0", "vnet9", "52:54:00:bb:00:01"))
		}),
		"ok-snapshot-pause": with(func(s *Snapshot) {
			s.guest("centos").State, s.guest("centos").Reason = libvirtnet.Paused, "migrating"
		}),
		"ok-paused-macvtap": with(func(s *Snapshot) {
			macvtap(s)
			s.guest("mac").State, s.guest("mac").Reason = libvirtnet.Paused, "saving"
			s.link("macvtap0").Up = false
		}),
		"ok-vpn": with(func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "wg0", Kind: "wireguard", MTU: 1420, Up: true, Carrier: true, Oper: "unknown"})
			addRoute(s, "0.0.0.0/1", "", "wg0")
			addRoute(s, "128.0.0.0/1", "", "wg0")
			addRoute(s, "10.8.0.0/24", "", "wg0")
			// A table that only marked packets see.
			s.Kernel.Rules = append(s.Kernel.Rules, bridge.Rule{Family: 4, Priority: 100, Table: 77, Action: "lookup", Mark: 1, Mask: 1, SuppressPrefixLength: -1})
			addRoute(s, "192.168.122.0/24", "", "wg0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Table = 77
			s.Kernel.Routes = append(s.Kernel.Routes, bridge.Route{Table: 254, Dst: prefix("192.168.0.0/16"), Type: "blackhole", Protocol: "static"})
			// Tables for some sources, for other targets, and for nobody.
			s.Kernel.Rules = append(s.Kernel.Rules,
				bridge.Rule{Family: 4, Priority: 101, Table: 78, Action: "lookup", Src: prefix("203.0.113.2/32"), SuppressPrefixLength: -1},
				bridge.Rule{Family: 4, Priority: 102, Table: 79, Action: "lookup", Dst: prefix("10.0.0.0/8"), SuppressPrefixLength: -1})
			for _, table := range []int{78, 79, 80} {
				addRoute(s, "192.168.122.0/24", "", "wg0")
				s.Kernel.Routes[len(s.Kernel.Routes)-1].Table = table
			}
		}),
		"ok-name-servers": with(func(s *Snapshot) {
			for _, address := range []string{"127.0.0.53", "127.0.0.1", "203.0.113.2"} {
				s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{Protocol: "udp", Address: netip.MustParseAddr(address), Port: 53, PID: 9, Command: "systemd-resolve"})
			}
			s.Kernel.Sockets = append(s.Kernel.Sockets,
				bridge.Socket{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 53, Device: "br0", PID: 8, Command: "named"},
				bridge.Socket{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 67, PID: 7, Command: "dnsmasq", Args: []string{"dnsmasq", "--conf-file=/etc/lxc/dnsmasq.conf"}})
		}),
		"ok-unprivileged-sockets": with(func(s *Snapshot) {
			for i := range s.Kernel.Sockets {
				s.Kernel.Sockets[i].PID, s.Kernel.Sockets[i].Command, s.Kernel.Sockets[i].Args = 0, "", nil
			}
		}),
		"ok-foreign-guests": with(foreignGuests),
		"ok-lxc-driver":     containers,
		"ok-old-daemon": with(func(s *Snapshot) {
			for i := range s.Libvirt.Networks {
				s.Libvirt.Networks[i].PortsKnown, s.Libvirt.Networks[i].Ports = false, []string{}
			}
		}),
		"ok-alternative-names": with(func(s *Snapshot) {
			s.link("br0").AltNames = []string{"bridge-to-the-office"}
			s.guest("centos").Interfaces[1].Bridge = "bridge-to-the-office"
		}),
		"ok-static-route": with(func(s *Snapshot) {
			staticRoute(s)
			addRoute(s, "10.50.0.0/16", "192.168.122.77", "virbr0")
		}),
		"ok-static-route-moved": with(func(s *Snapshot) {
			// Somebody has the subnet elsewhere now.
			staticRoute(s)
			addRoute(s, "10.50.0.0/16", "203.0.113.1", "br0")
		}),
		"ok-static-route-wider": with(func(s *Snapshot) {
			staticRoute(s)
			addRoute(s, "10.48.0.0/12", "192.168.122.78", "virbr0")
		}),
		"ok-transient-network": with(func(s *Snapshot) { transient(s.network("default")) }),
		"ok-unused-networks": with(func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "203.0.113.1/24")
			n.Active, n.Autostart = false, false
			addNetwork(s, n)
		}),
		"ok-networks-share-a-host-bridge": with(func(s *Snapshot) {
			addNetwork(s, libvirtnet.Network{Name: "lan-too", Active: true, Persistent: true, Config: &xml.Network{Name: "lan-too", Mode: xml.HostBridge, Bridge: "br0"}})
		}),
		"ok-air-gapped": func() Snapshot {
			s := emptyHost()
			s.dropLink("eth0")
			s.Kernel.Sysctls[ipForward] = "0"
			n := natNetwork("inside", "virbr1", "10.9.0.1/24")
			n.Config.Mode = xml.Isolated
			addNetwork(&s, n)
			addGuest(&s, "alone", libvirtnet.Running, onNetwork("inside", "vnet0", "52:54:00:aa:00:01"))
			return s
		},
		"ok-mtu-not-wished": with(func(s *Snapshot) {
			s.link("vnet0").MTU, s.link("virbr0").MTU = 1400, 1400
			s.guest("centos").Interfaces[0].MTU = 1400
		}),
		"ok-tap-with-any-mac":  with(func(s *Snapshot) { s.link("vnet0").MAC = "2a:00:00:00:00:01" }),
		"ok-uplink-link-local": with(func(s *Snapshot) { addAddress(s, "eth0", "fe80::5054:ff:fe10:1/64") }),
		"ok-dhcp-without-dns": with(func(s *Snapshot) {
			n := natNetwork("leases", "virbr7", "10.7.0.1/24")
			n.Config.Mode, n.Config.DNS = xml.Isolated, &xml.DNS{Enabled: ptr(false)}
			s.stop("default")
			s.Libvirt.Networks, s.Libvirt.Guests = s.Libvirt.Networks[1:], []libvirtnet.Guest{}
			for _, tap := range []string{"vnet0", "vnet1", "vnet2", "vnet3"} {
				s.dropLink(tap)
			}
			addNetwork(s, n)
			dropSockets(s, "10.7.0.1")
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 53, PID: 66, Command: "named"})
		}),
		"ok-down-where-nobody-is": with(func(s *Snapshot) {
			// A host bridge that only a shut-off guest names.
			addBridge(s, "br9", "02:00:00:00:00:09", 1, 15000)
			addLink(s, bridge.Link{Name: "eth9", MAC: "52:54:00:10:00:09", MTU: 1500, Oper: "down"})
			addPort(s, "eth9", "br9")
			s.link("br9").Up = false
			addGuest(s, "later", libvirtnet.ShutOff, onBridge("br9", "", "52:54:00:aa:00:09"))
		}),
		"ok-two-ways-out": with(func(s *Snapshot) {
			// The better default route forwards; the other is the host's own.
			addLink(s, bridge.Link{Name: "wlan0", MAC: "52:54:00:10:00:04", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addAddress(s, "wlan0", "198.51.100.7/24")
			addRoute(s, "0.0.0.0/0", "198.51.100.1", "wlan0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Metric = 600
			forwardingOff(s, "wlan0")
		}),
		"ok-spare-nic-on-bridge": with(func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "eth1", Kind: "veth", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Oper: "lowerlayerdown"})
			addPort(s, "eth1", "br0")
			s.port("eth1").State = bridge.PortDisabled
		}),
	}
}

// openStack is a compute node: the host's NIC is in a bridge of Neutron
// beside a tap of the DHCP agent, and libvirt's guest joins them. Another such
// bridge is nobody's, and so is its state.
func openStack() Snapshot {
	s := emptyHost()
	addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
	moveUplink(&s, "brqc39c1348-5a")
	addTap(&s, onBridge("brqc39c1348-5a", "tapae04cfac-d0", "fa:16:3e:00:00:01"))
	addGuest(&s, "instance-00000001", libvirtnet.Running, onBridge("brqc39c1348-5a", "tapdeadbeef-01", "fa:16:3e:aa:bb:01"))
	addBridge(&s, "brq00000000-00", "02:00:00:00:00:09", 1, 15000)
	addTap(&s, onBridge("brq00000000-00", "tap00000000-01", "fa:16:3e:00:00:02"))
	s.link("brq00000000-00").Up = false
	s.port("tap00000000-01").State = bridge.PortDisabled
	return s
}

// bareNeutron is such a host without any guest of libvirt's.
func bareNeutron() Snapshot {
	s := emptyHost()
	addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
	moveUplink(&s, "brqc39c1348-5a")
	addTap(&s, onBridge("brqc39c1348-5a", "tapae04cfac-d0", "fa:16:3e:00:00:01"))
	s.link("tapae04cfac-d0").Carrier = false
	s.port("tapae04cfac-d0").State = bridge.PortDisabled
	return s
}

func macvtap(s *Snapshot) {
	addLink(s, bridge.Link{Name: "eth2", MAC: "52:54:00:10:00:03", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addNetwork(s, libvirtnet.Network{
		Name: "direct", Active: true, Persistent: true, Autostart: true,
		Config: &xml.Network{Name: "direct", Mode: xml.HostBridge, ForwardDevs: []string{"eth2"}},
	})
	first := libvirtnet.Interface{Type: "direct", Dev: "eth2", Mode: "bridge", Source: "eth2", Target: "macvtap0", MAC: "52:54:00:cc:00:01", Managed: true}
	second := libvirtnet.Interface{Type: "direct", Network: "direct", Dev: "eth2", Mode: "bridge", Source: "eth2", Target: "macvtap1", MAC: "52:54:00:cc:00:02", Managed: true}
	addGuest(s, "mac", libvirtnet.Running, first, second)
	addGuest(s, "mac-off", libvirtnet.ShutOff, libvirtnet.Interface{Type: "network", Network: "direct", Source: "direct", MAC: "52:54:00:cc:00:03"})
}

func openVSwitch(s *Snapshot) {
	addLink(s, bridge.Link{Name: "ovs-system", Kind: "openvswitch", MTU: 1500, Oper: "down"})
	addLink(s, bridge.Link{Name: "br-int", Kind: "openvswitch", MTU: 1500, Up: true, Carrier: true, Oper: "unknown"})
	declared := onBridge("br-int", "vnet10", "52:54:00:dd:00:01")
	declared.VirtualPort = "openvswitch"
	plugged := onBridge("br-int", "vnet11", "52:54:00:dd:00:02")
	// Here only the tap's master tells: its bridge is no link of the kernel.
	remote := onBridge("br-far", "vnet12", "52:54:00:dd:00:04")
	addGuest(s, "switched", libvirtnet.Running, declared, plugged, remote)
	for _, name := range []string{"vnet10", "vnet11", "vnet12"} {
		s.unplug(name)
		s.link(name).Master = "ovs-system"
	}
	addNetwork(s, libvirtnet.Network{
		Name: "ovs", Active: true, Persistent: true, Autostart: true,
		Config: &xml.Network{Name: "ovs", Mode: xml.HostBridge, Bridge: "br-ex", VirtualPort: "openvswitch"},
	})
	addGuest(s, "switched-off", libvirtnet.ShutOff, libvirtnet.Interface{Type: "network", Network: "ovs", Source: "ovs", MAC: "52:54:00:dd:00:03"})
}

// noTaps has guests whose interfaces have nothing on the host to judge.
func noTaps(s *Snapshot) {
	ethernet := libvirtnet.Interface{Type: "ethernet", Target: "cali0", MAC: "52:54:00:ee:00:01"}
	addGuest(s, "plain", libvirtnet.Running,
		libvirtnet.Interface{Type: "user", MAC: "52:54:00:ee:00:02"},
		libvirtnet.Interface{Type: "hostdev", MAC: "52:54:00:ee:00:03", Managed: true},
		libvirtnet.Interface{Type: "vhostuser", Source: "/run/vhost.sock", Target: "vhost0", MAC: "52:54:00:ee:00:04"},
		libvirtnet.Interface{Type: "vdpa", Source: "/dev/vhost-vdpa-0", MAC: "52:54:00:ee:00:05"},
	)
	g := s.guest("plain")
	g.Interfaces = append(g.Interfaces, ethernet)
	s.dropLink("vhost0")
	routed := libvirtnet.Interface{Type: "ethernet", Target: "tap-routed", MAC: "52:54:00:ee:00:06", Managed: true}
	addGuest(s, "routed", libvirtnet.Running, routed)
}

// modes has a network of each mode that libvirt makes a bridge for.
func modes(s *Snapshot) {
	delay := 4
	for i, mode := range []xml.Mode{xml.Isolated, xml.Route, xml.Open} {
		name := string(mode)
		n := natNetwork(name, "virbr1"+string(rune('0'+i)), netip.AddrFrom4([4]byte{10, 20, byte(i), 1}).String()+"/24")
		n.Config.Mode, n.Config.Delay = mode, &delay
		addNetwork(s, n)
	}
	quiet := natNetwork("quiet", "virbr20", "10.21.0.1/24")
	quiet.Config.STP, quiet.Config.DNS = ptr(false), &xml.DNS{Enabled: ptr(false)}
	quiet.Config.IPs[0].Ranges = nil
	addNetwork(s, quiet)
	dropSockets(s, "10.21.0.1")
	bare := natNetwork("bare", "virbr21", "10.22.0.1/24")
	bare.Config.Mode, bare.Config.IPs = xml.Open, nil
	addNetwork(s, bare)
	six := natNetwork("six", "virbr22", "fd00:6::1/64")
	addNetwork(s, six)
	addAddress(s, "virbr22", "fe80::5054:ff:fe00:1/64")
	addLink(s, bridge.Link{Name: "eth2", MAC: "52:54:00:10:00:03", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	pool := xml.Network{Name: "pool", Mode: xml.HostDev, PF: "eth2"}
	addNetwork(s, libvirtnet.Network{Name: "pool", Active: true, Persistent: true, Autostart: true, Config: &pool})
	shared := natNetwork("shut", "virbr23", "10.23.0.1/24")
	shared.Config.PortsIsolated = ptr(true)
	addNetwork(s, shared)
	addGuest(s, "cell", libvirtnet.Running, onNetwork("shut", "vnet20", "52:54:00:ff:00:01"))
	s.port("vnet20").Isolated = true
}

func dropSockets(s *Snapshot, address string) {
	var kept []bridge.Socket
	for _, k := range s.Kernel.Sockets {
		if k.Address != netip.MustParseAddr(address) {
			kept = append(kept, k)
		}
	}
	s.Kernel.Sockets = kept
}

func twoUplinks(s *Snapshot) {
	for _, name := range []string{"eth1", "eth2"} {
		addLink(s, bridge.Link{Name: name, MAC: "52:54:00:10:00:0" + name[3:], MTU: 1500, Up: true, Carrier: true, Oper: "up"})
		addPort(s, name, "br0")
	}
	s.bridge("br0").STP, s.bridge("br0").ForwardDelay = 1, 2000
	s.port("eth2").State = bridge.PortBlocking
}

// foreignGuests has taps of other hypervisors and of libvirt's session mode.
func foreignGuests(s *Snapshot) {
	addTap(s, onBridge("virbr0", "tap0", "52:54:00:ab:00:01"))
	addTap(s, onBridge("br0", "tap1", "52:54:00:ab:00:02"))
	addTap(s, onBridge("", "tun-app", "52:54:00:ab:00:03"))
	addLink(s, bridge.Link{Name: "vnetwork0", Kind: "tun", MTU: 1500, Up: true, Tun: &bridge.Tun{Tap: true}})
	addLink(s, bridge.Link{Name: "tun0", Kind: "tun", MTU: 1500, Up: true, Carrier: true, Tun: &bridge.Tun{}})
	addBridge(s, "docker0", "02:42:00:00:00:01", 0, 15000)
	addAddress(s, "docker0", "172.17.0.1/16")
	addLink(s, bridge.Link{Name: "veth0a", Kind: "veth", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addPort(s, "veth0a", "docker0")
	addTap(s, onBridge("docker0", "vnet77", "52:54:00:ab:00:04"))
}

// containers is a host of libvirt's LXC driver: its taps are veth ends.
func containers() Snapshot {
	s := emptyHost()
	s.Libvirt.Driver, s.Libvirt.URI, s.URI = "LXC", "lxc:///system", "lxc:///system"
	addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
	i := onNetwork("default", "vnet0", "52:54:00:ac:00:01")
	addGuest(&s, "box", libvirtnet.Running, i)
	s.link("vnet0").Kind, s.link("vnet0").Tun = "veth", nil
	// A container of the host's other connection.
	addLink(&s, bridge.Link{Name: "vnet5", Kind: "veth", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addPort(&s, "vnet5", "virbr0")
	return s
}
