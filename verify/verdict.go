package verify

// Verdict is one check held against one subject.
type Verdict struct {
	Check, Subject string
	// Wrong: a finding tells it, by itself or together with others.
	Wrong bool
}

// keep notes a verdict, good so far. One thing may be judged twice by a check.
func (p *pass) keep(n key) {
	if _, ok := p.told[n]; ok || !p.verdicts {
		return
	}
	p.told[n] = len(p.report.Verdicts)
	p.report.Verdicts = append(p.report.Verdicts, Verdict{Check: p.check.ID, Subject: n.name})
}

// wrong turns a verdict, and notes it if it was reached on the way.
func (p *pass) wrong(n key) {
	if p.muted || !p.verdicts {
		return
	}
	p.keep(n)
	p.report.Verdicts[p.told[n]].Wrong = true
}
