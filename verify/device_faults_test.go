package verify

import (
	"net/netip"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

func uplinkKindFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"uplink-wireless":         func(s *Snapshot) { asNIC(s).Wireless = &bridge.Wireless{Type: "managed"} },
		"uplink-wireless+macvtap": func(s *Snapshot) { macvtap(s); s.link("eth2").Wireless = &bridge.Wireless{Type: "managed"} },
		"uplink-bond-mode":        func(s *Snapshot) { bonded(s, bridge.BondALB) },
		"uplink-bond-mode+arp":    func(s *Snapshot) { bonded(s, bridge.BondActiveBackup); s.link("bond0").Bond.ARPInterval = 250 },
		"uplink-bond-mode+below-a-vlan": func(s *Snapshot) {
			bonded(s, bridge.BondRoundRobin)
			s.unplug("bond0")
			addLink(s, bridge.Link{Name: "bond0.7", Kind: "vlan", Parent: "bond0", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addPort(s, "bond0.7", "br0")
		},
		"uplink-lro-on":              func(s *Snapshot) { asNIC(s).Offloads.LRO = true },
		"uplink-lro-on+below-a-bond": func(s *Snapshot) { bonded(s, bridge.BondXOR); s.link("eth0").Offloads.LRO = true },
		"uplink-lro-on+routed": func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "eth5", MAC: "52:54:00:10:00:05", MTU: 1500, Up: true, Carrier: true, Oper: "up", Offloads: &bridge.Offloads{LRO: true}})
			addAddress(s, "eth5", "198.51.100.2/24")
			s.network("default").Live.ForwardDevs = []string{"eth5"}
			s.network("default").Config.ForwardDevs = []string{"eth5"}
		},
		"uplink-renamed": func(s *Snapshot) {
			macvtap(s)
			s.network("direct").Config.ForwardDevs, s.network("direct").Live.ForwardDevs = []string{"eth3"}, []string{"eth3"}
			s.guest("mac").Interfaces = s.guest("mac").Interfaces[:1]
			s.dropLink("macvtap1")
		},
		"uplink-renamed+while-it-runs": func(s *Snapshot) {
			macvtap(s)
			s.link("eth2").Name = "enp2s0"
			s.link("macvtap0").Parent, s.link("macvtap1").Parent = "enp2s0", "enp2s0"
		},
		"uplink-renamed+unused": func(s *Snapshot) {
			addNetwork(s, libvirtnet.Network{Name: "old", Persistent: true, Config: &xml.Network{Name: "old", Mode: xml.VEPA, ForwardDevs: []string{"eth3"}}})
		},
		"uplink-renamed+shut-off": func(s *Snapshot) {
			addGuest(s, "later", libvirtnet.ShutOff, libvirtnet.Interface{Type: "direct", Dev: "eth3", Mode: "bridge", Source: "eth3", MAC: "52:54:00:cc:00:05"})
		},
		"uplink-renamed+pf": func(s *Snapshot) {
			addNetwork(s, libvirtnet.Network{
				Name: "pool", Active: true, Persistent: true, Autostart: true,
				Config: &xml.Network{Name: "pool", Mode: xml.HostDev, PF: "ens1f0"},
			})
		},
		"uplink-renamed+configured": func(s *Snapshot) {
			configuredBridge(s, "enp3s0")
			s.unplug("eth0")
			s.link("eth0").Name = "enp4s0"
		},
		"uplink-renamed+one-of-two-ports": func(s *Snapshot) { configuredBridge(s, "enp3s0") },
	}
}

func mtuFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"mtu-tap-vs-guest": func(s *Snapshot) {
			s.guest("centos").Interfaces[0].MTU = 9000
		},
		"mtu-tap-vs-guest+lowered": func(s *Snapshot) { s.link("vnet0").MTU, s.link("virbr0").MTU = 1400, 1400 },
		"mtu-tap-vs-guest+host-bridge": func(s *Snapshot) {
			s.link("vnet1").MTU, s.link("br0").MTU = 1300, 1300
		},
		"mtu-tap-vs-guest+raised-bridge": func(s *Snapshot) {
			s.link("br0").MTU, s.link("eth0").MTU, s.link("vnet3").MTU = 9000, 9000, 9000
		},
		"mtu-tap-vs-guest+network": func(s *Snapshot) {
			n := s.network("default")
			n.Live.MTU, n.Config.MTU = 9000, 9000
			s.link("virbr0").MTU, s.link("vnet2").MTU = 9000, 9000
		},
		"mtu-tap-vs-guest+raised": func(s *Snapshot) {
			s.guest("centos").Interfaces[1].MTU = 1500
			s.link("vnet1").MTU = 9000
		},
		"mtu-uplink-smaller": func(s *Snapshot) {
			s.guest("centos").Interfaces[1].MTU = 9000
			s.link("vnet1").MTU = 9000
		},
		"mtu-uplink-smaller+lowered": func(s *Snapshot) { s.link("eth0").MTU, s.link("br0").MTU = 1400, 1400 },
		"mtu-uplink-smaller+port-of-a-bond": func(s *Snapshot) {
			bonded(s, "802.3ad")
			for _, name := range []string{"bond0", "br0", "vnet1", "vnet3", "eth9"} {
				s.link(name).MTU = 9000
			}
		},
		"mtu-uplink-smaller+vlan": func(s *Snapshot) {
			onVLAN(s)
			s.link("br0").MTU, s.link("vnet1").MTU, s.link("vnet3").MTU = 9000, 9000, 9000
		},
	}
}

// withoutPMTUD makes the way out narrow and drops what the kernel says of it.
func withoutPMTUD(s *Snapshot, rule string) {
	for _, name := range []string{"eth0", "br0", "vnet1", "vnet3"} {
		s.link(name).MTU = 1420
	}
	s.Firewall = iptablesRules(s, rule)
}

func mtuPathFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"mtu-path-smaller": func(s *Snapshot) {
			withoutPMTUD(s, "-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP\n")
		},
		"mtu-path-smaller+route": func(s *Snapshot) {
			for i := range s.Kernel.Routes {
				if r := &s.Kernel.Routes[i]; r.Dst.Bits() == 0 {
					r.MTU = 1400
				}
			}
			s.Firewall = iptablesRules(s, "-A OUTPUT -p icmp -j REJECT --reject-with icmp-port-unreachable\n")
		},
	}
}

func qosFaults() map[string]func(*Snapshot) {
	set := func(change func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) { throttled(s); change(s) }
	}
	return map[string]func(*Snapshot){
		"qos-drift":              set(func(s *Snapshot) { s.Kernel.Qdiscs = s.Kernel.Qdiscs[:4] }),
		"qos-drift+police":       set(func(s *Snapshot) { s.Kernel.Qdiscs[3].Police = nil }),
		"qos-drift+another-rate": set(func(s *Snapshot) { s.Kernel.Qdiscs[4].Classes[0].Rate = 500_000 }),
		"qos-drift+another-peak": set(func(s *Snapshot) { s.Kernel.Qdiscs[4].Classes[0].Ceil = 9_000_000 }),
		"qos-drift+other-police": set(func(s *Snapshot) { s.Kernel.Qdiscs[3].Police[0].Rate = 4_000_000 }),
		"qos-drift+network":      set(func(s *Snapshot) { s.Kernel.Qdiscs = s.Kernel.Qdiscs[2:] }),
		"qos-drift+network-police": set(func(s *Snapshot) {
			s.Kernel.Qdiscs = append(s.Kernel.Qdiscs, bridge.Qdisc{Link: "virbr0", Kind: "ingress", Handle: "ffff:", Parent: "ingress", Police: []bridge.Police{{Rate: 1000}}})
		}),
		"qos-drift+leftover": set(func(s *Snapshot) {
			s.guest("centos").Interfaces[0].Bandwidth = xml.Bandwidth{Outbound: xml.Rate{Average: 128}}
		}),
		"qos-drift+leftover-police": set(func(s *Snapshot) {
			s.guest("centos").Interfaces[0].Bandwidth.Outbound = xml.Rate{}
		}),
		"qos-drift+by-hand": func(s *Snapshot) {
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "vnet0", Kind: "tbf", Handle: "8001:", Parent: "root", Rate: 125_000}}
		},
		"qos-drift+bridge-by-hand": func(s *Snapshot) {
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "virbr0", Kind: "tbf", Handle: "8001:", Parent: "root", Rate: 125_000}}
		},
		"qos-drift+bridge-of-nftables": func(s *Snapshot) {
			s.Libvirt.Version = 11_003_000
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "virbr0", Kind: "tbf", Handle: "8001:", Parent: "root", Rate: 125_000}}
		},
		"qos-drift+netem-on-a-limit": set(func(s *Snapshot) {
			s.Kernel.Qdiscs[4] = bridge.Qdisc{Link: "vnet0", Kind: "netem", Handle: "8001:", Parent: "root"}
		}),
		"qos-drift+bpf": func(s *Snapshot) {
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "vnet0", Kind: "clsact", Handle: "ffff:", Parent: "clsact", Police: []bridge.Police{{Rate: 1000}}}}
		},
		"qos-drift+macvtap": func(s *Snapshot) {
			// The guest's outbound is what a macvtap sends.
			macvtap(s)
			s.guest("mac").Interfaces[0].Bandwidth.Outbound = xml.Rate{Average: 500}
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "macvtap0", Kind: "ingress", Handle: "ffff:", Parent: "ingress", Police: []bridge.Police{{Rate: 500_000}}}}
		},
	}
}

func macvtapFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"macvtap-lower-missing": func(s *Snapshot) {
			macvtap(s)
			s.network("direct").Config.ForwardDevs, s.network("direct").Live.ForwardDevs = []string{"eth0"}, []string{"eth0"}
			for _, name := range []string{"eth2", "macvtap0", "macvtap1"} {
				s.dropLink(name)
			}
		},
		"macvtap-lower-down": func(s *Snapshot) {
			macvtap(s)
			s.link("eth2").Up, s.link("eth2").Carrier, s.link("eth2").Oper = false, false, "down"
			s.link("macvtap0").Carrier, s.link("macvtap1").Carrier = false, false
		},
		"macvtap-lower-down+cable": func(s *Snapshot) {
			macvtap(s)
			s.link("eth2").Carrier, s.link("eth2").Oper = false, "down"
		},
		"macvtap-rxfilter": func(s *Snapshot) { macvtap(s); s.link("macvtap0").MAC = "52:54:00:cc:00:99" },
		"macvtap-rxfilter+guest-changed": func(s *Snapshot) {
			macvtap(s)
			s.guest("mac").Interfaces[0].CurrentMAC = "02:00:00:00:00:07"
		},
		"macvtap-vepa-no-hairpin": twoOnVEPA,
		"macvtap-host-isolation":  askedInVain,
	}
}

func machineFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"sriov-pf-bridge": virtualFunctions,
		"sriov-pf-bridge+off": func(s *Snapshot) {
			virtualFunctions(s)
			filterKnows(s, brMACs...)
			s.link("eth0").VFs[1].LinkState = "disable"
		},
		"sriov-pf-bridge+vlan": func(s *Snapshot) { virtualFunctions(s); filterKnows(s, brMACs...); s.link("eth0").VFs[1].VLAN = 0 },
		"sriov-pf-bridge+bond": func(s *Snapshot) {
			bonded(s, bridge.BondLACP)
			virtualFunctions(s)
			filterKnows(s, brMACs[0])
		},
		"nested-mac-filter": func(s *Snapshot) {
			virtualMachine(s, "VMware, Inc.")
			heardOn(s, "vnet1", "52:54:00:e4:75:84")
		},
		"nested-mac-filter+cloud":   func(s *Snapshot) { virtualMachine(s, "Amazon EC2") },
		"nested-mac-filter+macvtap": func(s *Snapshot) { *s = inCloud("Amazon EC2", "bridge") },
		"nested-mac-filter+unknown": func(s *Snapshot) {
			virtualMachine(s, "QEMU")
			heardOn(s, "vnet1", "52:54:00:e4:75:84")
			heardOn(s, "vnet3", "52:54:00:aa:00:02")
		},
		"vhost-net-missing": kvmWithoutVhost,
		"vhost-net-missing+no-module": func(s *Snapshot) {
			kvmWithoutVhost(s)
			s.Services.Devices[1].Driver = services.DriverMissing
		},
		"uplink-missing+container": func(s *Snapshot) { containerLeft(s) },
		"uplink-no-carrier+lower":  func(s *Snapshot) { onVLAN(s); cut(s, "eth0.7"); s.link("eth0").Up = false },
		"uplink-no-carrier+wrong-socket": func(s *Snapshot) {
			asNIC(s)
			cut(s, "eth0")
			addLink(s, bridge.Link{Name: "eth1", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
		},
		"uplink-no-carrier+peer": func(s *Snapshot) {
			s.link("eth0").Parent = "far0"
			cut(s, "eth0")
			addLink(s, bridge.Link{Name: "far0", Kind: "veth", Parent: "eth0", MAC: "52:54:00:10:00:02", MTU: 1500, Oper: "down"})
		},
		"host-no-default-route+known-gateway": func(s *Snapshot) {
			dropDefault(s)
			s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "br0", IP: netip.MustParseAddr("203.0.113.1"), MAC: "52:54:00:00:00:fe", State: "stale"})
		},
	}
}

// brMACs are the MACs of the demo's guests on br0.
var brMACs = []string{"52:54:00:e4:75:84", "52:54:00:aa:00:02"}

func cut(s *Snapshot, name string) {
	s.link(name).Carrier, s.link(name).Oper = false, "lowerlayerdown"
}

func dropDefault(s *Snapshot) {
	var kept []bridge.Route
	for _, r := range s.Kernel.Routes {
		if r.Dst.Bits() > 0 {
			kept = append(kept, r)
		}
	}
	s.Kernel.Routes = kept
}

// containerLeft is a host bridge whose NIC was taken out, beside a container's
// end of a veth.
func containerLeft(s *Snapshot) {
	asNIC(s)
	s.unplug("eth0")
	addLink(s, bridge.Link{Name: "veth3a9f0c1", Kind: "veth", MAC: "0a:00:00:00:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up", ParentElsewhere: true})
	addPort(s, "veth3a9f0c1", "br0")
}
