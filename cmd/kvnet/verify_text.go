package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/verify"
)

// printReport prints what of the report is as bad as o asks for.
func printReport(e *env, r verify.Report, o verifyOptions) error {
	shown := r
	if o.minSeverity != verify.Unknown {
		shown.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f verify.Finding) bool { return !f.Severity.AtLeast(o.minSeverity) })
	}
	if e.format == "junit" {
		return e.writeJUnit(shown)
	}
	return e.print(shown, func(w io.Writer) {
		p := painter(e.colour)
		printFindings(w, shown, p)
		if e.quiet {
			return
		}
		if len(shown.Findings) > 0 || len(r.Gaps) > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, summary(r, p)) // of all: what is not shown is there all the same
		for _, h := range r.Hints {
			fmt.Fprintf(w, "hint     %s: %s; ask: %s\n", h.ID, clean(h.Message), clean(h.Probe))
		}
	})
}

// printFindings writes findings, worst first, and what could not be read.
func printFindings(w io.Writer, r verify.Report, p painter) {
	for _, f := range r.Findings {
		if f.Severity != verify.Unknown {
			printFinding(w, f, p)
		}
	}
	printUnknown(w, r, p)
}

func printFinding(w io.Writer, f verify.Finding, p painter) {
	fmt.Fprintf(w, "%s  %s  %s%s: %s\n", p.severity(f.Severity), p.bold(f.Check), clean(f.Subject), belongsTo(f), clean(f.Message))
	if f.Want != "" || f.Have != "" {
		seen := ""
		if f.Evidence != "" {
			seen = " (" + clean(f.Evidence) + ")"
		}
		fmt.Fprintf(w, "%swant %s, have %s%s\n", margin, clean(dash(f.Want)), clean(dash(f.Have)), seen)
	}
	commands := f.Fix.Commands()
	if f.Fix.Say != "" {
		note := ""
		if f.Fix.Class != verify.Safe && len(commands) > 0 {
			note = " (" + string(f.Fix.Class) + ")"
		}
		fmt.Fprintf(w, "%s%s%s\n", margin, clean(f.Fix.Say), note)
	}
	for _, c := range commands {
		fmt.Fprintf(w, "%scure: %s\n", margin, clean(c))
	}
}

// margin is the width of a severity and its gap.
const margin = "         "

// belongsTo names the guest and network of a finding where they are not its
// subject.
func belongsTo(f verify.Finding) string {
	var words []string
	if f.Domain != "" && f.Domain != f.Subject {
		words = append(words, "guest "+clean(f.Domain))
	}
	if f.Network != "" && f.Network != f.Subject {
		words = append(words, "network "+clean(f.Network))
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// printUnknown writes what could not be read, each with the checks that it
// cost: one line a gap, since one gap can cost every check.
func printUnknown(w io.Writer, r verify.Report, p painter) {
	cost, rest := map[string][]string{}, []string{}
	for _, f := range r.Findings {
		named := slices.ContainsFunc(r.Gaps, func(g verify.Gap) bool { return g.Source == f.Subject })
		switch {
		case f.Severity != verify.Unknown:
		case named:
			cost[f.Subject] = append(cost[f.Subject], f.Check)
		case len(r.Gaps) > 0:
			rest = append(rest, f.Check) // several gaps together cost it
		default:
			fmt.Fprintf(w, "%s  %s  %s: %s\n", p.severity(f.Severity), p.bold(f.Check), clean(f.Subject), clean(f.Message))
		}
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(w, "%s  %s: %s\n", p.severity(verify.Unknown), clean(g.Source), clean(g.Message))
		printCost(w, cost[g.Source])
		delete(cost, g.Source)
	}
	printCost(w, rest)
}

func printCost(w io.Writer, checks []string) {
	const most = 4
	switch n := len(checks); {
	case n > most:
		fmt.Fprintf(w, "%snot checked: %s and %d more\n", margin, strings.Join(checks[:most], ", "), n-most)
	case n > 0:
		fmt.Fprintf(w, "%snot checked: %s\n", margin, strings.Join(checks, ", "))
	}
}

// summary says how much was checked and what came of it.
func summary(r verify.Report, p painter) string {
	counts := map[verify.Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	scale := fmt.Sprintf("%s on %s, %s, %s", plural(r.Checks, "check"), plural(r.Networks, "network"), plural(r.Guests, "guest"), plural(r.Interfaces, "interface"))
	var words []string
	for _, s := range []struct {
		severity verify.Severity
		name     string
	}{{verify.Error, "error"}, {verify.Warning, "warning"}, {verify.Info, "remark"}} {
		if n := counts[s.severity]; n > 0 {
			words = append(words, plural(n, s.name))
		}
	}
	unknown := ""
	if n := counts[verify.Unknown]; n > 0 {
		unknown = "; " + plural(n, "check") + " could not be made"
	}
	switch {
	case len(words) > 0:
		return p.bold(strings.Join(words, ", ")) + ": " + scale + unknown
	case unknown != "" || len(r.Gaps) > 0:
		return scale + ", nothing wrong found" + unknown
	}
	return p.green("ok") + ": " + scale + ", nothing wrong"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// painter colours words with the SGR codes of ECMA-48 when it is true.
type painter bool

func (p painter) paint(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) bold(s string) string  { return p.paint("1", s) }
func (p painter) green(s string) string { return p.paint("32", s) }

// severity writes a severity in its colour, padded to the margin.
func (p painter) severity(s verify.Severity) string {
	code := map[verify.Severity]string{verify.Error: "1;31", verify.Warning: "33", verify.Info: "36", verify.Unknown: "35"}[s]
	return p.paint(code, fmt.Sprintf("%-7s", s))
}
