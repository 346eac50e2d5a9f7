package verify

import (
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// mostLayers bounds how many drops one behind the other are looked through.
const mostLayers = 4

// layers are the causes found for a network, and those that are seen only with
// the drops of the first taken away: what is dropped before is not translated
// wrongly, nor dropped again.
func (f *packetFilter) layers(n flowNet) []breach {
	var list []breach
	for range mostLayers {
		known := len(list)
		var drops []firewall.Step
		for _, v6 := range []bool{false, true} {
			f.judgeFamily(n, v6, func(cause string, s seen) {
				if s.want == firewall.Accept && s.Answer == firewall.Drop && !f.libvirts(s.By) {
					drops = append(drops, s.last())
				}
				i := slices.IndexFunc(list, func(b breach) bool { return b.check == cause })
				if i < 0 {
					i = len(list)
					list = append(list, breach{check: cause, net: n})
				}
				if i >= known {
					list[i].flows = append(list[i].flows, s)
				}
			})
		}
		if len(drops) == 0 {
			break
		}
		f = f.lifted(drops)
	}
	return list
}

// lifted is the packet filter with policies set to accept, and rules made to do
// nothing.
func (f *packetFilter) lifted(drops []firewall.Step) *packetFilter {
	rs := changed(f.rules, drops, lift)
	return &packetFilter{h: f.h, rules: rs, filter: firewall.New(rs, f.h.firewallHost())}
}

// changed is a copy of a ruleset in which change was called with each chain of
// the tables that steps ended in. The rest is shared.
func changed(rules *firewall.Ruleset, steps []firewall.Step, change func(*firewall.Chain, firewall.Step)) *firewall.Ruleset {
	rs := *rules
	rs.Tables = slices.Clone(rs.Tables)
	for _, s := range steps {
		for i := range rs.Tables {
			t := &rs.Tables[i]
			if t.Family != s.By.Family || t.Name != s.By.Table || t.Legacy != s.By.Legacy {
				continue
			}
			t.Chains = slices.Clone(t.Chains)
			for j := range t.Chains {
				change(&t.Chains[j], s)
			}
		}
	}
	return &rs
}

// lift takes what decided a step out of a copy of its chain.
func lift(c *firewall.Chain, s firewall.Step) {
	switch {
	case s.By.Policy() && c.Name == s.Chain && c.Base != nil:
		base := *c.Base
		base.Policy = "accept"
		c.Base = &base
	case !s.By.Policy() && c.Name == s.By.Chain && s.By.Number <= len(c.Rules):
		c.Rules = slices.Clone(c.Rules)
		c.Rules[s.By.Number-1].Exprs = nil
	}
}
