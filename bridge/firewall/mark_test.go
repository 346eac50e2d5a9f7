package firewall

import (
	"net/netip"
	"strings"
	"testing"
)

// TestRoutingMark: the mark at the routing decision is what prerouting made of
// it, as far as that is known.
func TestRoutingMark(t *testing.T) {
	guests := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0"}, Src: netip.MustParsePrefix("192.168.122.0/24"), Dst: netip.MustParsePrefix("1.1.1.1/32")}
	for _, c := range []struct {
		name, rules  string
		value, known uint32
		by           string
	}{
		{"none", "-A FORWARD -j MARK --set-xmark 0x7/0xffffffff", 0, 0xffffffff, ""},
		{"all", "-A PREROUTING -i virbr0 -j MARK --set-xmark 0x7/0xff", 7, 0xffffffff, "-i virbr0"},
		{"other link", "-A PREROUTING -i eth0 -j MARK --set-xmark 0x7/0xff", 0, 0xffffffff, ""},
		{"some", "-A PREROUTING -p tcp -j MARK --set-xmark 0x7/0xffffffff", 0, 0xfffffff8, "-p tcp"},
		{"last one counts", "-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff\n-A PREROUTING -j A\n-A A -j MARK --set-xmark 0x2/0xffffffff", 2, 0xffffffff, "-A A"},
		{"by the connection", "-A PREROUTING -j CONNMARK --set-xmark 0x5/0xffffffff\n-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", 5, 0xffffffff, "--restore-mark"},
		{"dropped", "-A PREROUTING -j MARK --set-xmark 0x7/0xff\n-A PREROUTING -i virbr0 -j DROP", 0, 0, ""},
		{"perhaps dropped", "-A PREROUTING -j MARK --set-xmark 0x7/0xff\n-A PREROUTING -m strange -j DROP", 0, 0, ""},
	} {
		rs := &Ruleset{Version: FormatVersion, Tables: mustSave(t, "*mangle\n:PREROUTING ACCEPT\n:FORWARD ACCEPT\n:A -\n"+c.rules+"\nCOMMIT\n")}
		m := New(rs, Host{}).RoutingMark(guests)
		if m.Value&m.Known != c.value || m.Known != c.known || (m.By.Table != "") != (c.by != "") || !strings.Contains(m.By.Text, c.by) {
			t.Errorf("%s: %#x of %#x by %q", c.name, m.Value, m.Known, m.By.Text)
		}
	}
	frames := Ruleset{Version: FormatVersion, Tables: []Table{{Family: "bridge", Name: "t", Chains: []Chain{{
		Name: "c", Base: &Base{Hook: "prerouting", Type: "filter"}, Rules: []Rule{{Exprs: []*Expr{{Kind: "immediate", Dreg: 8, Data: Bytes{7, 0, 0, 0}}, {Kind: "meta", Key: "mark", Sreg: 8}}}},
	}}}}}
	f := New(&frames, Host{})
	if m := f.RoutingMark(guests); m.Known != 0 {
		t.Errorf("on an unknown port: %+v", m)
	}
	guests.PhysIn = Interface{Name: "vnet0"}
	if m := f.RoutingMark(guests); m.Known != 0xffffffff || m.Value != 7 {
		t.Errorf("on a port: %+v", m)
	}
	guests.Path = "sideways"
	if m := f.RoutingMark(guests); m.Known != 0 {
		t.Errorf("no flow: %+v", m)
	}
}

func mustSave(t *testing.T, text string) []Table {
	t.Helper()
	tables, err := ParseSave("ip", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tables
}
