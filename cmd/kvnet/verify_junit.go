package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/verify"
)

// The shape that CI systems read, in the strict form of Ant's schema, which
// the others take, too: a suite with a case for each check and subject. Errors
// and warnings fail their case, a check that could not be made is skipped, and
// remarks are the suite's output: a case of that schema has none. It is written
// by hand, case after case: a large host has hundreds of thousands.
type junitCase struct {
	check, subject string
	found          *verify.Finding // nil where all is well
}

// noTime is how long a verdict takes: nobody measures it.
const noTime = "0"

// junitCases are a report with its verdicts as cases. What was found with less
// than the severity that was asked for is as good as passed.
func junitCases(r verify.Report) iter.Seq[junitCase] {
	findings, told := map[string][]int{}, map[string]bool{}
	for i, f := range r.Findings {
		findings[f.Check] = append(findings[f.Check], i)
		told[f.Check] = told[f.Check] || f.Severity != verify.Unknown
	}
	verdicts := verdictsByCheck(r.Verdicts)
	return func(yield func(junitCase) bool) {
		for _, c := range verify.Checks() {
			for _, i := range findings[c.ID] {
				if !yield(junitCase{c.ID, r.Findings[i].Subject, &r.Findings[i]}) {
					return
				}
			}
			for _, v := range verdicts[c.ID] {
				if told[c.ID] && v.Wrong {
					continue
				}
				if !yield(junitCase{c.ID, v.Subject, nil}) {
					return
				}
			}
		}
	}
}

// verdictsByCheck are parts of the list: those of one check stand together.
func verdictsByCheck(rest []verify.Verdict) map[string][]verify.Verdict {
	parts := map[string][]verify.Verdict{}
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && rest[n].Check == rest[0].Check {
			n++
		}
		parts[rest[0].Check], rest = rest[:n], rest[n:]
	}
	return parts
}

func (c junitCase) failed() bool {
	return c.found != nil && (c.found.Severity == verify.Error || c.found.Severity == verify.Warning)
}

func (c junitCase) skipped() bool { return c.found != nil && c.found.Severity == verify.Unknown }

func (c junitCase) remark() bool { return c.found != nil && c.found.Severity == verify.Info }

func (e *env) writeJUnit(r verify.Report) error {
	return e.stream("junit", func(out *bufio.Writer) error {
		w, cases := xmlWriter{out}, junitCases(r)
		tests, failures, skipped := 0, 0, 0
		for c := range cases {
			tests++
			if c.failed() {
				failures++
			}
			if c.skipped() {
				skipped++
			}
		}
		w.raw(xml.Header)
		w.open("testsuite", "name", "kvnet verify "+r.URI, "hostname", "localhost",
			// Without a zone, as the schema wants it: UTC.
			"timestamp", r.Taken.UTC().Format("2006-01-02T15:04:05"),
			"tests", strconv.Itoa(tests), "failures", strconv.Itoa(failures), "errors", "0", "skipped", strconv.Itoa(skipped), "time", noTime)
		w.raw("\n  <properties></properties>\n")
		for c := range cases {
			w.testcase(c)
		}
		w.raw("  <system-out>")
		for c := range cases {
			if c.remark() {
				w.text(fmt.Sprintf("%s %s %s: %s\n", c.found.Severity, c.check, c.subject, c.found.Message))
			}
		}
		w.raw("</system-out>\n  <system-err>")
		for _, g := range r.Gaps {
			w.text("gap " + g.Source + ": " + g.Message + "\n")
		}
		w.raw("</system-err>\n</testsuite>\n")
		return nil
	})
}

// xmlWriter writes elements. Errors are out's, to be told by its Flush.
type xmlWriter struct{ out *bufio.Writer }

func (w xmlWriter) raw(s string) { _, _ = w.out.WriteString(s) }

func (w xmlWriter) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"'&<>`, c) >= 0 {
			_ = xml.EscapeText(w.out, []byte(s))
			return
		}
	}
	w.raw(s)
}

// open writes the start of an element with its attributes, name and value.
func (w xmlWriter) open(name string, attributes ...string) {
	w.raw("<" + name)
	for pair := range slices.Chunk(attributes, 2) {
		w.raw(" " + pair[0] + `="`)
		w.text(pair[1])
		w.raw(`"`)
	}
	w.raw(">")
}

func (w xmlWriter) testcase(c junitCase) {
	w.raw(`  <testcase classname="kvnet.verify" name="` + c.check + " ")
	w.text(c.subject)
	w.raw(`" time="` + noTime + `">`)
	switch f := c.found; {
	case c.skipped():
		w.raw("\n    ")
		w.open("skipped", "message", f.Message)
		w.raw("</skipped>\n  ")
	case c.failed():
		w.raw("\n    ")
		w.open("failure", "type", string(f.Severity), "message", f.Message)
		w.text(fmt.Sprintf("want %s, have %s (%s)\n%s", f.Want, f.Have, f.Evidence, f.Fix.Say))
		for _, command := range f.Fix.Commands() {
			w.text("\n" + command)
		}
		w.raw("</failure>\n  ")
	}
	w.raw("</testcase>\n")
}
