package firewall

import (
	"net/netip"
	"testing"
)

// experiments are those of the catalogue of faults, each a state of the packet
// filter and what became of a guest's packet and its answer. The guest's
// network is 10.1.0.0/24 behind c0.
var experiments = []struct {
	name    string
	rules   func(t testing.TB)
	blocked bool
	natted  bool
}{
	{"nftables backend alone", nftBackend, false, true},
	{"another table's forward policy drop", func(t testing.TB) {
		nftBackend(t)
		iptables(t, "iptables-nft", "filter", ":FORWARD DROP")
	}, true, false},
	{"... with accepts in DOCKER-USER", func(t testing.TB) {
		nftBackend(t)
		iptables(t, "iptables-nft", "filter", ":FORWARD DROP\n:DOCKER-USER -\n-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -i c0 -j ACCEPT\n-A DOCKER-USER -o c0 -j ACCEPT")
	}, false, true},
	{"iptables backend, policy drop", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-nft -P FORWARD DROP")
	}, false, true},
	{"iptables backend, a drop before the jumps", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-nft -I FORWARD -j DROP")
	}, true, false},
	{"iptables backend, a reject after the jumps", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-nft -A FORWARD -j REJECT")
	}, false, true},
	{"FORWARD flushed, policy drop", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-nft -F FORWARD\niptables-nft -P FORWARD DROP")
	}, true, false},
	{"FORWARD flushed, policy accept", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-nft -F FORWARD")
	}, false, true},
	{"LIBVIRT_PRT flushed", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-nft -t nat -F LIBVIRT_PRT")
	}, false, false}, // it leaves with the guest's own address
	{"iptables-legacy policy drop beside", func(t testing.TB) {
		iptablesBackend(t)
		sh(t, "iptables-legacy -P FORWARD DROP")
	}, true, false},
}

func labNetwork() network { return network{bridge: "c0", mode: "nat", net4: "10.1.0.0/24"} }

func nftBackend(t testing.TB) { t.Helper(); loadLibvirt(t, "nftables", false, labNetwork()) }

func iptablesBackend(t testing.TB) { t.Helper(); loadLibvirt(t, "iptables", false, labNetwork()) }

// guestTrip is a packet of the guest's to the outside.
func (l *lab) guestTrip() trip {
	l.id++
	p := packet{src: address(false, 1, 2), dst: address(false, 2, 2), proto: "udp", sport: 30000 + int(l.id%1000), dport: 53, id: l.id}
	return trip{packet: p, from: "client0", to: "c0", flow: Flow{Family: "ip", Path: PathForward, IIF: l.dev("c0"), OIF: l.dev("s0"),
		Src: netip.PrefixFrom(p.src, 32), Dst: netip.PrefixFrom(p.dst, 32), Proto: "udp", SrcPort: p.sport, DstPort: p.dport}}
}

func TestExperiments(t *testing.T) {
	l := newLab(t)
	for _, e := range experiments {
		l.clear()
		e.rules(t)
		filter := New(throughJSON(t, read(t)), l.host())
		tr := l.guestTrip()
		l.send(tr)
		got := l.arrivals()[tr.packet.id]
		v := filter.Decide(tr.flow)
		if blocked := len(got) == 0; blocked != e.blocked {
			t.Errorf("%s: the packet arrived as %+v, want blocked %v", e.name, got, e.blocked)
			continue
		}
		if (v.Answer == Drop) != e.blocked || v.Answer == Depends {
			t.Errorf("%s: have %s by %+v, want blocked %v", e.name, v.Answer, v.By, e.blocked)
		}
		if v.Answer == Drop && (v.By.Table == "" || v.By.Text == "") {
			t.Errorf("%s: dropped by nothing: %+v", e.name, v)
		}
		if e.blocked {
			continue
		}
		if natted := v.Source != nil; natted != e.natted || natted != (got[0].src != tr.packet.src) {
			t.Errorf("%s: have NAT %+v, arrived as %+v, want NAT %v", e.name, v.Source, got[0], e.natted)
		}
		back, _ := l.reply(tr, got[0])
		l.send(back)
		if arrived := l.arrivals()[back.packet.id]; len(arrived) != 1 {
			t.Errorf("%s: the answer arrived %d times", e.name, len(arrived))
		}
		if v := filter.Decide(back.flow); v.Answer != Accept {
			t.Errorf("%s: the answer is %s by %+v", e.name, v.Answer, v.By)
		}
	}
}

// A rule that libvirt's nftables backend wrote knows its bridge by the index.
// When the bridge is made again, new connections reach the guests.
func TestStaleIndex(t *testing.T) {
	inNamespace(t)
	sh(t, goldenHost)
	n := network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"}
	loadLibvirt(t, "nftables", false, n)
	inbound := func() Verdict {
		return Evaluate(read(t), newGoldenFlows(t, false, n).w("virbr0")["W6"], Host{})
	}
	if v := inbound(); v.Answer != Drop {
		t.Fatalf("have %s, want a reject", v.Answer)
	}
	sh(t, "ip link del virbr0\nip link add virbr0 type bridge")
	if v := inbound(); v.Answer != Accept {
		t.Errorf("have %s by %+v, want accept: the rules' index is dead", v.Answer, v.By)
	}
}

// Bridged packets meet the rules of IP when br_netfilter calls them.
func TestBridgedExperiments(t *testing.T) {
	l := newLab(t)
	drop := func(t testing.TB) { t.Helper(); iptables(t, "iptables-nft", "filter", ":FORWARD DROP") }
	for _, e := range []struct {
		name    string
		call    bool
		rules   func(t testing.TB)
		blocked bool
	}{
		{"FORWARD drop, called", true, drop, true},
		{"FORWARD drop, not called", false, drop, false},
		{"accept from bridge to bridge", true, func(t testing.TB) { drop(t); sh(t, "iptables-nft -A FORWARD -i br0 -o br0 -j ACCEPT") }, false},
		{"accept what is bridged", true, func(t testing.TB) {
			drop(t)
			sh(t, "iptables-nft -A FORWARD -m physdev --physdev-is-bridged -j ACCEPT")
		}, false},
		{"table inet, called", true, func(t testing.TB) {
			nft(t, "table inet x { chain f { type filter hook forward priority 0; policy drop; }\n}\n")
		}, true},
		{"table bridge, not called", false, func(t testing.TB) {
			nft(t, "table bridge x { chain f { type filter hook forward priority 0; policy drop; }\n}\n")
		}, true},
		{"legacy drop, called", true, func(t testing.TB) { sh(t, "iptables-legacy -P FORWARD DROP") }, true},
	} {
		l.clear()
		l.bridgeCall(e.call)
		e.rules(t)
		l.id++
		p := packet{src: address(false, 3, 2), dst: address(false, 3, 3), proto: "udp", sport: 31000, dport: 53, id: l.id}
		tr := trip{packet: p, from: "client1", to: "server1", flow: Flow{Family: "ip", Path: PathBridge, IIF: l.dev("br0"), OIF: l.dev("br0"),
			PhysIn: l.dev("b0"), PhysOut: l.dev("b1"), BridgeCall: e.call, Src: netip.PrefixFrom(p.src, 32), Dst: netip.PrefixFrom(p.dst, 32), Proto: "udp", DstPort: 53}}
		l.send(tr)
		if got := l.arrivals()[p.id]; (len(got) == 0) != e.blocked {
			t.Errorf("%s: arrived %+v, want blocked %v", e.name, got, e.blocked)
		}
		if v := Evaluate(read(t), tr.flow, l.host()); v.Answer == Depends || (v.Answer == Drop) != e.blocked {
			t.Errorf("%s: have %s by %+v, want blocked %v", e.name, v.Answer, v.By, e.blocked)
		}
	}
}
