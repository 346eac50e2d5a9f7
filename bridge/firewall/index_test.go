package firewall

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
)

// bothWays decides with every chain indexed and with none, and wants one
// answer: an index may only pass over what does not match.
func bothWays(t testing.TB, rs *Ruleset, host Host) func(Flow) Verdict {
	t.Helper()
	indexed, plain := New(rs, host), New(rs, host)
	indexed.indexFrom, plain.indexFrom = 1, math.MaxInt
	return func(f Flow) Verdict {
		v := indexed.Decide(f)
		have, _ := json.Marshal(v)
		want, _ := json.Marshal(plain.Decide(f))
		if string(have) != string(want) {
			flow, _ := json.Marshal(f)
			t.Errorf("flow %s:\nwith an index    %s\nwithout an index %s", flow, have, want)
		}
		return v
	}
}

func newIndex(s *Set) *setIndex { return &setIndex{Set: s} }

// manyNetworks are libvirt's rules for a number of networks, and rules that
// ban addresses and ports, in the words of iptables-save.
func manyNetworks(networks, banned int) string {
	var b strings.Builder
	b.WriteString("*filter\n:FORWARD DROP [0:0]\n:LIBVIRT_FWI - [0:0]\n:LIBVIRT_FWO - [0:0]\n:LIBVIRT_FWX - [0:0]\n")
	for i := range banned {
		fmt.Fprintf(&b, "-A FORWARD -s 10.%d.%d.0/24 -j DROP\n", i/256%256, i%256)
		fmt.Fprintf(&b, "-A FORWARD -d 192.0.2.0/24 -p tcp -m tcp --dport %d -j DROP\n", i%60000+1)
	}
	b.WriteString("-A FORWARD -j LIBVIRT_FWX\n-A FORWARD -j LIBVIRT_FWI\n-A FORWARD -j LIBVIRT_FWO\n")
	for i := range networks {
		net := fmt.Sprintf("172.%d.%d.0/24", 16+i/256, i%256)
		fmt.Fprintf(&b, "-A LIBVIRT_FWX -i virbr%d -o virbr%d -j ACCEPT\n", i, i)
		fmt.Fprintf(&b, "-A LIBVIRT_FWI -d %s -o virbr%d -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A LIBVIRT_FWI -o virbr%d -j REJECT --reject-with icmp-port-unreachable\n", net, i, i)
		fmt.Fprintf(&b, "-A LIBVIRT_FWO -s %s -i virbr%d -j ACCEPT\n-A LIBVIRT_FWO -i virbr%d -j REJECT --reject-with icmp-port-unreachable\n", net, i, i)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

func bridgeOf(i int) Interface { return Interface{Name: fmt.Sprintf("virbr%d", i), Index: 100 + i} }

// outgoing is a guest's packet to the outside from network i.
func outgoing(i int) Flow {
	return Flow{Family: "ip", Path: PathForward, IIF: bridgeOf(i), OIF: Interface{"eth0", 2}, Proto: "tcp", DstPort: 61234,
		Src: netip.MustParsePrefix(fmt.Sprintf("172.%d.%d.0/24", 16+i/256, i%256))}
}

// What one verdict looks at does not grow with the networks and the bans, so
// all verdicts together do not grow with the square of the networks.
func TestVerdictsLookAtFewRules(t *testing.T) {
	steps := func(networks, banned int) int {
		tables, err := ParseSave("ip", []byte(manyNetworks(networks, banned)))
		if err != nil {
			t.Fatal(err)
		}
		rs := newRuleset()
		rs.Tables = tables
		decide := bothWays(t, &rs, Host{})
		filter := New(&rs, Host{})
		most := 0
		for _, i := range []int{0, networks / 2, networks - 1} {
			if v := decide(outgoing(i)); v.Answer != Accept || v.By.Chain != "LIBVIRT_FWO" || v.By.Number != 2*i+1 {
				t.Errorf("network %d of %d: have %s by %+v", i, networks, v.Answer, v.By)
			}
			back := outgoing(i)
			back.IIF, back.OIF, back.Src, back.Dst = back.OIF, back.IIF, netip.Prefix{}, back.Src
			if v := decide(back); v.Answer != Drop || !v.Rejected || v.By.Number != 2*i+2 {
				t.Errorf("into network %d of %d: have %s by %+v", i, networks, v.Answer, v.By)
			}
			j := filter.journey(outgoing(i), StateNew)
			j.travel()
			most = max(most, j.steps)
		}
		return most
	}
	if few, many := steps(20, 20), steps(2000, 20_000); many > few {
		t.Errorf("a verdict takes %d steps with 20 networks and %d with 2,000", few, many)
	}
}

// Rules that begin with anything but plain comparisons are never passed over
// wrongly.
func TestIndexAndUnusualRules(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add virbr0 type bridge\nip link add virbr1 type bridge")
	nft(t, `table inet t {
  map m { type ifname : verdict; elements = { "virbr0" : accept, "virbr1" : drop } }
  set s { type ifname . ipv4_addr; elements = { "virbr1" . 10.0.0.1 } }
  chain f { type filter hook forward priority 0; policy drop;
    meta mark set 7 iifname "virbr0"
    iifname "virbr*" ip saddr 10.9.0.0/16 accept
    iifname != "virbr0" tcp dport 22 accept
    iif virbr1 oifname "eth0" meta l4proto udp accept
    oif virbr0 accept
    ip saddr 10.0.0.0/8 ip daddr != 10.0.0.0/8 iifname "virbr1" tcp dport 1-100 drop
    ip saddr & 255.0.0.255 == 10.0.0.1 accept
    ip6 saddr fd00::/64 accept
    tcp flags syn tcp dport 80 accept
    iifname . ip saddr @s accept
    meta mark 7 ip protocol icmp accept
    ip daddr set 10.1.1.1 ip daddr 10.1.1.1 udp dport 53 drop
    ip daddr 10.1.1.1 udp dport 54 accept
    iifname vmap @m
    limit rate 1/second iifname "virbr1" accept
  }
}`)
	iptables(t, "iptables-nft", "filter", `-A FORWARD -p tcp -m tcp ! --dport 22 -m tcp --sport 1:65535 -j ACCEPT
-A FORWARD ! -i virbr0 -p udp -m udp ! --sport 53 -j DROP
-A FORWARD -p tcp -m tcp --dport 80 -j DROP
-A FORWARD -i virbr+ -o virbr0 -j ACCEPT`)
	decide := bothWays(t, read(t), Host{})
	links := interfaces(t)
	eth0 := Interface{"eth0", 999}
	for _, in := range []Interface{{}, links["virbr0"], links["virbr1"], eth0, {Name: "virbr1"}, {Index: links["virbr1"].Index}, {Name: "virbr0\x00x", Index: 5}, {Name: strings.Repeat("v", 40), Index: 6}} {
		for _, out := range []Interface{{}, links["virbr0"], eth0} {
			for _, src := range []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.1/32", "10.9.1.0/24", "192.168.0.0/16"} {
				for proto, port := range map[string]int{"": 0, "tcp": 22, "udp": 53, "icmp": 0, "6": 80, "17": 54} {
					decide(Flow{Family: "ip", Path: PathForward, IIF: in, OIF: out, Src: netip.MustParsePrefix(src), Proto: proto, DstPort: port})
				}
			}
			decide(Flow{Family: "ip6", Path: PathForward, IIF: in, OIF: out, Src: netip.MustParsePrefix("fd00::/64")})
		}
	}
}

func TestIndexAndInvertedPorts(t *testing.T) {
	decide := bothWays(t, save(t, "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp ! --dport 22 -j DROP\n-A FORWARD -p udp -m udp --dport 53:54 -j DROP\nCOMMIT\n"), Host{})
	for _, c := range []struct {
		proto string
		port  int
		want  Answer
	}{{"tcp", 22, Accept}, {"tcp", 80, Drop}, {"udp", 54, Drop}, {"udp", 55, Accept}} {
		if v := decide(Flow{Family: "ip", Path: PathForward, IIF: bridgeOf(0), OIF: bridgeOf(1), Proto: c.proto, DstPort: c.port}); v.Answer != c.want {
			t.Errorf("%s %d: have %s, want %s", c.proto, c.port, v.Answer, c.want)
		}
	}
}
