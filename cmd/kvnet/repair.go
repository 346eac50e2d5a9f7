package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/verify"
)

// repairOptions are the flags of repair.
type repairOptions struct {
	changeOptions
	apply, guarded bool
	subjects       []string
}

func repairCommand(e *env) *cli.Command {
	var o repairOptions
	return &cli.Command{
		Category:  truth,
		Usage:     "cures what verify finds",
		ArgsUsage: "[NETWORK|BRIDGE|GUEST ...]",
		Description: describe(`
Prints the cure of each finding of kvnet verify with its check and its class. A
safe cure restores what libvirt declares and cuts no traffic; a guarded one blips
traffic or overrides somebody's choice; a manual one is a person's. --apply does
the safe ones, with --guarded also those, one cause after the other: after each
the host is looked at again, and a cure that did not help is taken back. No guest
is restarted.`,
			"kvnet repair --apply --guarded", 0, 1, 2, 3, 5),
		Flags: append(changeFlags(&o.changeOptions, ""),
			&cli.BoolFlag{Name: "apply", Usage: "do what is safe", Destination: &o.apply},
			&cli.BoolFlag{Name: "guarded", Usage: "with --apply: do what is guarded, too", Destination: &o.guarded}),
		Action: func(c *cli.Context) error {
			var err error
			if o.subjects, err = arguments(c, "[SUBJECT...]"); err != nil {
				return err
			}
			if err := o.check("repair"); err != nil {
				return err
			}
			o.dryRun = o.dryRun || !o.apply
			return runRepair(c.Context, e, o)
		},
	}
}

// What became of a finding.
const (
	planned = "planned" // would be cured
	cured   = "cured"
	failed  = "failed" // the cure did not help and was taken back
	left    = "left"   // not cured by these flags, or not by a program
)

// repairRow is one finding with its cure, as repair prints it.
type repairRow struct {
	Check    string          `json:"check"`
	Severity verify.Severity `json:"severity"`
	Subject  string          `json:"subject"`
	Network  string          `json:"network"`
	Domain   string          `json:"domain"`
	Message  string          `json:"message"`
	Class    verify.Class    `json:"class"`
	Say      string          `json:"say"`
	Commands []string        `json:"commands"`
	Result   string          `json:"result"`
	Why      string          `json:"why"` // of a cure that failed
}

func runRepair(ctx context.Context, e *env, o repairOptions) error {
	conn, err := e.connectToChange(ctx, o.changeOptions)
	if err != nil {
		return err
	}
	defer conn.Close()
	g := e.gatherSettled(ctx, o.timeout)
	if g.libvirtErr != nil {
		return g.libvirtErr
	}
	if o.subjects, err = resolveSubjects(g.Snapshot, o.subjects); err != nil {
		return err
	}
	r := repairing{e: e, o: o, tried: map[findingKey]repairRow{}}
	if err := r.run(ctx, g); err != nil {
		return err
	}
	return r.report()
}

// repairing is a host under repair.
type repairing struct {
	e     *env
	o     repairOptions
	tried map[findingKey]repairRow
	rows  []repairRow // of what was tried, in order
	rest  []verify.Finding
}

// findingKey tells findings of two looks apart.
type findingKey struct{ check, subject, network, domain string }

func keyOf(f verify.Finding) findingKey {
	return findingKey{f.Check, f.Subject, f.Network, f.Domain}
}

// run cures one cause after the other: with a cause its followers go, or show.
func (r *repairing) run(ctx context.Context, g gathered) error {
	for {
		r.rest = r.findings(g)
		f, any := r.next()
		if !any {
			return nil
		}
		row := rowFor(f, planned)
		if !r.o.stops() {
			row = r.cure(ctx, f, g)
			if err := ctx.Err(); err != nil {
				return &failure{op: "repair", object: f.Subject, err: errInterrupted}
			}
			g = r.e.gatherSettled(ctx, r.o.timeout)
		}
		r.tried[keyOf(f)] = row
		r.rows = append(r.rows, row)
	}
}

// findings are what is wrong and has a cause that is known.
func (r *repairing) findings(g gathered) []verify.Finding {
	var list []verify.Finding
	for _, f := range g.judge(verify.Options{Subjects: r.o.subjects}).Findings {
		if f.Severity != verify.Unknown {
			list = append(list, f)
		}
	}
	return list
}

// next is the worst finding that may be cured and was not tried. Changes that
// were cut off come before all, the newest first: their way back would take the
// cure of another finding back with it.
func (r *repairing) next() (verify.Finding, bool) {
	list := slices.Clone(r.rest)
	sort.SliceStable(list, func(i, j int) bool { return halfDone(list[i]) > halfDone(list[j]) })
	for _, f := range list {
		if _, done := r.tried[keyOf(f)]; !done && r.may(f) {
			return f, true
		}
	}
	return verify.Finding{}, false
}

// halfDone is the number of a change that was cut off; 0 of other findings.
func halfDone(f verify.Finding) int {
	if len(f.Fix.Steps) != 1 || f.Fix.Steps[0].Do != verify.UndoChange {
		return 0
	}
	n, _ := strconv.Atoi(f.Fix.Steps[0].On) // verify wrote it
	return n
}

// may says whether the flags allow the cure. Whoever only looks is shown all
// that a program can do.
func (r *repairing) may(f verify.Finding) bool {
	switch {
	case len(f.Fix.Steps) == 0:
		return false
	case f.Fix.Class == verify.Safe:
		return true
	}
	return f.Fix.Class == verify.Guarded && (r.o.guarded || !r.o.apply)
}

// cure does what the finding's fix says, and takes it back if that did not
// help.
func (r *repairing) cure(ctx context.Context, f verify.Finding, g gathered) repairRow {
	e := r.e
	conn, err := e.connect(ctx) // anew: a cure may end the daemon's connections
	if err != nil {
		row := rowFor(f, failed)
		row.Why = oneLine(err)
		return row
	}
	defer conn.Close()
	for _, command := range f.Fix.Commands() {
		e.announce(f.Check + " " + clean(f.Subject) + ": " + command)
	}
	work := e.deedsOf(f.Fix.Steps, r.o.timeout)
	c := change{
		op: "repair", object: f.Check + " " + clean(f.Subject), world: world{gathered: g, here: true},
		act: work.take, takeBack: work.takeBack,
		settle: func(ctx context.Context) error { return r.gone(ctx, f) },
	}
	c.links, c.sysctls = stepNames(f.Fix.Steps)
	for _, s := range f.Fix.Steps {
		if isForeign(s) {
			c.final = append(c.final, s.Command())
		}
	}
	if err := e.carryOut(ctx, conn, c, r.o.changeOptions); err != nil {
		row := rowFor(f, failed)
		row.Why = oneLine(err)
		return row
	}
	return rowFor(f, cured)
}

// stepNames are the links and sysctls that steps change.
func stepNames(steps []verify.Step) (links, sysctls []string) {
	for _, s := range steps {
		switch {
		case s.Do == verify.SetSysctl:
			sysctls = append(sysctls, s.On)
		case linkDeed(s) != nil:
			links = append(links, s.On)
		}
	}
	return links, sysctls
}

// gone waits until a finding is not found any more.
func (r *repairing) gone(ctx context.Context, f verify.Finding) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		g := gather(ctx, r.e.uri)
		if g.err() == nil && !r.still(g, f) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &waited{"it did not help: " + f.Message, ctx.Err()}
		}
	}
}

func (r *repairing) still(g gathered, f verify.Finding) bool {
	for _, now := range g.judge(verify.Options{Checks: []string{f.Check}}).Findings {
		if keyOf(now) == keyOf(f) || now.Severity == verify.Unknown {
			return true
		}
	}
	return false
}

func rowFor(f verify.Finding, result string) repairRow {
	return repairRow{
		Check: f.Check, Severity: f.Severity, Subject: f.Subject, Network: f.Network, Domain: f.Domain, Message: f.Message,
		Class: f.Fix.Class, Say: f.Fix.Say, Commands: list(f.Fix.Commands()), Result: result,
	}
}

// report prints what was tried and what is left, and chooses the exit code.
func (r *repairing) report() error {
	e, rows := r.e, append([]repairRow{}, r.rows...)
	bad, broke := false, false
	for _, row := range r.rows {
		broke = broke || row.Result == failed
	}
	for _, f := range r.rest {
		if _, done := r.tried[keyOf(f)]; !done {
			rows = append(rows, rowFor(f, left))
		}
		bad = bad || f.Severity == verify.Error
	}
	if err := e.print(rows, func(w io.Writer) { r.printRows(w, rows) }); err != nil {
		return err
	}
	switch {
	case r.o.stops():
		return nil
	case broke:
		return &failure{op: "repair", object: "this host", err: errors.New("a cure did not help"), hint: "kvnet verify says what is wrong now"}
	case bad:
		return found()
	}
	return nil
}

func (r *repairing) printRows(w io.Writer, rows []repairRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "nothing to repair")
		return
	}
	counts := map[string]int{}
	for _, row := range rows {
		word := row.Result
		if word == planned {
			word = "would cure"
		}
		fmt.Fprintf(w, "%s  %s (%s)  %s: %s\n", word, row.Check, row.Class, clean(row.Subject), row.Message)
		if row.Why != "" {
			fmt.Fprintf(w, "   %s\n", row.Why)
		}
		if row.Result != cured {
			fmt.Fprintf(w, "   %s\n", row.Say)
			for _, c := range row.Commands {
				fmt.Fprintf(w, "   %s\n", c)
			}
		}
		counts[row.Result+" "+string(row.Class)]++
	}
	if r.o.stops() && !r.e.quiet {
		fmt.Fprintf(w, "\nkvnet repair --apply does the safe ones (%d), with --guarded also the guarded (%d)\n",
			counts[planned+" "+string(verify.Safe)], counts[planned+" "+string(verify.Guarded)])
	}
}
