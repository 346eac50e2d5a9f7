package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// manyChecks is the number of rules that one broadcast may meet on a bridge
// before that is worth a word: 300 ports with a rule for each.
const manyChecks = 90_000

// scale looks for bridges on which a broadcast meets very many rules.
func scale(p *pass) {
	f := p.packets()
	rules := f.metByCopies()
	for _, name := range slices.Concat(p.hostBridges, p.ownBridges) {
		s := p.bridgeScope(name)
		if p.bridges[name] == nil || !p.on(s) {
			continue
		}
		ports := len(p.slaves[name])
		if ports*rules <= manyChecks {
			continue
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("each broadcast on bridge %s is held against %d rules: it has %d ports, and %d rules of the bridge family are met by each copy", show(name), ports*rules, ports, rules),
			Evidence: fmt.Sprintf("%d ports of %s, %d rules in the bridge family's hooks output, forward and postrouting", ports, show(name), rules),
			Want:     fmt.Sprintf("%d at most", manyChecks), Have: fmt.Sprint(ports * rules),
			Fix: Fix{Class: Manual, Say: "spread the guests over more bridges, or filter fewer of them"},
		})
	}
}

// metByCopies counts the rules of the bridge family that each copy of a frame
// meets: those of base chains, and of the chains to which they always lead.
func (f *packetFilter) metByCopies() int {
	count := 0
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		if t.Family != "bridge" || t.Dormant {
			continue
		}
		chains := map[string]*firewall.Chain{}
		for j := range t.Chains {
			chains[t.Chains[j].Name] = &t.Chains[j]
		}
		seen := map[string]bool{}
		var meet func(c *firewall.Chain)
		meet = func(c *firewall.Chain) {
			if c == nil || seen[c.Name] {
				return
			}
			seen[c.Name] = true
			count += len(c.Rules)
			for k := range c.Rules {
				if target := always(&c.Rules[k]); target != "" {
					meet(chains[target])
				}
			}
		}
		for j := range t.Chains {
			if b := t.Chains[j].Base; b != nil && slices.Contains([]string{"output", "forward", "postrouting"}, b.Hook) {
				meet(&t.Chains[j])
			}
		}
	}
	return count
}

// always is the chain to which a rule leads every packet; "" where it compares
// anything or leads nowhere.
func always(r *firewall.Rule) string {
	target := ""
	for _, e := range r.Exprs {
		switch {
		case e.Kind == "immediate" && e.Jump != nil:
			target = e.Jump.Chain
		case e.Kind != "counter" && e.Kind != "last":
			return ""
		}
	}
	return target
}
