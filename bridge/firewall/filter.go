package firewall

import (
	"cmp"
	"slices"
	"strings"
)

// Filter is a ruleset prepared for questions. It refers to the ruleset, which
// must not change meanwhile. One Filter serves one goroutine at a time.
type Filter struct {
	rs    *Ruleset
	host  Host
	hooks map[hookKey][]*baseChain
	// indexFrom is the length from which a chain has an index.
	indexFrom int
}

// hookKey is a hook of one layer: ip, ip6, arp, bridge or netdev.
type hookKey struct{ family, hook string }

type table struct {
	*Table
	chains map[string]*chain
	sets   map[string]*setIndex
	writer *writer
}

type chain struct {
	*Chain
	table *table
	index *chainIndex // of a long chain, once it was met
}

// baseChain is a chain with a Base.
type baseChain struct{ *chain }

// New prepares a ruleset. The host answers what some matches ask of it; an
// empty one makes them maybe.
func New(rs *Ruleset, host Host) *Filter {
	f := &Filter{rs: rs, host: host, hooks: map[hookKey][]*baseChain{}, indexFrom: indexedFrom}
	for i := range rs.Tables {
		f.add(&rs.Tables[i])
	}
	for _, list := range f.hooks {
		// At one priority the kernel puts what is registered later before what
		// was there; handles grow with time.
		slices.SortStableFunc(list, func(a, b *baseChain) int {
			return cmp.Or(cmp.Compare(a.Base.Priority, b.Base.Priority), cmp.Compare(bool2int(a.table.Legacy), bool2int(b.table.Legacy)),
				cmp.Compare(b.table.Handle, a.table.Handle), cmp.Compare(b.Handle, a.Handle))
		})
	}
	return f
}

func (f *Filter) add(t *Table) {
	prepared := &table{Table: t, chains: make(map[string]*chain, len(t.Chains)), sets: make(map[string]*setIndex, len(t.Sets)), writer: newWriter(f.rs, t)}
	for i := range t.Sets {
		prepared.sets[t.Sets[i].Name] = &setIndex{Set: &t.Sets[i]}
	}
	for i := range t.Chains {
		c := &chain{Chain: &t.Chains[i], table: prepared}
		prepared.chains[c.Name] = c
		if c.Base == nil || t.Dormant {
			continue
		}
		for _, family := range hookFamilies(t.Family, c.Base.Hook) {
			key := hookKey{family, c.Base.Hook}
			f.hooks[key] = append(f.hooks[key], &baseChain{c})
		}
	}
}

// hookFamilies: a chain of family inet hangs on the hooks of both IP families;
// its ingress is that of a device.
func hookFamilies(family, hook string) []string {
	switch {
	case family != "inet":
		return []string{family}
	case hook == "ingress":
		return []string{"netdev"}
	}
	return []string{"ip", "ip6"}
}

// chainsAt lists the base chains of a hook in the order in which a packet
// meets them. dev is the device of the netdev family.
func (f *Filter) chainsAt(key hookKey, dev *Interface) []*baseChain {
	list := f.hooks[key]
	if key.family != "netdev" {
		return list
	}
	var out []*baseChain
	for _, c := range list {
		if slices.ContainsFunc(c.Base.Devices, func(name string) bool {
			prefix, wild := strings.CutSuffix(name, "*")
			return name == dev.Name || wild && strings.HasPrefix(dev.Name, prefix)
		}) {
			out = append(out, c)
		}
	}
	return out
}

// Reference names the rule at an index of a chain, or its policy with -1.
func (rs *Ruleset) Reference(t *Table, c *Chain, index int) Reference {
	at := chain{Chain: c, table: &table{Table: t, writer: newWriter(rs, t)}}
	return at.ref(index)
}

// ref names a rule by its index in the chain, or the policy with -1.
func (c *chain) ref(i int) Reference {
	r := Reference{Family: c.table.Family, Table: c.table.Name, Chain: c.Name, Owner: c.Owner, Legacy: c.table.Legacy}
	if i < 0 || i >= len(c.Rules) {
		if c.Base != nil {
			r.Text = "policy " + c.Base.Policy
		}
		return r
	}
	r.Handle, r.Number, r.Text, r.Owner = c.Rules[i].Handle, i+1, c.Rules[i].Text, c.Rules[i].Owner
	if r.Text == "" {
		r.Text, _ = c.table.writer.rule(c.Chain, &c.Rules[i])
	}
	return r
}
