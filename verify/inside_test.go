package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// insideFaults are hosts with something wrong inside a bridge.
func insideFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"bridge-ipv6-broken": func(s *Snapshot) {
			six(s)
			s.Kernel.Sysctls["net.ipv6.conf.virbr6.disable_ipv6"] = "1"
			dropAddresses(s, "virbr6", "fd00:6::1")
		},
		"bridge-ipv6-broken+whole-host": func(s *Snapshot) {
			six(s)
			s.Kernel.Sysctls["net.ipv6.conf.all.disable_ipv6"] = "1"
			s.Kernel.Sysctls["net.ipv6.conf.virbr6.disable_ipv6"] = "1"
			dropAddresses(s, "virbr6", "fd00:6::1")
		},
		"bridge-ipv6-broken+duplicate": func(s *Snapshot) {
			six(s)
			s.address("virbr6", "fd00:6::1").Tentative, s.address("virbr6", "fd00:6::1").DADFailed = true, true
		},
		"bridge-ipv6-broken+tentative": func(s *Snapshot) {
			six(s)
			s.address("virbr6", "fd00:6::1").Tentative = true
		},
		"bridge-accept-ra": func(s *Snapshot) { s.Kernel.Sysctls["net.ipv6.conf.virbr0.accept_ra"] = "2" },
		"bridge-accept-ra+autoconf": func(s *Snapshot) {
			s.Kernel.Sysctls["net.ipv6.conf.virbr0.autoconf"] = "1"
		},
		"bridge-accept-ra+ipv6-too": func(s *Snapshot) {
			for key, value := range map[string]string{"accept_ra": "1", "autoconf": "1", "disable_ipv6": "0"} {
				s.Kernel.Sysctls["net.ipv6.conf.virbr0."+key] = value
			}
		},
		"bridge-accept-ra+route": func(s *Snapshot) {
			s.Kernel.Routes = append(s.Kernel.Routes, bridge.Route{
				Table: 254, Dst: prefix("::/0"), Gateway: netip.MustParseAddr("fe80::5054:ff:fee4:7583"), Link: "virbr0", Protocol: "ra", Scope: "global", Type: "unicast", Metric: 1024,
			})
		},
		"port-flood-off":           func(s *Snapshot) { s.port("vnet0").BroadcastFlood = false },
		"port-flood-off+learning":  func(s *Snapshot) { s.port("vnet0").Learning, s.port("vnet0").Flood = false, false },
		"port-flood-off+locked":    func(s *Snapshot) { s.port("vnet1").Locked = true },
		"port-flood-off+uplink":    func(s *Snapshot) { s.port("eth0").Flood, s.port("eth0").MulticastFlood = false, false },
		"port-flood-off+multicast": func(s *Snapshot) { s.port("vnet2").MulticastFlood = false; static(s, "vnet2", "52:54:00:aa:00:01") },
		"hub-mode": func(s *Snapshot) {
			for _, name := range []string{"eth0", "vnet1", "vnet3"} {
				s.port(name).Learning = false
			}
		},
		"fdb-aging-zero":      func(s *Snapshot) { s.bridge("virbr0").AgeingTime = 0 },
		"fdb-aging-zero+long": func(s *Snapshot) { s.bridge("br0").AgeingTime = 7 * 24 * 3600 * 1000 },
		"mcast-snooping-no-querier": func(s *Snapshot) {
			snooping(s, "br0", "vnet1")
			learned(s, "vnet1", "52:54:00:e4:75:84")
			unresolved(s, "br0", "2001:db8::5054:ff:fee4:7584")
		},
		"mcast-hash-max": func(s *Snapshot) {
			s.bridge("virbr0").MulticastSnooping, s.bridge("virbr0").GroupMax = true, 512
			s.Kernel.Groups = []bridge.Groups{{Bridge: "virbr0", Count: 470}, {Bridge: "virbr0", Port: "vnet0", Count: 465}}
		},
		"mcast-hash-max+overflown": func(s *Snapshot) {
			s.bridge("virbr0").GroupMax = 512
			s.Kernel.Groups = []bridge.Groups{{Bridge: "virbr0", Count: 512}}
		},
		"fdb-limit": func(s *Snapshot) { s.bridge("br0").FDBMax, s.bridge("br0").FDBLearned = 100, 95 },
		"group-fwd-mask": func(s *Snapshot) {
			lab(s)
			s.bridge("br1").GroupForwardMask = 0xfff8
		},
		"fdb-mac-wrong-port": func(s *Snapshot) { learned(s, "eth0", "52:54:00:e4:75:84") },
		"fdb-mac-wrong-port+another-guest": func(s *Snapshot) {
			learned(s, "vnet2", "52:54:00:e4:75:83")
		},
		"fdb-mac-wrong-port+fixed": func(s *Snapshot) { static(s, "eth0", "52:54:00:e4:75:84") },
		"fdb-mac-wrong-port+gateway": func(s *Snapshot) {
			static(s, "vnet1", "02:00:00:00:00:01")
			meet(s, "203.0.113.1", "02:00:00:00:00:01", "reachable", 100)
			s.Kernel.Neighbours[len(s.Kernel.Neighbours)-1].Link = "br0"
		},
		"fdb-mac-wrong-port+bridge": func(s *Snapshot) {
			s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: "virbr0", Port: "virbr0", MAC: "52:54:00:e4:75:83", State: bridge.FDBPermanent})
		},
		"fdb-mac-wrong-port+vlan": with2(vlanAware, func(s *Snapshot) {
			learned(s, "eth0", "52:54:00:e4:75:84")
			s.Kernel.FDB[len(s.Kernel.FDB)-1].VLAN = 100
		}),
		"bridge-mac-lost": func(s *Snapshot) { listed(s, "virbr0"); ownEntry(s, "br0") },
		"bridge-mac-lost+host-bridge": func(s *Snapshot) {
			listed(s, "br0")
			ownEntry(s, "virbr0")
		},
		"bridge-mac-lost+pinned": func(s *Snapshot) {
			listed(s, "virbr0")
			ownEntry(s, "br0")
			static(s, "vnet0", s.link("virbr0").MAC)
		},
		"fdb-flap": func(s *Snapshot) {
			learned(s, "vnet1", "52:54:00:e4:75:84")
			s.Kernel.Watch = &bridge.Watch{Looks: 8, Duration: 1400, Counters: []bridge.Counter{}, Moves: []bridge.Move{
				{Bridge: "br0", MAC: "52:54:00:e4:75:84", Ports: []string{"eth0", "vnet1", "eth0", "vnet1"}},
			}}
		},
		"fdb-unknown-mac": func(s *Snapshot) { learned(s, "vnet0", "02:42:ac:11:00:02") },
		"fdb-unknown-mac+flood": func(s *Snapshot) {
			for i := range manyMACs {
				learned(s, "vnet1", fmt.Sprintf("02:00:00:00:01:%02x", i))
			}
		},
		"bridge-loop": func(s *Snapshot) {
			twin(s)
			learned(s, "eth1", "02:00:00:00:00:99")
			s.Kernel.Watch = &bridge.Watch{Looks: 10, Duration: 18, Counters: []bridge.Counter{}, Moves: []bridge.Move{
				{Bridge: "br0", MAC: "02:00:00:00:00:99", Ports: []string{"eth0", "eth1", "eth0", "eth1"}},
				{Bridge: "br0", MAC: "52:54:00:e4:75:84", Ports: []string{"vnet1", "eth0", "vnet1"}},
			}}
		},
		"bridge-loop+hardware": func(s *Snapshot) {
			twin(s)
			s.link("eth0").Kind, s.link("eth1").Kind = "", ""
		},
		"bridge-loop+guest": func(s *Snapshot) {
			addGuest(s, "switch", libvirtnet.Running, onBridge("br0", "vnet7", "52:54:00:aa:00:07"), onBridge("br0", "vnet8", "52:54:00:aa:00:08"))
			s.Kernel.Watch = &bridge.Watch{Looks: 10, Duration: 18, Counters: []bridge.Counter{}, Moves: []bridge.Move{
				{Bridge: "br0", MAC: "02:00:00:00:00:99", Ports: []string{"vnet7", "vnet8", "vnet7"}},
			}}
		},
		"bridge-port-limit":      func(s *Snapshot) { crowd(s, "br0", manyPorts) },
		"bridge-port-limit+full": func(s *Snapshot) { crowd(s, "br0", maxPorts) },
		"tap-tx-drops": func(s *Snapshot) {
			drops(s)
			learned(s, "vnet0", "52:54:00:e4:75:83")
		},
		"tap-tx-drops+unused": drops,
		"rogue-dhcp": func(s *Snapshot) {
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{
				Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 67, Device: "virbr0", PID: 66, Command: "udhcpd", Args: []string{"udhcpd", "-f"},
			})
		},
		"rogue-dhcp+at-its-address": func(s *Snapshot) {
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{
				Protocol: "udp", Address: netip.MustParseAddr("192.168.122.1"), Port: 67, PID: 66, Command: "kea-dhcp4",
			})
		},
		"rogue-dhcp+on-every-link":    func(s *Snapshot) { sharedDHCP(s, "virbr0") },
		"bridge-vlanfilter-drift":     with2(macTable, func(s *Snapshot) { s.bridge("virbr0").VLANFiltering = false }),
		"bridge-vlanfilter-drift+tap": with2(macTable, func(s *Snapshot) { s.Kernel.FDB = s.Kernel.FDB[1:] }),
		"bridge-vlanfilter-drift+replug": with2(macTable, func(s *Snapshot) {
			s.Kernel.FDB = s.Kernel.FDB[1:]
			s.port("vnet0").Learning, s.port("vnet0").Flood = true, true
		}),
		"port-vlan-mismatch": with2(vlanAware, func(s *Snapshot) { setVLANs(s, "vnet1", bridge.VLAN{First: 1, Last: 1, PVID: true, Untagged: true}) }),
		"port-vlan-mismatch+leak": with2(vlanAware, func(s *Snapshot) {
			s.Kernel.VLANs = append(s.Kernel.VLANs, bridge.VLAN{Port: "vnet1", First: 200, Last: 209})
		}),
		"port-vlan-mismatch+trunk": with2(vlanAware, trunkLost),
		"tap-not-enslaved+vlan":    with2(vlanAware, func(s *Snapshot) { s.unplug("vnet1"); setVLANs(s, "vnet1") }),
		"port-vlan-mismatch+uplink": with2(vlanAware, func(s *Snapshot) {
			setVLANs(s, "eth0", bridge.VLAN{First: 1, Last: 1, PVID: true, Untagged: true}, bridge.VLAN{First: 2, Last: 99})
		}),
		"port-vlan-mismatch+lost-by-hook": with2(vlanAware, hooks),
		"uplink-promisc-missing":          func(s *Snapshot) { s.link("eth0").Promiscuity = ptr(0) },
		"uplink-promisc-missing+tap-learns": with2(macTableBr0, func(s *Snapshot) {
			s.network("lan").Config.MACTable, s.network("lan").Live.MACTable = "", ""
			s.port("vnet1").Learning = true
		}),
	}
}

// insideHealthy are hosts that look as if something were wrong inside a bridge.
func insideHealthy() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-ipv6-network": with(func(s *Snapshot) { six(s) }),
		"ok-ipv6-tentative-without-carrier": with(func(s *Snapshot) {
			six(s)
			s.link("virbr6").Carrier = false
			s.address("virbr6", "fd00:6::1").Tentative = true
		}),
		"ok-host-bridge-takes-ra": with(func(s *Snapshot) {
			s.Kernel.Sysctls["net.ipv6.conf.br0.accept_ra"], s.Kernel.Sysctls["net.ipv6.conf.br0.autoconf"] = "1", "1"
			s.Kernel.Sysctls["net.ipv6.conf.virbr0.accept_ra"], s.Kernel.Sysctls["net.ipv6.conf.virbr0.autoconf"] = "0", "0"
			s.Kernel.Sysctls["net.ipv6.conf.virbr0.disable_ipv6"] = "1"
		}),
		"ok-static-entries": with(func(s *Snapshot) {
			s.port("vnet0").Flood, s.port("vnet0").Learning, s.port("vnet0").Locked = false, false, true
			static(s, "vnet0", "52:54:00:e4:75:83")
		}),
		"ok-own-entries": with(func(s *Snapshot) {
			listed(s, "virbr0")
			listed(s, "br0")
			ownEntry(s, "virbr0")
			s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: "br0", Port: "eth0", MAC: s.link("br0").MAC, State: bridge.FDBPermanent, VLAN: 1})
		}),
		"ok-takes-every-frame": with(func(s *Snapshot) {
			listed(s, "virbr0")
			s.link("virbr0").Promiscuity = ptr(1)
			// The host is on no link but the loopback.
			addAddress(s, "lo", "198.51.100.7/32")
			s.Kernel.Addresses = slices.DeleteFunc(s.Kernel.Addresses, func(a bridge.Address) bool { return a.Link == "br0" })
			s.link("br0").Promiscuity = ptr(0)
		}),
		"ok-gateway-is-a-guest": with(func(s *Snapshot) {
			static(s, "vnet1", "52:54:00:e4:75:84")
			static(s, "eth0", "02:00:00:00:00:02")
			meet(s, "203.0.113.1", "52:54:00:e4:75:84", "reachable", 100)
			meet(s, "203.0.113.2", "02:00:00:00:00:02", "reachable", 100)
			for i := range s.Kernel.Neighbours {
				s.Kernel.Neighbours[i].Link = "br0"
			}
		}),
		"ok-evpn": with(func(s *Snapshot) {
			for _, name := range []string{"vnet1", "vnet3"} {
				s.port(name).NeighSuppress, s.port(name).Flood, s.port(name).BroadcastFlood = true, false, false
			}
		}),
		"ok-hybrid-plug": with(func(s *Snapshot) {
			addBridge(s, "qbr1234abcd-12", "02:00:00:00:01:01", 0, 0)
			s.bridge("qbr1234abcd-12").AgeingTime = 0
			addLink(s, bridge.Link{Name: "qvb1234abcd-12", Kind: "veth", MAC: "02:00:00:00:02:01", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addPort(s, "qvb1234abcd-12", "qbr1234abcd-12")
			addGuest(s, "cloud", libvirtnet.Running, onBridge("qbr1234abcd-12", "tap1234abcd-12", "fa:16:3e:aa:00:09"))
		}),
		"ok-snooping-by-default": with(func(s *Snapshot) {
			for _, name := range []string{"virbr0", "br0"} {
				s.bridge(name).MulticastSnooping, s.bridge(name).GroupMax = true, 4096
			}
			s.Kernel.Groups = []bridge.Groups{{Bridge: "br0", Count: 5}, {Bridge: "br0", Port: "vnet1", Count: 2}, {Bridge: "virbr0", Count: 3}}
			learned(s, "vnet1", "52:54:00:e4:75:84")
			// A guest that went, and one that has a querier.
			unresolved(s, "br0", "2001:db8::5054:ff:fe00:9999")
		}),
		"ok-querier-elsewhere": with(func(s *Snapshot) {
			snooping(s, "br0", "vnet1")
			s.bridge("br0").Querier6 = "fe80::1"
			learned(s, "vnet1", "52:54:00:e4:75:84")
			unresolved(s, "br0", "2001:db8::5054:ff:fee4:7584")
		}),
		"ok-lab-links": with(func(s *Snapshot) {
			lab(s)
			s.bridge("br1").GroupForwardMask, s.bridge("br2").GroupForwardMask = 0xfff8, 0xfff8
		}),
		"ok-learned-addresses": with(func(s *Snapshot) {
			learned(s, "eth0", "02:00:00:00:00:99")
			learned(s, "vnet0", "52:54:00:e4:75:83")
			learned(s, "vnet1", "00:00:5e:00:01:07") // VRRP
			s.guest("debian").Interfaces[0].CurrentMAC = "02:aa:00:00:00:01"
			learned(s, "vnet2", "02:aa:00:00:00:01")
			// Before the guest came here: an entry that ages.
			learned(s, "eth0", "52:54:00:e4:75:84")
			s.Kernel.FDB[len(s.Kernel.FDB)-1].Age = 120_000
		}),
		"ok-guest-arrives": with(func(s *Snapshot) {
			s.guest("centos").State, s.guest("centos").Reason = libvirtnet.Paused, "migrating"
			learned(s, "eth0", "52:54:00:e4:75:84")
		}),
		"ok-guest-moved-once": with(func(s *Snapshot) {
			learned(s, "vnet1", "52:54:00:e4:75:84")
			s.Kernel.Watch = &bridge.Watch{Looks: 8, Duration: 1400, Counters: []bridge.Counter{}, Moves: []bridge.Move{
				{Bridge: "br0", MAC: "52:54:00:e4:75:84", Ports: []string{"eth0", "vnet1"}},
			}}
		}),
		"ok-bond-in-a-guest": with(func(s *Snapshot) {
			addGuest(s, "bond", libvirtnet.Running, onBridge("br0", "vnet7", "52:54:00:aa:00:07"), onBridge("br0", "vnet8", "52:54:00:aa:00:08"))
			learned(s, "vnet8", "52:54:00:aa:00:07")
			s.Kernel.Watch = &bridge.Watch{Looks: 10, Duration: 18, Counters: []bridge.Counter{}, Moves: []bridge.Move{
				{Bridge: "br0", MAC: "52:54:00:aa:00:07", Ports: []string{"vnet7", "vnet8", "vnet7"}},
			}}
		}),
		"ok-two-uplinks-one-blocked": with(func(s *Snapshot) {
			twin(s)
			s.link("eth0").Kind, s.link("eth1").Kind = "", ""
			s.port("eth1").State = bridge.PortBlocking
		}),
		"ok-containers-on-the-network": with(func(s *Snapshot) {
			for _, name := range []string{"veth1a2B3c", "veth1000_K8fz"} {
				addLink(s, bridge.Link{Name: name, Kind: "veth", MAC: "fe:00:00:00:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up", ParentElsewhere: true})
				addPort(s, name, "virbr0")
			}
		}),
		"ok-containers-on-the-bridge": with(func(s *Snapshot) {
			twin(s)
			learned(s, "eth1", "02:00:00:00:00:99")
			s.Kernel.Watch = &bridge.Watch{Looks: 10, Duration: 18, Counters: []bridge.Counter{}, Moves: []bridge.Move{}}
		}),
		"ok-crowded-bridge": with(func(s *Snapshot) { crowd(s, "br0", manyPorts-1) }),
		"ok-dropped-at-boot": with(func(s *Snapshot) {
			s.Kernel.Counters = []bridge.Counter{{Link: "vnet0", TXPackets: 5000, TXDropped: 4000}, {Link: "vnet2", TXPackets: 900000, TXDropped: 60}}
			s.Kernel.Watch = &bridge.Watch{Looks: 2, Duration: 300, Moves: []bridge.Move{}, Counters: []bridge.Counter{
				{Link: "vnet0", TXDropped: fewDrops - 1}, {Link: "vnet2", TXPackets: 10000, TXDropped: 50},
			}}
		}),
		"ok-dhcp-of-another-link": with(func(s *Snapshot) { sharedDHCP(s, "virbr01") }),
		"ok-own-dhcp-server": with(func(s *Snapshot) {
			n := natNetwork("pxe", "virbr7", "10.7.0.1/24")
			n.Config.IPs[0].Ranges = nil
			addNetwork(s, n)
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{
				Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 67, Device: "virbr7", PID: 66, Command: "dhcpd", Args: []string{"dhcpd", "virbr7"},
			})
		}),
		"ok-mac-table": with(macTable),
		"ok-mac-table-host-bridge": with(func(s *Snapshot) {
			macTableBr0(s)
		}),
		"ok-mac-table-unfiltered-kernel": with(func(s *Snapshot) {
			s.network("default").Live.MACTable, s.network("default").Config.MACTable = "libvirt", "libvirt"
		}),
		"ok-vlan-aware": with(vlanAware),
		"ok-same-mac-in-another-vlan": with(func(s *Snapshot) {
			vlanAware(s)
			learned(s, "eth0", "52:54:00:e4:75:84")
			s.Kernel.FDB[len(s.Kernel.FDB)-1].VLAN = 300
		}),
		"ok-vlans-by-hooks": with(func(s *Snapshot) {
			vlanAware(s)
			hooks(s)
			setVLANs(s, "vnet7", bridge.VLAN{First: 30, Last: 30, PVID: true, Untagged: true})
		}),
	}
}

// six adds an IPv6 network.
func six(s *Snapshot) {
	n := natNetwork("six", "virbr6", "fd00:6::1/64")
	n.Config.Mode = xml.Isolated
	addNetwork(s, n)
	for _, key := range []string{"disable_ipv6", "accept_ra", "autoconf"} {
		s.Kernel.Sysctls["net.ipv6.conf.virbr6."+key] = "0"
	}
}

func (s *Snapshot) address(link, addr string) *bridge.Address {
	for i := range s.Kernel.Addresses {
		if a := &s.Kernel.Addresses[i]; a.Link == link && a.Prefix.Addr().String() == addr {
			return a
		}
	}
	return nil
}

func dropAddresses(s *Snapshot, link, addr string) {
	var kept []bridge.Address
	for _, a := range s.Kernel.Addresses {
		if a.Link != link || a.Prefix.Addr().String() != addr {
			kept = append(kept, a)
		}
	}
	s.Kernel.Addresses = kept
	dropRoutes(s, link)
	dropSockets(s, addr)
}

func entry(s *Snapshot, port, mac, state string) {
	s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: s.port(port).Bridge, Port: port, MAC: mac, State: state})
}

// listed is a link as the kernel has it in a table that was read.
func listed(s *Snapshot, name string) {
	s.link(name).Promiscuity = ptr(0)
	s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Port: name, MAC: "01:00:5e:00:00:01", State: bridge.FDBPermanent, Self: true})
}

// ownEntry is the entry that a link's own MAC has in its bridge.
func ownEntry(s *Snapshot, name string) {
	at := s.link(name).Master
	if at == "" {
		at = name
	}
	s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: at, Port: name, MAC: s.link(name).MAC, State: bridge.FDBPermanent})
}

func learned(s *Snapshot, port, mac string) { entry(s, port, mac, bridge.FDBLearned) }
func static(s *Snapshot, port, mac string)  { entry(s, port, mac, bridge.FDBStatic) }

func snooping(s *Snapshot, name, port string) {
	s.bridge(name).MulticastSnooping = true
	s.Kernel.Groups = append(s.Kernel.Groups, bridge.Groups{Bridge: name, Count: 3}, bridge.Groups{Bridge: name, Port: port, Count: 2})
}

func unresolved(s *Snapshot, link, addr string) {
	s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: link, IP: netip.MustParseAddr(addr), State: "failed"})
}

// drops has a tap that drops packets while it is watched.
func drops(s *Snapshot) {
	s.Kernel.Counters = []bridge.Counter{{Link: "vnet0", TXPackets: 5000, TXDropped: 4000}}
	s.Kernel.Watch = &bridge.Watch{Looks: 2, Duration: 300, Moves: []bridge.Move{}, Counters: []bridge.Counter{{Link: "vnet0", TXPackets: 10, TXDropped: 90}}}
}

// lab adds a guest with two links of a laboratory.
func lab(s *Snapshot) {
	for _, name := range []string{"br1", "br2"} {
		addBridge(s, name, "02:00:00:00:01:0"+name[2:], 0, 0)
		addAddress(s, name, "10.9."+name[2:]+".1/24")
	}
	addGuest(s, "router", libvirtnet.Running, onBridge("br1", "vnet7", "52:54:00:aa:00:07"), onBridge("br2", "vnet8", "52:54:00:aa:00:08"),
		onNetwork("default", "vnet9", "52:54:00:aa:00:09"))
}

// twin adds a second uplink to br0.
func twin(s *Snapshot) {
	addLink(s, bridge.Link{Name: "eth1", Kind: "veth", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addPort(s, "eth1", "br0")
}

// crowd fills a bridge with taps of others up to a number of ports.
func crowd(s *Snapshot, name string, count int) {
	for i := 0; ; i++ {
		have := 0
		for _, l := range s.Kernel.Links {
			if l.Master == name {
				have++
			}
		}
		if have >= count {
			return
		}
		tap := fmt.Sprintf("tap%d", i)
		addTap(s, onBridge("", tap, fmt.Sprintf("02:00:00:01:%02x:%02x", i>>8, i&0xff)))
		s.link(tap).Master = name
	}
}

// with2 is one change on top of another.
func with2(first, then func(*Snapshot)) func(*Snapshot) {
	return func(s *Snapshot) {
		first(s)
		then(s)
	}
}

// managed makes a bridge's table libvirt's.
func managed(s *Snapshot, name string, taps map[string]string) {
	s.bridge(name).VLANFiltering, s.bridge(name).DefaultPVID = true, ptr(1)
	for _, tap := range []string{"vnet0", "vnet1", "vnet2", "vnet3"} {
		if mac := taps[tap]; mac != "" {
			s.port(tap).Learning, s.port(tap).Flood = false, false
			static(s, tap, mac)
		}
	}
}

func macTable(s *Snapshot) {
	n := s.network("default")
	n.Live.MACTable, n.Config.MACTable = "libvirt", "libvirt"
	managed(s, "virbr0", map[string]string{"vnet0": "52:54:00:e4:75:83", "vnet2": "52:54:00:aa:00:01"})
}

func macTableBr0(s *Snapshot) {
	n := s.network("lan")
	n.Live = ptr(*n.Config)
	n.Live.MACTable, n.Config.MACTable = "libvirt", "libvirt"
	managed(s, "br0", map[string]string{"vnet1": "52:54:00:e4:75:84", "vnet3": "52:54:00:aa:00:02"})
	s.link("eth0").Promiscuity = ptr(0)
}

// vlanAware has br0 filter VLANs, with a guest in VLAN 100 and one on a trunk.
func vlanAware(s *Snapshot) {
	s.Libvirt.Version = 11003000
	s.bridge("br0").VLANFiltering, s.bridge("br0").DefaultPVID = true, ptr(1)
	s.guest("centos").Interfaces[1].VLANs = []int{100}
	trunk := &s.guest("debian").Interfaces[1]
	trunk.VLANs, trunk.Trunk, trunk.NativeVLAN = []int{10, 20, 30}, true, 10
	setVLANs(s, "eth0", bridge.VLAN{First: 1, Last: 1, PVID: true, Untagged: true}, bridge.VLAN{First: 2, Last: 4094})
	setVLANs(s, "vnet1", bridge.VLAN{First: 100, Last: 100, PVID: true, Untagged: true})
	setVLANs(s, "vnet3", bridge.VLAN{First: 10, Last: 10, PVID: true, Untagged: true}, bridge.VLAN{First: 20, Last: 20}, bridge.VLAN{First: 30, Last: 30})
}

func setVLANs(s *Snapshot, port string, list ...bridge.VLAN) {
	var kept []bridge.VLAN
	for _, v := range s.Kernel.VLANs {
		if v.Port != port {
			kept = append(kept, v)
		}
	}
	for _, v := range list {
		v.Port = port
		kept = append(kept, v)
	}
	s.Kernel.VLANs = kept
}

func trunkLost(s *Snapshot) {
	setVLANs(s, "vnet3", bridge.VLAN{First: 1, Last: 1, PVID: true, Untagged: true}, bridge.VLAN{First: 20, Last: 20})
}

// hooks has guests whose VLANs a hook sets; one lost its own.
func hooks(s *Snapshot) {
	for i, name := range []string{"a", "b", "c"} {
		tap := fmt.Sprintf("vnet%d", 7+i)
		addGuest(s, name, libvirtnet.Running, onHostNetwork("lan", "br0", tap, fmt.Sprintf("52:54:00:aa:01:0%d", i)))
		id := 40
		if name == "c" {
			id = 1
		}
		setVLANs(s, tap, bridge.VLAN{First: id, Last: id, PVID: true, Untagged: true})
	}
}

// sharedDHCP is a dnsmasq of somebody's with a socket on every link.
func sharedDHCP(s *Snapshot, link string) {
	s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{
		Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 67, PID: 66, Command: "dnsmasq",
		Args: []string{"dnsmasq", "-i", "eth9", "-i", link, "--bind-interfaces", "--dhcp-range=192.168.122.200,192.168.122.210"},
	})
}
