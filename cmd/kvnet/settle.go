package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kvnet/kvnet/verify"
)

// lookAgain is how often a host that has not settled is looked at.
const lookAgain = 250 * time.Millisecond

// findings judges what belongs to the change. Findings of the milder
// severities are remarks on a host that works.
func (c change) findings(g gathered) []verify.Finding {
	if len(c.subjects) == 0 {
		return nil
	}
	report := verify.JudgeOnly(g.Snapshot, verify.Options{Subjects: c.subjects})
	return slices.DeleteFunc(report.Findings, func(f verify.Finding) bool {
		return !f.Severity.AtLeast(verify.Warning) || slices.Contains(c.intended, f.Check)
	})
}

// verifyChange looks at libvirt and the kernel until the change has brought
// about no finding that was not there before, or ctx ends. With --force the
// findings are what was asked for, and only told.
func (e *env) verifyChange(ctx context.Context, c change, before []verify.Finding, o changeOptions) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var last []verify.Finding
	for {
		g := gather(ctx, e.uri)
		switch {
		case ctx.Err() != nil:
			return notSettled(last, ctx.Err())
		case g.libvirtErr != nil:
			return fmt.Errorf("look at the result: %w", g.libvirtErr)
		}
		if last = newFindings(before, c.findings(g)); len(last) == 0 {
			return nil
		}
		if o.force {
			for _, f := range last {
				e.note("%s: %s", f.Check, f.Message)
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return notSettled(last, ctx.Err())
		}
	}
}

// notSettled says what was still wrong when the time was up.
func notSettled(last []verify.Finding, cause error) error {
	if len(last) == 0 {
		return &waited{"time is up before the result could be looked at", cause}
	}
	f := last[0]
	return &failure{op: "verify", object: f.Subject, err: &waited{f.Check + ": " + f.Message, cause}, hint: f.Fix.Say}
}

// newFindings are those of have that before has not: a fault that was there is
// not the change's.
func newFindings(before, have []verify.Finding) []verify.Finding {
	type key struct{ check, subject, network, domain string }
	known := map[key]bool{}
	for _, f := range before {
		known[key{f.Check, f.Subject, f.Network, f.Domain}] = true
	}
	return slices.DeleteFunc(slices.Clone(have), func(f verify.Finding) bool {
		return known[key{f.Check, f.Subject, f.Network, f.Domain}]
	})
}
