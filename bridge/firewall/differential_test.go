package firewall

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

var (
	seed     = flag.Uint64("seed", 1, "of the random rulesets and packets")
	rulesets = flag.Int("rulesets", 130, "how many random rulesets to compare with the kernel")
)

// trip is a packet and what the evaluator is told of it.
type trip struct {
	flow   Flow
	packet packet
	from   string // the socket it is sent from; empty: the router itself
	to     string // whose MAC
}

func (l *lab) dev(name string) Interface { return Interface{Name: name, Index: l.index[name]} }

func (l *lab) host() Host {
	h := Host{Addresses: []HostAddress{{Interface{"lo", 1}, netip.MustParsePrefix("127.0.0.1/8")}, {Interface{"lo", 1}, netip.MustParsePrefix("::1/128")}}}
	for i, dev := range []string{"c0", "s0", "br0"} {
		for _, text := range []string{"10.%d.0.1/24", "fd00:%d::1/64"} {
			p := netip.MustParsePrefix(fmt.Sprintf(text, i+1))
			h.Addresses = append(h.Addresses, HostAddress{l.dev(dev), p})
			h.Routes = append(h.Routes, HostRoute{p.Masked(), l.dev(dev)})
		}
	}
	return h
}

// address is number n of the network i; 9 is one that no route leads to.
func address(v6 bool, i, n int) netip.Addr {
	if v6 {
		return netip.MustParseAddr(fmt.Sprintf("fd00:%d::%d", i, n))
	}
	if i == 9 {
		n = 9
	}
	return netip.MustParseAddr(fmt.Sprintf("10.%d.0.%d", i, n))
}

// trip makes a random packet on a random way.
func (l *lab) trip(g *generator, bridgeCall bool) trip {
	l.id++
	p := packet{proto: pick(g, "udp", "udp", "tcp", "tcp", "icmp"), sport: 20000 + int(l.id%30000), dport: g.port(), id: l.id}
	echo := uint8(8)
	if g.v6 {
		echo = 128
	}
	p.icmp[0] = echo
	client := func(i int) netip.Addr {
		if g.chance(6) {
			return address(g.v6, 9, 9)
		}
		return address(g.v6, i, 2+g.IntN(2))
	}
	other := func(i int) netip.Addr { return address(g.v6, i, 2+g.IntN(neighbours)) }
	t := trip{packet: p, flow: Flow{Family: g.family(), Path: PathForward, Proto: p.proto}}
	f := &t.flow
	switch g.IntN(9) {
	case 0, 1, 2:
		t.from, t.to, f.IIF, f.OIF = "client0", "c0", l.dev("c0"), l.dev("s0")
		t.packet.src, t.packet.dst = client(1), other(2)
	case 3:
		t.from, t.to, f.IIF, f.OIF = "server0", "s0", l.dev("s0"), l.dev("c0")
		t.packet.src, t.packet.dst = client(2), other(1)
	case 4:
		t.from, t.to, f.IIF, f.Path = "client0", "c0", l.dev("c0"), PathInput
		t.packet.src, t.packet.dst = client(1), address(g.v6, 1+g.IntN(2), 1)
	case 5:
		f.Path, f.OIF = PathOutput, l.dev("s0")
		t.packet.src, t.packet.dst = address(g.v6, 2, 1), other(2)
	case 6:
		t.from, t.to, f.Path = "client1", "server1", PathBridge
		f.IIF, f.OIF, f.PhysIn, f.PhysOut = l.dev("br0"), l.dev("br0"), l.dev("b0"), l.dev("b1")
		t.packet.src, t.packet.dst = client(3), other(3)
	case 7:
		t.from, t.to, f.IIF, f.OIF, f.PhysIn = "client1", "br0", l.dev("br0"), l.dev("s0"), l.dev("b0")
		t.packet.src, t.packet.dst = client(3), other(2)
		if g.chance(2) {
			f.Path, f.OIF, t.packet.dst = PathInput, Interface{}, address(g.v6, 3, 1)
		}
	case 8:
		t.from, t.to, f.IIF, f.OIF, f.PhysOut = "server0", "s0", l.dev("s0"), l.dev("br0"), l.dev("b1")
		t.packet.src, t.packet.dst = client(2), other(3)
	}
	if t.from != "" {
		f.SrcMAC, f.DstMAC = l.mac[t.from].String(), l.mac[t.to].String()
	}
	f.BridgeCall = bridgeCall && f.PhysIn.Name != ""
	f.Src, f.Dst = netip.PrefixFrom(t.packet.src, t.packet.src.BitLen()), netip.PrefixFrom(t.packet.dst, t.packet.dst.BitLen())
	if p.proto == "icmp" {
		zero := uint8(0)
		f.ICMPType, f.ICMPCode = &echo, &zero
		f.Proto = protocolName(t.packet.number())
	} else {
		f.SrcPort, f.DstPort = t.packet.sport, t.packet.dport
	}
	return t
}

func (l *lab) send(t trip) {
	if t.from == "" {
		l.emit(t.packet)
	} else {
		l.frame(t.from, t.to, t.packet)
	}
}

// reply turns a trip that arrived at the server or client around: what comes
// back belongs to an established connection.
func (l *lab) reply(t trip, a arrival) (trip, bool) {
	if a.where != "server0" && a.where != "client0" || t.packet.proto != "udp" || t.from == "" || t.packet.src == address(t.packet.src.Is6(), 9, 9) {
		return t, false
	}
	l.id++
	back := trip{from: a.where, to: map[string]string{"server0": "s0", "client0": "c0"}[a.where]}
	back.packet = packet{src: a.dst, dst: a.src, proto: t.packet.proto, sport: a.dport, dport: a.sport, id: l.id}
	f := Flow{Family: t.flow.Family, Path: PathForward, IIF: l.dev(back.to), OIF: t.flow.IIF, Proto: t.flow.Proto, CT: []string{StateEstablished}, Reply: true,
		Src: netip.PrefixFrom(a.dst, a.dst.BitLen()), Dst: t.flow.Src,
		SrcMAC: l.mac[back.from].String(), DstMAC: l.mac[back.to].String()}
	if f.OIF.Name == "br0" {
		f.PhysOut = l.dev("b1") // where the router's neighbours on br0 are
	}
	f.Translated = a.src != t.packet.src || a.dst != t.packet.dst
	f.SrcPort, f.DstPort = a.dport, t.packet.sport
	back.flow = f
	return back, true
}

// tally counts answers.
type tally struct{ pairs, accept, drop, depends, replies int }

func (c *tally) add(a Answer) {
	c.pairs++
	switch a {
	case Accept:
		c.accept++
	case Drop:
		c.drop++
	default:
		c.depends++
	}
}

// TestDifferential loads random rulesets, sends real packets and compares what
// arrives with what the evaluator said.
func TestDifferential(t *testing.T) {
	t.Logf("seed %d: repeat with -args -seed %d", *seed, *seed)
	l := newLab(t)
	host := l.host()
	g := &generator{Rand: rand.New(rand.NewPCG(*seed, 0))}
	var count tally
	begin := time.Now()
	for n := range *rulesets {
		g.v6 = n%2 == 1
		l.clear()
		bridgeCall := g.chance(2)
		l.bridgeCall(bridgeCall)
		kind := g.load(t)
		rs := throughJSON(t, read(t))
		decide := bothWays(t, rs, host)
		var trips []trip
		for range 20 {
			trips = append(trips, l.trip(g, bridgeCall))
			l.send(trips[len(trips)-1])
		}
		got := l.arrivals()
		var back []trip
		for _, tr := range trips {
			v := decide(tr.flow)
			count.add(v.Answer)
			l.compare(rs, fmt.Sprintf("ruleset %d (%s)", n, kind), tr, v, got[tr.packet.id])
			if as := got[tr.packet.id]; len(as) == 1 {
				if r, ok := l.reply(tr, as[0]); ok {
					back = append(back, r)
				}
			}
		}
		for _, tr := range back {
			l.send(tr)
		}
		got = l.arrivals()
		for _, tr := range back {
			v := decide(tr.flow)
			count.add(v.Answer)
			count.replies++
			l.compare(rs, fmt.Sprintf("ruleset %d (%s), reply", n, kind), tr, v, got[tr.packet.id])
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d rulesets, %+v, %.2f %% depends, %v", *rulesets, count, 100*float64(count.depends)/float64(count.pairs), time.Since(begin).Round(time.Millisecond))
	if count.depends*20 >= count.pairs {
		t.Errorf("%d of %d answers are depends, want under 5 %%", count.depends, count.pairs)
	}
	if count.accept*10 < count.pairs || count.drop*10 < count.pairs {
		t.Errorf("%+v: too few of one kind to prove anything", count)
	}
}

// throughJSON is the ruleset as a snapshot would bring it back.
func throughJSON(t testing.TB, rs *Ruleset) *Ruleset {
	t.Helper()
	b, err := json.Marshal(rs)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseRuleset(b)
	if err != nil {
		t.Fatal(err)
	}
	return &back
}

func (l *lab) compare(rs *Ruleset, what string, tr trip, v Verdict, got []arrival) {
	l.t.Helper()
	arrived := len(got) > 0
	if v.Answer == Depends || (v.Answer == Accept) == arrived {
		if v.Answer == Accept {
			l.compareNAT(what, tr, v, got[0])
		}
		return
	}
	f, _ := json.Marshal(tr.flow)
	d, _ := json.MarshalIndent(v, "", "  ")
	name := fmt.Sprintf("%s/firewall-disagreement.json", os.TempDir())
	b, _ := json.MarshalIndent(rs, "", " ")
	_ = os.WriteFile(name, b, 0o600)
	l.t.Errorf("%s: said %s, arrived %v\nflow %s\nverdict %s\nruleset in %s:\n%s", what, v.Answer, got, f, d, name, ruleTexts(rs))
}

func ruleTexts(rs *Ruleset) (out string) {
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			if len(c.Rules) == 0 && c.Base == nil {
				continue
			}
			out += fmt.Sprintf("%s %s %s", t.Family, t.Name, c.Name)
			if c.Base != nil {
				out += fmt.Sprintf(" %+v", *c.Base)
			}
			out += "\n"
			for _, r := range c.Rules {
				out += "\t" + r.Text + "\n"
			}
		}
	}
	return out
}

// compareNAT looks at the addresses of what arrived.
func (l *lab) compareNAT(what string, tr trip, v Verdict, a arrival) {
	l.t.Helper()
	if tr.flow.Reply {
		return
	}
	src, dst, dport := tr.packet.src, tr.packet.dst, tr.packet.dport
	if s := v.Source; s != nil && s.AddrMin.IsValid() {
		src = s.AddrMin
	}
	maybeNAT := v.Source != nil && v.Source.Maybe || v.Destination != nil && v.Destination.Maybe
	if d := v.Destination; d != nil {
		if d.AddrMin.IsValid() {
			dst = d.AddrMin
		}
		if d.PortMin > 0 {
			dport = d.PortMin
		}
	}
	if a.where == "router" && tr.flow.Family == "ip6" {
		return // raw sockets of IPv6 show no addresses
	}
	if !maybeNAT && (a.src != src || a.dst != dst || tr.packet.proto != "icmp" && a.dport != dport) {
		l.t.Errorf("%s: %+v arrived as %+v, want %v to %v port %d; source %+v, destination %+v", what, tr.packet, a, src, dst, dport, v.Source, v.Destination)
	}
}

// clear removes all rules and connections.
func (l *lab) clear() {
	sh(l.t, "nft flush ruleset")
	for _, tool := range []string{"iptables-legacy", "ip6tables-legacy"} {
		for _, table := range []string{"raw", "mangle", "nat", "filter"} {
			if b, _ := os.ReadFile("/proc/thread-self/net/" + map[string]string{"iptables-legacy": "ip_tables_names", "ip6tables-legacy": "ip6_tables_names"}[tool]); len(b) > 0 {
				feed(l.t, "*"+table+"\nCOMMIT\n", tool+"-restore")
			}
		}
		if b, _ := os.ReadFile("/proc/thread-self/net/ip_tables_names"); len(b) > 0 && tool == "iptables-legacy" {
			sh(l.t, "iptables-legacy -P INPUT ACCEPT\niptables-legacy -P FORWARD ACCEPT\niptables-legacy -P OUTPUT ACCEPT")
		}
		if b, _ := os.ReadFile("/proc/thread-self/net/ip6_tables_names"); len(b) > 0 && tool == "ip6tables-legacy" {
			sh(l.t, "ip6tables-legacy -P INPUT ACCEPT\nip6tables-legacy -P FORWARD ACCEPT\nip6tables-legacy -P OUTPUT ACCEPT")
		}
	}
	if err := netlink.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		l.t.Fatal(err)
	}
}

// bridgeCall switches br_netfilter for br0.
func (l *lab) bridgeCall(on bool) {
	v := "0"
	if on {
		v = "1"
	}
	sh(l.t, "ip link set br0 type bridge nf_call_iptables "+v+" nf_call_ip6tables "+v)
}
