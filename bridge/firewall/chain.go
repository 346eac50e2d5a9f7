package firewall

// Bounds of an evaluation. The first is the kernel's (NFT_JUMP_STACK_SIZE);
// the second keeps a hostile ruleset of jumps from taking for ever.
const (
	maxJumps = 16
	maxSteps = 2_000_000
)

// cause is the rule behind an outcome.
type cause struct {
	chain    *chain
	rule     int // -1: the policy
	rejected bool
	unheard  bool
	unsure   bool // it may not match; one that does takes its place
	why      string
}

// better is the cause to name when there are two.
func better(have, other *cause, doubtful bool) *cause {
	if other == nil || have != nil && (!have.unsure || doubtful || other.unsure) {
		return have
	}
	if doubtful && !other.unsure {
		c := *other
		c.unsure = true
		return &c
	}
	return other
}

func (c *cause) ref() Reference {
	if c == nil {
		return Reference{}
	}
	return c.chain.ref(c.rule)
}

// choice is a translation that may be chosen.
type choice struct {
	translation *Translation
	by          *cause
}

// outcome is all that can become of a packet in a chain: a nil cause is what
// cannot. pass is the end of the chain without a verdict.
type outcome struct {
	accept, drop, pass *cause
	nat                []choice
	doubt              *cause // the first rule of which it is not known whether it matches, and that matters
}

// add merges what a verdict leads to. A doubtful one is remembered.
func (o *outcome) add(other outcome, doubtful *cause) {
	o.accept = better(o.accept, other.accept, doubtful != nil)
	o.drop = better(o.drop, other.drop, doubtful != nil)
	o.nat = append(o.nat, other.nat...)
	matters := other.accept != nil || other.drop != nil || other.nat != nil
	if o.doubt == nil && matters {
		if doubtful != nil {
			o.doubt = doubtful
		} else {
			o.doubt = other.doubt
		}
	}
}

type memoKey struct {
	chain   *chain
	version int
	sure    bool
}

// run evaluates a chain. The outcome's pass says whether the packet can come
// back from it.
func (m *machine) run(c *chain) outcome {
	here := &cause{chain: c, rule: -1}
	if m.depth >= maxJumps {
		here.why = "jumps nest too deep"
		return outcome{accept: here, drop: here, pass: here, doubt: here}
	}
	key := memoKey{c, m.st.version, m.sure}
	o, ok := m.memo[key]
	if !ok {
		m.depth++
		o = m.rules(c)
		m.depth--
		if m.st.version == key.version {
			m.memo[key] = o
		}
	}
	// Some packets may have been accepted and do not come back.
	m.sure = key.sure && o.accept == nil && len(o.nat) == 0
	return o
}

func (m *machine) rules(c *chain) outcome {
	var out outcome
	m.table = c.table
	list := m.candidates(c)
	for i := list.take(); i >= 0; i = list.take() {
		if c.index != nil && c.index.tests[i].fail(m.st) {
			continue
		}
		if m.steps++; m.steps > maxSteps {
			here := &cause{chain: c, rule: i, why: "the ruleset is too complex to follow"}
			out.add(outcome{accept: here, drop: here}, here)
			break
		}
		m.now = cause{chain: c, rule: i}
		res := m.evaluate(&c.Rules[i])
		if res.match == no {
			continue
		}
		if m.apply(&out, c, i, res) {
			return out
		}
	}
	end := &cause{chain: c, rule: -1}
	if c.Truncated {
		end.why = "the chain was too long to be read whole"
		out.add(outcome{accept: end, drop: end}, end)
	}
	out.pass = end
	return out
}

// apply adds what a rule's verdicts lead to; true means that no packet gets
// past it.
func (m *machine) apply(out *outcome, c *chain, i int, res ruleResult) bool {
	if len(res.verdicts) == 0 && res.nat == nil {
		return false
	}
	by := &cause{chain: c, rule: i, rejected: res.rejected, unheard: res.unheard}
	certain := res.match == yes
	var doubtful *cause
	if !certain || len(res.verdicts) > 1 {
		doubtful = &cause{chain: c, rule: i, why: res.why}
	}
	if res.nat != nil {
		out.add(outcome{nat: []choice{{res.nat, by}}}, doubtful)
	}
	stops := certain
	sure := m.sure
	for _, v := range res.verdicts {
		m.sure = sure && doubtful == nil
		o, goes := m.follow(c, by, v)
		goes = goes && o.pass != nil
		if v.Code == "return" || v.Code == "goto" && o.pass != nil {
			// Back to whoever called this chain.
			out.pass = by
			goes = false
			if out.doubt == nil {
				out.doubt = doubtful
			}
		}
		stops = stops && !goes
		out.add(o, doubtful)
		m.table = c.table
	}
	if !stops {
		// Some packets may be gone from here.
		left := out.accept != nil || out.pass != nil || len(out.nat) > 0
		m.sure = sure && !left
	}
	return stops
}

// follow is what a single verdict leads to; goes: the packet may come back to
// the rule after it.
func (m *machine) follow(c *chain, by *cause, v Jump) (o outcome, goes bool) {
	switch v.Code {
	case "accept", "stolen":
		return outcome{accept: by}, false
	case "drop":
		return outcome{drop: by}, false
	case "return":
		return outcome{}, false
	case "jump", "goto":
		target := c.table.chains[v.Chain]
		if target == nil {
			lost := &cause{chain: c, rule: by.rule, why: "chain " + v.Chain + " is missing"}
			return outcome{accept: lost, drop: lost, pass: lost, doubt: lost}, true
		}
		return m.run(target), true
	}
	open := &cause{chain: c, rule: by.rule, why: "a program in user space decides (" + v.Code + ")"}
	return outcome{accept: open, drop: open, doubt: open}, false
}
