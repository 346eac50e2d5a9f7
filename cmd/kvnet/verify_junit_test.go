package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/verify"
)

// element is what a schema of JUnit's documents says of one element: the
// attributes that it must have and may have, and what may stand in it, in this
// order. The strict ones want the order and no more than this.
type element struct {
	must, may, holds []string
}

var junitSchema = map[string]element{
	"testsuite": {
		must:  []string{"name", "hostname", "timestamp", "tests", "failures", "errors", "time"},
		may:   []string{"skipped"},
		holds: []string{"properties", "testcase", "system-out", "system-err"},
	},
	"properties": {},
	"testcase":   {must: []string{"classname", "name", "time"}, holds: []string{"skipped", "failure"}},
	"skipped":    {may: []string{"message"}},
	"failure":    {must: []string{"type"}, may: []string{"message"}},
	"system-out": {},
	"system-err": {},
}

// checkSchema walks a document and returns how often each element stands in it.
func checkSchema(t *testing.T, doc string) (count map[string]int, root map[string]string) {
	t.Helper()
	count = map[string]int{}
	type level struct {
		name string
		last int // where in holds the last child stands
	}
	var stack []*level
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return count, root
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		switch token := token.(type) {
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.StartElement:
			name := token.Name.Local
			rule, known := junitSchema[name]
			if !known || len(stack) == 0 && name != "testsuite" {
				t.Fatalf("element %s is not in the schema", name)
			}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				at := slices.Index(junitSchema[parent.name].holds, name)
				if at < parent.last {
					t.Errorf("%s stands in %s, or not in its place", name, parent.name)
				}
				parent.last = at
			}
			attributes := map[string]string{}
			for _, a := range token.Attr {
				attributes[a.Name.Local] = a.Value
				if !slices.Contains(rule.must, a.Name.Local) && !slices.Contains(rule.may, a.Name.Local) {
					t.Errorf("%s has attribute %s", name, a.Name.Local)
				}
			}
			for _, a := range rule.must {
				if attributes[a] == "" {
					t.Errorf("%s lacks attribute %s", name, a)
				}
			}
			if root == nil {
				root = attributes
			}
			count[name]++
			stack = append(stack, &level{name: name})
		}
	}
}

var schemaTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`)

// TestJUnit holds what is written of hosts of all kinds against the schema and
// the counts against the cases.
func TestJUnit(t *testing.T) {
	hostile := broken
	hostile.Findings = append(slices.Clone(broken.Findings), verify.Finding{
		Check: "tap-orphan", Severity: verify.Error, Subject: "a\x00\"<]]>&\xff", Message: "<b>\x1b[1m", Have: "]]>", Evidence: "\x01",
	})
	reports := map[string]verify.Report{"built": broken, "hostile": hostile, "empty": {}}
	for _, name := range []string{"tap-not-enslaved+bounced", "net-no-autostart", "ok-demo", "net-live-config-drift"} {
		s, err := readSnapshot(t.Context(), &env{}, saved(name))
		if err != nil {
			t.Fatal(err)
		}
		reports[name] = verify.JudgeOnly(s, verify.Options{Verdicts: true})
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&env{out: &out}).writeJUnit(r); err != nil {
				t.Fatal(err)
			}
			count, root := checkSchema(t, out.String())
			for attribute, element := range map[string]string{"tests": "testcase", "failures": "failure", "skipped": "skipped"} {
				if root[attribute] != strconv.Itoa(count[element]) {
					t.Errorf("%s=%q, and there are %d of %s", attribute, root[attribute], count[element], element)
				}
			}
			if !schemaTime.MatchString(root["timestamp"]) || root["errors"] != "0" {
				t.Errorf("suite %v", root)
			}
			bad, unknown := 0, 0
			for _, f := range r.Findings {
				switch {
				case f.Severity == verify.Unknown:
					unknown++
				case f.Severity != verify.Info:
					bad++
				}
			}
			if count["failure"] != bad || count["skipped"] != unknown {
				t.Errorf("%d failures and %d skipped, want %d and %d", count["failure"], count["skipped"], bad, unknown)
			}
		})
	}
}

// TestJUnitCases: each check is a case for each of its subjects, also where
// all is well; what a finding tells of several does not pass.
func TestJUnitCases(t *testing.T) {
	s, err := readSnapshot(t.Context(), &env{}, saved("tap-not-enslaved+bounced"))
	if err != nil {
		t.Fatal(err)
	}
	outcome := map[string]string{}
	for c := range junitCases(verify.JudgeOnly(s, verify.Options{Verdicts: true})) {
		name := c.check + " " + c.subject
		if _, twice := outcome[name]; twice {
			t.Errorf("case %q stands twice", name)
		}
		outcome[name] = "passed"
		if c.failed() {
			outcome[name] = "failed"
		}
	}
	for name, want := range map[string]string{
		"tap-not-enslaved default": "failed", "tap-not-enslaved vnet0": "", "tap-not-enslaved vnet1": "passed",
		"tap-missing vnet0": "passed", "tap-missing vnet1": "passed", "bridge-missing virbr0": "passed", "ip-forward-off net.ipv4.ip_forward": "passed",
	} {
		if outcome[name] != want {
			t.Errorf("case %q: %q, want %q", name, outcome[name], want)
		}
	}
	one := slices.Collect(junitCases(verify.JudgeOnly(s, verify.Options{Verdicts: true, Checks: []string{"bridge-missing"}})))
	if len(one) != 1 || one[0].failed() || one[0].check != "bridge-missing" || one[0].subject != "virbr0" {
		t.Errorf("of one check: %+v", one)
	}
}
