package verify

import (
	"github.com/kvnet/kvnet/bridge"
)

// marking gives the host rules of iptables' mangle table that mark packets in
// prerouting.
func marking(s *Snapshot, rules ...string) {
	text := "*mangle\n:PREROUTING ACCEPT\n"
	for _, r := range rules {
		text += "-A PREROUTING " + r + "\n"
	}
	s.Firewall = iptablesRules(s, "")
	s.Firewall.Tables[0].Chains[0].Rules = nftTables("ip", text+"COMMIT\n")[0].Chains[0].Rules
	numbered(s.Firewall)
}

// A rule for a mark, in front of all others.
func markRule(s *Snapshot, r bridge.Rule) {
	r.Priority, r.Mark, r.Mask = 900, 7, 0xff
	addRule(s, r)
}

func markFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"policy-route-steals+marked": func(s *Snapshot) {
			marking(s, "-i virbr0 -j MARK --set-xmark 0x107/0xffffffff")
			refuse(s, 66, "blackhole", "0.0.0.0/0")
			addRule(s, bridge.Rule{Priority: 800, Table: tableMain, Dst: prefix("192.168.122.0/24")})
			markRule(s, bridge.Rule{Table: 66})
		},
		"policy-route-steals+marked-no-route": func(s *Snapshot) {
			// An empty table, and the main one is for unmarked packets only.
			marking(s, "-s 192.168.122.0/24 -j MARK --set-xmark 0x7/0x7")
			markRule(s, bridge.Rule{Table: 66})
			for i := range s.Kernel.Rules {
				if r := &s.Kernel.Rules[i]; r.Family == 4 && r.Priority > 30000 {
					r.Mark, r.Mask, r.Invert = 7, 7, true
				}
			}
		},
		"policy-route-steals+marked-guest": func(s *Snapshot) {
			lease(s, debianMAC, "192.168.122.3")
			marking(s, "-s 192.168.122.3/32 -j MARK --set-xmark 0x7/0xffffffff")
			markRule(s, bridge.Rule{Action: "prohibit"})
		},
	}
}

func markHealthy() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		// The mark is another one, of other packets, or of some connections.
		"ok-marked-otherwise": with(func(s *Snapshot) {
			marking(s, "-i virbr0 -j MARK --set-xmark 0x6/0xffffffff")
			markRule(s, bridge.Rule{Action: "prohibit"})
		}),
		"ok-marked-elsewhere": with(func(s *Snapshot) {
			marking(s, "-i br0 -j MARK --set-xmark 0x7/0xffffffff", "-d 192.168.122.0/24 -j MARK --set-xmark 0x7/0xffffffff")
			markRule(s, bridge.Rule{Action: "prohibit"})
		}),
		"ok-marked-mail": with(func(s *Snapshot) {
			lease(s, centosMAC, "192.168.122.2")
			marking(s, "-i virbr0 -p tcp -m tcp --dport 25 -j MARK --set-xmark 0x7/0xffffffff")
			markRule(s, bridge.Rule{Action: "blackhole"})
		}),
		// The mark leads to a table without a route: the next rule is asked.
		"ok-marked-to-an-empty-table": with(func(s *Snapshot) {
			marking(s, "-i virbr0 -j MARK --set-xmark 0x7/0xffffffff")
			markRule(s, bridge.Rule{Table: 66})
		}),
		// The mark leads guests past the rule that refuses.
		"ok-marked-past-a-refusal": with(func(s *Snapshot) {
			marking(s, "-i virbr0 -j MARK --set-xmark 0x7/0xffffffff")
			markRule(s, bridge.Rule{Table: tableMain})
			addRule(s, bridge.Rule{Priority: 950, Action: "prohibit", IIF: "virbr0"})
		}),
	}
}
