package verify

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// edited are libvirt's own rules of the iptables backend, with the documents
// of iptables-save changed before they are read: v4, and v6 if not nil.
func edited(s *Snapshot, v4, v6 func(string) string) *firewall.Ruleset {
	rs := &firewall.Ruleset{Version: firewall.FormatVersion, Tables: []firewall.Table{}}
	rs.Tables = append(rs.Tables, nftTables("ip", v4(iptablesSave(s, false, "")))...)
	six := iptablesSave(s, true, "")
	if v6 != nil {
		six = v6(six)
	}
	rs.Tables = append(rs.Tables, nftTables("ip6", six)...)
	return numbered(rs)
}

// oneTable applies an edit to one table of an iptables-save document.
func oneTable(name string, edit func(string) string) func(string) string {
	return func(save string) string {
		i := strings.Index(save, "*"+name+"\n")
		j := i + strings.Index(save[i:], "COMMIT\n")
		return save[:i] + edit(save[i:j]) + save[j:]
	}
}

// dropLines leaves out the lines that have one of the texts.
func dropLines(texts ...string) func(string) string {
	return func(save string) string {
		lines := strings.SplitAfter(save, "\n")
		return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
			return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(line, t) })
		}), "")
	}
}

func swapped(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

func both(edits ...func(string) string) func(string) string {
	return func(s string) string {
		for _, e := range edits {
			s = e(s)
		}
		return s
	}
}

// atFront puts lines in front of the rules of table filter.
func atFront(lines ...string) func(string) string {
	return func(save string) string {
		i := strings.Index(save, "-A ")
		return save[:i] + strings.Join(lines, "\n") + "\n" + save[i:]
	}
}

// atEnd puts lines behind them.
func atEnd(lines ...string) func(string) string {
	return func(save string) string { return save + strings.Join(lines, "\n") + "\n" }
}

// twoFamilies is a host with IPv6 of its own, which it routes, and networks.
func twoFamilies(networks ...xml.Network) Snapshot {
	s := emptyHost()
	s.Kernel.Sysctls["net.ipv6.conf.all.forwarding"] = "1"
	addAddress(&s, "eth0", "2001:db8::2/64")
	addRoute(&s, "::/0", "2001:db8::1", "eth0")
	for _, def := range networks {
		n := natNetwork(def.Name, def.Bridge, "192.0.2.1/24")
		n.Config.Mode, n.Config.IPs, n.Config.NAT, n.Config.ForwardDevs = def.Mode, def.IPs, def.NAT, def.ForwardDevs
		addNetwork(&s, n)
	}
	return s
}

func netDefault() xml.Network {
	return *natNetwork("default", "virbr0", "192.168.122.1/24").Config
}

func netDual(name, bridgeName string, mode xml.Mode) xml.Network {
	def := *natNetwork(name, bridgeName, "10.6.0.1/24").Config
	def.Mode = mode
	def.IPs = append(def.IPs, xml.IP{Address: prefix("fd00:6::1/64")})
	return def
}

// lone is the classic network alone.
func lone(backend func(*Snapshot) *firewall.Ruleset) Snapshot {
	s := emptyHost()
	addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
	s.Firewall = backend(&s)
	return s
}

func addTable(rs *firewall.Ruleset, tables ...firewall.Table) *firewall.Ruleset {
	rs.Tables = append(rs.Tables, tables...)
	return numbered(rs)
}

// docker are the tables of Docker's iptables firewall on its own.
const docker = `*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER -
:DOCKER-USER -
:DOCKER-FORWARD -
:DOCKER-CT -
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER -i docker0 -o docker0 -j DROP
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`

// ufw are the rules of ufw, shortened, in a table of their own.
const ufw = `*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
:ufw-before-input -
:ufw-before-forward -
:ufw-user-input -
:ufw-user-forward -
:ufw-after-input -
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A FORWARD -j ufw-before-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
`

// filterTable is a table of one's own, as in many a nftables.conf.
func filterTable(family, name string, chains ...firewall.Chain) firewall.Table {
	return firewall.Table{Family: family, Name: name, Owner: firewall.OwnerOther, Chains: chains}
}

func baseChain(name, hook, policy string, rules ...*ruleWriter) firewall.Chain {
	c := firewall.Chain{Name: name, Owner: firewall.OwnerOther, Base: &firewall.Base{Type: "filter", Hook: hook, Policy: policy}, Rules: []firewall.Rule{}}
	for _, r := range rules {
		r.into(&c)
	}
	return c
}

// workstation is the example of many distributions: input and forward drop.
func workstation(rules ...*ruleWriter) firewall.Table {
	return filterTable("inet", "filter",
		baseChain("input", "input", "drop", append(rules, newRule(false).states().jump("accept", ""), newRule(false).device("iifname", "lo").jump("accept", ""))...),
		baseChain("forward", "forward", "accept"))
}

var (
	flushedFilter = oneTable("filter", dropLines("-A "))
	noChains      = oneTable("filter", dropLines("-A ", ":LIBVIRT"))
	noNAT         = oneTable("nat", dropLines("-A LIBVIRT_PRT"))
)

// firewallHosts are the golden hosts of the packet filter.
func firewallHosts() map[string]func() Snapshot {
	iptables := func(v4 func(string) string) func() Snapshot {
		return func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset { return edited(s, v4, nil) })
		}
	}
	nft := func(change func(*firewall.Ruleset)) func() Snapshot {
		return func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset {
				rs := nftRules(s)
				change(rs)
				return numbered(rs)
			})
		}
	}
	return map[string]func() Snapshot{
		"fw-rules-missing":                nft(func(rs *firewall.Ruleset) { rs.Tables = rs.Tables[:0] }),
		"fw-rules-missing+flushed":        iptables(flushedFilter),
		"fw-rules-missing+policy-drop":    iptables(both(flushedFilter, oneTable("filter", swapped(":FORWARD ACCEPT", ":FORWARD DROP")))),
		"fw-chains-missing":               iptables(noChains),
		"fw-chains-missing+jumps":         iptables(oneTable("filter", both(dropLines("-A FORWARD"), swapped(":FORWARD ACCEPT", ":FORWARD DROP")))),
		"fw-chains-missing+not-missed":    func() Snapshot { return quietly(9_000_000, noChains) },
		"nat-missing":                     iptables(noNAT),
		"nat-missing+all-but-tcp-and-udp": iptables(oneTable("nat", swapped("-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE\n", ""))),
		"nat-missing+nft": nft(func(rs *firewall.Ruleset) {
			rs.Tables[0].Chains[4].Rules = nil
		}),
		"nat-wrong-subnet":    iptables(oneTable("nat", swapped("192.168.122.0/24", "192.168.100.0/24"))),
		"fw-jump-order":       iptables(oneTable("filter", atFront("-A FORWARD -i virbr0 -j REJECT --reject-with icmp-port-unreachable"))),
		"fw-jump-order+input": iptables(oneTable("filter", atFront("-A INPUT -i virbr0 -p udp -j DROP"))),
		"fw-foreign-drop-forward": nft(func(rs *firewall.Ruleset) {
			rs.Tables = append(rs.Tables, nftTables("ip", docker)...)
		}),
		"fw-foreign-drop-forward+docker-not-asked": nft(func(rs *firewall.Ruleset) {
			rs.Tables = append(rs.Tables, nftTables("ip", dropLines("-A FORWARD -j DOCKER-USER")(docker))...)
		}),
		"fw-foreign-drop-forward+zone": func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset {
				s.network("default").Config.Zone, s.network("default").Live.Zone = "work", "work"
				return addTable(iptablesRules(s, ""), firewalldRules(fromElsewhere, "forward"))
			})
		},
		"fw-foreign-drop-forward+in-its-zone": func() Snapshot {
			s := lone(func(s *Snapshot) *firewall.Ruleset {
				return addTable(iptablesRules(s, ""), firewalldRules(fromElsewhere, "forward"))
			})
			underFirewalld(&s)
			return s
		},
		"fw-foreign-drop-forward+own-table": func() Snapshot {
			s := twoFamilies(netDual("six", "virbr6", xml.Route))
			s.Firewall = addTable(iptablesRules(&s, ""), filterTable("inet", "fence", baseChain("passing", "forward", "drop", newRule(false).states().jump("accept", ""))))
			return s
		},
		// Before routing, one rule drops what is for the host and what is not.
		"fw-foreign-drop-forward+before-routing": func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset {
				return addTable(iptablesRules(s, ""), filterTable("inet", "fence", baseChain("arriving", "prerouting", "accept", newRule(false).device("iifname", "virbr0").jump("drop", ""))))
			})
		},
		"fw-foreign-drop-forward+behind-routing": func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset {
				return addTable(iptablesRules(s, ""), filterTable("ip", "fence", baseChain("leaving", "postrouting", "accept", newRule(false).address(false, netip.MustParsePrefix("192.168.122.0/24"), false).jump("drop", ""))))
			})
		},
		"fw-foreign-drop-forward+two-hooks": func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset {
				return addTable(iptablesRules(s, ""), filterTable("ip", "fence",
					baseChain("leaving", "postrouting", "accept", newRule(false).address(false, netip.MustParsePrefix("192.168.122.0/24"), false).jump("drop", "")),
					baseChain("passing", "forward", "drop")))
			})
		},
		"fw-foreign-drop-input": nft(func(rs *firewall.Ruleset) { rs.Tables = append(rs.Tables, workstation()) }),
		"fw-foreign-drop-input+discovery": func() Snapshot {
			s := twoFamilies(netDual("six", "virbr6", xml.NAT))
			s.Firewall = edited(&s, both(), oneTable("filter", atFront("-A INPUT -p ipv6-icmp -j DROP")))
			return s
		},
		"fw-foreign-drop-input+advertisements": func() Snapshot {
			s := twoFamilies(netDual("six", "virbr6", xml.NAT))
			s.Firewall = edited(&s, both(), oneTable("filter", atFront("-A OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 134 -j DROP")))
			return s
		},
		"ufw-blocks": nft(func(rs *firewall.Ruleset) {
			rs.Tables = append(rs.Tables, nftTables("ip", ufw)...)
		}),
		"vpn-killswitch": func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset { return addTable(iptablesRules(s, ""), mullvad()) })
		},
		"vpn-killswitch+tunnel": func() Snapshot {
			s := lone(nftRules)
			addLink(&s, bridge.Link{Name: "wg0", Kind: "wireguard", MTU: 1420, Up: true, Carrier: true, Oper: "unknown"})
			addTable(s.Firewall, filterTable("ip", "fence", baseChain("passing", "forward", "accept", newRule(false).notDevice("oifname", "wg0").jump("drop", ""))))
			return s
		},
		"isolated-leak": func() Snapshot {
			def := netDefault()
			def.Mode = xml.Isolated
			s := twoFamilies(def)
			s.Firewall = edited(&s, oneTable("filter", atFront("-A FORWARD -j ACCEPT")), nil)
			return s
		},
		"isolated-leak+reject-gone": iptables(oneTable("filter", dropLines("-A LIBVIRT_FWI -o virbr0 -j REJECT"))),
		"inter-network-reject": func() Snapshot {
			other := netDual("six", "virbr6", xml.Route)
			s := twoFamilies(netDefault(), other)
			s.Firewall = nftRules(&s)
			return s
		},
		"ok-firewall-nftables": func() Snapshot {
			s := withModes()
			s.Firewall = nftRules(&s)
			return s
		},
		"ok-firewall-docker-behind-libvirt": iptables(oneTable("filter", both(
			swapped(":FORWARD ACCEPT", ":FORWARD DROP\n:DOCKER-USER -\n:DOCKER-FORWARD -"),
			atEnd("-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-FORWARD", "-A DOCKER-FORWARD -i docker0 -j ACCEPT")))),
		"ok-firewall-docker-user": nft(func(rs *firewall.Ruleset) {
			rs.Tables = append(rs.Tables, nftTables("ip", docker[:strings.Index(docker, "-A DOCKER -i")]+
				"-A DOCKER-USER -i virbr0 -j ACCEPT\n-A DOCKER-USER -o virbr0 -j ACCEPT\nCOMMIT\n")...)
		}),
		"ok-firewall-ufw-route-rules": nft(func(rs *firewall.Ruleset) {
			rs.Tables = append(rs.Tables, nftTables("ip", strings.Replace(ufw, "COMMIT\n", `-A ufw-user-forward -i virbr0 -j ACCEPT
-A ufw-user-forward -o virbr0 -j ACCEPT
-A ufw-user-input -i virbr0 -p udp -m udp --dport 67 -j ACCEPT
-A ufw-user-input -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A ufw-user-input -i virbr0 -p tcp -m tcp --dport 53 -j ACCEPT
COMMIT
`, 1))...)
		}),
		"ok-firewall-rules-of-ones-own": iptables(both(
			oneTable("filter", func(string) string {
				return `*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
-A INPUT -i virbr0 -p udp -m multiport --dports 53,67 -j ACCEPT
-A INPUT -i virbr0 -p tcp -m tcp --dport 53 -j ACCEPT
-A FORWARD -i virbr0 -o eth0 -j ACCEPT
-A FORWARD -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
`
			}),
			oneTable("nat", func(string) string { return "*nat\n:POSTROUTING ACCEPT\n-A POSTROUTING -o eth0 -j MASQUERADE\n" }))),
		"ok-firewall-rules-of-ones-own-isolated": func() Snapshot {
			return quietly(9_000_000, both(noChains, oneTable("filter", atEnd("-A INPUT -i virbr0 -p udp -m udp --dport 67 -j ACCEPT"))))
		},
		"ok-firewall-chains-of-old": func() Snapshot { return quietly(11_003_000, noChains) },
		"ok-firewall-reverse-path": nft(func(rs *firewall.Ruleset) {
			rpf := newRule(false).add("fib saddr . iif oif missing",
				&firewall.Expr{Kind: "fib", Key: "oif", Flags: 1 | 8 | 32, Dreg: 1}, // source, iif, present
				&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{0}})
			rs.Tables = append(rs.Tables, filterTable("inet", "rpf", baseChain("pre", "prerouting", "accept", rpf.jump("drop", ""))))
		}),
		"ok-firewall-not-understood": nft(func(rs *firewall.Ruleset) {
			unknown := newRule(false).add("ip saddr @guests", &firewall.Expr{Kind: "match", Key: "set", Unknown: true})
			rs.Tables = append(rs.Tables, filterTable("ip", "fence", baseChain("passing", "forward", "drop", unknown.jump("accept", ""))))
		}),
	}
}

// quietly is a host that does not route, with an isolated network.
func quietly(version int, v4 func(string) string) Snapshot {
	s := emptyHost()
	n := natNetwork("default", "virbr0", "192.168.122.1/24")
	n.Config.Mode, n.Config.NAT = xml.Isolated, nil
	addNetwork(&s, n)
	s.Kernel.Sysctls[ipForward] = "0"
	s.Libvirt.Version = version
	s.Firewall = edited(&s, v4, nil)
	return s
}

func fromElsewhere() *ruleWriter { return newRule(false).device("iifname", "wlan0") }

// withModes has networks of every mode side by side, of one and of two
// families.
func withModes() Snapshot {
	natSix := netDual("nat66", "virbr7", xml.NAT)
	natSix.NAT = &xml.NATSpec{IPv6: true}
	natSix.IPs[0].Address, natSix.IPs[1].Address = prefix("10.7.0.1/24"), prefix("fd00:7::1/64")
	shut := netDual("shut", "virbr8", xml.Isolated)
	shut.IPs[0].Address, shut.IPs[1].Address = prefix("10.8.0.1/24"), prefix("fd00:8::1/64")
	open := netDual("open", "virbr9", xml.Open)
	open.IPs[0].Address, open.IPs[1].Address = prefix("10.9.0.1/24"), prefix("fd00:9::1/64")
	routed := netDual("routed", "virbr6", xml.Route)
	routed.ForwardDevs = []string{"eth0"}
	nat4 := netDual("nat46", "virbr5", xml.NAT)
	nat4.IPs[0].Address, nat4.IPs[1].Address = prefix("10.5.0.1/24"), prefix("fd00:5::1/64")
	return twoFamilies(netDefault(), natSix, shut, open, routed, nat4)
}

// mullvad is the table of a VPN client that is not connected.
func mullvad() firewall.Table {
	return filterTable("inet", "mullvad",
		baseChain("input", "input", "accept"),
		baseChain("forward", "forward", "drop", newRule(false).states().jump("accept", "")))
}
