package firewall

import (
	"maps"
	"slices"
	"testing"
)

func TestReached(t *testing.T) {
	to := func(chains ...string) []Rule {
		var rules []Rule
		for _, c := range chains {
			rules = append(rules, Rule{Exprs: []*Expr{{Kind: "immediate", Jump: &Jump{Code: "jump", Chain: c}}}})
		}
		return rules
	}
	table := func() *Table {
		return &Table{
			Chains: []Chain{
				{Name: "base", Base: &Base{Hook: "forward"}, Rules: append(to("a"), Rule{Exprs: []*Expr{{Kind: "lookup", Set: "map"}}})},
				{Name: "a", Rules: to("b", "a")},
				{Name: "b", Rules: to("a")},
				{Name: "mapped"},
				{Name: "alone", Rules: to("after")},
				{Name: "after", Rules: to("alone")},
			},
			Sets: []Set{{Name: "map", VerdictOf: true, Elements: []Element{{Jump: &Jump{Code: "goto", Chain: "mapped"}}, {Jump: &Jump{Code: "accept"}}}}},
		}
	}
	every := []string{"a", "after", "alone", "b", "base", "mapped"}
	for name, c := range map[string]struct {
		change func(*Table)
		want   []string
	}{
		"jumps and verdict maps": {func(*Table) {}, []string{"a", "b", "base", "mapped"}},
		"no base chain":          {func(t *Table) { t.Chains[0].Base = nil }, nil},
		"rules missing":          {func(t *Table) { t.Chains[1].Truncated = true }, every},
		"a rule not read":        {func(t *Table) { t.Chains[2].Rules[0].Damaged = true }, every},
		"elements missing":       {func(t *Table) { t.Sets[0].Truncated = true }, every},
		"no such map":            {func(t *Table) { t.Sets[0].Name = "another" }, []string{"a", "b", "base"}},
	} {
		t.Run(name, func(t *testing.T) {
			tab := table()
			c.change(tab)
			if have := slices.Sorted(maps.Keys(tab.Reached())); !slices.Equal(have, c.want) {
				t.Errorf("reached %v, want %v", have, c.want)
			}
		})
	}
}
