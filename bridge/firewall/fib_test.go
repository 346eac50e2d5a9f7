package firewall

import (
	"net/netip"
	"testing"
)

// Who has no address yet passes checks of the reverse path, as in the kernel.
func TestReversePathOfRequests(t *testing.T) {
	const missing, exists = "fib saddr . iif oif missing drop", "fib saddr . mark . iif oif exists accept"
	l := newLab(t)
	for _, c := range []struct {
		name, src, dst string
		blocked        bool
	}{
		{"a request for an address", "0.0.0.0", "255.255.255.255", false},
		{"a neighbour", "10.1.0.2", "10.1.0.1", false},
		{"a source from elsewhere", "10.2.0.2", "10.1.0.1", true},
		{"a link-local source", "fe80::2", "ff02::1:2", false},
		{"a source from elsewhere, IPv6", "fd00:2::2", "fd00:1::1", true},
	} {
		for policy, rule := range map[string]string{"accept": missing, "drop": exists} {
			l.clear()
			nft(t, "table inet rpf { chain pre { type filter hook prerouting priority raw; policy "+policy+"; "+rule+"; }\n}\n")
			l.id++
			p := packet{src: netip.MustParseAddr(c.src), dst: netip.MustParseAddr(c.dst), proto: "udp", sport: 68, dport: 67, id: l.id}
			f := Flow{Family: "ip", Path: PathInput, IIF: l.dev("c0"), Src: netip.PrefixFrom(p.src, p.src.BitLen()), Dst: netip.PrefixFrom(p.dst, p.dst.BitLen()), Proto: "udp", SrcPort: 68, DstPort: 67}
			host := l.host()
			if p.src.Is6() {
				f.Family = "ip6"
				host.Routes = append(host.Routes, HostRoute{netip.MustParsePrefix("fe80::/64"), l.dev("c0")})
			}
			l.frame("client0", "c0", p)
			// Raw sockets get no IPv6 multicast that they did not join.
			if got := l.arrivals()[p.id]; !p.dst.IsMulticast() && (len(got) == 0) != c.blocked {
				t.Errorf("%s: %s: arrived as %+v, want blocked %v", c.name, rule, got, c.blocked)
			}
			if v := Evaluate(read(t), f, host); (v.Answer == Drop) != c.blocked || v.Answer == Depends {
				t.Errorf("%s: %s: have %s by %+v (%s), want blocked %v", c.name, rule, v.Answer, v.By, v.Why, c.blocked)
			}
		}
	}
}

// IPv6's own searches for twins come from no address.
func TestReversePathOfDiscovery(t *testing.T) {
	rpf := rulesetOf(chainOf("ip6", "prerouting", -300, ruleOf(
		Expr{Kind: "fib", Key: "oif", Flags: fibSource | fibIIF | fibPresent, Dreg: 1}, Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: Bytes{0}}, dropExpr)))
	virbr0 := Interface{"virbr0", 3}
	host := Host{Routes: []HostRoute{{netip.MustParsePrefix("::/0"), Interface{"eth0", 2}}}}
	for _, c := range []struct {
		iif        Interface
		src, proto string
		want       Answer
	}{
		{virbr0, "::/128", "ipv6-icmp", Accept},
		{virbr0, "::/128", "udp", Drop},
		{Interface{"lo", 1}, "fd00::1/128", "udp", Accept},
	} {
		f := Flow{Family: "ip6", Path: PathInput, IIF: c.iif, Src: netip.MustParsePrefix(c.src), Dst: netip.MustParsePrefix("ff02::1:ff00:0/104"), Proto: c.proto}
		if v := Evaluate(rpf, f, host); v.Answer != c.want {
			t.Errorf("%+v: have %s (%s)", c, v.Answer, v.Why)
		}
	}
}
