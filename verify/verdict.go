package verify

// Verdict is one check held against one subject.
type Verdict struct {
	Check, Subject, Network, Domain string
	// Wrong: a finding tells it, by itself or together with others.
	Wrong bool
}

// keep notes a verdict, good so far. One thing may be judged twice by a check.
func (p *pass) keep(n key, s scope) {
	if _, ok := p.told[n]; ok || !p.verdicts {
		return
	}
	p.told[n] = len(p.report.Verdicts)
	p.report.Verdicts = append(p.report.Verdicts, Verdict{Check: p.check.ID, Subject: n.name, Network: s.network, Domain: s.guest})
}

// wrong turns a verdict, and notes it if it was reached on the way.
func (p *pass) wrong(n key, s scope) {
	if p.muted || !p.verdicts {
		return
	}
	p.keep(n, s)
	p.report.Verdicts[p.told[n]].Wrong = true
}

// scope is that of a thing of which no more is known than its name.
func (k key) scope() scope {
	switch k.kind {
	case aNetwork:
		return scope{kind: k.kind, network: k.name}
	case aGuest:
		return scope{kind: k.kind, guest: k.name}
	}
	return scope{kind: k.kind}
}
