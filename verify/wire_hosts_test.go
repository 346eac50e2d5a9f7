package verify

import (
	"encoding/binary"

	"github.com/kvnet/kvnet/bridge/firewall"
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

// wireHosts have rules on the uplink, before and behind conntrack.
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
	return map[string]func() Snapshot{
		"fw-bridge-family-drop+ether-type": with(1, onUplink("ingress", "accept", etherType("ip", 0x800).jump("drop", ""))),
		"fw-bridge-family-drop+egress":     with(1, onUplink("egress", "accept", etherType("ip", 0x800).jump("drop", ""))),
		"fw-bridge-family-drop+all-but-ssh": with(1, onUplink("ingress", "drop",
			etherType("arp", 0x806).jump("accept", ""), newRule(false).protocol(6).port(22).jump("accept", ""))),
		"fw-bridge-family-drop+three-networks": with(3, onUplink("ingress", "accept", newRule(false).jump("drop", ""))),
		"ok-firewall-on-the-wire": with(1, onUplink("ingress", "accept",
			newRule(false).address(true, prefix("192.168.0.0/16"), false).jump("drop", ""))), // nobody outside has these
	}
}
