package firewall

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The bounds that a reading and a verdict keep, and those of the tests'
// machines, which are slow: memory is measured, time only guards against
// something that never ends.
const (
	manyRules    = 50_000
	manyElements = 100_000
	memoryBound  = 300 << 20
)

func TestFiftyThousandRules(t *testing.T) {
	inNamespace(t)
	var b strings.Builder
	b.WriteString("*filter\n:FORWARD DROP\n")
	for i := range manyRules {
		fmt.Fprintf(&b, "-A FORWARD -s 10.%d.%d.0/24 -i c0 -p tcp -m tcp --dport %d -m conntrack --ctstate NEW -j ACCEPT\n", i/256%256, i%256, i%60000+1)
	}
	b.WriteString("COMMIT\n")
	feed(t, b.String(), "iptables-nft-restore")
	rs := measured(t)
	if n := len(rs.Tables[0].Chains[0].Rules); n != manyRules {
		t.Fatalf("%d rules, want %d", n, manyRules)
	}
	f := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "c0"}, Src: netip.MustParsePrefix("10.195.79.7/32"), Proto: "tcp", DstPort: 49999%60000 + 1}
	begin := time.Now()
	v := Evaluate(rs, f, Host{})
	t.Logf("one verdict behind %d rules in %v", manyRules, time.Since(begin).Round(time.Millisecond))
	if want := rs.Tables[0].Chains[0].Rules[manyRules-1].Handle; v.Answer != Accept || v.By.Handle != want || v.By.Number != manyRules {
		t.Errorf("have %s by %+v, want accept by the last rule", v.Answer, v.By)
	}
}

func TestHundredThousandElements(t *testing.T) {
	inNamespace(t)
	var b strings.Builder
	b.WriteString("table ip big {\nset s { type ipv4_addr; flags interval; elements = {\n")
	for i := range manyElements {
		fmt.Fprintf(&b, "10.%d.%d.%d,\n", i/32768, i/128%256, i%128*2)
	}
	b.WriteString("} }\nchain f { type filter hook forward priority 0; policy accept;\nip saddr @s drop\n}\n}\n")
	nft(t, b.String())
	rs := measured(t)
	if n := len(rs.Tables[0].Sets[0].Elements); n != manyElements {
		t.Fatalf("%d elements, want %d", n, manyElements)
	}
	filter := New(rs, Host{})
	for src, want := range map[string]Answer{"10.1.2.4/32": Drop, "10.1.2.5/32": Accept, "10.1.2.4/31": Depends, "10.200.0.0/16": Accept, "0.0.0.0/0": Depends} {
		f := Flow{Family: "ip", Path: PathForward, Src: netip.MustParsePrefix(src)}
		if v := filter.Decide(f); v.Answer != want {
			t.Errorf("from %s: have %s (%s), want %s", src, v.Answer, v.Why, want)
		}
	}
}

// measured reads the ruleset and takes it through JSON, within the bound of
// memory.
func measured(t *testing.T) *Ruleset {
	t.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	rs, _, err := Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := after.HeapAlloc - min(after.HeapAlloc, before.HeapAlloc)
	t.Logf("read in %v, %d MiB held, %d MiB allocated on the way", took.Round(time.Millisecond), held>>20, (after.TotalAlloc-before.TotalAlloc)>>20)
	// The collector lets the heap grow to twice of what is held.
	if held > memoryBound/2 {
		t.Errorf("%d MiB held, want at most %d", held>>20, memoryBound/2>>20)
	}
	if _, err := json.Marshal(&rs); err != nil {
		t.Error(err)
	}
	return &rs
}

// jumpsTwice is a ladder of chains, each of which jumps to the next one twice,
// behind a match that nobody knows.
func jumpsTwice(depth int, loop bool) *Ruleset {
	rs := newRuleset()
	t := Table{Family: "ip", Name: "t"}
	unknown := Expr{Kind: "match", Key: "set", Unknown: true}
	change := []Expr{{Kind: "numgen", Dreg: 1}, {Kind: "meta", Key: "mark", Sreg: 1}}
	for i := range depth {
		next := Expr{Kind: "immediate", Jump: &Jump{Code: "jump", Chain: fmt.Sprint(i + 1)}}
		if i == depth-1 {
			next = Expr{Kind: "immediate", Jump: &Jump{Code: "accept"}}
			if loop {
				next.Jump = &Jump{Code: "jump", Chain: "0"}
			}
		}
		c := Chain{Name: fmt.Sprint(i), Rules: []Rule{ruleOf(unknown, next), ruleOf(change...), ruleOf(unknown, next)}}
		if i == 0 {
			c.Base = &Base{Type: "filter", Hook: "forward", Policy: "drop"}
		}
		t.Chains = append(t.Chains, c)
	}
	rs.Tables = []Table{t}
	rs.finish()
	return &rs
}

func TestLoopsAndLadders(t *testing.T) {
	f := Flow{Family: "ip", Path: PathForward}
	for name, rs := range map[string]*Ruleset{"loop": jumpsTwice(3, true), "ladder": jumpsTwice(12, false), "too deep": jumpsTwice(40, false)} {
		if v := Evaluate(rs, f, Host{}); v.Answer != Depends || v.By.Table != "t" || v.Why == "" {
			t.Errorf("%s: have %+v, want depends with a rule and a reason", name, v)
		}
	}
}

func TestNewerAndBrokenRulesets(t *testing.T) {
	for _, text := range []string{`{"version":2,"tables":[]}`, `{}`, `{"version":1,"tables":[{"family"`, `[]`, `{"version":1,"tables":[{"chains":[{"rules":[{"exprs":[{"kind":"cmp","data":"xyz"}]}]}]}]}`} {
		if _, err := ParseRuleset([]byte(text)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
