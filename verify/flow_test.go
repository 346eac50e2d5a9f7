package verify

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// filterFindings are the findings about the packet filter.
func filterFindings(s Snapshot) []string {
	var list []string
	for _, f := range Judge(s).Findings {
		if f.Severity == Unknown {
			continue
		}
		if strings.HasPrefix(f.Check, "fw-") || strings.HasPrefix(f.Check, "nat-") || slices.Contains([]string{ufwBlocks, killSwitch, isolatedLeak}, f.Check) {
			list = append(list, string(f.Severity)+" "+f.Check+" "+f.Subject)
		}
	}
	return list
}

// TestOwnRulesAreHealthy: what libvirt makes for each mode in both families is
// what the mode declares, by either backend, also on a host whose policy drops.
func TestOwnRulesAreHealthy(t *testing.T) {
	closed := oneTable("filter", swapped(":INPUT ACCEPT", ":INPUT DROP", ":FORWARD ACCEPT", ":FORWARD DROP", ":OUTPUT ACCEPT", ":OUTPUT DROP"))
	closed = both(closed, oneTable("filter", atEnd("-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")))
	withND := both(closed, oneTable("filter", atEnd("-A INPUT -p ipv6-icmp -j ACCEPT\n-A OUTPUT -p ipv6-icmp -j ACCEPT")))
	for name, backend := range map[string]func(*Snapshot) *firewall.Ruleset{
		"iptables":        func(s *Snapshot) *firewall.Ruleset { return iptablesRules(s, "") },
		"iptables, drop":  func(s *Snapshot) *firewall.Ruleset { return edited(s, closed, withND) },
		"nftables":        nftRules,
		"iptables legacy": func(s *Snapshot) *firewall.Ruleset { return legacy(iptablesRules(s, "")) },
	} {
		s := withModes()
		s.Firewall = backend(&s)
		if have := filterFindings(s); len(have) > 0 && name != "iptables legacy" {
			t.Errorf("%s: %q", name, have)
		}
		f := newHost(&s).packets()
		for _, n := range f.h.flowNets() {
			for _, v6 := range []bool{false, true} {
				for _, w := range f.h.flowsOf(n, v6) {
					if seen := f.see(w); seen.Answer != w.want || seen.unmasked() {
						t.Errorf("%s: %s, IPv6 %t, %s: %s by %+v (%s)", name, n.net.Name, v6, w.say, seen.Answer, seen.By, seen.Why)
					}
				}
			}
		}
	}
}

func legacy(rs *firewall.Ruleset) *firewall.Ruleset {
	for i := range rs.Tables {
		rs.Tables[i].Legacy = true
	}
	return rs
}

// TestOneCause breaks the classic network's packet filter in many ways: each
// has one name.
func TestOneCause(t *testing.T) {
	filter := func(edits ...func(string) string) func(*Snapshot) {
		return func(s *Snapshot) { s.Firewall = edited(s, oneTable("filter", both(edits...)), nil) }
	}
	forwardDrop := swapped(":FORWARD ACCEPT", ":FORWARD DROP")
	const way = "default"
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		want   []string
	}{
		{"libvirt's accept is gone", filter(dropLines("LIBVIRT_FWO -s")), []string{"error fw-rules-missing " + way}},
		{"everything flushed", func(s *Snapshot) { s.Firewall.Tables = nil }, []string{"error fw-rules-missing " + way}},
		{"one jump gone", filter(dropLines("-A FORWARD -j LIBVIRT_FWI")), []string{"warning fw-chains-missing " + way}},
		{"one jump gone on a closed host", filter(dropLines("-A FORWARD -j LIBVIRT_FWI"), forwardDrop), []string{"error fw-chains-missing " + way}},
		{"jump of the services gone on an open host", filter(dropLines("-A INPUT -j LIBVIRT_INP")), nil},
		{"jump of the services gone on a closed host", filter(dropLines("-A INPUT -j LIBVIRT_INP"), swapped(":INPUT ACCEPT", ":INPUT DROP")), []string{"error fw-chains-missing " + way}},
		{"rules of the services gone on a closed host", filter(dropLines("-A LIBVIRT_INP"), swapped(":INPUT ACCEPT", ":INPUT DROP")), []string{"error fw-rules-missing " + way}},
		{"a drop behind libvirt's", filter(atEnd("-A FORWARD -j DROP")), nil},
		{"a drop in front, for others", filter(atFront("-A FORWARD -i docker0 -j DROP", "-A FORWARD -d 198.51.100.0/24 -j DROP")), nil},
		{"mail is not let out", filter(atFront("-A FORWARD -p tcp -m tcp --dport 25 -j DROP")), nil},
		{"no TCP at all", filter(atFront("-A FORWARD -p tcp -j DROP")), []string{"error fw-jump-order " + way}},
		{"a port is forwarded", filter(atFront("-A FORWARD -d 192.168.122.9/32 -p tcp -m tcp --dport 80 -j ACCEPT")), nil},
		{"new connections are let in on purpose", filter(atFront("-A FORWARD -o virbr0 -j ACCEPT")), nil},
		{"everything is accepted in front", filter(atFront("-A FORWARD -j ACCEPT")), []string{"warning isolated-leak " + way}},
		{"the host does not route", func(s *Snapshot) {
			filter(atFront("-A FORWARD -j ACCEPT"))(s)
			s.Kernel.Sysctls[ipForward] = "0"
		}, nil},
		{"mail is not let out, and nothing translated", func(s *Snapshot) {
			s.Firewall = edited(s, both(noNAT, oneTable("filter", atFront("-A FORWARD -p tcp -m tcp --dport 25 -j DROP"))), nil)
		}, []string{"error nat-missing " + way}},
		{"a closed host of another table", func(s *Snapshot) {
			addTable(s.Firewall, workstation(), filterTable("inet", "fence", baseChain("passing", "forward", "drop")))
		}, []string{"error fw-foreign-drop-forward " + way, "error fw-foreign-drop-input " + way}},
		{"nothing translated, and everything dropped in front", func(s *Snapshot) {
			s.Firewall = edited(s, both(noNAT, oneTable("filter", atFront("-A FORWARD -j DROP"))), nil)
		}, []string{"error nat-missing " + way, "error fw-jump-order " + way}},
		{"rules gone from a closed host, and a closed table", func(s *Snapshot) {
			filter(dropLines("-A LIBVIRT_FW"), forwardDrop)(s)
			addTable(s.Firewall, filterTable("inet", "fence", baseChain("passing", "forward", "drop")))
		}, []string{"error fw-rules-missing " + way, "error fw-foreign-drop-forward " + way}},
		{"rules gone from a closed host, and a drop in front", filter(dropLines("-A LIBVIRT_FW"), forwardDrop, atFront("-A FORWARD -j DROP")),
			[]string{"error fw-rules-missing " + way, "error fw-jump-order " + way}},
		{"a drop in front, and a closed table", func(s *Snapshot) {
			filter(atFront("-A FORWARD -j DROP"))(s)
			addTable(s.Firewall, filterTable("inet", "fence", baseChain("passing", "forward", "drop")))
		}, []string{"error fw-jump-order " + way, "error fw-foreign-drop-forward " + way}},
		{"a closed table, and empty legacy ones, on a host without a way out", func(s *Snapshot) {
			addTable(s.Firewall, filterTable("inet", "fence", baseChain("passing", "forward", "drop")))
			addTable(s.Firewall, legacy(&firewall.Ruleset{Tables: nftTables("ip", "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n")}).Tables...)
			s.Kernel.Routes = slices.DeleteFunc(s.Kernel.Routes, func(r bridge.Route) bool { return r.Dst.Bits() == 0 })
		}, []string{"error fw-foreign-drop-forward " + way}},
		{"nothing translated on a host without a way out", func(s *Snapshot) {
			s.Firewall = edited(s, noNAT, nil)
			s.Kernel.Routes = slices.DeleteFunc(s.Kernel.Routes, func(r bridge.Route) bool { return r.Dst.Bits() == 0 })
		}, []string{"error nat-missing " + way}},
		{"a network without a server", func(s *Snapshot) {
			addTable(s.Firewall, workstation())
			for _, def := range []*xml.Network{s.network("default").Live, s.network("default").Config} {
				def.DNS, def.IPs[0].Ranges = &xml.DNS{Enabled: ptr(false)}, nil
			}
			s.Kernel.Sockets = nil
		}, nil},
		{"a way out by a tunnel", func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "wg0", Kind: "wireguard", MTU: 1420, Up: true, Carrier: true, Oper: "unknown"})
			s.Kernel.Rules = append([]bridge.Rule{
				{Family: 4, Priority: 100, Table: 51820, Action: "lookup", Mark: 51820, Mask: 0xffffffff, Invert: true, SuppressPrefixLength: -1},
			}, s.Kernel.Rules...)
			addRoute(s, "0.0.0.0/0", "", "wg0")
			s.Kernel.Routes[len(s.Kernel.Routes)-1].Table = 51820
			addTable(s.Firewall, filterTable("ip", "fence", baseChain("passing", "forward", "accept",
				newRule(false).device("oifname", "eth0").jump("drop", ""))))
		}, nil},
	} {
		s := lone(func(s *Snapshot) *firewall.Ruleset { return iptablesRules(s, "") })
		test.change(&s)
		if diff := cmp.Diff(test.want, filterFindings(s)); diff != "" {
			t.Errorf("%s (-want +have):\n%s", test.name, diff)
		}
	}
}

// TestHostileBridgeNames: a name that a shell or nft could read otherwise
// stands in no command for nft.
func TestHostileBridgeNames(t *testing.T) {
	s := lone(nftRules)
	const evil = `v";reboot`
	for _, def := range []*xml.Network{s.network("default").Live, s.network("default").Config} {
		def.Bridge = evil
	}
	l := s.link("virbr0")
	l.Name = evil
	for i := range s.Kernel.Addresses {
		if s.Kernel.Addresses[i].Link == "virbr0" {
			s.Kernel.Addresses[i].Link = evil
		}
	}
	addTable(s.Firewall, workstation())
	found := false
	for _, f := range Judge(s).Findings {
		if f.Check == dropInput {
			found = true
			if len(f.Fix.Commands()) > 0 || f.Fix.Class != Manual {
				t.Errorf("%s: %q", f.Fix.Class, f.Fix.Commands())
			}
		}
	}
	if !found {
		t.Error("the fault is not named")
	}
}

// TestOutsideAvoidsTheHost: the range that stands for the outside is none that
// the host has a route of its own to.
func TestOutsideAvoidsTheHost(t *testing.T) {
	s := lone(nftRules)
	addRoute(&s, "98.0.0.0/8", "203.0.113.1", "eth0")
	if have := newHost(&s).outside(false); have.Overlaps(netip.MustParsePrefix("98.0.0.0/8")) || !have.IsValid() {
		t.Errorf("the outside is %s", have)
	}
}

// TestUnmasked: what surely goes elsewhere needs no address of the host, what may go
// there does.
func TestUnmasked(t *testing.T) {
	for name, c := range map[string]struct {
		to   *firewall.Translation
		want bool
	}{
		"nowhere else": {nil, true},
		"elsewhere":    {&firewall.Translation{Kind: "redirect"}, false},
		"perhaps":      {&firewall.Translation{Kind: "dnat", Maybe: true}, true},
	} {
		s := seen{declared: declared{nat: true}, Verdict: firewall.Verdict{Answer: firewall.Accept, Destination: c.to}}
		if s.unmasked() != c.want {
			t.Errorf("%s: have %v", name, !c.want)
		}
	}
}
