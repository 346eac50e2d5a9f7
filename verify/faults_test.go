package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// goldenHosts are all hosts of the golden folders, by folder.
func goldenHosts() map[string]Snapshot {
	hosts := map[string]Snapshot{}
	for _, family := range []map[string]func(*Snapshot){
		uplinkKindFaults(), mtuFaults(), mtuPathFaults(), qosFaults(), macvtapFaults(), machineFaults(),
		networkFaults(), insideFaults(), bridgeFaults(), tapFaults(), guestFaults(), uplinkFaults(), hostFaults(), movedFaults(), serviceFaults(),
		routeFaults(), markFaults(), xfrmFaults(), structureFaults(), leaseFaults(), guestFilterFaults(),
	} {
		for name, inject := range family {
			s := healthyHost()
			inject(&s)
			hosts[name] = s
		}
	}
	for _, family := range []map[string]func() Snapshot{
		structureHealthy(),
		deviceHealthy(),
		healthyHosts(), serviceHealthy(), insideHealthy(), movedHealthy(),
		healthyRoutes(), markHealthy(), xfrmHealthy(), healthyLeases(), firewallHosts(), wireHosts(), guestFilterHealthy(),
	} {
		for name, build := range family {
			hosts[name] = build()
		}
	}
	// These are documents as kvnet writes them, ruleset and services and all; the others say
	// no more than their case needs.
	for _, name := range []string{"tap-not-enslaved", "tap-not-enslaved+bounced", "net-no-autostart", "ok-demo"} {
		hosts[name] = whole(hosts[name])
	}
	return hosts
}

func networkFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"net-undefined": func(s *Snapshot) {
			s.guest("spare").Interfaces[0].Network = "gone"
		},
		"net-undefined+transient-gone": func(s *Snapshot) {
			// A transient network was destroyed under its guests.
			s.stop("default")
			s.Libvirt.Networks = s.Libvirt.Networks[1:]
		},
		"net-inactive": func(s *Snapshot) { s.stop("default") },
		"net-inactive+bridge-guest": func(s *Snapshot) {
			// A guest names the bridge, not the network.
			addGuest(s, "direct", libvirtnet.Running, onBridge("virbr0", "vnet7", "52:54:00:aa:00:09"))
			s.stop("default")
		},
		"net-inactive+shut-off-guest": func(s *Snapshot) {
			addNetwork(s, libvirtnet.Network{Name: "lab", Persistent: true, Config: natNetwork("lab", "virbr7", "10.7.0.1/24").Config})
			s.guest("spare").Interfaces[0].Network = "lab"
		},
		"net-inactive+autostart": func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Active = false
			addNetwork(s, n)
		},
		"net-no-autostart": func(s *Snapshot) {
			s.network("default").Autostart = false
			s.guest("spare").Autostart = true
		},
		"net-no-autostart+running-guest": func(s *Snapshot) { s.network("default").Autostart = false },
		"net-no-autostart+transient": func(s *Snapshot) {
			transient(s.network("default"))
			s.guest("spare").Autostart = true
		},
		"net-live-config-drift": func(s *Snapshot) {
			config := *s.network("default").Config
			config.MTU, config.Domain = 1400, "lab"
			s.network("default").Config = &config
		},
		"net-bridge-name-dup": func(s *Snapshot) {
			n := natNetwork("copy", "virbr0", "10.7.0.1/24")
			n.Active, n.Autostart = false, false
			addNetwork(s, n)
		},
		"net-subnet-overlap": func(s *Snapshot) {
			n := natNetwork("copy", "virbr7", "192.168.0.1/16")
			n.Active, n.Autostart = false, false
			addNetwork(s, n)
		},
		"net-subnet-overlap+both-active": func(s *Snapshot) {
			n := natNetwork("copy", "virbr7", "192.168.122.129/25")
			addNetwork(s, n)
		},
		"net-subnet-overlap+nested": func(s *Snapshot) {
			// The active ones overlap across one that is not active.
			addNetwork(s, natNetwork("large", "virbr7", "10.1.0.1/16"))
			between := natNetwork("between", "virbr8", "10.1.0.1/20")
			between.Active, between.Autostart = false, false
			addNetwork(s, between)
			addNetwork(s, natNetwork("small", "virbr9", "10.1.2.1/24"))
		},
		"net-subnet-overlap+ipv6": func(s *Snapshot) {
			for i, name := range []string{"six", "sixty"} {
				n := natNetwork(name, "virbr6"+name, "fd00::1/64")
				n.Config.Mode = xml.Isolated
				n.Active, n.Autostart = false, i == 0
				if i == 0 {
					n.Active = true
				}
				addNetwork(s, n)
			}
		},
		"net-subnet-collision": func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "eth1", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addAddress(s, "eth1", "192.168.122.50/24")
		},
		"net-subnet-collision+nested": func(s *Snapshot) { addNetwork(s, natNetwork("nested", "virbr7", "203.0.113.1/24")) },
		"net-subnet-collision+wider":  func(s *Snapshot) { addRoute(s, "192.168.0.0/16", "203.0.113.7", "br0") },
		"net-subnet-collision+null-route": func(s *Snapshot) {
			for i := range s.Kernel.Routes {
				if r := &s.Kernel.Routes[i]; r.Link == "virbr0" {
					r.Metric = 256
				}
			}
			refuse(s, tableMain, "blackhole", "192.168.122.0/24")
		},
		"net-subnet-collision+proxied-elsewhere": func(s *Snapshot) { cutOut(s, "eth0") },
		"net-ports-stale":                        func(s *Snapshot) { s.network("default").Ports = []string{} },
		"net-ports-stale+leaked": func(s *Snapshot) {
			g := s.guest("centos")
			n := s.network("default")
			n.Ports = append(n.Ports, "6f1b8a4e-0d3c-4c1e-8f6e-6a2f1d3c5b77")
			n.Unclaimed = []xml.Port{{UUID: "6f1b8a4e-0d3c-4c1e-8f6e-6a2f1d3c5b77", OwnerName: g.Name, OwnerUUID: g.UUID, MAC: "52:54:00:00:00:77"}}
		},
		"net-ports-stale+count": func(s *Snapshot) {
			n := s.network("default")
			n.PortsKnown, n.Ports, n.Live.Connections = false, []string{}, 0
		},
	}
}

func bridgeFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"if-source-not-a-bridge": func(s *Snapshot) {
			addGuest(s, "lost", libvirtnet.Running, onBridge("br7", "vnet7", "52:54:00:aa:00:09"))
		},
		"if-source-not-a-bridge+on-a-nic":       func(s *Snapshot) { addGuest(s, "wrong", libvirtnet.ShutOff, onBridge("eth0", "", "52:54:00:aa:00:09")) },
		"if-source-not-a-bridge+with-the-route": func(s *Snapshot) { s.dropLink("br0") },
		"if-source-not-a-bridge+network": func(s *Snapshot) {
			addNetwork(s, libvirtnet.Network{Name: "far", Active: true, Persistent: true, Config: &xml.Network{Name: "far", Mode: xml.HostBridge, Bridge: "br9"}})
		},
		"bridge-missing": func(s *Snapshot) { s.dropLink("virbr0") },
		"bridge-leftover": func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Active = false
			addNetwork(s, n)
			addBridge(s, "virbr7", n.Config.MAC, 1, 2000)
		},
		"bridge-leftover+taps": func(s *Snapshot) {
			// libvirt's daemon was killed while it stopped the network.
			n := s.network("default")
			n.Active, n.Live, n.Ports = false, nil, nil
			s.link("virbr0").Up = false
			for _, name := range []string{"vnet0", "vnet2"} {
				s.port(name).State = bridge.PortDisabled
			}
			s.Kernel.Sockets = nil
		},
		"bridge-leftover+foreign": func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Active, n.Autostart = false, false
			addNetwork(s, n)
			addBridge(s, "virbr7", "02:00:00:00:00:07", 0, 15000)
			s.guest("spare").Interfaces[0].Network = "lab"
		},
		"bridge-admin-down": func(s *Snapshot) {
			s.link("virbr0").Up = false
			for _, name := range []string{"vnet0", "vnet2"} {
				s.port(name).State = bridge.PortDisabled
			}
		},
		"bridge-admin-down+ipv6-lost": func(s *Snapshot) {
			n := natNetwork("six", "virbr6", "fd00::1/64")
			n.Config.Mode = xml.Isolated
			addNetwork(s, n)
			s.link("virbr6").Up = false
			s.Kernel.Addresses = s.Kernel.Addresses[:len(s.Kernel.Addresses)-1]
			s.Kernel.Routes = s.Kernel.Routes[:len(s.Kernel.Routes)-1]
		},
		"bridge-admin-down+static-route": func(s *Snapshot) {
			staticRoute(s)
			s.link("virbr0").Up = false
			dropRoutes(s, "virbr0")
		},
		"static-route-missing":          func(s *Snapshot) { staticRoute(s) },
		"bridge-admin-down+host-bridge": func(s *Snapshot) { s.link("br0").Up = false },
		"bridge-ip-missing": func(s *Snapshot) {
			for i, a := range s.Kernel.Addresses {
				if a.Link == "virbr0" {
					s.Kernel.Addresses = append(s.Kernel.Addresses[:i:i], s.Kernel.Addresses[i+1:]...)
				}
			}
			dropRoutes(s, "virbr0")
		},
		"bridge-ip-missing+replaced": func(s *Snapshot) {
			dropRoutes(s, "virbr0")
			for i := range s.Kernel.Addresses {
				if s.Kernel.Addresses[i].Link == "virbr0" {
					s.Kernel.Addresses[i].Prefix = prefix("10.0.0.1/24")
				}
			}
		},
		"bridge-ip-missing+not-local": func(s *Snapshot) {
			for i := range s.Kernel.Addresses {
				if a := &s.Kernel.Addresses[i]; a.Link == "virbr0" {
					a.Unrouted = true
				}
			}
		},
		"bridge-ip-missing+route-only": func(s *Snapshot) { dropRoutes(s, "virbr0") },
		"bridge-ip-mismatch": func(s *Snapshot) {
			dropRoutes(s, "virbr0")
			for i := range s.Kernel.Addresses {
				if s.Kernel.Addresses[i].Link == "virbr0" {
					s.Kernel.Addresses[i].Prefix = prefix("192.168.122.1/32")
				}
			}
		},
		"bridge-ip-mismatch+extra": func(s *Snapshot) { addAddress(s, "virbr0", "10.0.0.1/24") },
		"bridge-ip-mismatch+primary": func(s *Snapshot) {
			addAddress(s, "virbr0", "192.168.122.99/24")
			s.address("virbr0", "192.168.122.1").Secondary = true
			addAddress(s, "virbr0", "192.168.122.98/24")
			s.address("virbr0", "192.168.122.98").Secondary = true
		},
		"bridge-mac-mismatch":               func(s *Snapshot) { s.link("virbr0").MAC = "02:00:00:00:00:01" },
		"bridge-stp-mismatch":               func(s *Snapshot) { s.bridge("virbr0").STP = 0 },
		"bridge-delay-mismatch":             func(s *Snapshot) { s.bridge("virbr0").ForwardDelay = 15000 },
		"bridge-delay-mismatch+host-bridge": func(s *Snapshot) { s.bridge("br0").STP = 1 },
		"bridge-mtu-mismatch": func(s *Snapshot) {
			s.network("default").Live.MTU = 9000
			s.network("default").Config.MTU = 9000
			s.link("vnet0").MTU = 9000
		},
		"bridge-foreign-port": func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "eth1", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addPort(s, "eth1", "virbr0")
		},
	}
}

func dropRoutes(s *Snapshot, link string) {
	var kept []bridge.Route
	for _, r := range s.Kernel.Routes {
		if r.Link != link {
			kept = append(kept, r)
		}
	}
	s.Kernel.Routes = kept
}

func tapFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"tap-missing":         func(s *Snapshot) { s.dropLink("vnet0") },
		"tap-missing+fragile": func(s *Snapshot) { s.dropLink("vnet0"); s.Libvirt.Version = 11003000 },
		"tap-missing+renamed": func(s *Snapshot) { s.link("vnet0").Name, s.port("vnet0").Name = "tapold", "tapold" },
		"tap-not-enslaved":    func(s *Snapshot) { s.unplug("vnet1") },
		"tap-not-enslaved+bounced": func(s *Snapshot) {
			s.unplug("vnet0")
			s.unplug("vnet2")
			n := s.network("default")
			n.Ports, n.Live.Connections = []string{}, 0
		},
		"tap-not-enslaved+other-bridge-now": func(s *Snapshot) {
			// Restarted with another bridge name: the guest's document still has
			// the old one.
			s.stop("default")
			n := *s.network("default")
			s.Libvirt.Networks = s.Libvirt.Networks[1:]
			config := *n.Config
			config.Bridge = "virbr5"
			n.Active, n.Config = true, &config
			addNetwork(s, n)
		},
		"tap-wrong-bridge": func(s *Snapshot) {
			s.link("vnet0").Master, s.port("vnet0").Bridge = "br0", "br0"
		},
		"tap-admin-down": func(s *Snapshot) {
			s.link("vnet0").Up, s.link("vnet0").Oper = false, "down"
			s.port("vnet0").State = bridge.PortDisabled
		},
		"tap-no-carrier": func(s *Snapshot) {
			s.link("vnet0").Carrier, s.link("vnet0").Oper = false, "down"
			s.link("vnet0").Tun.Persist = true
			s.port("vnet0").State = bridge.PortDisabled
		},
		"tap-no-carrier+switched-off": func(s *Snapshot) {
			s.link("vnet0").Carrier, s.link("vnet0").Oper = false, "down"
			s.port("vnet0").State = bridge.PortDisabled
		},
		"tap-no-carrier+held": func(s *Snapshot) {
			s.link("vnet0").Carrier, s.link("vnet0").Oper = false, "down"
			s.port("vnet0").State = bridge.PortDisabled
			s.Kernel.Holders = append(s.Kernel.Holders, bridge.Holder{Link: "vnet0", PID: 77, Command: "qemu-system-x86"})
		},
		"tap-orphan": func(s *Snapshot) {
			addTap(s, onBridge("virbr0", "vnet9", "52:54:00:aa:00:09"))
			s.link("vnet9").Carrier, s.link("vnet9").Tun.Persist = false, true
			s.port("vnet9").State = bridge.PortDisabled
		},
		"tap-orphan+held": func(s *Snapshot) {
			addTap(s, onBridge("", "vnet9", "52:54:00:aa:00:09"))
			s.Kernel.Holders = append(s.Kernel.Holders, bridge.Holder{Link: "vnet9", PID: 77, Command: "qemu-system-x86"})
		},
		"tap-orphan+any-name": func(s *Snapshot) {
			addTap(s, onBridge("virbr0", "tap0", "52:54:00:aa:00:09"))
			s.link("tap0").Carrier, s.link("tap0").Tun.Persist = false, true
		},
		"tap-mac-equals-guest": func(s *Snapshot) { s.link("vnet0").MAC = "52:54:00:e4:75:83" },
	}
}

func guestFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"guest-mac-dup": func(s *Snapshot) {
			addGuest(s, "clone", libvirtnet.Running, onNetwork("default", "vnet7", "52:54:00:e4:75:83"))
		},
		"guest-mac-dup+shut-off-clone": func(s *Snapshot) {
			s.guest("spare").Interfaces[0].MAC = "52:54:00:e4:75:83"
		},
		"guest-mac-dup+macvtap": func(s *Snapshot) {
			// The clone's document does not say which NIC it will get.
			macvtap(s)
			s.guest("mac-off").Interfaces[0].MAC = "52:54:00:cc:00:02"
		},
		"guest-mac-dup+ovs": func(s *Snapshot) {
			openVSwitch(s)
			for i, name := range []string{"one", "two"} {
				twin := onBridge("br-ex", fmt.Sprintf("vnet2%d", i), "52:54:00:dd:00:09")
				twin.VirtualPort = "openvswitch"
				addGuest(s, name, libvirtnet.Running, twin)
			}
		},
		"guest-mac-dup+uplink": func(s *Snapshot) {
			addGuest(s, "clone", libvirtnet.Running, onBridge("br0", "vnet7", "52:54:00:10:00:01"))
		},
		"guest-link-down": func(s *Snapshot) { s.guest("centos").Interfaces[0].Link = "down" },
		"guest-paused": func(s *Snapshot) {
			s.guest("centos").State, s.guest("centos").Reason = libvirtnet.Paused, "user"
		},
		"guest-paused+disk-error": func(s *Snapshot) {
			s.guest("centos").State, s.guest("centos").Reason = libvirtnet.Paused, "I/O error"
		},
		"guest-paused+asleep":  func(s *Snapshot) { s.guest("centos").State = libvirtnet.PMSuspended },
		"guest-paused+crashed": func(s *Snapshot) { s.guest("centos").State = libvirtnet.Crashed },
		"port-not-forwarding":  func(s *Snapshot) { s.port("vnet1").State = bridge.PortBlocking },
		"port-not-forwarding+stp": func(s *Snapshot) {
			s.port("vnet0").State, s.port("vnet0").DesignatedRoot = bridge.PortBlocking, "1000.525400000001"
		},
		"port-not-forwarding+learning":    func(s *Snapshot) { s.port("vnet0").State = bridge.PortLearning },
		"port-not-forwarding+uplink":      func(s *Snapshot) { s.port("eth0").State = bridge.PortBlocking },
		"port-isolated-unexpected":        func(s *Snapshot) { s.port("vnet0").Isolated = true },
		"port-isolated-unexpected+not":    func(s *Snapshot) { s.guest("centos").Interfaces[1].Isolated = ptr(true) },
		"port-isolated-unexpected+uplink": func(s *Snapshot) { s.port("eth0").Isolated = true },
	}
}

func uplinkFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"uplink-missing": func(s *Snapshot) {
			s.unplug("eth0")
			addAddress(s, "eth0", "fe80::5054:ff:fe10:1/64")
			addRoute(s, "ff00::/8", "", "eth0")
		},
		"uplink-missing+guests-only": func(s *Snapshot) {
			addBridge(s, "br1", "fe:54:00:aa:00:09", 0, 15000)
			addGuest(s, "alone", libvirtnet.Running, onBridge("br1", "vnet7", "52:54:00:aa:00:09"))
		},
		"uplink-down+nobody-runs": func(s *Snapshot) {
			addBridge(s, "br9", "02:00:00:00:00:09", 0, 15000)
			addLink(s, bridge.Link{Name: "eth9", MAC: "52:54:00:10:00:09", MTU: 1500, Oper: "down"})
			addPort(s, "eth9", "br9")
			s.port("eth9").State = bridge.PortDisabled
			addGuest(s, "later", libvirtnet.ShutOff, onBridge("br9", "", "52:54:00:aa:00:09"))
			s.guest("later").Autostart = true
		},
		"uplink-missing+was-a-gateway": func(s *Snapshot) {
			addBridge(s, "br1", "fe:54:00:aa:00:09", 0, 15000)
			addAddress(s, "br1", "10.9.0.7/24")
			addRoute(s, "10.10.0.0/16", "10.9.0.1", "br1")
			addGuest(s, "alone", libvirtnet.Running, onBridge("br1", "vnet7", "52:54:00:aa:00:09"))
		},
		"uplink-down": func(s *Snapshot) {
			s.link("eth0").Up, s.link("eth0").Carrier, s.link("eth0").Oper = false, false, "down"
			s.port("eth0").State = bridge.PortDisabled
		},
		"uplink-no-carrier": func(s *Snapshot) {
			s.link("eth0").Carrier, s.link("eth0").Oper = false, "lowerlayerdown"
			s.port("eth0").State = bridge.PortDisabled
		},
		"uplink-has-ip": func(s *Snapshot) {
			for i := range s.Kernel.Addresses {
				if s.Kernel.Addresses[i].Link == "br0" {
					s.Kernel.Addresses[i].Link = "eth0"
				}
			}
			for i := range s.Kernel.Routes {
				if s.Kernel.Routes[i].Link == "br0" {
					s.Kernel.Routes[i].Link = "eth0"
				}
			}
		},
		"uplink-has-ip+second": func(s *Snapshot) {
			s.Kernel.Addresses = append(s.Kernel.Addresses, bridge.Address{Link: "eth0", Prefix: prefix("203.0.113.9/32"), Scope: "global"})
		},
	}
}

func hostFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"change-half-done": func(s *Snapshot) {
			s.Unfinished = []Unfinished{{
				Number: 12, Began: s.Taken.Add(-time.Minute), Change: "define network default",
				Networks: []string{"default"}, Guests: []string{},
			}}
		},
		"change-half-done+failed": func(s *Snapshot) {
			s.Unfinished = []Unfinished{{
				Number: 13, Began: s.Taken.Add(-time.Minute), Change: "start network default", Left: []string{"stop network default"},
				Networks: []string{"default"}, Guests: []string{},
			}}
		},
		"change-half-done+unreadable": func(s *Snapshot) {
			s.JournalGaps = []string{"read journal: /var/lib/kvnet/000011.json: not readable as an entry"}
			s.Unfinished = []Unfinished{{
				Number: 12, Began: s.Taken.Add(-time.Minute), Change: "define network default",
				Networks: []string{"default"}, Guests: []string{},
			}}
		},
		"ip-forward-off": func(s *Snapshot) {
			s.Kernel.Sysctls["net.ipv4.ip_forward"] = "0"
			for i := range s.Kernel.Forwarding {
				s.Kernel.Forwarding[i].On = false
			}
		},
		"ip-forward-per-if-off": func(s *Snapshot) { forwardingOff(s, "virbr0") },
		"ip-forward-per-if-off+forward-dev": func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "eth0.100", Kind: "vlan", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addAddress(s, "eth0.100", "198.51.100.2/24")
			s.network("default").Live.ForwardDevs = []string{"eth0.100"}
			s.network("default").Config.ForwardDevs = []string{"eth0.100"}
			forwardingOff(s, "eth0.100")
			forwardingOff(s, "br0")
		},
		"ip-forward-per-if-off+uplink-beside-a-tunnel": func(s *Snapshot) {
			tunnelOfItsOwn(s)
			forwardingOff(s, "br0")
		},
		"ip-forward-per-if-off+tunnel": func(s *Snapshot) {
			tunnelOfItsOwn(s)
			addRule(s, bridge.Rule{Priority: 90, Table: 77, IIF: "virbr0"})
			forwardingOff(s, "wg0")
		},
		"ip-forward-per-if-off+uplink": func(s *Snapshot) { forwardingOff(s, "br0") },
		"host-no-default-route+nobody-runs": func(s *Snapshot) {
			s.Kernel.Routes = slices.DeleteFunc(s.Kernel.Routes, func(r bridge.Route) bool { return r.Dst.Bits() == 0 })
			for _, tap := range []string{"vnet0", "vnet2"} {
				s.dropLink(tap)
			}
			s.Libvirt.Guests = s.Libvirt.Guests[2:]
			s.dropLink("vnet1")
			s.dropLink("vnet3")
		},
		"host-no-default-route": func(s *Snapshot) {
			var kept []bridge.Route
			for _, r := range s.Kernel.Routes {
				if r.Dst.Bits() > 0 {
					kept = append(kept, r)
				}
			}
			s.Kernel.Routes = kept
		},
		"dnsmasq-dead": func(s *Snapshot) { s.Kernel.Sockets = []bridge.Socket{} },
		"dnsmasq-dead+stopped": func(s *Snapshot) {
			for i := range s.Kernel.Sockets {
				if k := &s.Kernel.Sockets[i]; k.Command == "dnsmasq" {
					k.PID, k.Stopped = 119, true
				}
			}
		},
		"dnsmasq-dead+systemd": func(s *Snapshot) {
			s.Kernel.Sockets = []bridge.Socket{}
			s.Libvirt.Daemon.Systemd, s.Libvirt.Daemon.Name = true, "virtqemud"
		},
		"dnsmasq-dead+another-on-the-link": func(s *Snapshot) {
			for i := range s.Kernel.Sockets {
				s.Kernel.Sockets[i].Args = []string{"dnsmasq", "--interface=virbr0"}
				if s.Kernel.Sockets[i].Port == 53 {
					s.Kernel.Sockets[i].Address = netip.MustParseAddr("127.0.0.1")
				}
			}
		},
		"dnsmasq-port-conflict": func(s *Snapshot) {
			s.Kernel.Sockets = []bridge.Socket{{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 53, PID: 66, Command: "named"}}
		},
		"dnsmasq-port-conflict+runs": func(s *Snapshot) {
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{Protocol: "tcp", Address: netip.IPv6Unspecified(), Port: 53, PID: 66, Command: "coredns"})
		},
		"dnsmasq-port-conflict+dhcp-server": func(s *Snapshot) {
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 67, PID: 66, Command: "dhcpd"})
		},
		"dnsmasq-port-conflict+of-a-network-that-is-gone": func(s *Snapshot) {
			s.Kernel.Sockets = []bridge.Socket{{
				Protocol: "udp", Address: netip.MustParseAddr("192.168.122.1"), Port: 53, PID: 66, Command: "dnsmasq",
				Args: []string{"/usr/sbin/dnsmasq", "--conf-file=/var/lib/libvirt/dnsmasq/gone.conf", "--leasefile-ro"},
			}}
		},
		"dnsmasq-port-conflict+every-address": func(s *Snapshot) {
			s.Kernel.Sockets = []bridge.Socket{{
				Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 53, PID: 66, Command: "dnsmasq", Args: []string{"dnsmasq", "--conf-file=/etc/dnsmasq.conf"},
			}}
		},
		"dnsmasq-port-conflict+for-the-network-alone": func(s *Snapshot) {
			s.Kernel.Sockets = []bridge.Socket{{
				Protocol: "udp", Address: netip.MustParseAddr("192.168.122.1"), Port: 53, PID: 66, Command: "dnsmasq", Args: []string{"dnsmasq", "--listen-address=192.168.122.1"},
			}}
		},
		"dnsmasq-port-conflict+own-address": func(s *Snapshot) {
			s.Kernel.Sockets = []bridge.Socket{{Protocol: "udp", Address: netip.MustParseAddr("192.168.122.1"), Port: 53, PID: 66, Command: "unbound"}}
		},
	}
}

func forwardingOff(s *Snapshot, link string) {
	for i := range s.Kernel.Forwarding {
		if s.Kernel.Forwarding[i].Link == link {
			s.Kernel.Forwarding[i].On = false
		}
	}
}
