package firewall

import (
	"net/netip"
	"strings"
	"testing"
)

// save makes a ruleset of iptables-legacy's text.
func save(t testing.TB, text string) *Ruleset {
	t.Helper()
	tables, err := ParseSave("ip", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	rs := newRuleset()
	rs.Tables = tables
	rs.finish()
	return &rs
}

// What is not known changes the answer only if the outcome hangs on it.
func TestDoubt(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		want        Answer
		by          string // part of the deciding rule's text
	}{
		{"an unknown match before the same end", "-A FORWARD -m set --match-set x src -j ACCEPT", Accept, "policy"},
		{"an unknown match to another end", "-A FORWARD -m set --match-set x src -j DROP", Depends, "--match-set"},
		{"a rate limit on a log", "-A FORWARD -m limit --limit 1/sec -j LOG", Accept, ""},
		{"a rate limit on a drop", "-A FORWARD -m limit --limit 1/sec -j DROP", Depends, "--limit"},
		{"doubt that a later rule settles", "-A FORWARD -m set --match-set x src -j DROP\n-A FORWARD -j DROP", Drop, ""},
		{"doubt about a return", ":u - [0:0]\n-A FORWARD -j u\n-A u -m set --match-set x src -j RETURN\n-A u -j DROP", Depends, "--match-set"},
		{"doubt about a jump", ":u - [0:0]\n-A FORWARD -m set --match-set x src -j u\n-A u -j DROP", Depends, "--match-set"},
		{"doubt about a jump that leads nowhere", ":u - [0:0]\n-A FORWARD -m set --match-set x src -j u\n-A u -s 1.1.1.1 -j DROP", Accept, ""},
		{"doubt about a mark", "-A FORWARD -m set --match-set x src -j MARK --set-mark 1\n-A FORWARD -m mark --mark 1 -j DROP", Depends, "--mark 1"},
		{"a mark that is certain", "-A FORWARD -j MARK --set-mark 1\n-A FORWARD -m mark --mark 1 -j DROP", Drop, "--mark 1"},
		{"half of the addresses", "-A FORWARD -s 10.0.0.0/25 -j DROP", Depends, "10.0.0.0/25"},
		{"all of the addresses", "-A FORWARD -s 10.0.0.0/23 -j DROP", Drop, "10.0.0.0/23"},
		{"none of the addresses", "-A FORWARD ! -s 10.0.0.0/23 -j DROP", Accept, ""},
		{"an open port", "-A FORWARD -p tcp -m tcp --dport 22 -j DROP", Depends, "--dport 22"},
		{"another protocol", "-A FORWARD -p udp -j DROP", Accept, ""},
		{"an unknown target", "-A FORWARD -j NEWTHING --x", Depends, "NEWTHING"},
		{"an unknown option", "-A FORWARD -p tcp -m tcp --new 5 -j DROP", Depends, "--new"},
		{"a queue", "-A FORWARD -j NFQUEUE --queue-num 1", Depends, "NFQUEUE"},
		{"a missing chain", "-A FORWARD -g nowhere", Depends, "nowhere"},
		{"a goto comes back to the policy", ":u - [0:0]\n-A FORWARD -g u\n-A FORWARD -j DROP\n-A u -s 1.1.1.1 -j DROP", Accept, "policy"},
		{"the owner of a socket, which a forwarded packet has not", "-A FORWARD -m owner --uid-owner 0 -j DROP", Accept, ""},
		{"ipsec", "-A FORWARD -m policy --dir in --pol ipsec -j DROP", Accept, ""},
	} {
		rs := save(t, "*filter\n:FORWARD ACCEPT [0:0]\n"+c.rules+"\nCOMMIT\n")
		f := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0"}, OIF: Interface{Name: "eth0"}, Src: netip.MustParsePrefix("10.0.0.0/24"), Proto: "tcp"}
		v := Evaluate(rs, f, Host{})
		if v.Answer != c.want || !strings.Contains(v.By.Text, c.by) {
			t.Errorf("%s: have %s by %q (%s), want %s by %q", c.name, v.Answer, v.By.Text, v.Why, c.want, c.by)
		}
		if (v.Answer == Depends) != (v.Why != "") {
			t.Errorf("%s: %s with the reason %q", c.name, v.Answer, v.Why)
		}
	}
}

// A translation that is not certain is said to be so.
func TestDoubtfulNAT(t *testing.T) {
	const head, tail = "*nat\n:POSTROUTING ACCEPT [0:0]\n", "\nCOMMIT\n"
	f := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "virbr0"}, OIF: Interface{Name: "eth0"}, Src: netip.MustParsePrefix("10.0.0.0/24"), Dst: netip.MustParsePrefix("203.0.113.7/32")}
	for rules, want := range map[string]string{
		"-A POSTROUTING -p tcp -j MASQUERADE\n-A POSTROUTING -p udp -j MASQUERADE\n-A POSTROUTING -j MASQUERADE": "masquerade",
		"-A POSTROUTING -p tcp -j MASQUERADE":                        "masquerade?",
		"-A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1": "snat",
		"-A POSTROUTING -d 10.0.0.0/8 -j MASQUERADE":                 "",
		"-A POSTROUTING -j RETURN\n-A POSTROUTING -j MASQUERADE":     "",
	} {
		v := Evaluate(save(t, head+rules+tail), f, Host{})
		have := ""
		if v.Source != nil {
			have = v.Source.Kind
			if v.Source.Maybe {
				have += "?"
			}
		}
		if v.Answer != Accept || have != want {
			t.Errorf("%s: have %s with %q, want %q", rules, v.Answer, have, want)
		}
	}
}

// A port forwarded to a guest becomes a packet to the guest.
func TestForwardedPortIsRejected(t *testing.T) {
	rs := save(t, `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.168.122.5:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
-A FORWARD -o virbr0 -j REJECT
COMMIT
`)
	eth0, virbr0 := Interface{"eth0", 2}, Interface{"virbr0", 3}
	host := Host{
		Addresses: []HostAddress{{eth0, netip.MustParsePrefix("203.0.113.2/24")}, {virbr0, netip.MustParsePrefix("192.168.122.1/24")}},
		Routes:    []HostRoute{{netip.MustParsePrefix("203.0.113.0/24"), eth0}, {netip.MustParsePrefix("192.168.122.0/24"), virbr0}},
	}
	f := Flow{Family: "ip", Path: PathInput, IIF: eth0, Src: netip.MustParsePrefix("203.0.113.77/32"), Dst: netip.MustParsePrefix("203.0.113.2/32"), Proto: "tcp", DstPort: 8080}
	v := Evaluate(rs, f, host)
	if v.Answer != Drop || !v.Rejected || v.By.Chain != "FORWARD" || v.Destination == nil || v.Destination.AddrMin != netip.MustParseAddr("192.168.122.5") {
		t.Errorf("have %+v, want a reject in FORWARD behind the translation", v)
	}
	if v := Evaluate(rs, f, Host{}); v.Answer != Depends || v.By.Chain != "PREROUTING" {
		t.Errorf("without routes: have %s by %+v, want depends by the translation", v.Answer, v.By)
	}
	f.DstPort = 8081
	if v := Evaluate(rs, f, host); v.Answer != Accept || v.Destination != nil {
		t.Errorf("another port: have %+v", v)
	}
}

func TestFlowsThatAreNone(t *testing.T) {
	rs := newRuleset()
	for _, f := range []Flow{{}, {Family: "ip"}, {Family: "x", Path: PathInput}, {Family: "ip", Path: PathInput, CT: []string{"young"}}} {
		if v := Evaluate(&rs, f, Host{}); v.Answer != Depends || v.Why == "" {
			t.Errorf("%+v: have %+v, want depends", f, v)
		}
	}
}
