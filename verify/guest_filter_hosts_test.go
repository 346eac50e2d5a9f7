package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

// blocked is a host whose packet filter has one more rule in its table filter.
func blocked(s *Snapshot, rule string) {
	serve(s, "192.168.122.2", "192.168.122.254")
	lease(s, centosMAC, "192.168.122.169")
	lease(s, debianMAC, "192.168.122.50")
	s.Firewall = edited(s, oneTable("filter", atFront(rule)), nil)
}

// sourced translates what the guests of 192.168.122.0/24 send to one address.
func sourced(s *Snapshot, to string) {
	s.Firewall = edited(s, oneTable("nat", atFront("-A POSTROUTING -s 192.168.122.0/24 -j SNAT --to-source "+to)), nil)
}

// asking is a host with a name server outside.
func asking(s *Snapshot) {
	s.Services = healthyServices(s)
	s.Services.Resolver.Servers = []string{"192.0.2.53"}
}

func ignoring(s *Snapshot, link, value string) {
	s.Kernel.Sysctls["net.ipv4.conf."+link+".arp_ignore"] = value
}

// guestFilterFaults are hosts that cut off one guest, or what all depend on.
func guestFilterFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"fw-guest-drop":     func(s *Snapshot) { blocked(s, "-A FORWARD -s 192.168.122.169/32 -j DROP") },
		"fw-guest-drop+mac": func(s *Snapshot) { blocked(s, "-A INPUT -m mac --mac-source 52:54:00:e4:75:83 -j DROP") },
		"fw-guest-drop+answers": func(s *Snapshot) {
			blocked(s, "-A FORWARD -d 192.168.122.160/28 -j REJECT --reject-with icmp-port-unreachable")
		},
		"fw-guest-drop+no-lease": func(s *Snapshot) {
			s.Firewall = edited(s, oneTable("filter", atFront("-A FORWARD -m mac --mac-source 52:54:00:e4:75:83 -j DROP")), nil)
		},
		"fw-guest-drop+all": func(s *Snapshot) {
			blocked(s, "-A FORWARD -m iprange --src-range 192.168.122.2-192.168.122.254 -j DROP")
		},
		"fw-dns-out": func(s *Snapshot) {
			blocked(s, "-A OUTPUT -p udp -m udp --dport 53 -j DROP")
			asking(s)
		},
		"fw-dns-out+policy": func(s *Snapshot) {
			asking(s)
			answers := atEnd("-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
			s.Firewall = edited(s, oneTable("filter", both(swapped(":OUTPUT ACCEPT", ":OUTPUT DROP"), answers)), nil)
		},
		"nat-source-unanswered":       func(s *Snapshot) { sourced(s, "203.0.113.77") },
		"nat-source-unanswered+range": func(s *Snapshot) { sourced(s, "203.0.113.2-203.0.113.9") },
		"bridge-arp-off":              func(s *Snapshot) { s.link("virbr0").NoARP = true },
		"bridge-arp-off+ignore":       func(s *Snapshot) { ignoring(s, "virbr0", "8") },
		"bridge-arp-off+all":          func(s *Snapshot) { ignoring(s, "all", "8") },
		"bridge-arp-off+uplink": func(s *Snapshot) {
			leaveBy(s, "eth1")
			s.link("eth1").NoARP = true
		},
		"neighbour-wrong+ipv6": func(s *Snapshot) {
			dualStack(s)
			meet(s, "fd00:6::5054:ff:fee4:7583", "02:00:00:00:00:09", "permanent", 0)
		},
		"neighbour-wrong+reserved": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99", reserve(centosMAC, "192.168.122.169", "centos"))
			meet(s, "192.168.122.169", "02:00:00:00:00:01", "permanent", 0)
		},
		"uplink-ip-missing": func(s *Snapshot) {
			s.Kernel.Addresses = slices.DeleteFunc(s.Kernel.Addresses, func(a bridge.Address) bool { return a.Link == "br0" })
		},
		"neighbour-wrong": func(s *Snapshot) {
			lease(s, centosMAC, "192.168.122.169")
			meet(s, "192.168.122.169", "02:00:00:00:00:01", "permanent", 0)
		},
	}
}

// leaveBy has the host's way out by another NIC.
func leaveBy(s *Snapshot, name string) {
	addLink(s, bridge.Link{Name: name, MAC: "52:54:00:10:00:02", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addAddress(s, name, "198.51.100.2/24")
	dropRoute(s, "0.0.0.0/0")
	addRoute(s, "0.0.0.0/0", "198.51.100.1", name)
}

func guestFilterHealthy() map[string]func() Snapshot {
	with := func(change func(*Snapshot)) func() Snapshot {
		return func() Snapshot {
			s := healthyHost()
			change(&s)
			return s
		}
	}
	return map[string]func() Snapshot{
		"ok-blocked-nobody": with(func(s *Snapshot) { blocked(s, "-A FORWARD -s 192.168.122.200/32 -j DROP") }),
		"ok-blocked-port":   with(func(s *Snapshot) { blocked(s, "-A FORWARD -s 192.168.122.169/32 -p tcp -m tcp --dport 25 -j DROP") }),
		"ok-snat-own":       with(func(s *Snapshot) { sourced(s, "203.0.113.2") }),
		"ok-snat-routed":    with(func(s *Snapshot) { sourced(s, "198.51.100.77") }),
		"ok-snat-proxied": with(func(s *Snapshot) {
			sourced(s, "203.0.113.77")
			s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "br0", IP: netip.MustParseAddr("203.0.113.77"), State: "proxy"})
		}),
		"ok-arp-ignore": with(func(s *Snapshot) {
			ignoring(s, "all", "2")
			ignoring(s, "virbr0", "1")
		}),
		"ok-neighbour-by-hand": with(func(s *Snapshot) {
			lease(s, centosMAC, "192.168.122.169")
			meet(s, "192.168.122.169", centosMAC, "permanent", 0)
			meet(s, "192.168.122.77", "02:00:00:00:00:01", "permanent", 0)
		}),
		"ok-address-on-the-loopback": with(func(s *Snapshot) {
			for i := range s.Kernel.Addresses {
				if a := &s.Kernel.Addresses[i]; a.Link == "br0" {
					a.Link, a.Prefix = "lo", prefix("198.51.100.7/32")
				}
			}
		}),
		"ok-modem": with(func(s *Snapshot) {
			leaveBy(s, "wwan0")
			s.link("wwan0").NoARP = true
		}),
		"ok-dns-in": with(func(s *Snapshot) {
			blocked(s, "-A OUTPUT -d 198.51.100.53/32 -p udp -m udp --dport 53 -j DROP")
			asking(s)
		}),
	}
}
