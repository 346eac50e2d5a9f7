package firewall

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The second road to a rule's text: what nft and iptables print themselves.

func TestTextsAsIPTablesPrintsThem(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add virbr0 type bridge")
	loadLibvirt(t, "iptables", false, network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"})
	for name, text := range dockerTables("docker0", "172.17.0.0/16", "172.17.0.2") {
		iptables(t, "iptables-nft", name, text)
	}
	sh(t, `iptables-nft -A FORWARD -s 10.0.0.1 ! -o eth+ -p tcp -m multiport --dports 1,2:5 -j ACCEPT
		iptables-nft -A FORWARD -p tcp --tcp-flags SYN,ACK SYN -m physdev --physdev-in vnet0 --physdev-is-bridged -j REJECT
		iptables-nft -A FORWARD -m mark --mark 1/3 -m comment --comment hello -g DOCKER-USER
		iptables-nft -A FORWARD -m iprange --src-range 1.1.1.1-2.2.2.2 -m pkttype --pkt-type broadcast -j LOG --log-prefix hi
		iptables-nft -A INPUT -p udp -m udp ! --sport 5:9 -m addrtype --dst-type LOCAL,BROADCAST -m limit --limit 5/min -j DROP
		iptables-nft -t mangle -A PREROUTING -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0x3
		iptables-nft -t raw -A PREROUTING -m mac --mac-source 00:11:22:33:44:55 -j CT --notrack`)
	for _, table := range read(t).Tables {
		var have []string
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				have = append(have, r.Text)
			}
		}
		var want []string
		for line := range strings.Lines(sh(t, "iptables-nft -t "+table.Name+" -S")) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "-A") {
				want = append(want, line)
			}
		}
		// SNAT and DNAT have one option here; the order of chains is nobody's.
		for i := range want {
			want[i] = strings.NewReplacer("--to-destination", "--to", "--to-source", "--to").Replace(want[i])
		}
		slices.Sort(have)
		slices.Sort(want)
		compareLines(t, table.Name, have, want)
	}
}

func compareLines(t *testing.T, what string, have, want []string) {
	t.Helper()
	if len(have) != len(want) {
		t.Errorf("%s: %d rules, want %d", what, len(have), len(want))
		return
	}
	for i := range have {
		if have[i] != want[i] {
			t.Errorf("%s:\nhave %s\nwant %s", what, have[i], want[i])
		}
	}
}

func TestTextsAsNFTPrintsThem(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add virbr0 type bridge")
	loadLibvirt(t, "nftables", false, network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"})
	nft(t, `table inet t {
  set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
  chain o { }
  chain c { type filter hook forward priority 0; policy drop;
    ip saddr 10.0.0.0/8 ip daddr 10.1.2.3 tcp dport { 22, 80-90 } ct state established,related counter accept
    ip6 saddr fd00::/64 udp dport 53 jump o
    ip saddr @s meta mark set 0x00000010 return
    tcp dport vmap { 22 : accept }
    iifname "vnet*" oifname != "eth0" goto o
    fib daddr type local accept
    ip saddr != 10.0.0.0-10.0.0.5 reject with tcp reset
    limit rate 5/second accept
    log prefix "x"
    ct status dnat accept
    ether saddr 02:00:00:00:00:01 drop
    icmp type echo-request drop comment "said"
    meta l4proto icmp drop
  }
  chain n { type nat hook prerouting priority -100;
    tcp dport 80 dnat ip to 10.0.0.1:8080
    tcp dport 99 redirect to :90-100
  }
}
`)
	index := regexp.MustCompile(`([io]if) "virbr0"`)
	counters := regexp.MustCompile(`counter packets \d+ bytes \d+`)
	number := interfaces(t)["virbr0"].Index
	for _, table := range read(t).Tables {
		var have, want []string
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				have = append(have, r.Text)
			}
		}
		for line := range strings.Lines(sh(t, "nft -a list table "+table.Family+" "+table.Name)) {
			rule, handle, ok := strings.Cut(strings.TrimSpace(line), " # handle ")
			if !ok || strings.HasSuffix(rule, "{") || handle == "" {
				continue
			}
			rule = index.ReplaceAllString(counters.ReplaceAllString(rule, "counter"), "$1 "+strconv.Itoa(number))
			// Where this package prints the bare number or the protocol alone.
			rule = strings.NewReplacer("0x00000010", "0x10", "echo-request", "8", "dnat ip to", "dnat to", "with icmp port-unreachable", "").Replace(rule)
			want = append(want, strings.TrimSpace(rule))
		}
		slices.Sort(have)
		slices.Sort(want)
		compareLines(t, table.Name, have, want)
	}
}
