package firewall

import (
	"net/netip"
	"testing"
)

// A routed packet passes ports of the bridges that it comes and leaves by: what a
// rule for any of them does is known, what one for a single port does is not, and
// nothing is without FromPort and ToPort.
func TestUnknownPorts(t *testing.T) {
	const mac = "\x52\x54\x00\x00\x00\x0b"
	source := []*Expr{{Kind: "payload", Key: "network", Offset: 12, Len: 3, Dreg: 1}, {Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes{192, 168, 122}}}
	port := []*Expr{{Kind: "meta", Key: "iifname", Dreg: 1}, {Kind: "cmp", Op: "eq", Sreg: 1, Data: append(Bytes("vnet0"), make([]byte, 11)...)}}
	target := []*Expr{{Kind: "payload", Key: "link", Len: 6, Dreg: 1}, {Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes(mac)}}
	out := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0", Index: 3}, OIF: Interface{Name: "eth0", Index: 2}, Src: netip.MustParsePrefix("192.168.122.0/24"), FromPort: true}
	back := Flow{Family: "ip", Path: PathForward, IIF: out.OIF, OIF: out.IIF, Dst: out.Src, ToPort: true, OutMAC: "52:54:00:00:00:0b"}
	with := func(f Flow, change func(*Flow)) Flow { change(&f); return f }
	for _, c := range []struct {
		name, hook string
		exprs      []*Expr
		flow       Flow
		want       Answer
	}{
		{"any port in prerouting", "prerouting", source, out, Drop},
		{"any port in input", "input", source, out, Drop},
		{"a hook that it does not pass", "forward", source, out, Accept},
		{"a single port", "prerouting", port, out, Depends},
		{"no port", "prerouting", source, with(out, func(f *Flow) { f.FromPort = false }), Accept},
		{"the guest's MAC in output", "output", target, back, Drop},
		{"the guest's MAC in postrouting", "postrouting", target, back, Drop},
		{"another MAC", "postrouting", target, with(back, func(f *Flow) { f.OutMAC = "52:54:00:00:00:0c" }), Accept},
		{"any MAC", "postrouting", target, with(back, func(f *Flow) { f.OutMAC = "" }), Depends},
		{"no port to leave by", "postrouting", target, with(back, func(f *Flow) { f.ToPort = false }), Accept},
	} {
		drop := &Expr{Kind: "immediate", Jump: &Jump{Code: "drop"}}
		rs := rulesetOf(Table{Family: "bridge", Name: "t", Chains: []Chain{{
			Name: "c", Base: &Base{Hook: c.hook, Type: "filter", Policy: "accept"}, Rules: []Rule{{Exprs: append(c.exprs[:len(c.exprs):len(c.exprs)], drop)}},
		}}})
		if v := New(rs, Host{}).Decide(c.flow); v.Answer != c.want {
			t.Errorf("%s: have %s, want %s", c.name, v.Answer, c.want)
		}
	}
}
