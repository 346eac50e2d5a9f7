package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

func ip(address string, ranges ...xml.Range) xml.IP {
	return xml.IP{Address: prefix(address), Ranges: ranges}
}

func span(a, b string) xml.Range {
	return xml.Range{Start: netip.MustParseAddr(a), End: netip.MustParseAddr(b)}
}

func TestWishedAddresses(t *testing.T) {
	served := ip("10.1.0.254/24", span("10.1.0.10", "10.1.0.20"))
	served.Hosts = []xml.Host{{MAC: "52:54:00:00:00:01", IP: netip.MustParseAddr("10.1.0.30")}}
	have := &xml.Network{Name: "lab", Mode: xml.NAT, IPs: []xml.IP{served, ip("fd00:1::1/64")}}
	lan := &xml.Network{Name: "lab", Mode: xml.HostBridge, Bridge: "br0"}
	reserved := xml.Host{MAC: "52:54:00:00:00:02", IP: netip.MustParseAddr("10.1.0.31")}
	tests := []struct {
		what string
		wish networkWish
		have *xml.Network
		want []xml.IP
	}{
		{"nothing said", networkWish{}, have, nil},
		{"new: the rest is the default", networkWish{subnets: []netip.Prefix{prefix("10.2.0.0/24")}}, nil,
			[]xml.IP{ip("10.2.0.1/24", span("10.2.0.2", "10.2.0.254"))}},
		{"new: host bits are the gateway", networkWish{subnets: []netip.Prefix{prefix("10.2.0.7/29")}, noDHCP: true}, nil,
			[]xml.IP{{Address: prefix("10.2.0.7/29"), Ranges: []xml.Range{}, Hosts: []xml.Host{}}}},
		{"new: no room for a range", networkWish{subnets: []netip.Prefix{prefix("10.2.0.0/31")}}, nil,
			[]xml.IP{ip("10.2.0.0/31")}},
		{"new: none", networkWish{none: true}, nil, []xml.IP{}},
		{"new: auto avoids the other", networkWish{auto: 1, subnets: []netip.Prefix{prefix("192.168.122.0/24")}}, nil,
			[]xml.IP{ip("192.168.122.1/24", span("192.168.122.2", "192.168.122.254")), ip("192.168.123.1/24")}},
		{"the same subnet keeps its gateway", networkWish{subnets: []netip.Prefix{prefix("10.1.0.0/24")}}, have,
			[]xml.IP{ip("10.1.0.254/24")}},
		{"auto is content", networkWish{auto: 1}, have, []xml.IP{ip("10.1.0.254/24")}},
		{"another subnet is served, too", networkWish{subnets: []netip.Prefix{prefix("10.3.0.0/24")}}, have,
			[]xml.IP{ip("10.3.0.1/24", span("10.3.0.2", "10.3.0.254"))}},
		{"a second subnet is not", networkWish{subnets: []netip.Prefix{prefix("10.1.0.0/24"), prefix("10.3.0.0/24")}}, have,
			[]xml.IP{ip("10.1.0.254/24"), ip("10.3.0.1/24")}},
		{"a range goes to its subnet", networkWish{onSubnets: true, ranges: []xml.Range{span("fd00:1::10", "fd00:1::20")}}, have,
			[]xml.IP{ip("10.1.0.254/24"), ip("fd00:1::1/64", span("fd00:1::10", "fd00:1::20"))}},
		{"a reservation goes to its subnet", networkWish{onSubnets: true, reserved: []xml.Host{reserved}}, have,
			[]xml.IP{{Address: prefix("10.1.0.254/24"), Hosts: []xml.Host{reserved}}, ip("fd00:1::1/64")}},
		{"a gateway moves", networkWish{onSubnets: true, gateways: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}, have,
			[]xml.IP{ip("10.1.0.1/24"), ip("fd00:1::1/64")}},
		{"no DHCP any more", networkWish{onSubnets: true, noDHCP: true}, have, []xml.IP{
			{Address: prefix("10.1.0.254/24"), Ranges: []xml.Range{}, Hosts: []xml.Host{}},
			{Address: prefix("fd00:1::1/64"), Ranges: []xml.Range{}, Hosts: []xml.Host{}},
		}},
		{"from a host bridge", networkWish{def: xml.Network{Mode: xml.NAT}, auto: 1}, lan,
			[]xml.IP{ip("192.168.122.1/24", span("192.168.122.2", "192.168.122.254"))}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			tt.wish.anything = true
			def, err := tt.wish.complete("lab", tt.have, nil)
			if err != nil {
				t.Fatal(err)
			}
			same := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
			addr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
			if diff := cmp.Diff(tt.want, def.IPs, same, addr); diff != "" {
				t.Errorf("want(-) have(+):\n%s", diff)
			}
		})
	}
}

func TestWishRefuses(t *testing.T) {
	addr := netip.MustParseAddr
	have := &xml.Network{Name: "lab", Mode: xml.NAT, IPs: []xml.IP{ip("10.1.0.1/24")}}
	tests := []struct {
		what string
		wish networkWish
		have *xml.Network
	}{
		{"no subnet", networkWish{}, nil},
		{"isolated without saying none", networkWish{def: xml.Network{Mode: xml.Isolated}}, nil},
		{"bridge without a bridge", networkWish{def: xml.Network{Mode: xml.HostBridge}}, nil},
		{"subnet on a host bridge", networkWish{auto: 1, def: xml.Network{Mode: xml.HostBridge, Bridge: "br0"}}, nil},
		{"NAT without NAT", networkWish{auto: 1, def: xml.Network{Mode: xml.Route, NAT: &xml.NATSpec{IPv6: true}}}, nil},
		{"gateway elsewhere", networkWish{onSubnets: true, gateways: []netip.Addr{addr("10.2.0.1")}}, have},
		{"two gateways", networkWish{onSubnets: true, gateways: []netip.Addr{addr("10.1.0.2"), addr("10.1.0.3")}}, have},
		{"gateway is the subnet", networkWish{onSubnets: true, gateways: []netip.Addr{addr("10.1.0.0")}}, have},
		{"range across the border", networkWish{onSubnets: true, ranges: []xml.Range{span("10.1.0.200", "10.1.1.20")}}, have},
		{"reservation elsewhere", networkWish{onSubnets: true, reserved: []xml.Host{{MAC: "52:54:00:00:00:02", IP: addr("10.2.0.9")}}}, have},
		{"from a host bridge without a subnet", networkWish{def: xml.Network{Mode: xml.NAT}}, &xml.Network{Name: "lab", Mode: xml.HostBridge}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			tt.wish.anything = true
			if def, err := tt.wish.complete("lab", tt.have, nil); err == nil {
				t.Errorf("it became %+v", def)
			}
		})
	}
}

// The classic network is whole, and nobody chooses for another name.
func TestClassic(t *testing.T) {
	def, err := networkWish{}.complete("default", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("virbr0", def.Bridge); diff != "" || len(def.IPs) != 1 || def.IPs[0].Address != prefix("192.168.122.1/24") {
		t.Errorf("have %+v", def)
	}
}

// TestAutoMovesOn: "auto" keeps a subnet only while nobody else claims it.
func TestAutoMovesOn(t *testing.T) {
	have := &xml.Network{Name: "lab", Mode: xml.NAT, IPs: []xml.IP{ip("10.1.0.254/24", span("10.1.0.10", "10.1.0.20"))}}
	for _, tt := range []struct{ claimed, want string }{
		{"10.9.0.0/24", "10.1.0.254/24"},
		{"10.1.0.128/25", "192.168.122.1/24"},
		{"10.0.0.0/8", "192.168.122.1/24"},
	} {
		wish := networkWish{anything: true, auto: 1}
		def, err := wish.complete("lab", have, []lint.Claim{{Prefix: prefix(tt.claimed)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(def.IPs) != 1 || def.IPs[0].Address != prefix(tt.want) {
			t.Errorf("%s is claimed: have %v, want %s", tt.claimed, def.IPs, tt.want)
		}
	}
}

// A bridge that a definition names may stand under another name of it.
func TestBridgeConflicts(t *testing.T) {
	for _, tt := range []struct {
		mode   xml.Mode
		bridge string
		want   string
	}{
		{xml.HostBridge, "both", ""},
		{xml.HostBridge, "office", ""},
		{xml.HostBridge, "br1", "the host has no bridge br1 (it has both, br0, virbr0, virbr7)"},
		{xml.HostBridge, "eth0", "eth0 is no bridge"},
		{xml.HostBridge, "enp3s0", "enp3s0 is no bridge"},
		{xml.NAT, "virbr1", ""},
		{xml.NAT, "virbr0", "bridge virbr0 belongs to network default (active)"},
		{xml.NAT, "office", "bridge office belongs to network lan (active); bridge office belongs to network alias (active)"},
		{xml.NAT, "veth1", "the host has a device veth1 already (veth)"},
	} {
		have := strings.Join(networkConflicts(testWorld(true), xml.Network{Name: "new", Mode: tt.mode, Bridge: tt.bridge}, nil), "; ")
		if have != tt.want {
			t.Errorf("%s on %s: have %q, want %q", tt.mode, tt.bridge, have, tt.want)
		}
	}
}
