package verify

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

func routeNetwork(s *Snapshot) {
	n := natNetwork("wan", "virbr7", "10.7.0.1/24")
	n.Config.Mode = xml.Route
	addNetwork(s, n)
	addGuest(s, "far", libvirtnet.Running, onNetwork("wan", "vnet7", "52:54:00:aa:00:09"))
}

func virtual(s *Snapshot) {
	if s.Services == nil {
		s.Services = &services.State{}
	}
	s.Services.Machine = &services.Machine{Hypervisor: true, Vendor: "QEMU"}
}

func onNIC(s *Snapshot) {
	addGuest(s, "tapped", libvirtnet.Running, libvirtnet.Interface{
		Type: "direct", Source: "eth0", Dev: "eth0", MAC: "52:54:00:aa:00:09", Model: "virtio", Managed: true,
	})
}

func tunnel(s *Snapshot, offloads bool) {
	addLink(s, bridge.Link{Name: "vx0", Kind: "vxlan", MTU: 1500, Up: true, Carrier: true, Oper: "up", Offloads: &bridge.Offloads{Checksum: offloads}})
	addPort(s, "vx0", "br0")
}

// ruled puts rules before libvirt's.
func ruled(lines ...string) func(*Snapshot) {
	return func(s *Snapshot) { s.Firewall = edited(s, oneTable("filter", atFront(lines...)), nil) }
}

// redirecting is a host with a chain for rules that change destinations.
func redirecting(line string) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Firewall = iptablesRules(s, "")
		s.Firewall.Tables = append(s.Firewall.Tables, nftTables("ip", "*nat\n:PREROUTING ACCEPT [0:0]\n"+line+"\nCOMMIT\n")...)
		s.Firewall = numbered(s.Firewall)
	}
}

// rewriting is a host with a rule that writes into a header of what comes in by a link.
func rewriting(family, hook, link, header string, offset uint32, to ...byte) func(*Snapshot) {
	return func(s *Snapshot) {
		write := newRule(false).device("iifname", link).add("payload set",
			&firewall.Expr{Kind: "immediate", Dreg: 1, Data: to},
			&firewall.Expr{Kind: "payload", Key: header, Offset: offset, Len: uint32(len(to)), Sreg: 1})
		s.Firewall = addTable(iptablesRules(s, ""), filterTable(family, "mine", baseChain("early", hook, "accept", write)))
	}
}

// heardOf has entries for these MACs learned, and the bridges' own.
func heardOf(s *Snapshot, macs ...string) {
	s.network("default").LeasesKnown = true
	s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: "virbr0", Port: "vnet0", MAC: "fe:54:00:e4:75:83", State: bridge.FDBPermanent})
	for _, mac := range macs {
		s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: "virbr9", Port: "other", MAC: mac, State: bridge.FDBLearned, Age: 1000})
	}
}

func conntracked(count string) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Kernel.Sysctls["net.netfilter.nf_conntrack_count"], s.Kernel.Sysctls["net.netfilter.nf_conntrack_max"] = count, "262144"
	}
}

// TestHints: a hint is given where the host has what it is about, and a plain
// host has none.
func TestHints(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		o      Options
		want   []string // id and probe
	}{
		{"healthy", func(*Snapshot) {}, Options{}, nil},
		{"broken", func(s *Snapshot) { s.unplug("vnet0") }, Options{}, nil},
		{"virtual machine", virtual, Options{}, []string{"outer-hypervisor tcpdump -ni eth0 ether host 52:54:00:e4:75:84"}},
		{"hardware", func(s *Snapshot) { virtual(s); s.Services.Machine.Hypervisor = false }, Options{}, []string{"lan-switch tcpdump -ni eth0 ether host 52:54:00:e4:75:84"}},
		{"virtual machine, NAT asked for", virtual, Options{Subjects: []string{"default"}}, nil},
		{"virtual machine, one check", virtual, Options{Checks: []string{"tap-missing"}}, nil},
		{"routed", routeNetwork, Options{}, []string{"return-route ping -c 3 -I 10.7.0.1 203.0.113.1"}},
		{"routed and masked", func(s *Snapshot) {
			routeNetwork(s)
			s.Firewall = edited(s, oneTable("nat", atEnd("-A POSTROUTING -o br0 -j MASQUERADE")), nil)
		}, Options{}, nil},
		{"routed, no guest", func(s *Snapshot) { routeNetwork(s); s.guest("far").State = libvirtnet.ShutOff; s.guest("far").ID = -1 }, Options{}, nil},
		{"macvtap", onNIC, Options{}, []string{"macvtap-switch tcpdump -ni eth0 ether host 52:54:00:aa:00:09"}},
		{"jumbo", func(s *Snapshot) { s.link("br0").MTU, s.link("eth0").MTU = 9000, 9000 }, Options{}, []string{"path-mtu ping -c 3 -M do -s 8972 HOST"}},
		{"tunnel", func(s *Snapshot) { tunnel(s, true) }, Options{}, []string{"offload-checksum-l2 ethtool -K vx0 tx off"}},
		{"tunnel that fills checksums in", func(s *Snapshot) { tunnel(s, false) }, Options{}, nil},
		{"nothing heard", func(s *Snapshot) { heardOf(s) }, Options{}, []string{"silent-guest virsh domifaddr centos --source agent"}},
		{"all heard", func(s *Snapshot) {
			heardOf(s, "52:54:00:e4:75:83", "52:54:00:E4:75:84", "52:54:00:aa:00:01", "52:54:00:aa:00:02")
		}, Options{}, nil},
		{"one not heard", func(s *Snapshot) { heardOf(s, "52:54:00:e4:75:83", "52:54:00:e4:75:84", "52:54:00:aa:00:02") }, Options{}, []string{"silent-guest virsh domifaddr debian --source agent"}},
		{"heard by a lease and a neighbour", func(s *Snapshot) {
			heardOf(s, "52:54:00:e4:75:84", "52:54:00:aa:00:01")
			s.network("default").Leases = append(s.network("default").Leases, libvirtnet.Lease{MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("192.168.122.169")})
			s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "br0", IP: netip.MustParseAddr("203.0.113.9"), MAC: "52:54:00:aa:00:02", State: "stale"})
		}, Options{}, nil},
		{"paused guests are silent", func(s *Snapshot) {
			heardOf(s)
			s.guest("centos").State, s.guest("debian").State = libvirtnet.Paused, libvirtnet.Paused
		}, Options{}, nil},
		{"gateway by hand", func(s *Snapshot) {
			gateway(s, "permanent", 0)
			s.Kernel.Neighbours[len(s.Kernel.Neighbours)-1].MAC = "02:00:00:00:00:09"
		}, Options{}, []string{"neighbour-by-hand arping -c 3 -I br0 203.0.113.1"}},
		{"neighbour by hand", func(s *Snapshot) { meet(s, "192.168.122.99", "02:00:00:00:00:09", "permanent", 0) }, Options{}, []string{"neighbour-by-hand arping -c 3 -I virbr0 192.168.122.99"}},
		{"neighbour by hand, and heard", func(s *Snapshot) {
			meet(s, "192.168.122.99", "02:00:00:00:00:09", "permanent", 0)
			learned(s, "vnet1", "52:54:00:e4:75:84")
			hear(s, "vnet0", "02:00:00:00:00:09", 1000)
		}, Options{Subjects: []string{"default"}}, nil},
		{"a busy table", conntracked("131072"), Options{}, []string{"conntrack-busy conntrack -S"}},
		{"a quiet table", conntracked("131071"), Options{}, nil},
		{"a full table", conntracked("262144"), Options{}, nil},
		{"rule for what nobody sees", ruled("-A FORWARD -m time --timestart 10:00 --timestop 11:00 -j DROP"), Options{}, []string{"rule-undecided nft -a list chain ip filter FORWARD"}},
		{"rule that is not understood", ruled("-A FORWARD -m u32 --u32 0x0=0x1 -j DROP"), Options{}, []string{"rule-undecided nft -a list chain ip filter FORWARD"}},
		{"answers alone", ruled("-A FORWARD -o virbr0 -m u32 --u32 0x0=0x1 -j DROP"), Options{}, []string{"rule-undecided nft -a list chain ip filter FORWARD"}},
		{"a program decides", ruled("-A FORWARD -j NFQUEUE --queue-num 0"), Options{}, []string{"rule-undecided nft -a list chain ip filter FORWARD"}},
		{"another network asked for", ruled("-A FORWARD -j NFQUEUE --queue-num 0"), Options{Subjects: []string{"br0"}}, nil},
		{"for a port, a subnet and a MAC", ruled("-A FORWARD -p tcp -m tcp --dport 25 -m u32 --u32 0x0=0x1 -j DROP", "-A FORWARD -s 10.99.0.0/16 -m u32 --u32 0x0=0x1 -j DROP", "-A FORWARD -m mac --mac-source 02:00:00:00:00:77 -m u32 --u32 0x0=0x1 -j DROP"), Options{}, nil},
		{"for containers, before conntrack", func(s *Snapshot) {
			c := baseChain("early", "prerouting", "accept", newRule(false).address(true, netip.MustParsePrefix("172.17.0.2/32"), false).notDevice("iifname", "docker0").jump("drop", ""))
			c.Base.Priority = -300
			s.Firewall = addTable(iptablesRules(s, ""), filterTable("ip", "raw", c))
		}, Options{}, nil},
		{"behind what accepts", ruled("-A FORWARD -j ACCEPT", "-A FORWARD -j NFQUEUE --queue-num 0"), Options{}, nil},
		{"a rule for a protocol", func(s *Snapshot) {
			addRule(s, bridge.Rule{Priority: 50, Action: "prohibit", Src: prefix("192.168.122.0/24"), Selectors: []string{"ipproto"}})
		}, Options{}, []string{"route-rule-undecided ip rule show"}},
		{"a rule for a protocol of answers", func(s *Snapshot) {
			addRule(s, bridge.Rule{Priority: 50, Action: "blackhole", Dst: prefix("192.168.122.0/24"), Selectors: []string{"dport", "ipproto"}})
		}, Options{}, []string{"route-rule-undecided ip rule show"}},
		{"a rule for another network's protocol", func(s *Snapshot) {
			addRule(s, bridge.Rule{Priority: 50, Action: "prohibit", Src: prefix("10.99.0.0/24"), Selectors: []string{"ipproto"}})
			addRule(s, bridge.Rule{Priority: 51, Table: tableMain, Selectors: []string{"ipproto"}})
		}, Options{}, nil},
		{"all to a proxy", redirecting("-A PREROUTING -i virbr0 -p tcp -j REDIRECT --to-ports 3128"), Options{}, []string{"rule-redirects nft -a list chain ip nat PREROUTING"}},
		{"all to another host", redirecting("-A PREROUTING -i virbr0 -j DNAT --to-destination 10.9.9.9"), Options{}, []string{"rule-redirects nft -a list chain ip nat PREROUTING"}},
		{"DNS to another server", redirecting("-A PREROUTING -i virbr0 -p udp -m udp --dport 53 -j DNAT --to-destination 10.9.9.9"), Options{}, []string{"rule-redirects nft -a list chain ip nat PREROUTING"}},
		{"few hops to live", ruled("-A FORWARD -i virbr0 -j TTL --ttl-set 1"), Options{}, []string{"rule-rewrites nft -a list chain ip filter FORWARD"}},
		{"hops as by nobody behind", ruled("-A FORWARD -i virbr0 -j TTL --ttl-set 64"), Options{}, nil},
		{"another destination without NAT", rewriting("ip", "prerouting", "virbr0", "network", 16, 10, 9, 9, 9), Options{}, []string{"rule-rewrites nft -a list chain ip mine early"}},
		{"another MAC, of one guest", rewriting("bridge", "prerouting", "vnet0", "link", 0, 2, 0, 0, 0, 0, 9), Options{}, []string{"rule-rewrites nft -a list chain bridge mine early"}},
		{"a mark for routers", rewriting("ip", "forward", "virbr0", "network", 0, 0x45, 0x10), Options{}, nil},
		{"routed, and nobody gets in", func(s *Snapshot) {
			routeNetwork(s)
			s.Firewall = addTable(iptablesRules(s, ""), filterTable("ip", "fence", baseChain("passing", "forward", "drop",
				newRule(false).states().jump("accept", ""), newRule(false).device("iifname", "virbr0").jump("accept", ""), newRule(false).device("iifname", "virbr7").jump("accept", ""))))
		}, Options{}, []string{"return-route ping -c 3 -I 10.7.0.1 203.0.113.1", "inbound-refused nft -a list chain ip fence passing"}},
		{"source of another subnet", func(s *Snapshot) { sourced(s, "10.99.0.5") }, Options{}, []string{"source-elsewhere tcpdump -ni br0 host 10.99.0.5"}},
		{"source of the host's", func(s *Snapshot) { sourced(s, "203.0.113.50") }, Options{}, nil},
		{"sources one for one", func(s *Snapshot) {
			s.Firewall = edited(s, oneTable("nat", atFront("-A POSTROUTING -s 192.168.122.0/24 -j NETMAP --to 10.99.0.0/24")), nil)
		}, Options{}, []string{"source-elsewhere tcpdump -ni br0 host 10.99.0.0"}},
		{"DNS to another port", redirecting("-A PREROUTING -i virbr0 -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353"), Options{}, []string{"rule-redirects nft -a list chain ip nat PREROUTING"}},
		{"mail to another host", redirecting("-A PREROUTING -i virbr0 -p tcp -m tcp --dport 25 -j DNAT --to-destination 10.9.9.9"), Options{}, nil},
		{"kernel of somebody else", func(s *Snapshot) { virtual(s); s.link("br0").MTU = 9000; s.Kernel.Namespace++ }, Options{}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthyHost()
			test.change(&s)
			var have []string
			for _, h := range judgeOnly(s, test.o).Hints {
				have = append(have, h.ID+" "+h.Probe)
			}
			if diff := cmp.Diff(test.want, have); diff != "" {
				t.Errorf("hints (-want +have):\n%s", diff)
			}
		})
	}
}

// TestHintsAreSafe: names from outside do not break the lines, and there are
// never many.
func TestHintsAreSafe(t *testing.T) {
	s := healthyHost()
	virtual(&s)
	routeNetwork(&s)
	onNIC(&s)
	evil := "a'\n$(reboot)" + strings.Repeat("x", 10_000)
	s.guest("far").Interfaces[0].Network = evil
	s.network("wan").Name = evil
	s.guest("tapped").Interfaces[0].Dev = evil
	s.guest("tapped").Name = evil
	hints := judge(s).Hints
	if len(hints) < 3 || len(hints) > len(hinters) {
		t.Errorf("%d hints", len(hints))
	}
	for _, h := range hints {
		if strings.ContainsAny(h.Message+h.Probe, "\n\x1b") || len(h.Message) > 500 || strings.Contains(h.Probe, " $(") {
			t.Errorf("%s: %q: %q", h.ID, h.Message, h.Probe)
		}
	}
	ids := map[string]bool{}
	for _, h := range hinters {
		if ids[h.id] || slices.ContainsFunc(Checks(), func(c Check) bool { return c.ID == h.id }) {
			t.Errorf("id %s is taken", h.id)
		}
		ids[h.id] = true
	}
}
