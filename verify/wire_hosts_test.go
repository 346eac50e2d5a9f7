package verify

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// onUplink is a table of the netdev family with a chain of eth0's.
func onUplink(hook, policy string, rules ...*ruleWriter) firewall.Table {
	t := filterTable("netdev", "mine", baseChain("wire", hook, policy, rules...))
	t.Chains[0].Base.Devices = []string{"eth0"}
	return t
}

// etherType is "ether type", which nft asks of Ethernet links only.
func etherType(name string, n uint16) *ruleWriter {
	return newRule(false).add("ether type "+name,
		&firewall.Expr{Kind: "meta", Key: "iiftype", Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{1, 0}},
		&firewall.Expr{Kind: "payload", Key: "link", Offset: 12, Len: 2, Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: binary.BigEndian.AppendUint16(nil, n)})
}

// zone is "ct zone set".
func zone(w *ruleWriter, n uint16) *ruleWriter {
	return w.add("ct zone set "+strconv.Itoa(int(n)),
		&firewall.Expr{Kind: "immediate", Dreg: 1, Data: binary.LittleEndian.AppendUint16(nil, n)}, &firewall.Expr{Kind: "ct", Key: "zone", Sreg: 1})
}

// wireHosts have rules on the uplink, below IP and before conntrack.
func wireHosts() map[string]func() Snapshot {
	with := func(networks int, tables ...firewall.Table) func() Snapshot {
		return func() Snapshot {
			return lone(func(s *Snapshot) *firewall.Ruleset {
				if networks > 1 {
					addNetwork(s, natNetwork("lab", "virbr1", "192.168.123.1/24"))
					addNetwork(s, natNetwork("office", "virbr2", "192.168.124.1/24"))
				}
				return addTable(nftRules(s), tables...)
			})
		}
	}
	raw := func(devices ...string) firewall.Table {
		c := baseChain("early", "prerouting", "accept")
		c.Base.Priority = -300
		for _, name := range devices {
			zone(newRule(false).device("iifname", name), 5).into(&c)
		}
		return filterTable("ip", "zones", c)
	}
	return map[string]func() Snapshot{
		"fw-foreign-drop-forward+pkttype": with(1, filterTable("inet", "mine", baseChain("early", "forward", "accept", newRule(false).
			add("meta pkttype host", &firewall.Expr{Kind: "meta", Key: "pkttype", Dreg: 1}, &firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{0}}).
			device("iifname", "virbr0").jump("drop", "")))),
		"nat-missing+zone":            with(1, raw("virbr0")),
		"nat-missing+zone-of-answers": with(1, raw("eth0")),
		"nat-missing+zone-of-all":     with(3, raw("eth0")),
		"fw-foreign-drop-forward+untracked": with(3, filterTable("ip", "early", func() firewall.Chain {
			c := baseChain("early", "prerouting", "accept", newRule(false).device("iifname", "eth0").add("notrack", &firewall.Expr{Kind: "notrack"}))
			c.Base.Priority = -300
			return c
		}())),
		"nat-missing+pings-untracked": with(1, filterTable("ip", "early", func() firewall.Chain {
			c := baseChain("early", "prerouting", "accept", newRule(false).protocol(1).add("notrack", &firewall.Expr{Kind: "notrack"}))
			c.Base.Priority = -300
			return c
		}())),
		"ok-firewall-reverse-path-without-guests": func() Snapshot {
			s := twoFamilies(netDual("six", "virbr6", xml.NAT))
			s.link("virbr6").Carrier, s.link("virbr6").Oper = false, "down"
			s.Firewall = nftRules(&s)
			rpf := newRule(true).add("fib saddr . iif oif missing",
				&firewall.Expr{Kind: "fib", Key: "oif", Flags: 1 | 8 | 32, Dreg: 1}, // source, iif, present
				&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{0}})
			addTable(s.Firewall, filterTable("ip6", "rpf", baseChain("pre", "prerouting", "accept", rpf.jump("drop", ""))))
			return s
		},
		"ok-firewall-zone-both-ways": with(1, raw("virbr0", "eth0")),
		"ok-firewall-zone-routed": func() Snapshot {
			s := emptyHost()
			n := natNetwork("default", "virbr0", "192.168.122.1/24")
			n.Config.Mode, n.Config.NAT = xml.Route, nil
			live := *n.Config
			n.Live = &live
			addNetwork(&s, n)
			s.Firewall = addTable(nftRules(&s), raw("virbr0"))
			return s
		},
		"fw-bridge-family-drop+ether-type": with(1, onUplink("ingress", "accept", etherType("ip", 0x800).jump("drop", ""))),
		"fw-bridge-family-drop+egress":     with(1, onUplink("egress", "accept", etherType("ip", 0x800).jump("drop", ""))),
		"fw-bridge-family-drop+all-but-ssh": with(1, onUplink("ingress", "drop",
			etherType("arp", 0x806).jump("accept", ""), newRule(false).protocol(6).port(22).jump("accept", ""))),
		"fw-bridge-family-drop+inet": with(1, func() firewall.Table {
			t := onUplink("ingress", "accept", newRule(false).
				add("meta nfproto ipv4", &firewall.Expr{Kind: "meta", Key: "nfproto", Dreg: 1}, &firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{2}}).
				address(false, prefix("203.0.113.0/24"), true).jump("drop", ""))
			t.Family = "inet"
			return t
		}()),
		"fw-bridge-family-drop+no-gateway": func() Snapshot {
			s := with(2, filterTable("arp", "mine", baseChain("asked", "output", "accept", newRule(false).device("oifname", "eth0").arp(1).jump("drop", ""))))()
			s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "eth0", IP: netip.MustParseAddr("203.0.113.1"), State: "failed", Updated: 2000})
			return s
		},
		"ok-firewall-gateway-without-arp": func() Snapshot {
			s := with(1, filterTable("arp", "mine", baseChain("asked", "output", "drop", newRule(false).device("oifname", "virbr0").jump("accept", ""))))()
			s.link("eth0").Kind, s.link("eth0").NoARP = "tun", true
			return s
		},
		"fw-bridge-family-drop+three-networks": with(3, onUplink("ingress", "accept", newRule(false).jump("drop", ""))),
		"ok-firewall-on-the-wire": with(1, onUplink("ingress", "accept",
			newRule(false).address(true, prefix("192.168.0.0/16"), false).jump("drop", ""))), // nobody outside has these
	}
}
