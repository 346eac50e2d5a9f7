package verify

import (
	"net/netip"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
)

func nwfilterFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"nwfilter-broken": func(s *Snapshot) { withFilter(s) },
		"nwfilter-broken+parameters": func(s *Snapshot) {
			withFilter(s)
			s.guest("centos").Interfaces[0].FilterParameters = true
		},
		"nwfilter-broken+bandwidth": func(s *Snapshot) {
			throttled(s)
			withFilter(s)
		},
		"nwfilter-broken+no-binding": func(s *Snapshot) {
			withFilter(s)
			s.Libvirt.Filters.Bindings = []libvirtnet.FilterBinding{}
			filterRules(s, "vnet0")
		},
		"nwfilter-broken+undefined": func(s *Snapshot) {
			withFilter(s)
			s.guest("centos").Interfaces[0].Filter = ""
			s.guest("spare").Interfaces[0].Filter = "gone"
		},
		"nwfilter-broken+bridge-call": func(s *Snapshot) {
			filterOfIPTables(s)
			s.Kernel.Sysctls["net.bridge.bridge-nf-call-iptables"] = "0"
		},
		"nwfilter-broken+bridge-call-of-some-rules": func(s *Snapshot) {
			filterOfIPTables(s)
			filterRules(s, "vnet0")
			s.Kernel.Sysctls["net.bridge.bridge-nf-call-iptables"] = "0"
		},
		"nwfilter-broken+jump-lost": func(s *Snapshot) {
			withFilter(s)
			filterRules(s, "vnet0")
			chainOf(s, "bridge", "nat", "PREROUTING").Rules = []firewall.Rule{}
		},
		"nwfilter-broken+first-jump-lost": func(s *Snapshot) {
			filterOfIPTables(s)
			c := chainOf(s, "ip", "filter", "FORWARD")
			c.Rules = c.Rules[:len(c.Rules)-1]
		},
		"nwfilter-broken+another-address": func(s *Snapshot) {
			addressFilter(s, "192.168.122.77")
			lease(s, centosMAC, "192.168.122.5")
			s.Libvirt.Filters.Bindings[0].IPs = []netip.Addr{netip.MustParseAddr("192.168.122.77")}
		},
		"nwfilter-broken+learned-before": func(s *Snapshot) {
			addressFilter(s, "192.168.122.77")
			lease(s, centosMAC, "192.168.122.5")
		},
		"nwfilter-orphan": func(s *Snapshot) { filterRules(s, "vnet77") },
		"nwfilter-orphan+reused": func(s *Snapshot) {
			filterRules(s, "vnet0")
		},
	}
}

func nwfilterHealthy() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"ok-nwfilter": func(s *Snapshot) {
			withFilter(s)
			filterRules(s, "vnet0")
		},
		"ok-nwfilter-of-iptables": filterOfIPTables,
		"ok-nwfilter-by-the-bridges-own-call": func(s *Snapshot) {
			filterOfIPTables(s)
			s.Kernel.Sysctls["net.bridge.bridge-nf-call-iptables"] = "0"
			s.bridge("virbr0").NFCallIPTables = true
		},
		"ok-nwfilter-of-its-address": func(s *Snapshot) {
			addressFilter(s, "192.168.122.5")
			lease(s, centosMAC, "192.168.122.5")
		},
		"ok-nwfilter-of-one-of-two": func(s *Snapshot) {
			// It has a static address beside an old lease.
			addressFilter(s, "192.168.122.77")
			lease(s, centosMAC, "192.168.122.5")
			meet(s, "192.168.122.77", centosMAC, "stale", 120_000)
		},
		"ok-nwfilter-that-drops-all": func(s *Snapshot) {
			addressFilter(s, "192.168.122.77")
			lease(s, centosMAC, "192.168.122.5")
			c := chainOf(s, "bridge", "nat", "I-vnet0-ipv4-ip")
			c.Rules = c.Rules[1:]
		},
		"ok-nwfilter-without-rules": func(s *Snapshot) {
			withFilter(s)
			s.Libvirt.Filters.Defined[0].Empty = true
		},
	}
}

// filterOfIPTables gives the tap vnet0 a filter with rules of iptables.
func filterOfIPTables(s *Snapshot) {
	withFilter(s)
	*s = withRules(*s)
	s.Kernel.Sysctls["net.bridge.bridge-nf-call-iptables"] = "1"
	for i := range s.Firewall.Tables {
		if t := &s.Firewall.Tables[i]; t.Family == "ip" && t.Name == "filter" {
			t.Chains = append(t.Chains,
				firewall.Chain{Name: "libvirt-in", Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{}},
				firewall.Chain{Name: "FI-vnet0", Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{}})
		}
	}
	newRule(false).jump("jump", "FI-vnet0").into(chainOf(s, "ip", "filter", "libvirt-in"))
	newRule(false).jump("jump", "libvirt-in").into(chainOf(s, "ip", "filter", "FORWARD"))
	numbered(s.Firewall)
}

// withFilter gives the tap vnet0 a filter that libvirt has bound.
func withFilter(s *Snapshot) {
	s.guest("centos").Interfaces[0].Filter = "no-mac-spoofing"
	s.Libvirt.Filters = &libvirtnet.Filters{
		Defined:  []libvirtnet.Filter{{Name: "no-mac-spoofing"}},
		Bindings: []libvirtnet.FilterBinding{{Tap: "vnet0", Filter: "no-mac-spoofing"}},
	}
}

// addressFilter gives the tap vnet0 a filter that lets IPv4 from one address
// pass.
func addressFilter(s *Snapshot, ip string) {
	withFilter(s)
	filterRules(s, "vnet0")
	t := &s.Firewall.Tables[len(s.Firewall.Tables)-1]
	c := firewall.Chain{Name: "I-vnet0-ipv4-ip", Handle: 4, Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{}}
	newRule(false).address(false, netip.PrefixFrom(netip.MustParseAddr(ip), 32), false).jump("return", "").into(&c)
	newRule(false).jump("drop", "").into(&c)
	t.Chains = append(t.Chains, c)
	newRule(false).jump("jump", c.Name).into(chainOf(s, "bridge", "nat", "libvirt-I-vnet0"))
	numbered(s.Firewall)
}

// filterRules are what libvirt's network filters make with ebtables-nft for a
// tap.
func filterRules(s *Snapshot, tap string) {
	*s = withRules(*s)
	jump := func(chain string) []*firewall.Expr {
		return []*firewall.Expr{
			{Kind: "meta", Key: "iifname", Dreg: 1},
			{Kind: "cmp", Op: "eq", Sreg: 1, Len: 16, Data: firewall.Bytes(append([]byte(tap), make([]byte, 16-len(tap))...))},
			{Kind: "immediate", Jump: &firewall.Jump{Code: "jump", Chain: chain}},
		}
	}
	s.Firewall.Tables = append(s.Firewall.Tables, firewall.Table{
		Family: "bridge", Name: "nat", Handle: 90, Owner: firewall.OwnerLibvirt,
		Chains: []firewall.Chain{
			{
				Name: "PREROUTING", Handle: 1, Owner: firewall.OwnerLibvirt,
				Base:  &firewall.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: "accept"},
				Rules: []firewall.Rule{{Handle: 5, Exprs: jump("libvirt-I-" + tap), Owner: firewall.OwnerLibvirt}},
			},
			{Name: "libvirt-I-" + tap, Handle: 2, Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{
				{Handle: 6, Exprs: jump("I-" + tap + "-mac"), Owner: firewall.OwnerLibvirt},
			}},
			{Name: "I-" + tap + "-mac", Handle: 3, Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{}},
		},
	})
}
