package firewall

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// generator makes rulesets out of a small world of addresses, ports and
// devices, so that rules and packets meet.
type generator struct {
	*rand.Rand
	v6 bool
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func (g *generator) family() string {
	if g.v6 {
		return "ip6"
	}
	return "ip"
}

func (g *generator) prefix() string {
	if g.v6 {
		return pick(g, "fd00:1::/64", "fd00:2::/64", "fd00:2::2", "fd00:1::2", "fd00::/16", "fd00:3::/64", "fd00:2::2/127", "fd00:1::1", "fd00:9::/64", "fd00:2::/125")
	}
	return pick(g, "10.1.0.0/24", "10.2.0.0/24", "10.2.0.2", "10.1.0.2", "10.0.0.0/8", "10.3.0.0/24", "10.2.0.2/31", "10.1.0.1", "10.9.0.0/16", "10.2.0.0/29", "10.3.0.2")
}

func (g *generator) span() string {
	if g.v6 {
		return pick(g, "fd00:1::2-fd00:1::3", "fd00:2::1-fd00:2::3", "fd00:1::-fd00:2::2")
	}
	return pick(g, "10.1.0.2-10.1.0.3", "10.2.0.1-10.2.0.3", "10.1.0.3-10.2.0.2", "10.3.0.0-10.3.0.3")
}

var testPorts = []int{22, 53, 67, 80, 443, 8080}

func (g *generator) port() int { return testPorts[g.IntN(len(testPorts))] }

func (g *generator) not() string {
	if g.chance(4) {
		return "! "
	}
	return ""
}

func (g *generator) icmp() string {
	if g.v6 {
		return "ipv6-icmp"
	}
	return "icmp"
}

// iptablesMatch is one random match; hook is the chain it can be reached from.
func (g *generator) iptablesMatch(hook string) string {
	canIn := hook == "PREROUTING" || hook == "INPUT" || hook == "FORWARD"
	canOut := hook == "OUTPUT" || hook == "POSTROUTING" || hook == "FORWARD"
	dev := func() string { return pick(g, "c0", "s0", "br0", "c+", "s+", "b+", "eth9") }
	switch g.IntN(17) {
	case 0, 1:
		return g.not() + "-s " + g.prefix()
	case 2, 3:
		return g.not() + "-d " + g.prefix()
	case 4, 5:
		if canIn {
			return g.not() + "-i " + dev()
		}
		return g.not() + "-o " + dev()
	case 6:
		if canOut {
			return g.not() + "-o " + dev()
		}
		return "-m comment --comment \"a b\""
	case 7:
		p := pick(g, "tcp", "udp")
		return fmt.Sprintf("-p %s -m %s %s--dport %s", p, p, g.not(), pick(g, fmt.Sprint(g.port()), "50:100", "1024:65535"))
	case 8:
		p := pick(g, "tcp", "udp")
		return fmt.Sprintf("-p %s -m multiport %s--dports %d,%d,440:450", p, g.not(), g.port(), g.port())
	case 9:
		return g.not() + "-p " + pick(g, "tcp", "udp", g.icmp())
	case 10:
		return "-m conntrack " + g.not() + "--ctstate " + pick(g, "NEW", "RELATED,ESTABLISHED", "INVALID", "NEW,UNTRACKED", "DNAT", "ESTABLISHED,DNAT")
	case 11:
		return "-m mark " + g.not() + "--mark " + pick(g, "0x1", "0x2/0x3", "0x0", "0x0/0x1")
	case 12:
		if g.v6 { // knows no broadcast
			return "-m addrtype " + g.not() + pick(g, "--dst-type", "--src-type") + " " + pick(g, "LOCAL", "UNICAST", "MULTICAST,LOCAL")
		}
		return "-m addrtype " + g.not() + pick(g, "--dst-type", "--src-type") + " " + pick(g, "LOCAL", "UNICAST", "MULTICAST,LOCAL", "BROADCAST")
	case 13:
		return "-m iprange " + g.not() + pick(g, "--src-range ", "--dst-range ") + g.span()
	case 14:
		if g.v6 {
			return "-p ipv6-icmp --icmpv6-type " + pick(g, "128", "129", "128/0")
		}
		return "-p icmp --icmp-type " + pick(g, "8", "0", "8/0", "any")
	case 15:
		if hook == "FORWARD" {
			return "-m physdev " + g.not() + pick(g, "--physdev-is-bridged", "--physdev-in b0", "--physdev-out b1", "--physdev-in b+", "--physdev-is-in")
		}
		return "-m pkttype " + g.not() + "--pkt-type unicast"
	}
	return pick(g, "-p tcp --tcp-flags SYN,ACK,FIN,RST SYN", "-p tcp ! --syn", "-m connmark --mark 0x1", "-m connmark --mark 0x0", "-m state --state NEW")
}

func (g *generator) iptablesRule(chain, hook, table string, jumps []string) string {
	rule := "-A " + chain
	proto := false
	seen := map[string]bool{}
	for range 1 + g.IntN(2) {
		m := g.iptablesMatch(hook)
		what := strings.Fields(strings.TrimPrefix(m, "! "))[0]
		if strings.Contains(m, "-p ") && proto || what != "-m" && seen[what] {
			continue // an option can be given once
		}
		proto = proto || strings.Contains(m, "-p ")
		seen[what] = true
		rule += " " + m
	}
	targets := []string{"ACCEPT", "ACCEPT", "DROP", "RETURN"}
	if table == "filter" {
		targets = append(targets, "REJECT", "LOG --log-prefix x")
	}
	if table == "mangle" || table == "raw" {
		targets = append(targets, "MARK --set-xmark 0x1/0x1", "MARK --set-xmark 0x2/0xffffffff", "MARK --or-mark 0x2")
	}
	if table == "mangle" {
		targets = append(targets, "CONNMARK --set-xmark 0x1/0xffffffff", "CONNMARK --save-mark", "CONNMARK --restore-mark")
	}
	if table == "raw" {
		targets = append(targets, "CT --notrack")
	}
	targets = append(targets, jumps...)
	target := targets[g.IntN(len(targets))]
	if target == "DROP" && table != "filter" && !g.chance(3) {
		target = "RETURN"
	}
	flag := " -j "
	if len(jumps) > 0 && target == jumps[0] && g.chance(4) {
		flag = " -g "
	}
	return rule + flag + target + "\n"
}

// iptablesTable is a random table with two chains of its own per hook.
func (g *generator) iptablesTable(table string) string {
	hooks := map[string][]string{"filter": {"INPUT", "FORWARD", "OUTPUT"}, "raw": {"PREROUTING", "OUTPUT"},
		"mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}}[table]
	var head, body strings.Builder
	for _, h := range hooks {
		policy := "ACCEPT"
		if table == "filter" && g.chance(3) {
			policy = "DROP"
		}
		fmt.Fprintf(&head, ":%s %s\n:%s-a -\n:%s-b -\n", h, policy, h, h)
		for range g.IntN(6) {
			body.WriteString(g.iptablesRule(h, h, table, []string{h + "-a", h + "-b"}))
		}
		for range g.IntN(4) {
			body.WriteString(g.iptablesRule(h+"-a", h, table, []string{h + "-b"}))
		}
		for range g.IntN(3) {
			body.WriteString(g.iptablesRule(h+"-b", h, table, nil))
		}
	}
	return head.String() + body.String()
}

// iptablesNAT is a random nat table.
func (g *generator) iptablesNAT() string {
	var b strings.Builder
	to, masq := "10.2.0.2", "10.2.0.1"
	if g.v6 {
		to, masq = "fd00:2::2", "fd00:2::1"
	}
	join := func(a, p string) string {
		if g.v6 {
			return "[" + a + "]:" + p
		}
		return a + ":" + p
	}
	for range 1 + g.IntN(2) {
		p := pick(g, "tcp", "udp")
		t := pick(g, "DNAT --to-destination "+join(to, "80"), "DNAT --to-destination "+to, "REDIRECT --to-ports 53", "RETURN", "ACCEPT")
		fmt.Fprintf(&b, "-A PREROUTING -p %s -m %s --dport %d %s-j %s\n", p, p, g.port(), pick(g, "", "-i c0 ", "-d "+g.prefix()+" "), t)
	}
	for range g.IntN(3) {
		t := pick(g, "MASQUERADE", "SNAT --to-source "+masq, "RETURN", "ACCEPT")
		fmt.Fprintf(&b, "-A POSTROUTING %s-s %s -o s0 -j %s\n", pick(g, "", "-p udp ", "-p tcp "), g.prefix(), t)
	}
	return b.String()
}

// nftMatch is one random match of nftables; hook says what is there to match.
func (g *generator) nftMatch(hook string) string {
	f := g.family()
	neg := pick(g, "", "", "", "!= ")
	dev := func() string { return pick(g, "c0", "s0", "br0") }
	out := hook == "forward" || hook == "output" || hook == "postrouting"
	switch g.IntN(18) {
	case 0, 1:
		return f + " saddr " + neg + g.prefix()
	case 2, 3:
		return f + " daddr " + neg + g.prefix()
	case 4:
		return f + pick(g, " saddr ", " daddr ") + neg + "@addrs"
	case 5:
		return f + pick(g, " saddr ", " daddr ") + neg + g.span()
	case 6:
		if out {
			return pick(g, "oif ", "oifname ") + neg + dev()
		}
		return pick(g, "iif ", "iifname ") + neg + dev()
	case 7:
		return "iifname " + neg + pick(g, `"c*"`, `"s*"`, `"b*"`, `{ "c0", "eth9" }`, `@devs`)
	case 8:
		return pick(g, "tcp", "udp") + " dport " + pick(g, neg+fmt.Sprint(g.port()), neg+"50-100", neg+"{ 22, 53, 400-500 }", "> 100", "<= 80")
	case 9:
		return f + " daddr . " + pick(g, "tcp", "udp") + " dport " + neg + "@pairs"
	case 10:
		return "ct state " + neg + pick(g, "new", "established,related", "invalid", "{ new, untracked }", "{ established, related }")
	case 11:
		return "meta mark " + pick(g, "0x1", "and 0x3 == 0x2", "!= 0x0", "{ 1, 2 }", "1-2", "> 1")
	case 12:
		return "meta l4proto " + neg + pick(g, "tcp", "udp", "{ tcp, "+g.icmp()+" }")
	case 13:
		if hook == "output" || hook == "postrouting" {
			return "fib daddr type " + pick(g, "local", "unicast")
		}
		return pick(g, "fib daddr type local", "fib daddr type != local", "fib saddr . iif oif missing", "fib daddr type { local, broadcast }", "fib saddr type unicast")
	case 14:
		if g.v6 {
			return "icmpv6 type " + pick(g, "echo-request", "{ echo-reply, nd-neighbor-solicit }")
		}
		return "icmp type " + pick(g, "echo-request", "{ echo-reply, destination-unreachable }")
	case 15:
		return "ct status " + pick(g, "dnat", "!= snat")
	case 16:
		return "iifname . " + f + " saddr " + pick(g, "", "!= ") + `{ "c0" . ` + g.host() + `, "s0" . ` + g.host() + ` }`
	}
	return pick(g, "ct mark 0x1", "meta pkttype host", "ether saddr 02:00:00:00:00:01", "ct direction original", "tcp flags & (syn|ack) == syn", "ct original "+f+" daddr "+g.host())
}

func (g *generator) host() string {
	if g.v6 {
		return pick(g, "fd00:1::2", "fd00:1::3", "fd00:2::2", "fd00:2::3", "fd00:9::9")
	}
	return pick(g, "10.1.0.2", "10.1.0.3", "10.2.0.2", "10.2.0.3", "10.9.9.9")
}

func (g *generator) nftRule(hook string, jumps []string) string {
	var parts []string
	l4 := false
	for range g.IntN(3) {
		m := g.nftMatch(hook)
		isL4 := strings.Contains(m, "dport") || strings.Contains(m, "l4proto") || strings.Contains(m, "icmp") || strings.Contains(m, "tcp flags")
		if isL4 && l4 {
			continue
		}
		l4 = l4 || isL4
		parts = append(parts, m)
	}
	verdicts := []string{"accept", "accept", "drop", "return", "counter accept", "reject", "meta mark set 0x1", "meta mark set mark or 0x2", "ct mark set 0x1",
		"log prefix \"x\" drop", "meta mark set ct mark"}
	for _, j := range jumps {
		verdicts = append(verdicts, "jump "+j, "goto "+j)
	}
	if !l4 && len(jumps) > 0 {
		verdicts = append(verdicts, pick(g, "tcp", "udp")+" dport vmap { 22 : accept, 53 : drop, 80-443 : jump "+jumps[0]+" }",
			g.family()+" saddr vmap { "+g.prefix()+" : drop }", "meta mark vmap { 1 : accept, 2 : drop }")
	}
	v := verdicts[g.IntN(len(verdicts))]
	if (hook == "prerouting" || hook == "postrouting") && v == "reject" {
		v = "drop"
	}
	return strings.Join(append(parts, v), " ") + "\n"
}

// sets are those that rules refer to.
func (g *generator) sets() string {
	typ, elements := "ipv4_addr", "10.1.0.2, 10.2.0.0/30, 10.9.0.0-10.9.255.255"
	pairs := "10.2.0.0/24 . 50-100, 10.1.0.1 . 22"
	if g.v6 {
		typ, elements, pairs = "ipv6_addr", "fd00:1::2, fd00:2::/126, fd00:9::-fd00:9::ffff", "fd00:2::/64 . 50-100, fd00:1::1 . 22"
	}
	return fmt.Sprintf("set addrs { type %s; flags interval; elements = { %s } }\n", typ, elements) +
		fmt.Sprintf("set pairs { type %s . inet_service; flags interval; elements = { %s } }\n", typ, pairs) +
		"set devs { type ifname; elements = { \"s0\", \"br0\" } }\n"
}

// nftTable is a random table with the given hooks.
func (g *generator) nftTable(name string, hooks ...string) string {
	table := pick(g, g.family(), "inet")
	var b strings.Builder
	fmt.Fprintf(&b, "table %s %s {\n%s", table, name, g.sets())
	for _, h := range hooks {
		fmt.Fprintf(&b, "chain %s_b {\n", h)
		for range g.IntN(3) {
			b.WriteString(g.nftRule(h, nil))
		}
		fmt.Fprintf(&b, "}\nchain %s_a {\n", h)
		for range g.IntN(4) {
			b.WriteString(g.nftRule(h, []string{h + "_b"}))
		}
		policy := "accept"
		if g.chance(4) {
			policy = "drop"
		}
		fmt.Fprintf(&b, "}\nchain %s { type filter hook %s priority %d; policy %s;\n", h, h, pick(g, -310, -160, -5, 0, 0, 10, 90), policy)
		for range g.IntN(7) {
			b.WriteString(g.nftRule(h, []string{h + "_a", h + "_b"}))
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// nftNAT is a random table with NAT.
func (g *generator) nftNAT() string {
	f, to, own := "ip", "10.2.0.2", "10.2.0.1"
	bracket := to
	if g.v6 {
		f, to, own = "ip6", "fd00:2::2", "fd00:2::1"
		bracket = "[" + to + "]"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table %s translate {\n%schain pre { type nat hook prerouting priority %d; policy accept;\n", f, g.sets(), pick(g, -100, -101, -90))
	for range 1 + g.IntN(3) {
		p := pick(g, "tcp", "udp")
		switch g.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "%s dport %d dnat to %s:80\n", p, g.port(), bracket)
		case 1:
			fmt.Fprintf(&b, "%s daddr %s %s dport { 80, 443 } dnat to %s\n", f, g.prefix(), p, to)
		case 2:
			fmt.Fprintf(&b, "%s dport %d redirect to :53\n", p, g.port())
		case 3:
			fmt.Fprintf(&b, "dnat to %s dport map { 8080 : %s, 22 : %s }\n", p, to, own)
		}
	}
	fmt.Fprintf(&b, "}\nchain post { type nat hook postrouting priority %d; policy accept;\n", pick(g, 100, 90, 110))
	for range g.IntN(3) {
		fmt.Fprintf(&b, "%s %s\n", g.nftMatch("postrouting"), pick(g, "return", "accept"))
		fmt.Fprintf(&b, "oifname s0 %s saddr %s %s\n", f, g.prefix(), pick(g, "masquerade", "snat to "+own, "return"))
	}
	b.WriteString("}\n}\n")
	return b.String()
}

// bridgeTables are frames' tables: bridge and netdev.
func (g *generator) bridgeTables() string {
	rule := func() string {
		f := g.family()
		m := pick(g, "iifname b0", `iifname "b*"`, f+" saddr "+g.prefix(), f+" daddr "+g.prefix(), "ether type "+f, "ether type arp",
			"meta protocol "+f+" udp dport "+fmt.Sprint(g.port()), "tcp dport { 22, 80 }", "ether saddr 02:00:00:00:00:03", "meta pkttype other", "meta pkttype host")
		return m + " " + pick(g, "accept", "drop", "return", "counter") + "\n"
	}
	var b strings.Builder
	b.WriteString("table bridge frames {\n")
	for _, h := range []string{"prerouting", "input", "forward", "output", "postrouting"} {
		fmt.Fprintf(&b, "chain %s { type filter hook %s priority %d; policy accept;\n", h, h, pick(g, -300, -200, 0, 100))
		for range g.IntN(3) {
			b.WriteString(rule())
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n")
	if g.chance(2) {
		dev := pick(g, "c0", "b0", "br0", "s0")
		family, hook := "netdev", pick(g, "ingress", "egress")
		if hook == "ingress" && g.chance(2) {
			family = "inet"
		}
		fmt.Fprintf(&b, "table %s early {\nchain in { type filter hook %s device %s priority 0; policy accept;\n", family, hook, dev)
		fmt.Fprintf(&b, "%s saddr %s %s\nmeta l4proto udp udp dport %d drop\n}\n}\n", g.family(), g.prefix(), pick(g, "drop", "accept"), g.port())
	}
	return b.String()
}

func (g *generator) tool(legacy bool) string {
	name := "iptables"
	if g.v6 {
		name = "ip6tables"
	}
	if legacy {
		return name + "-legacy"
	}
	return name + "-nft"
}

func (g *generator) restore(t testing.TB, legacy bool, tables map[string]string) {
	for _, name := range []string{"raw", "mangle", "nat", "filter"} {
		if tables[name] != "" {
			iptables(t, g.tool(legacy), name, tables[name])
		}
	}
}

// load makes one ruleset and loads it.
func (g *generator) load(t testing.TB) (kind string) {
	kinds := map[string]func(){
		"iptables": func() {
			g.restore(t, false, map[string]string{"filter": g.iptablesTable("filter"), "mangle": g.iptablesTable("mangle"), "raw": g.iptablesTable("raw"), "nat": g.iptablesNAT()})
		},
		"legacy": func() {
			g.restore(t, true, map[string]string{"filter": g.iptablesTable("filter"), "mangle": g.iptablesTable("mangle"), "nat": g.iptablesNAT()})
			if g.chance(2) {
				nft(t, g.nftTable("beside", "forward", "input"))
			}
		},
		"nft": func() {
			nft(t, g.nftTable("first", "prerouting", "input", "forward", "output", "postrouting"))
			nft(t, g.nftTable("second", "input", "forward"))
		},
		"nft nat": func() {
			nft(t, g.nftNAT())
			nft(t, g.nftTable("first", "forward", "input", "output"))
		},
		"libvirt iptables": func() { g.restore(t, false, libvirtIPTables(g.v6, g.networks()...)) },
		"libvirt nft, Docker": func() {
			nft(t, libvirtNFT(g.v6, g.networks()...))
			if g.chance(2) {
				g.restore(t, g.chance(3), g.docker())
			}
		},
		"libvirt, Docker": func() {
			g.restore(t, false, g.docker())
			g.restore(t, false, libvirtIPTables(g.v6, g.networks()...))
		},
		"ufw": func() {
			if !g.v6 {
				iptables(t, g.tool(g.chance(3)), "filter", ufwTable(g.iptablesRule("ufw-user-forward", "FORWARD", "filter", nil)))
			}
			nft(t, libvirtNFT(g.v6, g.networks()...))
		},
		"firewalld": func() {
			nft(t, firewalldTable(pick(g, "c0", "br0")))
			if g.chance(2) {
				g.restore(t, false, libvirtIPTables(g.v6, g.networks()...))
			}
		},
		"bridge": func() {
			nft(t, g.bridgeTables())
			g.restore(t, false, map[string]string{"filter": g.iptablesTable("filter")})
		},
	}
	kind = pick(g, "iptables", "iptables", "legacy", "nft", "nft", "nft nat", "libvirt iptables", "libvirt nft, Docker", "libvirt, Docker", "ufw", "firewalld", "bridge")
	kinds[kind]()
	return kind
}

func (g *generator) docker() map[string]string {
	if g.v6 {
		tables := dockerTables("br0", "fd00:3::/64", "fd00:3::2")
		for name, text := range tables {
			text = strings.NewReplacer("fd00:3::2/32", "fd00:3::2/128", "127.0.0.0/8", "::1/128", "fd00:3::2:80", "[fd00:3::2]:80").Replace(text)
			tables[name] = text
		}
		return tables
	}
	return dockerTables("br0", "10.3.0.0/24", "10.3.0.2")
}

func (g *generator) networks() []network {
	list := []network{{bridge: "c0", mode: pick(g, "nat", "route", "isolated", "open"), net4: "10.1.0.0/24", net6: "fd00:1::/64", nat6: g.chance(2)}}
	if g.chance(3) {
		list[0].dev = "s0"
	}
	if g.chance(2) {
		list = append(list, network{bridge: "br0", mode: pick(g, "nat", "route", "isolated"), net4: "10.3.0.0/24", net6: "fd00:3::/64", nat6: g.chance(2)})
	}
	return list
}
