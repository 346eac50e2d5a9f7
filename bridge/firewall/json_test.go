package firewall

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// A ruleset goes to JSON and back, in the form for few rules and in that for
// many.
func TestRulesetThroughJSON(t *testing.T) {
	for name, networks := range map[string]int{"few": 2, "many": 400} {
		t.Run(name, func(t *testing.T) {
			rs := save(t, manyNetworks(networks, 0))
			rs.Tables[0].Sets = []Set{{Name: "s", KeyLen: 4, Elements: []Element{{Key: Bytes{10, 0, 0, 1}}}}}
			b, err := json.Marshal(rs)
			if err != nil {
				t.Fatal(err)
			}
			if shared, want := bytes.Contains(b, []byte(`"exprs":"0`)), name == "many"; shared != want {
				t.Errorf("expressions listed once: have %v, want %v", shared, want)
			}
			back, err := ParseRuleset(b)
			if err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back)
			if err != nil || !bytes.Equal(b, again) {
				t.Errorf("written again it differs: %v", err)
			}
			for i := range rs.Tables {
				for j := range rs.Tables[i].Chains {
					have, want := &back.Tables[i].Chains[j], &rs.Tables[i].Chains[j]
					for k := range want.Rules {
						if h, w := have.Rules[k], want.Rules[k]; k < 100 && !reflect.DeepEqual(h, w) {
							t.Fatalf("rule %d of %s: have %+v, want %+v", k+1, want.Name, h, w)
						}
					}
				}
			}
		})
	}
}

// An expression that rules repeat in a document is one in memory.
func TestRulesetOfManyEqualRules(t *testing.T) {
	rule := `{"exprs":[{"kind":"counter"},{"kind":"immediate","verdict":{"code":"drop"}}]}`
	rs, err := ParseRuleset([]byte(`{"version":1,"tables":[{"chains":[{"rules":[` + rule + strings.Repeat(","+rule, 99) + `]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rules := rs.Tables[0].Chains[0].Rules
	if len(rules) != 100 || rules[0].Exprs[1] != rules[99].Exprs[1] {
		t.Errorf("%d rules, the verdict of the first and of the last are not one", len(rules))
	}
}

// The document depends on what the rules say, not on which of their expressions
// happen to be one in memory.
func TestEqualExpressionsAreListedOnce(t *testing.T) {
	chain := Chain{Name: "c"}
	for range sharedFrom {
		chain.Rules = append(chain.Rules, Rule{Exprs: []*Expr{{Kind: "counter"}, {Kind: "immediate", Jump: &Jump{Code: "drop"}}}})
	}
	b, err := json.Marshal(Ruleset{Version: FormatVersion, Tables: []Table{{Chains: []Chain{chain}}}})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Exprs []Expr }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Exprs) != 2 {
		t.Errorf("have %d expressions in the list, want 2", len(doc.Exprs))
	}
}

func TestBrokenPlacesOfExpressions(t *testing.T) {
	for _, places := range []string{"1", "-1", "x", "0 1", "99999999999999999999"} {
		doc := `{"version":1,"exprs":[{"kind":"counter"}],"tables":[{"chains":[{"name":"c","rules":[{"exprs":"0"},{"exprs":"` + places + `"}]}]}]}`
		if _, err := ParseRuleset([]byte(doc)); err == nil || !strings.Contains(err.Error(), "rule 2 of chain") {
			t.Errorf("places %q: have error %v, want one with the rule's place", places, err)
		}
	}
}
