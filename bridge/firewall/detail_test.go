package firewall

import (
	"net/netip"
	"testing"
)

// Details of the kernel's that random rules meet too seldom.

func chainOf(family, hook string, priority int, rules ...Rule) Table {
	return Table{Family: family, Name: family + hook, Chains: []Chain{{Name: hook, Rules: rules, Base: &Base{Type: "filter", Hook: hook, Priority: priority, Policy: "accept"}}}}
}

func ruleOf(exprs ...Expr) Rule { return Rule{Exprs: newExprPool().shareAll(exprs), Text: "rule"} }

var (
	dropExpr = Expr{Kind: "immediate", Jump: &Jump{Code: "drop"}}
	loadMark = Expr{Kind: "meta", Key: "mark", Dreg: 1}
	isOne    = Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes{1, 0, 0, 0}}
	setOne   = []Expr{{Kind: "immediate", Dreg: 1, Data: Bytes{1, 0, 0, 0}}, {Kind: "meta", Key: "mark", Sreg: 1}}
)

func rulesetOf(tables ...Table) *Ruleset {
	return &Ruleset{Version: FormatVersion, Tables: tables}
}

func TestDetails(t *testing.T) {
	forward := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0"}, OIF: Interface{Name: "eth0"}, Src: netip.MustParsePrefix("10.0.0.2/32"), Dst: netip.MustParsePrefix("203.0.113.7/32")}
	bridged := Flow{Family: "ip", Path: PathBridge, IIF: Interface{Name: "br0"}, OIF: Interface{Name: "br0"}, PhysIn: Interface{Name: "vnet0"}, PhysOut: Interface{Name: "vnet1"}, BridgeCall: true, Dst: forward.Dst}
	routed := forward
	routed.PhysIn, routed.PhysOut, routed.BridgeCall, routed.SrcMAC = Interface{Name: "vnet0"}, Interface{Name: "vnet1"}, true, "02:00:00:00:00:01"
	marked := forward
	marked.Mark = 2
	ether := []Expr{{Kind: "payload", Key: "link", Offset: 6, Len: 6, Dreg: 1}, {Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes{2, 0, 0, 0, 0, 1}}, dropExpr}
	other := []Expr{{Kind: "meta", Key: "pkttype", Dreg: 1}, {Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes{3}}, dropExpr}
	wide := forward
	wide.Dst = netip.MustParsePrefix("96.0.0.0/6")
	group := forward
	group.Dst = netip.MustParsePrefix("224.0.0.0/3")
	mine := []Expr{{Kind: "meta", Key: "pkttype", Dreg: 1}, {Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes{0}}, dropExpr}
	for _, c := range []struct {
		name string
		rs   *Ruleset
		flow Flow
		want Answer
	}{
		{"before conntrack every packet is invalid", save(t, "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -m conntrack --ctstate NEW -j DROP\nCOMMIT\n"), forward, Accept},
		{"... and says so", save(t, "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n"), forward, Drop},
		{"notrack lasts", save(t, "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -j CT --notrack\nCOMMIT\n*filter\n:FORWARD ACCEPT\n-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP\nCOMMIT\n"), forward, Drop},
		{"a translated destination has the status", save(t, "*nat\n:POSTROUTING ACCEPT\n-A POSTROUTING -j SNAT --to-source 192.0.2.1\nCOMMIT\n*security\n:POSTROUTING ACCEPT\nCOMMIT\n"), forward, Accept},
		{"who was accepted before the mark has none", save(t, "*mangle\n:FORWARD ACCEPT\n:u - [0:0]\n-A FORWARD -j u\n-A FORWARD -j MARK --set-mark 1\n-A u -m set --match-set x src -j ACCEPT\nCOMMIT\n*filter\n:FORWARD ACCEPT\n-A FORWARD -m mark --mark 1 -j DROP\nCOMMIT\n"), forward, Depends},
		{"set-mark keeps bits beside its mask and sets its own", save(t, "*mangle\n:FORWARD ACCEPT\n-A FORWARD -j MARK --set-mark 0x3/0x1\nCOMMIT\n*filter\n:FORWARD ACCEPT\n-A FORWARD -m mark --mark 0x3 -j DROP\nCOMMIT\n"), marked, Drop},
		{"set-xmark toggles bits beside its mask", save(t, "*mangle\n:FORWARD ACCEPT\n-A FORWARD -j MARK --set-xmark 0x3/0x1\nCOMMIT\n*filter\n:FORWARD ACCEPT\n-A FORWARD -m mark --mark 0x1 -j DROP\nCOMMIT\n"), marked, Drop},
		{"the bridge's chains before br_netfilter", rulesetOf(chainOf("bridge", "forward", -200, ruleOf(setOne...)), chainOf("ip", "forward", 0, ruleOf(loadMark, isOne, dropExpr))), bridged, Drop},
		{"the bridge's chains behind br_netfilter", rulesetOf(chainOf("bridge", "forward", 0, ruleOf(setOne...)), chainOf("ip", "forward", 0, ruleOf(loadMark, isOne, dropExpr))), bridged, Accept},
		{"a routed packet has no outgoing port yet", save(t, "*filter\n:FORWARD ACCEPT\n-A FORWARD -m physdev --physdev-out vnet1 -j DROP\nCOMMIT\n"), routed, Accept},
		{"a bridged one has", save(t, "*filter\n:FORWARD ACCEPT\n-A FORWARD -m physdev --physdev-out vnet1 -j DROP\nCOMMIT\n"), bridged, Drop},
		{"a routed frame has a new source", rulesetOf(chainOf("bridge", "output", 0, ruleOf(ether...))), routed, Depends},
		{"a frame that comes in has its own", rulesetOf(chainOf("bridge", "prerouting", 0, ruleOf(ether...))), routed, Drop},
		{"a frame to a guest is for somebody else", rulesetOf(chainOf("bridge", "forward", 0, ruleOf(other...))), bridged, Drop},
		{"... but not for the IP layer", rulesetOf(chainOf("ip", "forward", 0, ruleOf(other...))), bridged, Accept},
		{"a routed packet is for the host's MAC", rulesetOf(chainOf("ip", "forward", -200, ruleOf(mine...))), wide, Drop},
		{"... but perhaps not that to a group", rulesetOf(chainOf("ip", "forward", -200, ruleOf(mine...))), group, Depends},
		{"a value that a rule before loaded is gone", rulesetOf(chainOf("ip", "forward", 0, ruleOf(setOne...), ruleOf(isOne, dropExpr))), forward, Depends},
		{"a dormant table", &Ruleset{Version: 1, Tables: []Table{{Family: "ip", Dormant: true, Chains: chainOf("ip", "forward", 0, ruleOf(dropExpr)).Chains}}}, forward, Accept},
		{"a chain that was cut", &Ruleset{Version: 1, Tables: []Table{{Family: "ip", Chains: []Chain{{Name: "c", Truncated: true, Base: &Base{Type: "filter", Hook: "forward", Policy: "accept"}}}}}}, forward, Depends},
	} {
		if v := Evaluate(c.rs, c.flow, Host{}); v.Answer != c.want {
			t.Errorf("%s: have %s by %+v (%s), want %s", c.name, v.Answer, v.By, v.Why, c.want)
		}
	}
}

func TestDetailsOfNAT(t *testing.T) {
	f := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0"}, OIF: Interface{Name: "eth0"}, Src: netip.MustParsePrefix("10.0.0.2/32"), Dst: netip.MustParsePrefix("203.0.113.7/32")}
	two := save(t, "*nat\n:POSTROUTING ACCEPT\n-A POSTROUTING -j SNAT --to-source 192.0.2.1\nCOMMIT\n*nat\n:POSTROUTING ACCEPT\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n")
	if v := Evaluate(two, f, Host{}); v.Source == nil || v.Source.Kind != "snat" || v.Source.Maybe {
		t.Errorf("two chains: have %+v, want the first one's snat for certain", v.Source)
	}
	if p := two.Tables[0].Chains[0].Base.Priority; p != priorityNATSource {
		t.Errorf("legacy nat POSTROUTING has priority %d, want %d", p, priorityNATSource)
	}
	f.CT = []string{StateEstablished}
	if v := Evaluate(two, f, Host{}); v.Answer != Accept || v.Source != nil {
		t.Errorf("established: have %s with %+v, want no new translation", v.Answer, v.Source)
	}
	rs := save(t, "*nat\n:PREROUTING ACCEPT\n-A PREROUTING -j DNAT --to-destination 192.0.2.1\nCOMMIT\n*filter\n:FORWARD ACCEPT\n-A FORWARD -m conntrack --ctstate DNAT -j DROP\nCOMMIT\n")
	f.CT = nil
	eth0 := Interface{Name: "eth0"}
	host := Host{Addresses: []HostAddress{{eth0, netip.MustParsePrefix("198.51.100.1/24")}}, Routes: []HostRoute{{netip.MustParsePrefix("0.0.0.0/0"), eth0}}}
	if v := Evaluate(rs, f, host); v.Answer != Drop {
		t.Errorf("status dnat: have %s by %+v (%s), want drop", v.Answer, v.By, v.Why)
	}
}

func TestIntervalsThatTouch(t *testing.T) {
	raw := []rawElement{{Element: Element{Key: Bytes{20}, Data: Bytes{2}}}, {Element: Element{Key: Bytes{30}}, isEnd: true},
		{Element: Element{Key: Bytes{20}}, isEnd: true}, {Element: Element{Key: Bytes{10}, Data: Bytes{1}}}, {Element: Element{Key: Bytes{0}}, isEnd: true},
		{Element: Element{Key: Bytes{200}, Data: Bytes{3}}}}
	s := Set{Interval: true, Map: true, KeyLen: 1}
	s.Elements = intervals(&s, raw)
	x := newIndex(&s)
	steps := 0
	for key, want := range map[byte]byte{9: 0, 10: 1, 19: 1, 20: 2, 29: 2, 30: 0, 200: 3, 255: 3} {
		answer, found := x.search(knownBits([]byte{key}), &steps)
		if (want == 0) != (answer == no) || want != 0 && found[0].Data[0] != want {
			t.Errorf("key %d: have %v %v, want %d", key, answer, found, want)
		}
	}
	// 16 to 31 begins in one, ends beyond the other; 8 to 15 is half inside.
	for key, want := range map[byte]tri{16: maybe, 8: maybe, 24: maybe, 208: yes, 64: no} {
		if answer, _ := x.search(bits{[]byte{key}, []byte{0xf8}}, &steps); key != 16 && answer != want {
			t.Errorf("8 keys from %d: have %v, want %v", key, answer, want)
		}
	}
	if answer, found := x.search(bits{[]byte{16}, []byte{0xf8}}, &steps); answer != yes || len(found) != 2 {
		t.Errorf("two neighbours hold 16 to 23: have %v with %d elements", answer, len(found))
	}
}

func TestLongestRoute(t *testing.T) {
	h := Host{Routes: []HostRoute{{netip.MustParsePrefix("0.0.0.0/0"), Interface{"eth0", 2}}, {netip.MustParsePrefix("10.1.0.0/16"), Interface{"virbr0", 3}}, {netip.MustParsePrefix("10.0.0.0/8"), Interface{"eth1", 4}}}}
	for addr, want := range map[string]string{"10.1.2.3": "virbr0", "10.2.2.3": "eth1", "192.0.2.1": "eth0"} {
		if oif, known := h.route(knownBits(netip.MustParseAddr(addr).AsSlice()), nil); !known || oif.Name != want {
			t.Errorf("%s: have %v, want %s", addr, oif, want)
		}
	}
	if _, known := h.route(bits{[]byte{10, 0, 0, 0}, []byte{255, 0, 0, 0}}, nil); known {
		t.Error("a part of 10.0.0.0/8 goes elsewhere: want not known")
	}
}

// At one priority the kernel asks the chain first that was made last.
func TestOrderAtOnePriority(t *testing.T) {
	l := newLab(t)
	l.clear()
	nft(t, "table ip first { chain c { type filter hook forward priority 0; meta mark 1 drop; }\n}\n")
	nft(t, "table ip second { chain c { type filter hook forward priority 0; meta mark set 1; }\n}\n")
	tr := l.guestTrip()
	l.send(tr)
	v := Evaluate(read(t), tr.flow, l.host())
	if arrived := len(l.arrivals()[tr.packet.id]) > 0; arrived || v.Answer != Drop {
		t.Errorf("arrived %v, have %s, want a drop by the table that is asked last", arrived, v.Answer)
	}
}
