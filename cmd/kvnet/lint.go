package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/lint"
)

type lintOptions struct {
	files  []string
	strict bool
}

func lintCommand(e *env) *cli.Command {
	var o lintOptions
	var listRules bool
	return command(&cli.Command{
		Name:      "lint",
		Category:  truth,
		Usage:     "judges network and guest documents before libvirt sees them",
		ArgsUsage: "[FILE ...]",
		Description: describe(`
Reads documents of networks and guests (- is standard input) and names what
libvirt would refuse, take and not be able to start, or drop without a word, and
what it would take although it cannot work; each with file, line and column. What
one document says of another counts: subnets that overlap, a bridge that two
make, a MAC that two have, a network that no file defines. Neither libvirt nor
the host is asked. The rules are those of libvirt 9.0.`,
			"kvnet lint nets/*.xml guests/*.xml -o sarif", 0, 1, 2, 3),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "strict", Usage: "warnings make the exit code 3, too", Destination: &o.strict},
			&cli.BoolFlag{Name: "list-rules", Usage: "list the rules with what libvirt does, and stop", Destination: &listRules},
		},
		Action: func(c *cli.Context) error {
			var err error
			if o.files, err = arguments(c, "[FILE ...]"); err != nil {
				return err
			}
			stdin := 0
			for _, name := range o.files {
				if name == "-" {
					stdin++
				}
			}
			switch {
			case listRules && e.format == "sarif":
				return usage("lint", "sarif shows findings only", "-o table, json or yaml")
			case listRules:
				return runListRules(e)
			case len(o.files) == 0:
				return usage("lint", "missing argument FILE", "kvnet lint - reads standard input")
			case stdin > 1:
				return usage("lint", "standard input (-) is named twice", "")
			}
			return runLint(c.Context, e, o)
		},
	})
}

// lintReport is what lint prints as JSON.
type lintReport struct {
	Version  int            `json:"version"`
	Files    []string       `json:"files"`
	Rules    int            `json:"rules"` // that were judged by
	Findings []lint.Finding `json:"findings"`
}

func runLint(ctx context.Context, e *env, o lintOptions) error {
	r := lintReport{Version: 1, Files: []string{}, Rules: len(lint.Rules())}
	var files []lint.File
	for _, name := range o.files {
		text, err := reading(ctx, e, name, atMost) // what is longer, the judge finds too long
		if err != nil {
			return &failure{op: "read", object: name, err: bareCause(err)}
		}
		if name == "-" {
			name = "stdin"
		}
		r.Files = append(r.Files, name)
		files = append(files, lint.File{Name: name, Text: text})
	}
	r.Findings = lint.Check(files)
	var err error
	if e.format == "sarif" {
		err = e.writeSARIF(r)
	} else {
		err = e.print(r, func(w io.Writer) { e.printLint(w, r) })
	}
	if err != nil {
		return err
	}
	for _, f := range r.Findings {
		if f.Severity == lint.Error || o.strict {
			return found()
		}
	}
	return nil
}

// printLint writes findings as compilers do, and what was looked at.
func (e *env) printLint(w io.Writer, r lintReport) {
	errors, warnings := 0, 0
	for _, f := range r.Findings {
		fmt.Fprintln(w, clean(f.String()))
		if f.Severity == lint.Error {
			errors++
		} else {
			warnings++
		}
	}
	if !e.quiet {
		fmt.Fprintf(w, "%s held against %s: %s, %s\n", plural(len(r.Files), "file"), plural(r.Rules, "rule"),
			plural(errors, "error"), plural(warnings, "warning"))
	}
}

func runListRules(e *env) error {
	rules := lint.Rules()
	return e.print(rules, func(w io.Writer) {
		t := table{headings: []string{"Rule", "Severity", "libvirt refuses", "What is wrong"}}
		for _, r := range rules {
			t.add(r.ID, string(r.Severity), refusalWords[r.Refused], r.Title)
		}
		t.write(w, e.quiet)
	})
}

var refusalWords = map[lint.Refusal]string{
	lint.AtDefine: "at define",
	lint.BySchema: "by schema",
	lint.AtStart:  "at start",
	lint.Never:    "never",
}
