package firewall

// settle notes what a base chain did: its policy stands for the end.
func (j *journey) settle(s stage, b *baseChain, o outcome) {
	if o.pass != nil {
		end := &cause{chain: b.chain, rule: -1}
		if b.Base.Policy == "drop" {
			o.add(outcome{drop: end}, nil)
		} else {
			o.add(outcome{accept: end}, nil)
		}
	}
	step := Step{Hook: s.hook, Chain: b.Name, Priority: b.Base.Priority}
	switch {
	case o.drop == nil:
		step.Answer, step.By = Accept, o.accept.ref()
		if b.Base.Type != "nat" {
			j.noteAccept(s, o.accept)
		}
	case o.accept == nil:
		step.Answer, step.By = Drop, o.drop.ref()
		j.drop(o.drop)
	default:
		open := o.doubt
		if open == nil {
			open = o.drop
		}
		step.Answer, step.By = Depends, open.ref()
		if j.doubt == nil {
			j.doubt, j.dropped = open, o.drop
		}
	}
	j.verdict.Steps = append(j.verdict.Steps, step)
}

// noteAccept remembers which rule accepted in the hook that the path is named
// after: a rule before a policy, the first before the others.
func (j *journey) noteAccept(s stage, c *cause) {
	if c == nil {
		return
	}
	own := s.hook == j.path || j.path == PathBridge && s.hook == "forward"
	switch {
	case c.rule >= 0 && own && j.accepted == nil:
		j.accepted = c
	case own || j.policy == nil:
		j.policy = c
	}
}

func (j *journey) drop(c *cause) {
	j.finished = true
	j.verdict.Answer, j.verdict.By, j.verdict.Rejected, j.verdict.Unheard = Drop, c.ref(), c.rejected, c.unheard
}

// result is the verdict at the end of the way.
func (j *journey) result() Verdict {
	v := j.verdict
	v.Untracked, v.Rewritten, v.Zoned, v.Zone = j.untracker.ref(), j.rewriter.ref(), j.zoner.ref(), -1
	if j.st.zone.complete() {
		v.Zone = int(j.order.Uint16(j.st.zone.val))
	}
	switch {
	case j.finished:
	case j.doubt != nil:
		v.Answer, v.By, v.Why = Depends, j.doubt.ref(), j.doubt.why
		if v.Why == "" {
			v.Why = j.dropped.why
		}
	default:
		v.Answer = Accept
		if j.accepted != nil {
			v.By = j.accepted.ref()
		} else {
			v.By = j.policy.ref()
		}
	}
	return v
}
