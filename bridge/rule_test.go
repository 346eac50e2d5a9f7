package bridge

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestRules(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip rule add pref 100 from 10.0.0.0/8 to 10.1.0.0/16 lookup 1000
		ip rule add pref 101 iif lo oif eth0 fwmark 0x10/0xf0 lookup main suppress_prefixlength 0
		ip rule add pref 102 not from 10.2.0.0/16 prohibit
		ip rule add pref 103 goto 104
		ip rule add pref 104 nop
		ip rule add pref 105 blackhole
		ip rule add pref 106 tos 0x10 ipproto tcp dport 22 sport 1000-2000 uidrange 0-99 lookup 42
		ip -6 rule add pref 100 from fd00::/8 unreachable
	`)
	want := []Rule{
		{Family: 4, Priority: 0, Table: 255, Action: "lookup"},
		{Family: 4, Priority: 100, Table: 1000, Action: "lookup", Src: netip.MustParsePrefix("10.0.0.0/8"), Dst: netip.MustParsePrefix("10.1.0.0/16")},
		{Family: 4, Priority: 101, Table: 254, Action: "lookup", IIF: "lo", OIF: "eth0", Mark: 0x10, Mask: 0xf0},
		{Family: 4, Priority: 102, Action: "prohibit", Invert: true, Src: netip.MustParsePrefix("10.2.0.0/16")},
		{Family: 4, Priority: 103, Action: "goto", Goto: 104},
		{Family: 4, Priority: 104, Action: "nop"},
		{Family: 4, Priority: 105, Action: "blackhole"},
		{Family: 4, Priority: 106, Table: 42, Action: "lookup", Selectors: []string{"dport", "ipproto", "sport", "tos", "uidrange"}},
		{Family: 4, Priority: 32766, Table: 254, Action: "lookup"},
		{Family: 4, Priority: 32767, Table: 253, Action: "lookup"},
		{Family: 6, Priority: 0, Table: 255, Action: "lookup"},
		{Family: 6, Priority: 100, Action: "unreachable", Src: netip.MustParsePrefix("fd00::/8")},
		{Family: 6, Priority: 32766, Table: 254, Action: "lookup"},
	}
	for i := range want {
		if want[i].Priority != 101 {
			want[i].SuppressPrefixLength = -1
		}
	}
	have := read(t).Rules
	if d := cmp.Diff(want, have, byValue); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	n := len(tool(t, "ip -4 -j rule")) + len(tool(t, "ip -6 -j rule"))
	check(t, "rules", len(have), n)
}

func FuzzParseRule(f *testing.F) {
	seedDumps(f, unix.RTM_GETRULE, make([]byte, ruleHeaderLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, keep, err := parseRule(b)
		if keep && (err != nil || r.Family != 4 && r.Family != 6) {
			t.Errorf("kept %+v with %v", r, err)
		}
	})
}
