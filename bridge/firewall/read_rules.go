package firewall

import (
	"context"

	"golang.org/x/sys/unix"
)

// The kernel dumps in datagrams of 32 KiB and finds its place again, for each
// of them, by walking over all the rules that it has listed: the time grows
// with the square of the rules in one dump. A dump of a single chain begins
// at that chain. The figures weigh the walks against the requests; they are
// measured orders of magnitude, in nanoseconds.
const (
	walkCost    = 1         // a step of a walk, over the steps that a datagram takes on
	requestCost = 20 * 1000 // a dump of a chain
)

// ruleReader puts rules into their chains.
type ruleReader struct {
	chains map[place]*Chain
	pool   *exprPool
	rules  int
	at     rawRule // the last rule's place, and its chain
	chain  *Chain
}

func (r *reading) readRules(ctx context.Context) error {
	in := ruleReader{chains: map[place]*Chain{}}
	for i := range r.rs.Tables {
		t := &r.rs.Tables[i]
		for j := range t.Chains {
			in.chains[place{t.Family, t.Name, t.Chains[j].Name}] = &t.Chains[j]
		}
	}
	if len(in.chains) == 0 {
		return nil
	}
	in.pool = newExprPool()
	if !r.chainByChain() {
		return r.c.dump(ctx, unix.NFT_MSG_GETRULE, nil, in.add)
	}
	for i := range r.rs.Tables {
		t := &r.rs.Tables[i]
		for j := range t.Chains {
			if t.Chains[j].use == 0 {
				continue
			}
			if err := r.c.dump(ctx, unix.NFT_MSG_GETRULE, listRequest(t.Family, t.Name, t.Chains[j].Name), in.add); err != nil {
				return err
			}
		}
	}
	return nil
}

// chainByChain says whether many dumps take less time than one.
func (r *reading) chainByChain() bool {
	var all, apart, chains uint64
	for i := range r.rs.Tables {
		for j := range r.rs.Tables[i].Chains {
			n := uint64(r.rs.Tables[i].Chains[j].use)
			all += n
			apart += n * n
			chains += uint64(bool2int(n > 0))
		}
	}
	return all*all*walkCost > apart*walkCost+chains*requestCost
}

// add reads one rule. A damaged one stands in its chain as well: its place
// counts.
func (in *ruleReader) add(b []byte) error {
	raw, err := splitRule(b)
	if err != nil && len(raw.chain) == 0 {
		return err
	}
	c := in.find(raw)
	if c == nil {
		return errChanged
	}
	if in.rules++; in.rules > MaxRules {
		c.Truncated = true
		return nil
	}
	rule, _ := parseRule(raw, in.pool)
	rule.Damaged = rule.Damaged || err != nil
	c.Rules = append(c.Rules, rule)
	return nil
}

// find is the chain of a rule; most rules are in that of the one before.
func (in *ruleReader) find(raw rawRule) *Chain {
	last := in.at
	if in.chain == nil || last.family != raw.family || string(last.chain) != string(raw.chain) || string(last.table) != string(raw.table) {
		in.chain = in.chains[place{familyName(raw.family), cString(raw.table), cString(raw.chain)}]
		in.at = rawRule{family: raw.family, table: append(last.table[:0], raw.table...), chain: append(last.chain[:0], raw.chain...)}
	}
	return in.chain
}
