package firewall

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// seedRules are the kernel's own messages for a ruleset with all that this
// package knows.
func seedRules(f *testing.F, msg int, add func([]byte)) {
	f.Helper()
	inNamespace(f)
	sh(f, "ip link add virbr0 type bridge")
	loadLibvirt(f, "iptables", false, network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"})
	loadLibvirt(f, "nftables", false, network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"})
	for name, text := range dockerTables("docker0", "172.17.0.0/16", "172.17.0.2") {
		iptables(f, "iptables-nft", name, text)
	}
	nft(f, firewalldTable("virbr0"))
	nft(f, manyExpressions)
	c, err := dial()
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	payload := make([]byte, nfgenmsgLen)
	if msg == unix.NFT_MSG_GETSETELEM {
		payload = listRequest("inet", "many", "pairs")
	}
	if err := c.dump(f.Context(), msg, payload, func(b []byte) error { add(bytes.Clone(b)); return nil }); err != nil {
		f.Fatal(err)
	}
}

func FuzzParseRule(f *testing.F) {
	seedRules(f, unix.NFT_MSG_GETRULE, func(b []byte) {
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(b[:len(b)-1])
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, err := splitRule(b)
		if err != nil {
			return
		}
		r, err := parseRule(raw, newExprPool())
		if err != nil && !r.Damaged {
			t.Errorf("%v, and the rule does not say so", err)
		}
		rs := newRuleset()
		rs.Tables = []Table{{Family: familyName(raw.family), Name: cString(raw.table), Chains: []Chain{
			{Name: "c", Base: &Base{Type: "filter", Hook: "forward", Policy: "drop"}, Rules: []Rule{r}},
			{Name: "n", Base: &Base{Type: "nat", Hook: "postrouting", Priority: 100, Policy: "accept"}, Rules: []Rule{r}},
		}}}
		rs.finish()
		decideAll(&rs)
	})
}

func FuzzParseElements(f *testing.F) {
	seedRules(f, unix.NFT_MSG_GETSETELEM, func(b []byte) { f.Add(b); f.Add(b[:len(b)-3]) })
	f.Fuzz(func(_ *testing.T, b []byte) {
		raw, _ := parseElements(b)
		for _, s := range []Set{{Interval: true}, {Interval: true, Fields: []int{4, 2}}, {}} {
			s.Elements = intervals(&s, append([]rawElement{}, raw...))
			steps := 0
			x := &setIndex{Set: &s}
			x.search(unknownBits(8), &steps)
			x.search(knownBits(make([]byte, 4)), &steps)
		}
	})
}

func FuzzParseObjects(f *testing.F) {
	for _, msg := range []int{unix.NFT_MSG_GETTABLE, unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_GETSET} {
		seedRules(f, msg, func(b []byte) { f.Add(b); f.Add(b[:len(b)-1]) })
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parseTable(b)
		_, _, _ = parseChain(b)
		_, _, _ = parseSet(b)
	})
}

func FuzzLegacySave(f *testing.F) {
	for _, name := range []string{"filter", "nat", "raw"} {
		f.Add("*" + name + "\n" + dockerTables("docker0", "172.17.0.0/16", "172.17.0.2")[name] + "COMMIT\n")
	}
	f.Add("*filter\n:INPUT ACCEPT [0:0]\n[1:2] -A INPUT ! -s 10.0.0.0/255.0.0.255 -i + -p 300 -m comment --comment \"a \\\" b\" -m x ! --y -g INPUT\nCOMMIT\n")
	f.Add(ufwTable(""))
	f.Fuzz(func(_ *testing.T, text string) {
		for _, family := range []string{"ip", "ip6"} {
			tables, err := ParseSave(family, []byte(text))
			if err != nil {
				continue
			}
			rs := newRuleset()
			rs.Tables = tables
			rs.finish()
			decideAll(&rs)
		}
	})
}

// FuzzRuleset is a hostile snapshot.
func FuzzRuleset(f *testing.F) {
	inNamespace(f)
	sh(f, "ip link add virbr0 type bridge")
	nft(f, manyExpressions)
	loadLibvirt(f, "nftables", false, network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"})
	b, err := json.Marshal(read(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"tables":[{"family":"ip","chains":[{"name":"a","base":{"hook":"forward","type":"filter"},"rules":[{"exprs":[{"kind":"nat","dreg":255},{"kind":"lookup","set":"s"},{"kind":"immediate","verdict":{"code":"jump","chain":"a"}}]}]}],"sets":[{"name":"s","key_len":-5,"fields":[-1,9]}]}]}`))
	f.Add([]byte(`{"version":1,"tables":[{"chains":[{"rules":[{"exprs":[null]},{}]}]}]}`))
	f.Add([]byte(`{"version":1,"exprs":[{"kind":"counter"},{"kind":"cmp"}],"tables":[{"family":"ip","chains":[{"base":{"hook":"forward"},"rules":[{"exprs":"0 1 0"}]}]}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		rs, err := ParseRuleset(b)
		if err != nil {
			return
		}
		rs.finish()
		decideAll(&rs)
	})
}

// decideAll asks for one flow of each kind.
func decideAll(rs *Ruleset) {
	host := Host{Addresses: []HostAddress{{Interface{"eth0", 2}, netip.MustParsePrefix("203.0.113.2/24")}}, Routes: []HostRoute{{netip.MustParsePrefix("0.0.0.0/0"), Interface{"eth0", 2}}}}
	filter := New(rs, host)
	for _, path := range []string{PathInput, PathOutput, PathForward, PathBridge} {
		for _, family := range []string{"ip", "ip6", "arp"} {
			for _, proto := range []string{"", "tcp", "udp"} {
				filter.Decide(Flow{Family: family, Path: path, Proto: proto, IIF: Interface{"virbr0", 3}, OIF: Interface{"eth0", 2},
					PhysIn: Interface{"vnet0", 4}, PhysOut: Interface{"vnet1", 5}, BridgeCall: true, Src: netip.MustParsePrefix("192.168.122.0/24"), DstPort: 53})
			}
		}
	}
}

// manyExpressions has nearly every expression of nftables.
const manyExpressions = `table inet many {
  set addrs { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1, 255.255.255.0/24 } }
  set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90, 10.2.3.4 . 22 } }
  set seen { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
  counter octets { }
  limit slow { rate 5/second }
  quota much { 100 mbytes }
  map where { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1 } }
  chain other { ip saddr @addrs return
    tcp dport vmap { 22 : accept, 80-90 : drop }
  }
  chain every { type filter hook forward priority 5; policy accept;
    ip saddr . tcp dport @pairs counter accept
    ct state established,related accept
    ct mark 1 ct mark set meta mark
    meta mark 1-5 drop
    meta mark set meta mark and 0xff or 1
    limit rate 5/second burst 7 packets accept
    limit name slow drop
    quota name much drop
    counter name octets
    add @seen { ip saddr limit rate 1/second } drop
    update @seen { ip saddr }
    fib daddr type local accept
    fib saddr . iif oif missing drop
    ip saddr != 10.0.0.0-10.0.0.5 reject with tcp reset
    numgen random mod 2 0 drop
    jhash ip saddr mod 2 0 drop
    ip6 nexthdr 58 drop
    exthdr frag exists drop
    tcp option maxseg size 1400 drop
    ct count over 10 drop
    meta skuid 0 accept
    rt classid 1 drop
    log prefix "x" group 1
    iifname "vnet*" oif lo jump other
    ct original ip saddr 10.0.0.1 ct status snat,dnat accept
    ip dscp 1 ip ttl 64 drop
    tcp flags & (syn | ack) == syn notrack
    meta pkttype { broadcast, multicast } drop


  }
  chain pre { type nat hook prerouting priority -100;
    dnat ip to tcp dport map @where
    tcp dport 81 redirect to :90-100
    tcp dport 82 dnat ip to 10.0.0.1:80-82
  }
}
`
