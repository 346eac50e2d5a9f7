package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// network is one with these subnets; the host has the first of their addresses.
func network(name, bridgeName string, active bool, subnets ...string) libvirtnet.Network {
	def := xml.Network{Name: name, Mode: xml.NAT, Bridge: bridgeName}
	for _, s := range subnets {
		def.IPs = append(def.IPs, xml.IP{Address: prefix(s)})
	}
	n := libvirtnet.Network{Name: name, Active: active, Persistent: true, Config: &def}
	if active {
		live := def
		n.Live = &live
	}
	return n
}

func route(dst, link string) bridge.Route {
	return bridge.Route{Table: 254, Dst: prefix(dst), Link: link, Protocol: "kernel", Type: "unicast"}
}

func testHost(networks []libvirtnet.Network, routes []bridge.Route) lint.Host {
	w := world{here: true}
	w.Libvirt.Networks, w.Kernel.Routes = networks, routes
	return w.host()
}

func overlapWords(subnet string, taken []lint.Claim) []string {
	var words []string
	for _, c := range lint.Overlaps(prefix(subnet).Masked(), taken) {
		words = append(words, prefix(subnet).Masked().String()+" overlaps "+c.Words)
	}
	return words
}

func TestOverlaps(t *testing.T) {
	networks := []libvirtnet.Network{
		network("default", "virbr0", true, "192.168.122.1/24"),
		network("off", "virbr1", false, "10.50.0.1/16", "fd00:5::1/64"),
		network("own", "virbr2", true, "10.9.0.1/24"),
	}
	vpn := route("172.16.0.0/12", "tun0")
	vpn.Table, vpn.Protocol, vpn.Gateway = 51820, "static", netip.MustParseAddr("10.99.0.1")
	hole := route("10.77.0.0/16", "")
	hole.Type = "blackhole"
	routes := []bridge.Route{
		route("0.0.0.0/0", "eth0"), route("::/0", "eth0"), // default
		route("0.0.0.0/1", "tun0"), route("128.0.0.0/1", "tun0"), // a VPN's default
		route("fe80::/64", "eth0"), route("ff00::/8", "eth0"),
		route("203.0.113.0/24", "eth0"), vpn, hole,
		route("192.168.122.0/24", "virbr0"), route("10.9.0.0/24", "virbr2"),
	}
	tests := []struct {
		name, want string
		lines      []string
	}{
		{"free", "192.168.123.0/24", nil},
		{"own route", "10.9.0.0/24", nil},
		{"own, wider", "10.9.0.0/16", nil},
		{"link-local", "fe80::/64", nil},
		{"equal, the network's own route unsaid", "192.168.122.0/24", []string{"192.168.122.0/24 overlaps 192.168.122.0/24 of network default (active, bridge virbr0)"}},
		{"inside", "192.168.122.128/25", []string{"192.168.122.128/25 overlaps 192.168.122.0/24 of network default (active, bridge virbr0)"}},
		{"around", "192.168.122.1/23", []string{"192.168.122.0/23 overlaps 192.168.122.0/24 of network default (active, bridge virbr0)"}},
		{"inactive", "10.50.3.0/24", []string{"10.50.3.0/24 overlaps 10.50.0.0/16 of network off (inactive, bridge virbr1)"}},
		{"IPv6", "fd00:5::/48", []string{"fd00:5::/48 overlaps fd00:5::/64 of network off (inactive, bridge virbr1)"}},
		{"route", "203.0.113.64/26", []string{"203.0.113.64/26 overlaps route 203.0.113.0/24 dev eth0 (table main, proto kernel)"}},
		{"route of another table", "172.20.0.0/16", []string{"172.20.0.0/16 overlaps route 172.16.0.0/12 via 10.99.0.1 dev tun0 (table 51820, proto static)"}},
		{"route to nowhere", "10.77.1.0/24", []string{"10.77.1.0/24 overlaps route blackhole 10.77.0.0/16 (table main, proto kernel)"}},
		{"two owners", "10.0.0.0/9", []string{
			"10.0.0.0/9 overlaps 10.50.0.0/16 of network off (inactive, bridge virbr1)",
			"10.0.0.0/9 overlaps route blackhole 10.77.0.0/16 (table main, proto kernel)",
		}},
	}
	taken := testHost(networks, routes).Claims("own")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if have := overlapWords(tt.want, taken); !slices.Equal(have, tt.lines) {
				t.Errorf("have %q\nwant %q", have, tt.lines)
			}
		})
	}
}

// Two networks with one subnet are two owners.
func TestOverlapsTwins(t *testing.T) {
	taken := testHost([]libvirtnet.Network{
		network("a", "virbr1", true, "10.1.0.1/24"), network("b", "virbr2", false, "10.1.0.1/24"),
	}, []bridge.Route{route("10.1.0.0/24", "virbr1")}).Claims("new")
	have := overlapWords("10.1.0.0/24", taken)
	if len(have) != 2 || !strings.Contains(have[0], "network a ") || !strings.Contains(have[1], "network b ") {
		t.Errorf("have %q, want a line each for a and b", have)
	}
}

func TestFreeSubnet(t *testing.T) {
	all := func(s string) lint.Claim { return lint.Claim{Prefix: prefix(s)} }
	tests := []struct {
		name   string
		taken  []lint.Claim
		others []netip.Prefix
		want   string
	}{
		{"libvirt's own", nil, nil, "192.168.122.0/24"},
		{"the next", []lint.Claim{all("192.168.122.0/24")}, nil, "192.168.123.0/24"},
		{"a part is enough", []lint.Claim{all("192.168.122.200/32"), all("192.168.123.0/30")}, nil, "192.168.124.0/24"},
		{"behind a wide one", []lint.Claim{all("192.168.96.0/19"), all("192.168.128.0/17")}, nil, "192.168.0.0/24"},
		{"chosen together", []lint.Claim{all("192.168.122.0/24")}, []netip.Prefix{prefix("192.168.123.0/24")}, "192.168.124.0/24"},
		{"ten", []lint.Claim{all("192.168.0.0/16")}, nil, "10.122.0.0/24"},
		{"ten, wrapped", []lint.Claim{all("192.168.0.0/16"), all("10.64.0.0/10"), all("10.128.0.0/9")}, nil, "10.0.0.0/24"},
		{"beside containers", []lint.Claim{all("192.168.0.0/16"), all("10.0.0.0/8"), all("172.16.0.0/15")}, nil, "172.18.0.0/24"},
		{"the last", []lint.Claim{all("192.168.0.0/16"), all("10.0.0.0/8"), all("172.16.0.0/13"), all("172.24.0.0/14"), all("172.28.0.0/15"), all("172.30.0.0/16"), all("172.31.0.0/17"),
			all("172.31.128.0/18"), all("172.31.192.0/19"), all("172.31.224.0/20"), all("172.31.240.0/21"), all("172.31.248.0/22"), all("172.31.252.0/23"), all("172.31.254.0/24")}, nil, "172.31.255.0/24"},
		{"none", []lint.Claim{all("192.168.0.0/16"), all("10.0.0.0/8"), all("172.16.0.0/12")}, nil, ""},
		{"IPv6 is elsewhere", []lint.Claim{all("::/1")}, nil, "192.168.122.0/24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			have, ok := freeSubnet(tt.taken, tt.others)
			if ok != (tt.want != "") || ok && have != prefix(tt.want) {
				t.Errorf("have %s, %v, want %q", have, ok, tt.want)
			}
		})
	}
}
