package main

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/verify"
)

// The shape that CI systems read: one suite, a case for each check. Errors and
// warnings fail their case, a check that could not be made is skipped.
type junitSuite struct {
	XMLName   xml.Name    `xml:"testsuite"`
	Name      string      `xml:"name,attr"`
	Host      string      `xml:"hostname,attr,omitempty"`
	Timestamp string      `xml:"timestamp,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *junitFailure `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// junit turns a report into a suite: a case for each finding, and one for
// each check that found nothing: of ids, or of all where none are named.
func junit(r verify.Report, ids []string) junitSuite {
	s := junitSuite{Name: "kvnet verify " + r.URI, Timestamp: r.Taken.Format(time.RFC3339), Cases: []junitCase{}}
	byCheck := map[string][]verify.Finding{}
	for _, f := range r.Findings {
		byCheck[f.Check] = append(byCheck[f.Check], f)
	}
	for _, c := range verify.Checks() {
		if len(byCheck[c.ID]) == 0 && (len(ids) == 0 || slices.Contains(ids, c.ID)) {
			s.Cases = append(s.Cases, junitCase{Class: "kvnet.verify", Name: c.ID})
		}
		for _, f := range byCheck[c.ID] {
			s.add(f)
		}
	}
	s.Tests = len(s.Cases)
	return s
}

func (s *junitSuite) add(f verify.Finding) {
	c := junitCase{Class: "kvnet.verify", Name: f.Check + " " + f.Subject}
	detail := &junitFailure{Type: string(f.Severity), Message: f.Message}
	switch f.Severity {
	case verify.Unknown:
		c.Skipped = detail
		s.Skipped++
	case verify.Error, verify.Warning:
		detail.Text = strings.Join(append([]string{"want " + f.Want + ", have " + f.Have, f.Fix.Say}, f.Fix.Commands()...), "\n")
		c.Failure = detail
		s.Failures++
	default:
		c.Output = f.Message
	}
	s.Cases = append(s.Cases, c)
}

func (e *env) writeJUnit(r verify.Report, ids []string) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(junit(r, ids)); err != nil {
		return &failure{op: "write junit", err: err}
	}
	b.WriteByte('\n')
	return e.write(b.Bytes())
}
