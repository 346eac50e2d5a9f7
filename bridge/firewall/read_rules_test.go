package firewall

import (
	"fmt"
	"strings"
	"testing"
)

// Long rulesets are read chain by chain, short ones at once: the same rules
// stand in the same chains either way.
func TestRulesOfManyChains(t *testing.T) {
	for _, c := range []struct {
		chains, rules int
		apart         bool
	}{{3, 2, false}, {200, 20, true}} {
		t.Run(fmt.Sprint(c.chains*c.rules), func(t *testing.T) {
			inNamespace(t)
			var b strings.Builder
			for _, family := range []string{"ip", "inet"} {
				fmt.Fprintf(&b, "table %s t {\nchain empty {\n}\n", family)
				for i := range c.chains {
					fmt.Fprintf(&b, "chain c%d {\n", i)
					for j := range c.rules {
						fmt.Fprintf(&b, "tcp dport %d counter drop\n", i*c.rules+j+1)
					}
					fmt.Fprint(&b, "}\n")
				}
				fmt.Fprint(&b, "}\n")
			}
			nft(t, b.String())
			rs := read(t)
			if have := (&reading{rs: rs}).chainByChain(); have != c.apart {
				t.Errorf("chain by chain: have %v, want %v", have, c.apart)
			}
			for i := range rs.Tables {
				table := &rs.Tables[i]
				if len(table.Chains) != c.chains+1 || len(table.Chains[0].Rules) != 0 {
					t.Fatalf("table %s: %d chains, %d rules in the empty one", table.Family, len(table.Chains), len(table.Chains[0].Rules))
				}
				for j, chain := range table.Chains[1:] {
					var have, want []string
					for k := range c.rules {
						want = append(want, fmt.Sprintf("tcp dport %d counter drop", j*c.rules+k+1))
					}
					for _, r := range chain.Rules {
						have = append(have, r.Text)
					}
					if strings.Join(have, "\n") != strings.Join(want, "\n") {
						t.Fatalf("%s %s: have %q, want %q", table.Family, chain.Name, have, want)
					}
				}
			}
		})
	}
}

// Equal expressions are kept once, and only equal ones.
func TestExpressionsAreShared(t *testing.T) {
	inNamespace(t)
	nft(t, "table inet t {\nchain a {\nmeta mark 1 counter drop\nmeta mark 1 counter accept\nmeta mark 2 counter drop\n}\n}\n")
	rules := read(t).Tables[0].Chains[0].Rules
	for i, same := range []bool{true, true, true, false} { // meta, cmp, counter, verdict
		if have := rules[0].Exprs[i] == rules[1].Exprs[i]; have != same {
			t.Errorf("expression %d of the first two rules: shared %v, want %v", i, have, same)
		}
	}
	if rules[0].Exprs[1] == rules[2].Exprs[1] || rules[0].Exprs[3] != rules[2].Exprs[3] {
		t.Errorf("marks 1 and 2, and the verdict: have %+v and %+v", rules[0].Exprs[1], rules[2].Exprs[1])
	}
	p := newExprPool()
	list := []Expr{{Kind: "match", Key: "tcp", Options: []Option{{Name: "--dport", Value: "1"}}}, {Kind: "match", Key: "tcp", Options: []Option{{Name: "--dport", Value: "1", Not: true}}},
		{Kind: "a", Key: "bc"}, {Kind: "ab", Key: "c"}, {Kind: "immediate", Jump: &Jump{Code: "jump", Chain: "x"}}, {Kind: "immediate", Jump: &Jump{Code: "goto", Chain: "x"}},
		{Kind: "cmp", Data: Bytes{1}}, {Kind: "cmp", Mask: Bytes{1}}, {Kind: "cmp", End: Bytes{1}}, {Kind: "nat", NAT: &Translate{AddrMin: 1}}, {Kind: "nat", NAT: &Translate{PortMin: 1}}}
	seen := map[*Expr]int{}
	for i, e := range p.shareAll(list) {
		if j, ok := seen[e]; ok {
			t.Errorf("%+v and %+v are one", list[i], list[j])
		}
		seen[e] = i
	}
	for i, e := range p.shareAll(list) {
		if j, ok := seen[e]; ok && j != i {
			t.Errorf("%+v became %+v", list[i], list[j])
		}
	}
}
