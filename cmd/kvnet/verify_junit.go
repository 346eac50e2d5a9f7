package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/verify"
)

// The shape that CI systems read, in the strict form of Ant's schema, which
// the others take, too: a suite with a case for each check and subject. Errors
// and warnings fail their case, a check that could not be made is skipped, and
// remarks are the suite's output: a case of that schema has none.
type junitSuite struct {
	XMLName    xml.Name    `xml:"testsuite"`
	Name       string      `xml:"name,attr"`
	Host       string      `xml:"hostname,attr"`
	Timestamp  string      `xml:"timestamp,attr"`
	Tests      int         `xml:"tests,attr"`
	Failures   int         `xml:"failures,attr"`
	Errors     int         `xml:"errors,attr"`
	Skipped    int         `xml:"skipped,attr"`
	Time       string      `xml:"time,attr"`
	Properties struct{}    `xml:"properties"`
	Cases      []junitCase `xml:"testcase"`
	Out        string      `xml:"system-out"`
	Err        string      `xml:"system-err"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitDetail  `xml:"skipped,omitempty"`
	Failure *junitFailure `xml:"failure,omitempty"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// noTime is how long a verdict takes: nobody measures it.
const noTime = "0"

// junit turns a report with its verdicts into a suite. What was found with
// less than the severity that was asked for is as good as passed.
func junit(r verify.Report) junitSuite {
	s := junitSuite{
		Name: "kvnet verify " + r.URI, Host: "localhost", Time: noTime,
		// Without a zone, as the schema wants it: UTC.
		Timestamp: r.Taken.UTC().Format("2006-01-02T15:04:05"), Cases: []junitCase{},
	}
	findings, verdicts := map[string][]verify.Finding{}, map[string][]verify.Verdict{}
	for _, f := range r.Findings {
		findings[f.Check] = append(findings[f.Check], f)
	}
	for _, v := range r.Verdicts {
		verdicts[v.Check] = append(verdicts[v.Check], v)
	}
	for _, c := range verify.Checks() {
		for _, f := range findings[c.ID] {
			s.add(f)
		}
		for _, v := range verdicts[c.ID] {
			told := slices.ContainsFunc(findings[c.ID], func(f verify.Finding) bool { return f.Severity != verify.Unknown })
			if !v.Wrong || !told {
				s.Cases = append(s.Cases, junitCase{Class: junitClass, Name: v.Check + " " + v.Subject, Time: noTime})
			}
		}
	}
	for _, g := range r.Gaps {
		s.Err += "gap " + g.Source + ": " + g.Message + "\n"
	}
	s.Tests = len(s.Cases)
	return s
}

const junitClass = "kvnet.verify"

func (s *junitSuite) add(f verify.Finding) {
	c := junitCase{Class: junitClass, Name: f.Check + " " + f.Subject, Time: noTime}
	switch f.Severity {
	case verify.Unknown:
		c.Skipped = &junitDetail{Message: f.Message}
		s.Skipped++
	case verify.Error, verify.Warning:
		c.Failure = &junitFailure{Type: string(f.Severity), Message: f.Message, Text: strings.Join(append([]string{
			fmt.Sprintf("want %s, have %s (%s)", f.Want, f.Have, f.Evidence), f.Fix.Say,
		}, f.Fix.Commands()...), "\n")}
		s.Failures++
	default:
		s.Out += fmt.Sprintf("%s %s %s: %s\n", f.Severity, f.Check, f.Subject, f.Message)
	}
	s.Cases = append(s.Cases, c)
}

func (e *env) writeJUnit(r verify.Report) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(junit(r)); err != nil {
		return &failure{op: "write junit", err: err}
	}
	b.WriteByte('\n')
	return e.write(b.Bytes())
}
