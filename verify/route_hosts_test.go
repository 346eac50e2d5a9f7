package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// addRule adds a rule of IPv4 where the kernel would show it.
func addRule(s *Snapshot, r bridge.Rule) {
	r.Family = max(r.Family, 4)
	if r.Action == "" {
		r.Action = "lookup"
	}
	if r.SuppressPrefixLength == 0 {
		r.SuppressPrefixLength = -1
	}
	at := 0
	for at < len(s.Kernel.Rules) && (s.Kernel.Rules[at].Family < r.Family || s.Kernel.Rules[at].Family == r.Family && s.Kernel.Rules[at].Priority <= r.Priority) {
		at++
	}
	s.Kernel.Rules = append(s.Kernel.Rules[:at:at], append([]bridge.Rule{r}, s.Kernel.Rules[at:]...)...)
}

// addTableRoute adds a route to a table.
func addTableRoute(s *Snapshot, table int, dst, gateway, link string) {
	addRoute(s, dst, gateway, link)
	s.Kernel.Routes[len(s.Kernel.Routes)-1].Table = table
}

// refuse adds a route that turns packets away.
func refuse(s *Snapshot, table int, kind, dst string) {
	addTableRoute(s, table, dst, "", "")
	s.Kernel.Routes[len(s.Kernel.Routes)-1].Type = kind
}

func addTunnel(s *Snapshot, name, kind string) {
	addLink(s, bridge.Link{Name: name, Kind: kind, MTU: 1420, Up: true, Carrier: true, Oper: "unknown"})
}

// tailscale has an exit node: its table is asked before the main one, except
// for its own packets, which are marked.
func tailscale(s *Snapshot, routes ...string) {
	addTunnel(s, "tailscale0", "tun")
	s.link("tailscale0").Tun = &bridge.Tun{}
	const mark, mask = 0x80000, 0xff0000
	addRule(s, bridge.Rule{Priority: 5210, Table: tableMain, Mark: mark, Mask: mask})
	addRule(s, bridge.Rule{Priority: 5230, Table: tableDefault, Mark: mark, Mask: mask})
	addRule(s, bridge.Rule{Priority: 5250, Action: "unreachable", Mark: mark, Mask: mask})
	addRule(s, bridge.Rule{Priority: 5270, Table: 52})
	for _, dst := range routes {
		addTableRoute(s, 52, dst, "", "tailscale0")
	}
}

// tunnelOfItsOwn has a tunnel that only what the host sends from the tunnel's own
// address leaves by.
func tunnelOfItsOwn(s *Snapshot) {
	addTunnel(s, "wg0", "wireguard")
	addAddress(s, "wg0", "10.9.0.2/24")
	addRule(s, bridge.Rule{Priority: 100, Table: 77, Src: prefix("10.9.0.2/32")})
	addTableRoute(s, 77, "0.0.0.0/0", "", "wg0")
}

// wgQuick has a tunnel for everything, as wg-quick makes it.
func wgQuick(s *Snapshot) {
	addTunnel(s, "wg0", "wireguard")
	addRule(s, bridge.Rule{Priority: 32764, Table: tableMain})
	for i := range s.Kernel.Rules {
		if s.Kernel.Rules[i].Priority == 32764 {
			s.Kernel.Rules[i].SuppressPrefixLength = 0
		}
	}
	addRule(s, bridge.Rule{Priority: 32765, Table: 51820, Mark: 0xca6c, Mask: 0xffffffff, Invert: true})
	addTableRoute(s, 51820, "0.0.0.0/0", "", "wg0")
}

// gateway gives the host's gateway a state in the neighbour table, since some
// milliseconds.
func gateway(s *Snapshot, state string, since int64) {
	s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "br0", IP: netip.MustParseAddr("203.0.113.1"), State: state, Updated: since})
}

func routeFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"gateway-unreachable":       func(s *Snapshot) { gateway(s, "failed", 4000) },
		"gateway-unreachable+asked": func(s *Snapshot) { gateway(s, "incomplete", 2100) },
		"route-shadow":              func(s *Snapshot) { addRoute(s, "192.168.122.0/25", "203.0.113.7", "br0") },
		"route-shadow+vpn": func(s *Snapshot) {
			tailscale(s, "192.168.122.0/25")
		},
		"route-shadow+unused-part": func(s *Snapshot) { addRoute(s, "192.168.122.200/32", "", "br0") },
		"route-shadow+blackhole":   func(s *Snapshot) { refuse(s, tableMain, "blackhole", "192.168.122.0/30") },
		"route-shadow+another-network": func(s *Snapshot) {
			addNetwork(s, natNetwork("lab", "virbr1", "10.12.0.1/24"))
			addRoute(s, "192.168.122.64/26", "", "virbr1")
		},
		"route-shadow+ipv6": func(s *Snapshot) {
			dualStack(s)
			addRoute(s, "fd00:6::/80", "fd00:99::1", "br0")
		},
		"route-shadow+isolated": func(s *Snapshot) {
			s.network("default").Live.Mode, s.network("default").Config.Mode = xml.Isolated, xml.Isolated
			addRoute(s, "192.168.122.2/32", "203.0.113.7", "br0")
		},
		"policy-route-steals": func(s *Snapshot) { tailscale(s, "0.0.0.0/0") },
		"policy-route-steals+host-alone": func(s *Snapshot) {
			dropRoute(s, "0.0.0.0/0")
			addTableRoute(s, 88, "0.0.0.0/0", "203.0.113.1", "br0")
			addRule(s, bridge.Rule{Priority: 40000, Table: 88, IIF: "lo"})
		},
		"policy-route-steals+unmarked": func(s *Snapshot) {
			addTunnel(s, "wg0", "wireguard")
			addTableRoute(s, 51820, "0.0.0.0/0", "", "wg0")
			addRule(s, bridge.Rule{Priority: 1000, Table: 51820, Dst: prefix("192.168.0.0/16")})
		},
		"policy-route-steals+same-subnet": func(s *Snapshot) {
			addTunnel(s, "wg0", "wireguard")
			addTableRoute(s, 77, "192.168.122.0/24", "", "wg0")
			addRule(s, bridge.Rule{Priority: 1, Table: 77, IIF: "br0"})
		},
		"policy-route-steals+subnet-in-a-table": func(s *Snapshot) {
			addTableRoute(s, 100, "192.168.122.0/24", "203.0.113.7", "br0")
			addRule(s, bridge.Rule{Priority: 100, Table: 100})
		},
		"policy-route-steals+wider-in-a-table": func(s *Snapshot) {
			addTableRoute(s, 100, "192.168.0.0/16", "203.0.113.7", "br0")
			addRule(s, bridge.Rule{Priority: 100, Table: 100})
		},
		"policy-route-steals+to-the-subnet": func(s *Snapshot) {
			addTableRoute(s, 100, "0.0.0.0/0", "203.0.113.7", "br0")
			addRule(s, bridge.Rule{Priority: 32765, Table: 100, Dst: prefix("192.168.122.0/24")})
		},
		"host-no-default-route+blackholes": func(s *Snapshot) {
			refuse(s, tableMain, "blackhole", "0.0.0.0/1")
			refuse(s, tableMain, "blackhole", "128.0.0.0/1")
		},
		"host-no-default-route+half": func(s *Snapshot) { refuse(s, tableMain, "prohibit", "0.0.0.0/1") },
		"host-no-default-route+unreachable": func(s *Snapshot) {
			dropDefault(s)
			refuse(s, tableMain, "unreachable", "0.0.0.0/0")
		},
		"host-no-default-route+preferred-in-a-table": func(s *Snapshot) {
			refuse(s, 66, "blackhole", "0.0.0.0/0")
			addRule(s, bridge.Rule{Priority: 800, Table: tableMain, Dst: prefix("192.168.0.0/16")})
			addRule(s, bridge.Rule{Priority: 900, Table: 66})
		},
		"host-no-default-route+locked": func(s *Snapshot) {
			// A tunnel that is down, with a lock on everything else.
			addRule(s, bridge.Rule{Priority: 900, Table: tableMain, Dst: prefix("192.168.0.0/16")})
			addRule(s, bridge.Rule{Priority: 901, Action: "unreachable"})
		},
		"host-no-default-route+nat66": func(s *Snapshot) {
			nat66(s)
			dropRoute(s, "::/0")
			refuse(s, tableMain, "unreachable", "::/0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Metric = noEntry
		},
		"host-no-default-route+nat66-refused": func(s *Snapshot) {
			nat66(s)
			refuse(s, tableMain, "blackhole", "::/1")
		},
		"host-no-default-route+nat66-locked": func(s *Snapshot) {
			nat66(s)
			addRule(s, bridge.Rule{Family: 6, Priority: 900, Table: tableMain, Dst: prefix("fd00::/8")})
			addRule(s, bridge.Rule{Family: 6, Priority: 901, Action: "unreachable"})
		},
		"host-no-default-route+nat66-preferred": func(s *Snapshot) {
			nat66(s)
			dropRoute(s, "::/0")
			refuse(s, tableMain, "unreachable", "::/0")
		},
		"host-no-default-route+routed-ipv6": func(s *Snapshot) {
			dualStack(s)
			s.network("default").Live.Mode, s.network("default").Config.Mode = xml.Route, xml.Route
			refuse(s, tableMain, "prohibit", "2000::/3")
		},
		"policy-route-steals+refused": func(s *Snapshot) {
			addRule(s, bridge.Rule{Priority: 900, Action: "prohibit", Src: prefix("192.168.122.0/24")})
		},
		"policy-route-steals+blackhole-table": func(s *Snapshot) {
			refuse(s, 66, "blackhole", "0.0.0.0/0")
			addRule(s, bridge.Rule{Priority: 900, Table: 66, IIF: "virbr0"})
			addRule(s, bridge.Rule{Priority: 800, Table: tableMain, Dst: prefix("192.168.122.0/24")})
		},
		"rp-filter-strict": func(s *Snapshot) {
			// Guests leave by the second uplink; the way back is the first.
			secondUplink(s)
			addRule(s, bridge.Rule{Priority: 900, Table: 66, IIF: "virbr0"})
			setRPFilter(s, "eth1", 1)
		},
		"rp-filter-strict+all": func(s *Snapshot) {
			secondUplink(s)
			addRule(s, bridge.Rule{Priority: 900, Table: 66, IIF: "virbr0"})
			setRPFilter(s, "all", 1)
		},
		"rp-filter-strict+bridge": func(s *Snapshot) {
			// Only the host's own packets to guests are led elsewhere, and so is
			// the lookup of the way back.
			addTunnel(s, "wg0", "wireguard")
			addTableRoute(s, 66, "192.168.122.0/24", "", "wg0")
			addRule(s, bridge.Rule{Priority: 900, Table: 66, IIF: "lo", Src: prefix("0.0.0.0/1")})
			setRPFilter(s, "virbr0", 1)
		},
		"ipv6-forward": func(s *Snapshot) {
			dualStack(s)
			s.Kernel.Sysctls["net.ipv6.conf.all.forwarding"] = "0"
		},
		"ipv6-forward+advertised": func(s *Snapshot) {
			dualStack(s)
			advertised(s, "br0", "1")
			s.Kernel.Sysctls["net.ipv6.conf.all.forwarding"] = "0"
		},
		"accept-ra-lost": func(s *Snapshot) {
			dualStack(s)
			advertised(s, "br0", "1")
		},
		"accept-ra-lost+dotted": func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "eth0.100", Kind: "vlan", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			advertised(s, "eth0.100", "0")
		},
		"host-dns": func(s *Snapshot) {
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"2001:db8::53", "fd00::53"}}
		},
		"host-dns+behind-the-stub": func(s *Snapshot) {
			refuse(s, tableMain, "unreachable", "10.0.0.0/8")
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"127.0.0.53"}, Upstream: []string{"10.0.0.53"}}
			stub := bridge.Socket{Protocol: "udp", Address: netip.MustParseAddr("127.0.0.53"), Port: 53, PID: 9, Command: "systemd-resolve"}
			s.Kernel.Sockets = append(s.Kernel.Sockets, stub)
		},
		"conntrack-full":      func(s *Snapshot) { tracked(s, "65000", "65536") },
		"conntrack-full+soon": func(s *Snapshot) { tracked(s, "235930", "262144") },
		"neigh-table-overflow": func(s *Snapshot) {
			s.Kernel.NeighbourTables = []bridge.NeighbourTable{
				{Name: "arp_cache", Family: 4, Entries: 1018, Thresh1: 128, Thresh2: 512, Thresh3: 1024, Fulls: 77},
				{Name: "ndisc_cache", Family: 6, Entries: 12, Thresh1: 128, Thresh2: 512, Thresh3: 1024},
			}
		},
		"neigh-table-overflow+soon": func(s *Snapshot) {
			s.Kernel.NeighbourTables = []bridge.NeighbourTable{{Name: "ndisc_cache", Family: 6, Entries: 820, Thresh1: 128, Thresh2: 512, Thresh3: 1024}}
		},
		"neigh-table-overflow+many-guests": func(s *Snapshot) {
			s.Kernel.NeighbourTables = []bridge.NeighbourTable{{Name: "arp_cache", Family: 4, Entries: 20, Thresh1: 1, Thresh2: 7, Thresh3: 1024}}
		},
	}
}

// tracked sets how many connections the kernel knows, and its limit.
func tracked(s *Snapshot, count, limit string) {
	s.Kernel.Sysctls[conntrackCount], s.Kernel.Sysctls[conntrackMax] = count, limit
}

// secondUplink adds eth1 with a table that has its default route.
func secondUplink(s *Snapshot) {
	addLink(s, bridge.Link{Name: "eth1", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addAddress(s, "eth1", "198.51.100.2/24")
	addTableRoute(s, 66, "0.0.0.0/0", "198.51.100.1", "eth1")
}

func setRPFilter(s *Snapshot, link string, value int) {
	for i := range s.Kernel.Forwarding {
		if f := &s.Kernel.Forwarding[i]; f.Link == link && f.Family == 4 {
			f.RPFilter = value
			return
		}
	}
	s.Kernel.Forwarding = append(s.Kernel.Forwarding, bridge.Forwarding{Link: link, Family: 4, On: true, RPFilter: value})
}

// cutOut puts the host into a subnet around the network's, and lets it answer
// ARP for others on a link.
func cutOut(s *Snapshot, link string) {
	addAddress(s, "br0", "192.168.120.7/21")
	s.Kernel.Forwarding = append(s.Kernel.Forwarding, bridge.Forwarding{Link: link, Family: 4, On: true, Proxy: true})
}

// advertised gives a link routes that router advertisements made, and has it
// route.
func advertised(s *Snapshot, link, acceptRA string) {
	for _, dst := range []string{"2001:db8:7::/64", "::/0"} {
		addRoute(s, dst, "", link)
		r := &s.Kernel.Routes[len(s.Kernel.Routes)-1]
		r.Protocol, r.Metric, r.Autoconf = "ra", 1024, true
	}
	s.Kernel.Sysctls["net.ipv6.conf."+link+".accept_ra"] = acceptRA
	s.Kernel.Forwarding = append(s.Kernel.Forwarding, bridge.Forwarding{Link: link, Family: 6, On: true})
}

// dualStack gives the default network an IPv6 subnet and the host a way out.
func dualStack(s *Snapshot) {
	ip := xml.IP{Address: prefix("fd00:6::1/64")}
	n := s.network("default")
	n.Config.IPs = append(n.Config.IPs, ip)
	live := *n.Config
	live.Connections = n.Live.Connections
	n.Live = &live
	addAddress(s, "virbr0", "fd00:6::1/64")
	addDnsmasq(s, "default", "virbr0", ip)
	addAddress(s, "br0", "fd00:99::2/64")
	addRoute(s, "::/0", "fd00:99::1", "br0")
	s.Kernel.Sysctls["net.ipv6.conf.all.forwarding"] = "1"
}

// nat66 is a dual stack that has NAT for both, on a host with public addresses.
func nat66(s *Snapshot) {
	dualStack(s)
	s.network("default").Config.NAT = &xml.NATSpec{IPv6: true}
	s.network("default").Live.NAT = &xml.NATSpec{IPv6: true}
	addAddress(s, "br0", "2001:db8:1::2/64")
}

func dropRoute(s *Snapshot, dst string) {
	s.Kernel.Routes = slices.DeleteFunc(s.Kernel.Routes, func(r bridge.Route) bool { return r.Dst == prefix(dst) })
}

func healthyRoutes() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-full-tunnel": with(wgQuick),
		"ok-tunnel-of-its-own": with(func(s *Snapshot) {
			tunnelOfItsOwn(s)
			forwardingOff(s, "wg0")
		}),
		"ok-exit-node-allows-lan": with(func(s *Snapshot) {
			tailscale(s, "0.0.0.0/0")
			addRule(s, bridge.Rule{Priority: 2500, Table: tableMain, Dst: prefix("192.168.122.0/24")})
		}),
		"ok-split-vpn": with(func(s *Snapshot) { tailscale(s, "100.100.100.100/32", "10.9.0.0/16") }),
		"ok-exit-node-throws": with(func(s *Snapshot) {
			tailscale(s, "0.0.0.0/0")
			refuse(s, 52, "throw", "192.168.122.0/24")
		}),
		"ok-marked-detour": with(func(s *Snapshot) {
			addTunnel(s, "wg0", "wireguard")
			addTableRoute(s, 88, "0.0.0.0/0", "", "wg0")
			addRule(s, bridge.Rule{Priority: 50, Table: 88, Mark: 7, Mask: 0xff})
			addRule(s, bridge.Rule{Priority: 60, Table: 88, Selectors: []string{"ipproto", "dport"}})
			addRule(s, bridge.Rule{Priority: 70, Action: "prohibit", Src: prefix("192.168.99.0/24")})
		}),
		"ok-null-route-behind": with(func(s *Snapshot) {
			refuse(s, tableMain, "unreachable", "192.168.122.0/24")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Metric = 4000
		}),
		"ok-guests-by-vpn": with(func(s *Snapshot) {
			addTunnel(s, "wg0", "wireguard")
			addTableRoute(s, 88, "0.0.0.0/0", "", "wg0")
			addRule(s, bridge.Rule{Priority: 50, Table: 88, Src: prefix("192.168.122.0/24")})
			addRule(s, bridge.Rule{Priority: 40, Table: tableMain, Src: prefix("192.168.122.0/24"), SuppressPrefixLength: 1})
		}),
		"ok-route-by-a-guest": with(func(s *Snapshot) {
			addRoute(s, "192.168.122.64/26", "192.168.122.2", "virbr0")
			addRoute(s, "10.77.0.0/16", "192.168.122.2", "virbr0")
		}),
		"ok-strict-and-symmetric": with(func(s *Snapshot) {
			secondUplink(s)
			addRule(s, bridge.Rule{Priority: 900, Table: 66, Src: prefix("192.168.122.0/24")})
			addRule(s, bridge.Rule{Priority: 800, Table: tableMain, Dst: prefix("192.168.122.0/24")})
			setRPFilter(s, "all", 1)
		}),
		"ok-strict": with(func(s *Snapshot) { setRPFilter(s, "all", 1); setRPFilter(s, "br0", 1) }),
		"ok-loose-on-one-link": with(func(s *Snapshot) {
			secondUplink(s)
			addRule(s, bridge.Rule{Priority: 900, Table: 66, IIF: "virbr0"})
			setRPFilter(s, "all", 1)
			setRPFilter(s, "eth1", 2)
		}),
		"ok-strict-full-tunnel": with(func(s *Snapshot) { wgQuick(s); setRPFilter(s, "all", 1) }),
		"ok-strict-two-defaults": with(func(s *Snapshot) {
			// The kernel takes any next hop of the route for the way back.
			addLink(s, bridge.Link{Name: "eth1", MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addAddress(s, "eth1", "198.51.100.2/24")
			addRoute(s, "0.0.0.0/0", "198.51.100.1", "eth1")
			setRPFilter(s, "all", 1)
		}),
		// The network is a part of the LAN's subnet, for which the host answers ARP.
		"ok-gateway-failed-once": with(func(s *Snapshot) { gateway(s, "failed", 90_000) }),
		"ok-gateway-asked":       with(func(s *Snapshot) { gateway(s, "incomplete", 900) }),
		"ok-gateway-one-of-two": with(func(s *Snapshot) {
			gateway(s, "failed", 4000)
			addRoute(s, "0.0.0.0/0", "203.0.113.7", "br0")
		}),
		"ok-cut-out-ipv6": with(func(s *Snapshot) {
			dualStack(s)
			addAddress(s, "br0", "fd00:6:1::2/32")
			s.Kernel.Forwarding = append(s.Kernel.Forwarding, bridge.Forwarding{Link: "br0", Family: 6, On: true, Proxy: true})
		}),
		"ok-cut-out-of-the-lan": with(func(s *Snapshot) { cutOut(s, "br0") }),
		"ok-dual-stack":         with(dualStack),
		"ok-advertised":         with(func(s *Snapshot) { dualStack(s); advertised(s, "br0", "2") }),
		"ok-ra-in-user-space": with(func(s *Snapshot) {
			dualStack(s)
			advertised(s, "br0", "0")
			for i := range s.Kernel.Routes {
				s.Kernel.Routes[i].Autoconf = false
			}
		}),
		"ok-advertised-host-only": with(func(s *Snapshot) {
			advertised(s, "br0", "1")
			s.Kernel.Forwarding[len(s.Kernel.Forwarding)-1].On = false
		}),
		"ok-forced-forwarding": with(func(s *Snapshot) {
			dualStack(s)
			s.Kernel.Sysctls["net.ipv6.conf.all.forwarding"], s.Kernel.Sysctls["net.ipv6.conf.virbr0.force_forwarding"] = "0", "1"
		}),
		"ok-name-server-in-reach": with(func(s *Snapshot) {
			// One of several is enough; one on a link and one of the host are near.
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"2001:db8::53", "203.0.113.9"}}
		}),
		"ok-name-server-on-link": with(func(s *Snapshot) {
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"2001:db8::53", "fe80::1%eth0"}}
		}),
		"ok-busy-tables": with(func(s *Snapshot) {
			tracked(s, "235900", "262144")
			s.Kernel.NeighbourTables = []bridge.NeighbourTable{
				{Name: "arp_cache", Family: 4, Entries: 818, Thresh1: 128, Thresh2: 512, Thresh3: 1024},
				{Name: "ndisc_cache", Family: 6, Entries: 12, Thresh1: 128, Thresh2: 512, Thresh3: 1024, Fulls: 77},
			}
		}),
		"ok-unlimited-conntrack": with(func(s *Snapshot) { tracked(s, "9000000", "0") }),
		"ok-refused-elsewhere": with(func(s *Snapshot) {
			// Behind the default route, for some of the world, in front of nothing.
			refuse(s, tableMain, "unreachable", "0.0.0.0/0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Metric = 4278198272
			refuse(s, tableMain, "blackhole", "8.0.0.0/8")
			refuse(s, tableMain, "blackhole", "96.0.0.0/6")
			addRule(s, bridge.Rule{Priority: 900, Action: "prohibit", Dst: prefix("80.0.0.0/8")})
			addRule(s, bridge.Rule{Priority: 901, Action: "unreachable", Mark: 7, Mask: 0xff})
		}),
		"ok-no-ipv6-uplink": with(func(s *Snapshot) {
			// Locked by a VPN client so that nothing leaks.
			nat66(s)
			dropRoute(s, "::/0")
			s.Kernel.Addresses = slices.DeleteFunc(s.Kernel.Addresses, func(a bridge.Address) bool { return a.Prefix == prefix("2001:db8:1::2/64") })
			refuse(s, tableMain, "blackhole", "::/1")
		}),
		"ok-unique-local-without-default": with(func(s *Snapshot) {
			dualStack(s)
			addAddress(s, "br0", "2001:db8:1::2/64")
			dropRoute(s, "::/0")
			refuse(s, tableMain, "unreachable", "::/0")
		}),
		"ok-unique-local-refused": with(func(s *Snapshot) {
			dualStack(s)
			addAddress(s, "br0", "2001:db8:1::2/64")
			refuse(s, tableMain, "blackhole", "2000::/3")
		}),
		"ok-refused-elsewhere-ipv6": with(func(s *Snapshot) {
			nat66(s)
			refuse(s, tableMain, "unreachable", "::/0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Metric = 4278198272
			refuse(s, tableMain, "blackhole", "2600::/12")
			refuse(s, tableMain, "unreachable", "2002::/16")
			addRule(s, bridge.Rule{Family: 6, Priority: 901, Action: "unreachable", Mark: 7, Mask: 0xff})
		}),
		"ok-tunnel-in-front-of-a-lock": with(func(s *Snapshot) {
			refuse(s, tableMain, "blackhole", "0.0.0.0/0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Metric = 1
			addTunnel(s, "tun0", "tun")
			addRoute(s, "0.0.0.0/1", "", "tun0")
			addRoute(s, "128.0.0.0/1", "", "tun0")
		}),
		"ok-subnet-in-a-later-table": with(func(s *Snapshot) {
			addTableRoute(s, 100, "192.168.122.0/24", "203.0.113.7", "br0")
			addRule(s, bridge.Rule{Priority: 32770, Table: 100})
		}),
	}
}
