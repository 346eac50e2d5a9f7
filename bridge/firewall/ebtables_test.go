package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEbtablesIPv4: the match of ebtables for IPv4 is read as ebtables says it,
// and decides.
func TestEbtablesIPv4(t *testing.T) {
	inNamespace(t)
	sh(t, `ebtables-nft -t nat -A PREROUTING -p IPv4 -i vnet0 --ip-src 0.0.0.0 --ip-proto udp --ip-sport 68 --ip-dport 67:69 -j ACCEPT
		ebtables-nft -t nat -A PREROUTING -p IPv4 -i vnet0 --ip-src 192.168.122.4/30 --ip-dst ! 10.0.0.0/8 -j ACCEPT
		ebtables-nft -t nat -A PREROUTING -p IPv4 -i vnet2 --ip-src 192.0.2.1 --ip-tos 0x10 -j ACCEPT
		ebtables-nft -t nat -A PREROUTING -i vnet0 -j DROP
		ebtables-nft -t nat -A PREROUTING -i vnet2 -j DROP`)
	rs := read(t)
	var have []string
	for _, r := range rs.Tables[0].Chains[0].Rules {
		for _, e := range r.Exprs {
			if e.Kind != "match" {
				continue
			}
			text := e.Key
			for _, o := range e.Options {
				text += " " + strings.Repeat("!", map[bool]int{true: 1}[o.Not]) + o.Name + " " + o.Value
			}
			if e.Unknown {
				text += " unknown"
			}
			have = append(have, text)
		}
	}
	want := []string{
		"ip --ip-src 0.0.0.0/32 --ip-proto 17 --ip-sport 68:68 --ip-dport 67:69",
		"ip --ip-src 192.168.122.4/30 !--ip-dst 10.0.0.0/8",
		"ip unknown",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("matches (-want +have):\n%s", diff)
	}
	filter := New(rs, Host{})
	flow := func(src, dst string, change func(*Flow)) Flow {
		f := Flow{
			Family: "ip", Path: PathInput, IIF: Interface{Name: "virbr0", Index: 3}, PhysIn: Interface{Name: "vnet0", Index: 4},
			Src: netip.MustParsePrefix(src), Dst: netip.MustParsePrefix(dst), Proto: "tcp", DstPort: 80,
		}
		change(&f)
		return f
	}
	same := func(*Flow) {}
	for _, test := range []struct {
		say  string
		flow Flow
		want Answer
	}{
		{"of the subnet", flow("192.168.122.5/32", "1.1.1.1/32", same), Accept},
		{"to what is left out", flow("192.168.122.5/32", "10.1.1.1/32", same), Drop},
		{"of another", flow("192.168.122.8/32", "1.1.1.1/32", same), Drop},
		{"of a part", flow("192.168.122.0/24", "1.1.1.1/32", same), Depends},
		{"with a type of service", flow("192.0.2.1/32", "1.1.1.1/32", func(f *Flow) { f.PhysIn.Name = "vnet2" }), Depends},
		{"DHCP", flow("0.0.0.0/32", "255.255.255.255/32", func(f *Flow) { f.Proto, f.SrcPort, f.DstPort = "udp", 68, 67 }), Accept},
		{"another port", flow("0.0.0.0/32", "255.255.255.255/32", func(f *Flow) { f.Proto, f.SrcPort, f.DstPort = "udp", 68, 70 }), Drop},
		{"by another link", flow("192.168.122.8/32", "1.1.1.1/32", func(f *Flow) { f.PhysIn.Name = "vnet1" }), Accept},
	} {
		if v := filter.Decide(test.flow); v.Answer != test.want {
			t.Errorf("%s: have %s (%s), want %s", test.say, v.Answer, v.Why, test.want)
		}
	}
}

func TestEbtablesIPv4CutShort(t *testing.T) {
	info := make([]byte, ebtIPLen)
	info[18] = ebtIPSource
	copy(info[8:], []byte{255, 0, 255, 0})
	for _, b := range [][]byte{nil, info[:ebtIPLen-1], info} { // the last has a mask with holes
		if o, ok := ebtIP(xtData{info: b}); ok {
			t.Errorf("%x: have %v", b, o)
		}
	}
}
