package firewall

import (
	"fmt"
	"net/netip"
	"testing"
)

// The verdicts that libvirt's own rules give in each mode: W1 to W10 of the
// catalogue of faults. "policy" is whatever the host says without libvirt:
// here accept, since nothing else is loaded.
type expectation struct{ w1, w2, w3, w3b, w4, w5, w6, w7, w8 Answer }

var (
	wantNAT      = expectation{Accept, Accept, Accept, Accept, Accept, Accept, Drop, Accept, Drop}
	wantRoute    = expectation{Accept, Accept, Accept, Accept, Accept, Accept, Accept, Accept, Drop}
	wantIsolated = expectation{Accept, Accept, Accept, Accept, Drop, Drop, Drop, Accept, Drop}
	wantOpen     = expectation{Accept, Accept, Accept, Accept, Accept, Accept, Accept, Accept, Accept}
)

// goldenHost has a bridge for each of two networks, and an uplink.
const goldenHost = `ip link add virbr0 type bridge
ip link add virbr1 type bridge
ip link add eth0 type bridge
ip link add eth1 type bridge
ip link set virbr0 up
ip link set virbr1 up
ip link set eth0 up
ip link set eth1 up
ip addr add 192.168.122.1/24 dev virbr0
ip addr add 203.0.113.2/24 dev eth0`

type goldenFlows struct {
	v6  bool
	dev map[string]Interface
	net netip.Prefix
}

func newGoldenFlows(t *testing.T, v6 bool, n network) *goldenFlows {
	g := &goldenFlows{v6: v6, dev: interfaces(t), net: netip.MustParsePrefix(n.net4)}
	if v6 {
		g.net = netip.MustParsePrefix(n.net6)
	}
	return g
}

func (g *goldenFlows) outside() netip.Prefix {
	if g.v6 {
		return netip.MustParsePrefix("2001:db8::77/128")
	}
	return netip.MustParsePrefix("203.0.113.77/32")
}

func (g *goldenFlows) flow(path, iif, oif string) Flow {
	f := Flow{Family: "ip", Path: path, IIF: g.dev[iif], OIF: g.dev[oif]}
	if g.v6 {
		f.Family = "ip6"
	}
	return f
}

// w makes the flows of the catalogue between a network's bridge and the
// uplink. Addresses are prefixes, ports those that are not said are open.
func (g *goldenFlows) w(bridge string) map[string]Flow {
	service := func(path, proto string, port int) Flow {
		f := g.flow(path, bridge, "")
		if path == PathOutput {
			f = g.flow(path, "", bridge)
		}
		f.Proto, f.DstPort = proto, port
		return f
	}
	server, client := 67, 68
	if g.v6 {
		server, client = 547, 546
	}
	between := func(iif, oif string, src, dst netip.Prefix, ct ...string) Flow {
		f := g.flow(PathForward, iif, oif)
		f.Src, f.Dst, f.CT = src, dst, ct
		return f
	}
	solicitation := service(PathInput, "ipv6-icmp", 0)
	typ := uint8(135)
	solicitation.ICMPType = &typ
	spoofed := netip.MustParsePrefix("198.51.100.0/24")
	if g.v6 {
		spoofed = netip.MustParsePrefix("2001:db8:bad::/48")
	}
	return map[string]Flow{
		"W1":     service(PathInput, "udp", server),
		"W2":     service(PathOutput, "udp", client),
		"W3 udp": service(PathInput, "udp", 53),
		"W3 tcp": service(PathInput, "tcp", 53),
		"W3b":    solicitation,
		"W4":     between(bridge, "eth0", g.net, g.outside()),
		"W5":     between("eth0", bridge, g.outside(), g.net, StateEstablished, StateRelated),
		"W6":     between("eth0", bridge, g.outside(), g.net),
		"W7":     between(bridge, bridge, g.net, g.net),
		"W8":     between(bridge, "eth0", spoofed, g.outside()),
	}
}

func (e expectation) of(w string) Answer {
	return map[string]Answer{"W1": e.w1, "W2": e.w2, "W3 udp": e.w3, "W3 tcp": e.w3, "W3b": e.w3b, "W4": e.w4, "W5": e.w5, "W6": e.w6, "W7": e.w7, "W8": e.w8}[w]
}

func loadLibvirt(t testing.TB, backend string, v6 bool, nets ...network) {
	t.Helper()
	if backend == "nftables" {
		nft(t, libvirtNFT(v6, nets...))
		return
	}
	tool := "iptables-nft"
	if v6 {
		tool = "ip6tables-nft"
	}
	if backend == "legacy" {
		tool = map[bool]string{false: "iptables-legacy", true: "ip6tables-legacy"}[v6]
	}
	tables := libvirtIPTables(v6, nets...)
	for _, name := range []string{"filter", "nat", "mangle"} {
		iptables(t, tool, name, tables[name])
	}
}

// TestLibvirtsOwnRules: each backend's rules for each mode, both families.
func TestLibvirtsOwnRules(t *testing.T) {
	for _, backend := range []string{"iptables", "legacy", "nftables"} {
		for _, v6 := range []bool{false, true} {
			for mode, want := range map[string]expectation{"nat": wantNAT, "nat, IPv6 routed": wantNAT, "route": wantRoute, "isolated": wantIsolated, "open": wantOpen} {
				n := network{bridge: "virbr0", mode: mode, net4: "192.168.122.0/24", net6: "fd00:122::/64", nat6: true}
				if mode == "nat, IPv6 routed" {
					n.mode, n.nat6 = "nat", false
					if v6 {
						want = wantRoute
					}
				}
				t.Run(fmt.Sprintf("%s/v6=%v/%s", backend, v6, mode), func(t *testing.T) {
					inNamespace(t)
					sh(t, goldenHost)
					loadLibvirt(t, backend, v6, n)
					flows := newGoldenFlows(t, v6, n)
					decide := bothWays(t, throughJSON(t, read(t)), Host{})
					for name, f := range flows.w("virbr0") {
						v := decide(f)
						if v.Answer != want.of(name) {
							t.Errorf("%s: have %s by %+v (%s), want %s", name, v.Answer, v.By, v.Why, want.of(name))
						}
						if v.Answer == Drop && (!v.Rejected || v.By.Owner != OwnerLibvirt) {
							t.Errorf("%s: dropped by %+v, want a reject of libvirt's", name, v.By)
						}
						natted := n.mode == "nat" && (!v6 || n.nat6)
						if name == "W4" && (v.Source != nil) != natted {
							t.Errorf("W4: have NAT %+v, want %v", v.Source, natted)
						}
						if name == "W4" && natted && (v.Source.Kind != "masquerade" || v.Source.Maybe) {
							t.Errorf("W4: have %+v, want a masquerade", v.Source)
						}
					}
				})
			}
		}
	}
}

// W9: what libvirt does not translate.
func TestLibvirtsNATExclusions(t *testing.T) {
	for _, backend := range []string{"iptables", "legacy", "nftables"} {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/v6=%v", backend, v6), func(t *testing.T) {
				inNamespace(t)
				sh(t, goldenHost)
				n := network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24", net6: "fd00:122::/64", nat6: true}
				loadLibvirt(t, backend, v6, n)
				flows := newGoldenFlows(t, v6, n)
				filter := New(read(t), Host{})
				none := []string{"192.168.122.0/24", "224.0.0.0/24", "255.255.255.255/32"}
				if v6 {
					none = []string{"fd00:122::/64", "ff02::/16"}
				}
				for _, dst := range none {
					f := flows.flow(PathOutput, "", "eth0")
					f.Src, f.Dst = flows.net, netip.MustParsePrefix(dst)
					if v := filter.Decide(f); v.Answer != Accept || v.Source != nil {
						t.Errorf("to %s: have %s, NAT %+v, want none", dst, v.Answer, v.Source)
					}
				}
			})
		}
	}
}

// W10: the destination's side decides first.
func TestLibvirtsNetworksToEachOther(t *testing.T) {
	net := func(bridge, mode string, n int) network {
		return network{bridge: bridge, mode: mode, net4: fmt.Sprintf("192.168.%d.0/24", n), net6: fmt.Sprintf("fd00:%d::/64", n), nat6: true}
	}
	for _, backend := range []string{"iptables", "nftables"} {
		for _, c := range []struct {
			from, to string
			ct       string
			want     Answer
		}{
			{"nat", "nat", StateNew, Drop},
			{"nat", "nat", StateEstablished, Accept},
			{"route", "isolated", StateNew, Drop},
			{"isolated", "route", StateNew, Accept}, // the leak of the catalogue
			{"route", "isolated", StateEstablished, Drop},
			{"isolated", "isolated", StateNew, Drop},
		} {
			t.Run(fmt.Sprintf("%s/%s to %s %s", backend, c.from, c.to, c.ct), func(t *testing.T) {
				inNamespace(t)
				sh(t, goldenHost)
				a, b := net("virbr0", c.from, 122), net("virbr1", c.to, 123)
				loadLibvirt(t, backend, false, a, b)
				flows := newGoldenFlows(t, false, a)
				f := flows.flow(PathForward, "virbr0", "virbr1")
				f.Src, f.Dst, f.CT = netip.MustParsePrefix(a.net4), netip.MustParsePrefix(b.net4), []string{c.ct}
				if v := Evaluate(read(t), f, Host{}); v.Answer != c.want {
					t.Errorf("have %s by %+v (%s), want %s", v.Answer, v.By, v.Why, c.want)
				}
			})
		}
	}
}

// A <forward dev='eth0'> accepts one uplink and rejects the others.
func TestLibvirtsForwardDevice(t *testing.T) {
	for _, backend := range []string{"iptables", "nftables"} {
		t.Run(backend, func(t *testing.T) {
			inNamespace(t)
			sh(t, goldenHost)
			n := network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24", net6: "fd00:122::/64", dev: "eth0"}
			loadLibvirt(t, backend, false, n)
			flows := newGoldenFlows(t, false, n)
			filter := New(read(t), Host{})
			f := flows.w("virbr0")["W4"]
			if v := filter.Decide(f); v.Answer != Accept || v.Source == nil {
				t.Errorf("by eth0: have %s, NAT %+v", v.Answer, v.Source)
			}
			f.OIF = flows.dev["eth1"]
			if v := filter.Decide(f); v.Answer != Drop || !v.Rejected {
				t.Errorf("by eth1: have %s by %+v, want a reject", v.Answer, v.By)
			}
		})
	}
}
