package firewall

import "fmt"

// Decide says what the ruleset does to a flow: it passes every hook of its
// path, or is dropped, or that depends.
func (f *Filter) Decide(flow Flow) Verdict {
	if why := flow.problem(); why != "" {
		return Verdict{Answer: Depends, Why: why}
	}
	states := flow.CT
	if len(states) == 0 {
		states = []string{StateNew}
	}
	v := f.decide(flow, states[0])
	for _, ct := range states[1:] {
		v = merge(v, f.decide(flow, ct), states[0], ct)
	}
	return v
}

// problem says what keeps a flow from being one.
func (f *Flow) problem() string {
	switch f.Family {
	case "ip", "ip6", "arp":
	default:
		return fmt.Sprintf("the flow's family %q is none", f.Family)
	}
	switch f.Path {
	case PathInput, PathOutput, PathForward, PathBridge:
	default:
		return fmt.Sprintf("the flow's path %q is none", f.Path)
	}
	for _, s := range f.CT {
		if ctStateBits[s] == 0 {
			return fmt.Sprintf("the flow's connection state %q is none", s)
		}
	}
	return ""
}

func (f *Filter) decide(flow Flow, ct string) Verdict {
	j := f.journey(flow, ct)
	j.travel()
	return j.result()
}

// journey is a packet at the beginning of its way.
func (f *Filter) journey(flow Flow, ct string) *journey {
	order := f.rs.hostOrder()
	flow.CT = []string{ct}
	return &journey{path: flow.Path, out: flow.OIF, machine: &machine{f: f, flow: &flow, order: order, st: newState(&flow, ct, order)}}
}

// merge is the verdict on flows of two connection states.
func merge(a, b Verdict, first, second string) Verdict {
	switch {
	case a.Answer == b.Answer, a.Answer == Depends:
		return a
	case b.Answer == Depends:
		return b
	}
	v := a
	if b.Answer == Drop {
		v = b
	}
	v.Why = fmt.Sprintf("ct state: %s is %s, %s is %s", first, a.Answer, second, b.Answer)
	v.Answer = Depends
	return v
}

// Evaluate is New and Decide for one flow.
func Evaluate(rs *Ruleset, flow Flow, host Host) Verdict { return New(rs, host).Decide(flow) }
