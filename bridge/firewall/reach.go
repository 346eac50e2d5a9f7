package firewall

import "slices"

// Reached are the chains of a table that packets may come to: base chains, and
// those that their rules and verdict maps jump to, at once or by way of others.
// Where rules were not read, every chain may be one.
func (t *Table) Reached() map[string]bool {
	reached := map[string]bool{}
	byName := map[string]*Chain{}
	var ahead []*Chain
	all := t.partlyRead()
	for i := range t.Chains {
		c := &t.Chains[i]
		byName[c.Name] = c
		if c.Base != nil || all {
			reached[c.Name] = true
			ahead = append(ahead, c)
		}
	}
	maps := t.verdictMaps()
	for len(ahead) > 0 {
		c := ahead[len(ahead)-1]
		ahead = ahead[:len(ahead)-1]
		c.eachJump(maps, func(name string) {
			if next := byName[name]; next != nil && !reached[name] {
				reached[name] = true
				ahead = append(ahead, next)
			}
		})
	}
	return reached
}

// eachJump visits the chains that a chain's rules name as the next.
func (c *Chain) eachJump(maps map[string]*Set, visit func(chain string)) {
	for i := range c.Rules {
		for _, e := range c.Rules[i].Exprs {
			if e.Jump != nil {
				visit(e.Jump.Chain)
			}
			if m := maps[e.Set]; m != nil {
				for j := range m.Elements {
					if to := m.Elements[j].Jump; to != nil {
						visit(to.Chain)
					}
				}
			}
		}
	}
}

func (t *Table) verdictMaps() map[string]*Set {
	maps := map[string]*Set{}
	for i := range t.Sets {
		if t.Sets[i].VerdictOf {
			maps[t.Sets[i].Name] = &t.Sets[i]
		}
	}
	return maps
}

func (t *Table) partlyRead() bool {
	return slices.ContainsFunc(t.Chains, func(c Chain) bool {
		return c.Truncated || slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Damaged })
	}) || slices.ContainsFunc(t.Sets, func(s Set) bool { return s.VerdictOf && s.Truncated })
}
