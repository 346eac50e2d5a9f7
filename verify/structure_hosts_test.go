package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// chainOf is a chain of the host's ruleset.
func chainOf(s *Snapshot, family, table, name string) *firewall.Chain {
	for i := range s.Firewall.Tables {
		t := &s.Firewall.Tables[i]
		if t.Family != family || t.Name != table {
			continue
		}
		for j := range t.Chains {
			if t.Chains[j].Name == name {
				return &t.Chains[j]
			}
		}
	}
	panic("no chain " + name) // a mistake in a test
}

// legacyTable adds tables of iptables-legacy.
func legacyTable(s *Snapshot, save string) {
	tables, err := firewall.ParseSave("ip", []byte(save))
	if err != nil {
		panic(err) // a mistake in a test
	}
	s.Firewall.Tables = append(s.Firewall.Tables, tables...)
}

// newTable adds a table with one base chain of a filter.
func newTable(s *Snapshot, family, name, hook, policy string, rules ...*ruleWriter) {
	c := firewall.Chain{Name: hook, Owner: firewall.OwnerOther, Rules: []firewall.Rule{}, Base: &firewall.Base{Type: "filter", Hook: hook, Policy: policy}}
	for _, r := range rules {
		r.into(&c)
	}
	s.Firewall.Tables = append(s.Firewall.Tables, firewall.Table{Family: family, Name: name, Owner: firewall.OwnerOther, Chains: []firewall.Chain{c}})
	numbered(s.Firewall)
}

// onDevice makes the table's chain one of devices (family netdev).
func onDevice(s *Snapshot, devices ...string) {
	s.Firewall.Tables[len(s.Firewall.Tables)-1].Chains[0].Base.Devices = devices
}

// nftables puts libvirt's rules where its nftables backend has them.
func nftables(s *Snapshot) {
	s.Libvirt.Version = 11_003_000
	s.Firewall = nftRules(s)
}

// made again: the bridge of the network default has another number.
func remade(s *Snapshot) {
	nftables(s)
	s.link("virbr0").Index = 77
}

// isolated adds an isolated network; without an address where none is given.
func isolated(s *Snapshot, name, bridgeName, address string, ipv6 bool) {
	n := natNetwork(name, bridgeName, "10.9.0.1/24")
	n.Config.Mode, n.Config.IPs, n.Config.IPv6 = xml.Isolated, nil, ipv6
	if address != "" {
		n.Config.IPs = []xml.IP{{Address: prefix(address)}}
	}
	addNetwork(s, n)
}

// remadeUnnamed has the nftables backend's rules, which libvirt remembers, and
// makes these bridges again: no rule names a subnet of theirs.
func remadeUnnamed(s *Snapshot, bridges ...string) {
	nftables(s)
	s.Services = healthyServices(s)
	for i := range s.Libvirt.Networks {
		if n := &s.Libvirt.Networks[i]; s.madeFor(n.Name) == nil {
			s.Services.Networks = append(s.Services.Networks, services.Network{Name: n.Name})
		}
		made := s.madeFor(s.Libvirt.Networks[i].Name)
		if def := s.Libvirt.Networks[i].Def(); def.Managed() {
			made.Backend, made.Rules = "nftables", rulesNaming(s.Firewall, def.Bridge)
		}
	}
	for i, name := range bridges {
		s.link(name).Index = 77 + i
	}
}

// madeFor are libvirt's files for a network.
func (s *Snapshot) madeFor(name string) *services.Network {
	for i := range s.Services.Networks {
		if s.Services.Networks[i].Name == name {
			return &s.Services.Networks[i]
		}
	}
	return nil
}

// rulesNaming are the places of the rules whose text has a link's name.
func rulesNaming(rs *firewall.Ruleset, link string) []services.FilterRule {
	var list []services.FilterRule
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			for k := range rs.Tables[i].Chains[j].Rules {
				r := placedRule{&rs.Tables[i], &rs.Tables[i].Chains[j], k}
				if strings.Contains(r.rule().Text, fmt.Sprintf("if %q", link)) {
					list = append(list, r.place())
				}
			}
		}
	}
	return list
}

// leftToTheBridge has the nftables backend, its filter of tc that fills in
// checksums among what libvirt remembers, and none in the kernel.
func leftToTheBridge(s *Snapshot) {
	nftables(s)
	s.Services = healthyServices(s)
	s.madeFor("default").Checksum = true
	s.link("virbr0").Offloads = &bridge.Offloads{Checksum: true}
	s.Kernel.Qdiscs = []bridge.Qdisc{}
}

// goneNetwork leaves rules for the bridge of a network that is no more.
func goneNetwork(rules func(*Snapshot) *firewall.Ruleset) func(*Snapshot) {
	return func(s *Snapshot) {
		before := s.Libvirt.Networks
		n := natNetwork("gone", "virbr9", "10.9.0.1/24")
		s.Libvirt.Networks = append(before[:len(before):len(before)], n)
		addLink(s, bridge.Link{Name: "virbr9", Kind: "bridge"})
		s.Firewall = rules(s)
		s.dropLink("virbr9")
		s.Libvirt.Networks = before
	}
}

func iptablesOnly(s *Snapshot) *firewall.Ruleset { return iptablesRules(s, "") }

// calls switches br_netfilter on, as loading its module does.
func calls(s *Snapshot, v string) {
	for _, v6 := range []bool{false, true} {
		s.Kernel.Sysctls[callSwitch(v6)] = v
	}
}

// dockerDrops is the policy that Docker gives the chain FORWARD, with what else
// it has there.
func dockerDrops(s *Snapshot, more string) {
	s.Firewall = iptablesRules(s, ":DOCKER-USER -\n:DOCKER-FORWARD -\n-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD\n"+
		"-A DOCKER-FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A DOCKER-FORWARD -i docker0 -j ACCEPT\n"+more)
	chainOf(s, "ip", "filter", "FORWARD").Base.Policy = "drop"
}

// published is a DNAT rule of somebody for a guest.
func published(s *Snapshot, rule string) {
	nat := chainOf(s, "ip", "nat", "PREROUTING")
	tables := nftTables("ip", "*nat\n:PREROUTING ACCEPT\n-A PREROUTING "+rule+"\nCOMMIT\n")
	nat.Rules = append(nat.Rules, tables[0].Chains[0].Rules...)
	numbered(s.Firewall)
}

func forwardBy(s *Snapshot, dev string) {
	s.network("default").Live.ForwardDevs, s.network("default").Config.ForwardDevs = []string{dev}, []string{dev}
}

// uplinkNIC is a second NIC that is no bridge's.
func uplinkNIC(s *Snapshot, name string) {
	addLink(s, bridge.Link{Name: name, MAC: "52:54:00:10:00:09", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
}

// crowded is a bridge with many ports, and a rule of the bridge family for each
// of many taps.
func crowded(s *Snapshot, ports, rules int) {
	s.Firewall = iptablesRules(s, "")
	for i := range ports {
		name := fmt.Sprintf("p%d", i)
		addLink(s, bridge.Link{Name: name, Kind: "veth", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
		addPort(s, name, "br0")
	}
	var list []*ruleWriter
	for i := range rules {
		list = append(list, newRule(false).device("oifname", fmt.Sprintf("vnet%d", 1000+i)).jump("return", ""))
	}
	newTable(s, "bridge", "nat", "postrouting", "accept", list...)
}

func structureFaults() map[string]func(*Snapshot) {
	dropLegacy := "*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\nCOMMIT\n"
	return map[string]func(*Snapshot){
		"fw-legacy-shadow": func(s *Snapshot) { s.Firewall = iptablesOnly(s); legacyTable(s, dropLegacy) },
		"fw-legacy-shadow+input": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			legacyTable(s, "*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
		},
		"fw-legacy-shadow+nftables-input": func(s *Snapshot) {
			nftables(s)
			legacyTable(s, "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -i virbr0 -j DROP\nCOMMIT\n")
		},
		"fw-legacy-shadow+nftables": func(s *Snapshot) { nftables(s); legacyTable(s, dropLegacy) },

		"fw-backend-mixed":     goneNetwork(iptablesOnly),
		"fw-backend-mixed+nft": func(s *Snapshot) { s.Libvirt.Version = 11_003_000; goneNetwork(nftRules)(s) },
		"fw-backend-mixed+both": func(s *Snapshot) {
			s.Libvirt.Version = 11_003_000
			s.Firewall = iptablesOnly(s)
			s.Firewall.Tables = append(s.Firewall.Tables, nftRules(s).Tables...)
			numbered(s.Firewall)
			s.Services = healthyServices(s)
			s.Services.Networks[0].Backend = "nftables"
		},

		"fw-backend-mixed+read-again": func(s *Snapshot) {
			writtenDown(s)
			for i := range s.Firewall.Tables {
				for j := range s.Firewall.Tables[i].Chains {
					for k := range s.Firewall.Tables[i].Chains[j].Rules {
						s.Firewall.Tables[i].Chains[j].Rules[k].Handle += 4
					}
				}
			}
		},

		"isolated-leak+in-libvirts-table": func(s *Snapshot) {
			writtenDown(s)
			c := &s.Firewall.Tables[0].Chains[0]
			accept := newRule(false).jump("accept", "").done(firewall.OwnerLibvirt)
			accept.Handle = 99
			c.Rules = append([]firewall.Rule{accept}, c.Rules...)
		},
		"isolated-leak+dormant": func(s *Snapshot) {
			def := *s.network("default").Config
			def.Mode, def.NAT = xml.Isolated, nil
			s.network("default").Config, s.network("default").Live = &def, &def
			writtenDown(s)
			s.Firewall.Tables[0].Dormant = true
		},
		"fw-backend-mixed+read-again-with-others": func(s *Snapshot) {
			writtenDown(s)
			made := s.Services.Networks[0].Rules
			s.Services.Networks[0].Rules = made[: len(made)-1 : len(made)-1]
			for i := range s.Services.Networks[0].Rules {
				s.Services.Networks[0].Rules[i].Handle += 100
			}
		},
		"fw-rules-missing+dormant": func(s *Snapshot) {
			writtenDown(s)
			s.Firewall.Tables[0].Dormant = true
		},

		"fw-nft-stale-ifindex": remade,
		"fw-nft-stale-ifindex+another-link": func(s *Snapshot) {
			remade(s)
			uplinkNIC(s, "eth9")
			s.link("eth9").Index = len(s.Kernel.Links) - 1
			for i := range s.Kernel.Links {
				if s.Kernel.Links[i].Name == "virbr0" {
					s.link("eth9").Index = i + 1
				}
			}
		},

		"fw-nft-stale-ifindex+isolated": func(s *Snapshot) {
			isolated(s, "alone", "virbr7", "10.9.0.1/24", false)
			remadeUnnamed(s, "virbr7")
		},
		"fw-nft-stale-ifindex+two-without-an-address": func(s *Snapshot) {
			isolated(s, "alone", "virbr7", "", false)
			isolated(s, "six", "virbr8", "", true)
			isolated(s, "well", "virbr9", "", false)
			remadeUnnamed(s, "virbr7", "virbr8")
		},

		"br-nf-call": func(s *Snapshot) { calls(s, "1"); dockerDrops(s, "") },
		"br-nf-call+docker-asked-too-late": func(s *Snapshot) {
			calls(s, "1")
			dockerDrops(s, "-A FORWARD -i br0 -o br0 -j DROP\n")
			c := chainOf(s, "ip", "filter", "FORWARD")
			last := len(c.Rules) - 1
			c.Rules = append([]firewall.Rule{c.Rules[last]}, c.Rules[:last]...)
			numbered(s.Firewall)
		},
		"br-nf-call+of-the-bridge": func(s *Snapshot) {
			calls(s, "0")
			s.bridge("br0").NFCallIPTables = true
			s.Firewall = iptablesOnly(s)
			newTable(s, "inet", "mine", "forward", "drop", newRule(false).device("iifname", "virbr0").jump("accept", ""), newRule(false).device("oifname", "virbr0").jump("accept", ""))
		},
		"br-nf-call+ipv6": func(s *Snapshot) {
			calls(s, "1")
			s.Firewall = iptablesOnly(s)
			chainOf(s, "ip6", "filter", "FORWARD").Base.Policy = "drop"
		},

		"fw-bridge-family-drop": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "bridge", "mine", "forward", "accept", newRule(false).device("iifname", "vnet1").jump("drop", ""))
		},
		"fw-bridge-family-drop+policy": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "bridge", "mine", "forward", "drop")
		},
		"fw-bridge-family-drop+to-the-host": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "bridge", "mine", "input", "accept", newRule(false).device("iifname", "vnet0").jump("drop", ""))
		},
		"fw-bridge-family-drop+arp": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "arp", "mine", "output", "drop", newRule(false).device("oifname", "eth0").jump("accept", ""))
		},
		"fw-bridge-family-drop+arp-replies": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "bridge", "mine", "output", "accept", newRule(false).device("oifname", "vnet0").arp(2).jump("drop", ""))
		},
		"ok-firewall-arp-answered": func(s *Snapshot) { // by the bridge itself
			s.Firewall = iptablesOnly(s)
			s.port("vnet0").NeighSuppress = true
			newTable(s, "bridge", "mine", "output", "accept", newRule(false).device("oifname", "vnet0").arp(2).jump("drop", ""))
		},
		"ok-firewall-arp-of-others": func(s *Snapshot) { // guests still find their host, and it finds them by what they ask
			s.Firewall = iptablesOnly(s)
			newTable(s, "bridge", "mine", "output", "accept", newRule(false).device("oifname", "vnet0").arp(1).jump("drop", ""))
		},
		"fw-bridge-family-drop+netdev": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "netdev", "mine", "ingress", "accept", newRule(false).jump("drop", ""))
			onDevice(s, "vnet1")
		},

		"nat-forward-dev": func(s *Snapshot) { forwardBy(s, "enp9s0") },
		"nat-forward-dev+another-name": func(s *Snapshot) {
			s.link("br0").AltNames = []string{"enp9s0"}
			forwardBy(s, "enp9s0")
		},
		"nat-forward-dev+another-name-nftables": func(s *Snapshot) {
			s.link("br0").AltNames = []string{"enp9s0"}
			forwardBy(s, "enp9s0")
			nftables(s)
		},
		"nat-forward-dev+not-the-way": func(s *Snapshot) {
			uplinkNIC(s, "eth9")
			forwardBy(s, "eth9")
		},
		"nat-forward-dev+vpn": func(s *Snapshot) {
			forwardBy(s, "br0")
			addLink(s, bridge.Link{Name: "tun0", Kind: "tun", MTU: 1400, Up: true, Carrier: true, Oper: "unknown", Tun: &bridge.Tun{}})
			addRoute(s, "0.0.0.0/1", "", "tun0")
			addRoute(s, "128.0.0.0/1", "", "tun0")
		},

		"nat-missing+one-port-elsewhere": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			chainOf(s, "ip", "nat", "LIBVIRT_PRT").Rules = []firewall.Rule{}
			published(s, "-i virbr0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.9.9.9")
		},
		"port-forward-rejected": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			published(s, "-d 203.0.113.2/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.168.122.5:80")
		},
		"port-forward-rejected+nftables": func(s *Snapshot) {
			nftables(s)
			s.Firewall.Tables = append(s.Firewall.Tables, nftTables("ip", "*nat\n:PREROUTING ACCEPT\n:DOCKER -\n-A PREROUTING -j DOCKER\n-A DOCKER -p udp -m udp --dport 53 -j DNAT --to-destination 192.168.122.5\nCOMMIT\n"+
				"*filter\n:FORWARD ACCEPT\n-A FORWARD -d 192.168.122.5/32 -j ACCEPT\nCOMMIT\n")...)
			numbered(s.Firewall)
		},

		"dhcp-checksum-missing": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			c := chainOf(s, "ip", "mangle", "LIBVIRT_PRT")
			c.Rules = c.Rules[:0]
			s.Services = healthyServices(s)
			for i := range s.Libvirt.Guests {
				s.Libvirt.Guests[i].Virt = "kvm"
			}
			withVhost(s)
		},
		"dhcp-checksum-missing+nobody-minds": func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			chainOf(s, "ip", "mangle", "POSTROUTING").Rules = nil
		},

		"dhcp-checksum-missing+nftables": func(s *Snapshot) {
			leftToTheBridge(s)
			for i := range s.Libvirt.Guests {
				s.Libvirt.Guests[i].Virt = "kvm"
			}
			withVhost(s)
		},
		"dhcp-checksum-missing+another-filter": func(s *Snapshot) {
			leftToTheBridge(s)
			s.Kernel.Qdiscs = []bridge.Qdisc{
				{Link: "virbr0", Kind: "htb", Handle: "1:", Parent: "root"}, {Link: "br0", Kind: "htb", Handle: "1:", Parent: "root", Checksums: true},
			}
		},

		"fw-scale": func(s *Snapshot) { crowded(s, 90, 1001) },
	}
}

func structureHealthy() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-legacy-tables-that-accept": with(func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			legacyTable(s, "*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n-A FORWARD -i virbr0 -j ACCEPT\n-A FORWARD -o virbr0 -j ACCEPT\nCOMMIT\n*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n")
		}),
		"ok-nftables-backend":      with(nftables),
		"ok-nftables-written-down": with(writtenDown),
		"ok-empty-chains-of-the-other-backend": with(func(s *Snapshot) {
			nftables(s)
			s.Firewall.Tables = append(s.Firewall.Tables, nftTables("ip", "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:LIBVIRT_FWI -\n-A FORWARD -j LIBVIRT_FWI\nCOMMIT\n")...)
			numbered(s.Firewall)
		}),
		"ok-rule-in-libvirts-chain": with(func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Active, n.Autostart = false, false
			addNetwork(s, n)
			s.Firewall = edited(s, both(
				oneTable("filter", atFront("-A LIBVIRT_FWI -i wg0 -o virbr0 -j ACCEPT", "-A LIBVIRT_FWI -i virbr0 -o virbr7 -j ACCEPT")),
				oneTable("nat", atFront("-A LIBVIRT_PRT -s 192.168.122.0/24 -o wg0 -j RETURN"))), nil)
		}),
		"ok-rule-in-libvirts-chain-of-nftables": with(func(s *Snapshot) {
			nftables(s)
			c := chainOf(s, "ip", "libvirt_network", "guest_input")
			own := newRule(false).device("iifname", "wg0").index("oif", s.link("virbr0").Index, "virbr0").jump("accept", "").done(c.Owner)
			c.Rules = append([]firewall.Rule{own}, c.Rules...)
			numbered(s.Firewall)
		}),
		"ok-checksums-by-tc": with(func(s *Snapshot) {
			leftToTheBridge(s)
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "virbr0", Kind: "htb", Handle: "1:", Parent: "root", Checksums: true}}
		}),
		"ok-checksums-by-the-host": with(func(s *Snapshot) {
			leftToTheBridge(s)
			s.link("virbr0").Offloads.Checksum = false
		}),
		"ok-checksums-never-promised": with(func(s *Snapshot) {
			leftToTheBridge(s)
			s.madeFor("default").Checksum = false
		}),
		"ok-forward-dev-without-link": with(func(s *Snapshot) {
			// The way out of an inactive network and of a chain for it.
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Active, n.Autostart = false, false
			n.Config.ForwardDevs = []string{"enp9s0"}
			addNetwork(s, n)
		}),
		"ok-forward-dev-of-a-lan": with(func(s *Snapshot) {
			uplinkNIC(s, "eth9")
			addAddress(s, "eth9", "198.51.100.2/24")
			forwardBy(s, "eth9")
		}),
		"ok-forward-dev": with(func(s *Snapshot) { forwardBy(s, "br0") }),
		"ok-nf-call-accepts": with(func(s *Snapshot) {
			calls(s, "1")
			dockerDrops(s, "-A DOCKER-USER -i br0 -o br0 -j ACCEPT\n")
		}),
		"ok-nf-call-physdev": with(func(s *Snapshot) {
			calls(s, "1")
			dockerDrops(s, "-A DOCKER-USER -m physdev --physdev-is-bridged -j ACCEPT\n")
		}),
		"ok-nf-call-off": with(func(s *Snapshot) { calls(s, "0"); dockerDrops(s, "") }),
		"ok-nf-call-without-module": with(func(s *Snapshot) {
			s.bridge("br0").NFCallIPTables = true
			dockerDrops(s, "")
		}),
		"ok-guest-filters": with(func(s *Snapshot) {
			s.guest("centos").Interfaces[1].Filter = "no-mac-spoofing" // vnet1
			s.Firewall = iptablesOnly(s)
			c := firewall.Chain{Name: "libvirt-I-vnet1", Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{}}
			newRule(false).jump("drop", "").into(&c)
			newTable(s, "bridge", "nat", "prerouting", "accept", newRule(false).device("iifname", "vnet1").jump("jump", c.Name))
			t := &s.Firewall.Tables[len(s.Firewall.Tables)-1]
			t.Chains = append(t.Chains, c)
		}),
		"ok-bridge-rules-for-some": with(func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			newTable(s, "bridge", "mine", "forward", "accept",
				newRule(false).device("iifname", "vnet77").jump("drop", ""),
				newRule(false).device("iifname", "vnet1").protocol(17).port(67).jump("drop", ""))
		}),
		"ok-transparent-proxy": with(func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			published(s, "-i virbr0 -p tcp -j REDIRECT --to-ports 3128")
		}),
		"ok-port-forward": with(func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			published(s, "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.168.122.5:80")
			c := chainOf(s, "ip", "filter", "FORWARD")
			tables := nftTables("ip", "*filter\n:FORWARD ACCEPT\n-A FORWARD -d 192.168.122.5/32 -o virbr0 -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n")
			c.Rules = append(tables[0].Chains[0].Rules, c.Rules...)
			numbered(s.Firewall)
		}),
		"ok-port-forward-elsewhere": with(func(s *Snapshot) {
			s.Firewall = iptablesOnly(s)
			published(s, "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 203.0.113.9:80")
			published(s, "-i eth77 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 192.168.122.5:80")
			published(s, "-p tcp -m set --match-set some src -j DNAT --to-destination 192.168.122.5:80")
		}),
		"ok-checksum-of-no-dhcp": with(func(s *Snapshot) {
			n := natNetwork("static", "virbr7", "10.7.0.1/24")
			n.Config.IPs = []xml.IP{{Address: prefix("10.7.0.1/24")}}
			live := *n.Config
			n.Live = &live
			addNetwork(s, n)
		}),
		"ok-many-rules": with(func(s *Snapshot) { crowded(s, 20, 40) }),
	}
}

// withVhost gives the host /dev/vhost-net.
func withVhost(s *Snapshot) {
	doc := healthyServices(s)
	s.Services.Devices = doc.Devices
	for i := range s.Services.Devices {
		if s.Services.Devices[i].Path == "/dev/vhost-net" {
			s.Services.Devices[i].Node = true
		}
	}
}

// Hostile names of chains stand in no command and break no line.
func TestHostileChainOfLeftovers(t *testing.T) {
	s := healthyHost()
	goneNetwork(iptablesOnly)(&s)
	for i := range s.Firewall.Tables {
		for j := range s.Firewall.Tables[i].Chains {
			if c := &s.Firewall.Tables[i].Chains[j]; strings.HasPrefix(c.Name, "LIBVIRT_") {
				for k := range c.Rules {
					c.Rules[k].Text = "';\nreboot"
				}
				c.Name += "';\nreboot"
			}
		}
	}
	found := false
	for _, f := range judge(s).Findings {
		checkFinding(t, f)
		if f.Check == backendMixed {
			found = true
			if len(f.Fix.Commands()) != 0 {
				t.Errorf("a chain of that name stands in a command: %q", f.Fix.Commands())
			}
		}
	}
	if !found {
		t.Error("rules that are left over are not found")
	}
}

// A ruleset of 50,000 rules of one's own costs no more than the reading for
// each network: the rules are gone through a fixed number of times.
func TestManyRulesAndNetworks(t *testing.T) {
	s := healthyHost()
	for i := range 40 {
		addNetwork(&s, natNetwork(fmt.Sprintf("n%d", i), fmt.Sprintf("virbr%d", 100+i), fmt.Sprintf("10.%d.0.1/24", i)))
	}
	var more strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&more, "-A FORWARD -s 172.%d.%d.0/24 -p tcp -m tcp --dport %d -j DROP\n", 16+i/4096%16, i%256, i%60000+1)
	}
	s.Firewall = iptablesRules(&s, more.String())
	if r := judge(s); len(r.Findings) != 0 {
		t.Errorf("%d findings, the first %+v", len(r.Findings), r.Findings[0])
	}
}

// writtenDown is a host of the nftables backend with the status file of network
// default.
func writtenDown(s *Snapshot) {
	s.Libvirt.Version = 11_003_000
	s.Firewall = nftRules(s)
	s.Services = healthyServices(s)
	s.Services.Networks[0].Backend = "nftables"
	for _, t := range s.Firewall.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				if c.Name != "forward" {
					s.Services.Networks[0].Rules = append(s.Services.Networks[0].Rules, services.FilterRule{Family: t.Family, Table: t.Name, Chain: c.Name, Handle: r.Handle})
				}
			}
		}
	}
}
