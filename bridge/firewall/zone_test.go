package firewall

import (
	"net/netip"
	"testing"
)

// Zones of conntrack, as nft and both kinds of iptables set them.
func TestZones(t *testing.T) {
	inNamespace(t)
	f := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0"}, OIF: Interface{Name: "eth0"}, Src: netip.MustParsePrefix("10.0.0.2/32"), Dst: netip.MustParsePrefix("203.0.113.7/32")}
	for _, c := range []struct {
		rules string
		zone  int
		by    int // number of the rule
	}{
		{"-A PREROUTING -i virbr0 -j CT --zone 5", 5, 1},
		{"-A PREROUTING -i eth0 -j CT --zone 5", 0, 0},
		{"-A PREROUTING -j CT --zone 5\n-A PREROUTING -j CT --zone 6", 5, 1}, // the first counts
		{"-A PREROUTING -j CT --notrack\n-A PREROUTING -j CT --zone 6", 0, 0},
		{"-A PREROUTING -p udp -j CT --zone 5", -1, 0},
		{"-A PREROUTING -j CT --zone-orig 5", -1, 1},
		{"-A PREROUTING -j CT --zone mark", -1, 1},
	} {
		save1 := "*raw\n:PREROUTING ACCEPT\n" + c.rules + "\nCOMMIT\n"
		feed(t, save1, "iptables-nft-restore")
		for kind, rs := range map[string]*Ruleset{"legacy": save(t, save1), "nft": read(t)} {
			if v := Evaluate(rs, f, Host{}); v.Zone != c.zone || v.Zoned.Number != c.by {
				t.Errorf("%s, %s: have zone %d by %+v, want %d", kind, c.rules, v.Zone, v.Zoned, c.zone)
			}
		}
	}
	sh(t, "nft flush ruleset")
	nft(t, "table inet x { chain pre { type filter hook prerouting priority raw; iifname virbr0 ct zone set 7; }\nchain f { type filter hook forward priority 0; ct zone 7 drop; }\n}\n")
	if v := Evaluate(read(t), f, Host{}); v.Zone != 7 || v.Answer != Drop {
		t.Errorf("nft: have zone %d and %s, want 7 and a drop", v.Zone, v.Answer)
	}
}
