package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/kvnet/kvnet/verify"
)

// checkRow is a check of the catalogue as --list-checks and --explain show it.
type checkRow struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Severity verify.Severity `json:"severity"`
	Class    verify.Class    `json:"class"`
	Recorded bool            `json:"recorded"`
	Symptom  string          `json:"symptom"`
	Cause    string          `json:"cause"`
	Evidence string          `json:"evidence"`
	Cure     string          `json:"cure"`
	After    []string        `json:"after"`
}

func rowOf(c verify.Check) checkRow {
	return checkRow{
		ID: c.ID, Title: c.Title, Severity: c.Severity, Class: c.Class, Recorded: c.Recorded, After: list(c.After),
		Symptom: c.Doc.Symptom, Cause: c.Doc.Cause, Evidence: c.Doc.Evidence, Cure: c.Doc.Cure,
	}
}

// tested says how the check is tested: on a sealed host that is broken, or,
// where none can show the fault, with recorded snapshots only.
func (r checkRow) tested() string {
	if r.Recorded {
		return "recorded"
	}
	return "live"
}

func runListChecks(e *env) error {
	rows := []checkRow{}
	for _, c := range verify.Checks() {
		rows = append(rows, rowOf(c))
	}
	return e.print(rows, func(w io.Writer) {
		t := table{headings: []string{"Check", "Severity", "Cure", "Tested", "What is wrong"}}
		for _, r := range rows {
			t.add(r.ID, string(r.Severity), string(r.Class), r.tested(), r.Title)
		}
		t.write(w, e.quiet)
	})
}

func runExplain(e *env, id string) error {
	c, err := findCheck("--explain", id)
	if err != nil {
		return err
	}
	row := rowOf(c)
	return e.print(row, func(w io.Writer) {
		fmt.Fprintf(w, "%s (%s, %s cure, tested %s)\n   %s\n", row.ID, row.Severity, row.Class, row.tested(), row.Title)
		for _, part := range []struct{ name, text string }{
			{"Symptom", row.Symptom}, {"Cause", row.Cause}, {"Evidence", row.Evidence}, {"Cure", row.Cure},
			{"Silent after", strings.Join(row.After, ", ")},
		} {
			if part.text != "" {
				fmt.Fprintf(w, "\n%s\n%s", part.name, wrap(part.text, "   ", 78))
			}
		}
	})
}

// findCheck looks a check up for a flag.
func findCheck(flag, id string) (verify.Check, error) {
	var ids []string
	for _, c := range verify.Checks() {
		if c.ID == id {
			return c, nil
		}
		ids = append(ids, c.ID)
	}
	return verify.Check{}, usage("verify", "flag "+flag+": no check "+quote(id), meant(id, ids, "kvnet verify --list-checks lists them"))
}

// wrap breaks text into indented lines of at most width columns.
func wrap(text, indent string, width int) string {
	var b strings.Builder
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(indent)+len(line)+1+len(word) > width {
			b.WriteString(indent + line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		b.WriteString(indent + line + "\n")
	}
	return b.String()
}
