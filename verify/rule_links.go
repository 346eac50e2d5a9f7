package verify

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/services"
)

// ruleLink is a link that a rule asks for.
type ruleLink struct {
	key   string // iif, oif, iifname, oifname
	name  string
	index int // of iif and oif
}

// ruleLinks are the links that a rule names, whole names only.
func (f *packetFilter) ruleLinks(r *firewall.Rule) []ruleLink {
	var list []ruleLink
	compared(r, func(load, mask, cmp *firewall.Expr) {
		if load.Kind != "meta" || cmp.Kind != "cmp" || cmp.Op != "eq" || mask != nil {
			return
		}
		switch load.Key {
		case "iif", "oif":
			if len(cmp.Data) == 4 {
				list = append(list, ruleLink{key: load.Key, index: f.hostNumber(cmp.Data)})
			}
		case "iifname", "oifname":
			if name, _, whole := bytes.Cut(cmp.Data, []byte{0}); whole && len(name) > 0 {
				list = append(list, ruleLink{key: load.Key, name: string(name)})
			}
		}
	})
	return list
}

// hostNumber reads four bytes in the byte order of the host that was read.
func (f *packetFilter) hostNumber(b []byte) int {
	if f.rules.BigEndian {
		return int(int32(binary.BigEndian.Uint32(b)))
	}
	return int(int32(binary.LittleEndian.Uint32(b)))
}

// placedRule is a rule with its place.
type placedRule struct {
	table *firewall.Table
	chain *firewall.Chain
	at    int
}

func (r placedRule) rule() *firewall.Rule { return &r.chain.Rules[r.at] }

// place is where nft has the rule.
func (r placedRule) place() services.FilterRule {
	return services.FilterRule{Family: r.table.Family, Table: r.table.Name, Chain: r.chain.Name, Handle: r.rule().Handle}
}

func (f *packetFilter) reference(r placedRule) firewall.Reference {
	return f.rules.Reference(r.table, r.chain, r.at)
}

// networkRules calls visit for every rule of libvirt's network driver.
func (f *packetFilter) networkRules(visit func(placedRule)) {
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		for j := range t.Chains {
			c := &t.Chains[j]
			if !networkChain(t, c) {
				continue
			}
			for k := range c.Rules {
				visit(placedRule{t, c, k})
			}
		}
	}
}

// deleteRule is the step that takes a rule out; none where that cannot be said
// in one command. Rules are deleted last first: numbers stay true.
func (f *packetFilter) deleteRule(r placedRule) []Step {
	rule := r.rule()
	switch {
	case r.table.Legacy:
		words := strings.Fields(rule.Text)
		if len(words) < 3 || words[0] != "-A" || strings.ContainsAny(rule.Text, "\"'\\") {
			return nil
		}
		args := append([]string{"-t", r.table.Name, "-D"}, words[1:]...)
		return []Step{{Do: Filter, On: f.tool(firewall.Reference{Family: r.table.Family, Legacy: true}), Args: args}}
	case rule.Handle == 0 || !plainName(r.table.Name) || !plainName(r.chain.Name):
		return nil
	}
	return []Step{{Do: Filter, On: "nft", Args: []string{
		"delete", "rule", r.table.Family, r.table.Name, r.chain.Name, "handle", strconv.FormatUint(rule.Handle, 10),
	}}}
}

// deleteRules are the steps that take rules out; none if one cannot be.
func (f *packetFilter) deleteRules(list []placedRule) []Step {
	var steps []Step
	for _, r := range list {
		step := f.deleteRule(r)
		if step == nil {
			return nil
		}
		steps = append(steps, step...)
	}
	return steps
}

// addressesOf are the subnets that a rule compares addresses with.
func addressesOf(r *firewall.Rule) []netip.Prefix {
	var list []netip.Prefix
	compared(r, func(load, mask, cmp *firewall.Expr) {
		if p := addressOf(load, mask, cmp); p.IsValid() && cmp.Op != "neq" {
			list = append(list, p)
		}
	})
	return list
}

// inRule says whether a rule names one of the network's subnets.
func (n flowNet) inRule(r *firewall.Rule) bool {
	return slices.ContainsFunc(addressesOf(r), func(p netip.Prefix) bool { return slices.Contains(n.prefixes(p.Addr().Is6()), p) })
}
