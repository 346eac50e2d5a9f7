package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/lint"
)

type lintOptions struct {
	files    []string
	strict   bool
	host     bool
	snapshot string
}

// onHost says that the files are held against a host, too.
func (o lintOptions) onHost() bool { return o.host || o.snapshot != "" }

func lintCommand(e *env) *cli.Command {
	var o lintOptions
	var listRules bool
	return &cli.Command{
		Category:  truth,
		Usage:     "judges network and guest documents before libvirt sees them",
		ArgsUsage: "[FILE ...]",
		Description: describe(`
Reads documents of networks and guests (- is standard input) and names what
libvirt would refuse, take and not be able to start, or drop without a word, and
what it would take although it cannot work; each with file, line and column. What
one document says of another counts: subnets that overlap, a bridge that two
make, a MAC that two have, a network that no file defines. Neither libvirt nor
the host is asked. The rules are those of libvirt 9.0; with --host or --snapshot
those of its libvirt, where they differ.

--host holds the files against this host, too, and --snapshot against a saved
one: bridges, devices and networks that it lacks, with --host network filters and
TFTP folders, too; names, UUIDs, bridges, subnets and MACs that another network or
guest of it has; its routes. A file of a network
or guest that the host has is held against the others only.`,
			"kvnet lint --host nets/*.xml guests/*.xml -o sarif", 0, 1, 2, 3, 5),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "strict", Usage: "warnings make the exit code 3, too", Destination: &o.strict},
			&cli.BoolFlag{Name: "host", Usage: "hold them against this host, too: its libvirt and its kernel", Destination: &o.host},
			&cli.StringFlag{Name: "snapshot", Usage: "hold them against the host saved in `FILE` (- is standard input), too", Destination: &o.snapshot},
			&cli.BoolFlag{Name: "list-rules", Usage: "list the rules with what libvirt does, and stop", Destination: &listRules},
		},
		Action: func(c *cli.Context) error {
			var err error
			if o.files, err = arguments(c, "[FILE ...]"); err != nil {
				return err
			}
			stdin := 0
			for _, name := range append([]string{o.snapshot}, o.files...) {
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
			case o.host && c.IsSet("snapshot"):
				return usage("lint", "--host is this host, and --snapshot another: one of them", "")
			case c.IsSet("snapshot") && o.snapshot == "":
				return usage("lint", "flag --snapshot: no file is named", "kvnet snapshot FILE writes one")
			}
			return runLint(c.Context, e, o)
		},
	}
}

// lintReport is what lint prints as JSON.
type lintReport struct {
	Version  int            `json:"version"`
	Host     string         `json:"host"` // URI of the libvirt on the host that they were held against; "" for none
	Files    []string       `json:"files"`
	Rules    int            `json:"rules"` // that were judged by
	Findings []lint.Finding `json:"findings"`
}

func runLint(ctx context.Context, e *env, o lintOptions) error {
	r := lintReport{Version: 1, Files: []string{}, Rules: len(lint.Rules())}
	if !o.onHost() {
		r.Rules -= len(lint.HostRules())
	}
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
	var err error
	if r.Host, r.Findings, err = judgeFiles(ctx, e, files, o); err != nil {
		return err
	}
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

// judgeFiles judges the files, against a host where one is named, which it
// tells the URI of.
func judgeFiles(ctx context.Context, e *env, files []lint.File, o lintOptions) (uri string, found []lint.Finding, err error) {
	var w world
	switch {
	case o.host:
		if w, err = e.lookAround(ctx); err != nil {
			return "", nil, err
		}
		h := w.host()
		if h.Filters, h.Folders, err = e.lookFor(ctx, w, files); err != nil {
			return "", nil, err
		}
		return w.URI, lint.CheckOn(files, h), nil
	case o.snapshot != "":
		s, err := readSnapshot(ctx, e, o.snapshot)
		if err != nil {
			return "", nil, err
		}
		w = e.worldOf(gathered{Snapshot: s})
	default:
		return "", lint.Check(files), nil
	}
	return w.URI, lint.CheckOn(files, w.host()), nil
}

// isFolder says whether a folder is there. What does not answer, as a server that is
// gone, is waited for no longer than ctx.
func isFolder(ctx context.Context, path string) (bool, error) {
	type answer struct {
		found bool
		err   error
	}
	told := make(chan answer, 1)
	go func() {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			told <- answer{}
			return
		}
		told <- answer{err == nil && info.IsDir(), err}
	}()
	select {
	case a := <-told:
		return a.found, a.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// lookFor says which of the network filters and folders that the files name
// the host has.
func (e *env) lookFor(ctx context.Context, w world, files []lint.File) (filters, folders map[string]bool, err error) {
	filters, folders = map[string]bool{}, map[string]bool{}
	names, paths := lint.Named(files)
	for _, path := range paths {
		if !w.here || !filepath.IsAbs(path) {
			continue
		}
		found, err := isFolder(ctx, path)
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("look for %s: %w", quote(path), ctx.Err())
		}
		if err == nil {
			folders[path] = found
		}
	}
	if len(names) == 0 {
		return filters, folders, nil
	}
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	for _, name := range names {
		has, err := conn.HasFilter(ctx, name)
		switch {
		case err == nil:
			filters[name] = has
		case !errors.Is(err, libvirtnet.ErrNotSupported):
			e.note("not told: network filters: %s", oneLine(err))
			return filters, folders, nil
		}
	}
	return filters, folders, nil
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
		against := plural(r.Rules, "rule")
		if r.Host != "" {
			against += " and the host of " + clean(r.Host)
		}
		fmt.Fprintf(w, "%s held against %s: %s, %s\n", plural(len(r.Files), "file"), against,
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

// refusedByRelease says what of a document that flags made this libvirt would
// refuse: a value by its schema, which names the element only, or mode open
// without a subnet. What was there before is not theirs.
func refusedByRelease(former, document string, version int, o netDefineOptions) error {
	told := map[string]bool{}
	for _, f := range lint.CheckFor([]lint.File{{Text: former}}, version) {
		told[f.Message] = true
	}
	for _, f := range lint.CheckFor([]lint.File{{Text: document}}, version) {
		if (f.Rule == "value-invalid" && !o.noValidate || f.Rule == "subnet-missing" && f.Severity == lint.Error) && !told[f.Message] {
			return errors.New(f.Message)
		}
	}
	return nil
}

// noteRefusals says where a file that is only planned breaks rules by which
// libvirt would refuse it. libvirt itself holds a document against its schema
// only when it takes it, and another libvirt than lint's may take more: so this
// is a note, and no refusal.
func (e *env) noteRefusals(plan libvirtnet.Plan, document string, version int, o netDefineOptions) {
	if !o.stops() || o.file == "" || plan.Empty() {
		return
	}
	const most = 5
	told := 0
	for _, f := range lint.CheckFor([]lint.File{{Name: o.file, Text: document}}, version) {
		if f.Refused == lint.AtDefine || f.Refused == lint.BySchema && !o.noValidate {
			if told++; told <= most {
				e.note("libvirt would refuse it, says kvnet lint: %s", f)
			}
		}
	}
	if told > most {
		e.note("and %d more", told-most)
	}
}
