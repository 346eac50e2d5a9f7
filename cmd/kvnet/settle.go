package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

// lookAgain is how often a host that has not settled is looked at.
const lookAgain = 250 * time.Millisecond

// findings judges what belongs to the change. Findings of the milder
// severities are remarks on a host that works.
func (c change) findings(g gathered) []verify.Finding {
	if len(c.subjects) == 0 {
		return nil
	}
	report := g.judge(verify.Options{Subjects: c.subjects})
	return slices.DeleteFunc(report.Findings, func(f verify.Finding) bool {
		return !f.Severity.AtLeast(verify.Warning) || slices.Contains(c.asked, f.Check)
	})
}

// chosen are checks whose findings are somebody's choice, or the state of the
// host around: no change of ours brings them about, some only let them show.
var chosen = []string{
	"net-no-autostart", "net-live-config-drift", "guest-paused",
	"host-no-default-route", "uplink-missing", "uplink-down", "uplink-no-carrier", "uplink-has-ip",
	"fw-jump-order", "fw-foreign-drop-forward", "fw-foreign-drop-input", "ufw-blocks", "vpn-killswitch", "isolated-leak",
	"fw-legacy-shadow", "fw-backend-mixed", "fw-bridge-family-drop", "br-nf-call", "nat-forward-dev", "port-forward-rejected",
}

// networkOwn are the findings that a network command answers for: those of the
// network and of the bridge that libvirt makes for it. A guest that was left
// behind by an earlier stop, or a host bridge that is down, is no reason not to
// start a network.
func networkOwn(def xml.Network) func(verify.Finding) bool {
	return func(f verify.Finding) bool {
		if f.Check == "dnsmasq-port-conflict" && f.Severity == verify.Warning {
			return false // the server runs; whether it would again is another day's matter
		}
		if f.Domain != "" || slices.Contains(chosen, f.Check) || strings.HasPrefix(f.Check, "tap-") {
			return false // taps are guests', also where one finding names several
		}
		return def.Managed() || strings.HasPrefix(f.Check, "net-")
	}
}

// verifyChange looks at libvirt and the kernel until the change has no finding
// of its own that was not there before, or ctx ends. With --force findings are
// what was asked for.
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
		fresh := newFindings(before, c.findings(g))
		if last = fresh; c.own != nil {
			last = slices.DeleteFunc(slices.Clone(fresh), func(f verify.Finding) bool { return !c.own(f) })
		}
		if len(last) == 0 || o.force {
			e.noteFindings(fresh)
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return notSettled(last, ctx.Err())
		}
	}
}

// noteFindings tells of findings that do not stop the change.
func (e *env) noteFindings(list []verify.Finding) {
	for _, f := range list {
		words := f.Check + ": " + f.Message
		if cure := f.Fix.Commands(); len(cure) > 0 {
			words += "; cure: " + strings.Join(cure, "; ")
		}
		e.note("%s", words)
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
