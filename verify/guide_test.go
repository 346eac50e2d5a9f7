package verify

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const guidePath = "../docs/checks.md"

// TestGuide keeps the guide to the checks equal to the checks; -update writes
// it.
func TestGuide(t *testing.T) {
	want := guide(Checks())
	if *update {
		if err := os.WriteFile(guidePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what the checks say; go test ./verify -update writes it", guidePath)
	}
}

// guide is the user's guide to the checks, in their order.
func guide(checks []Check) string {
	var b strings.Builder
	b.WriteString(`# What verify looks for

Made from the checks themselves (` + "`go test ./verify -update`" + `); ` + "`kvnet verify --explain ID`" + ` says the same. The severity is the
worst with which a check fires, and the cure that of the most disturbing cure it prints: ` + "`safe`" + ` restores what libvirt declares
and cuts nobody off, ` + "`guarded`" + ` blips traffic or overrides somebody's choice, ` + "`manual`" + ` is for a person to decide. A check marked
*recorded* looks for what no sealed host can show (hardware, or services that a namespace cannot hold): it is tested with recorded
snapshots, the others also by breaking a real host. A check is silent where one of the causes behind "silent after" was found for the same thing. What could
not be read makes the checks that need it ` + "`unknown`" + `.

| check | severity | cure | what is wrong |
|---|---|---|---|
`)
	for _, c := range checks {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s%s |\n", c.ID, c.ID, c.Severity, c.Class, c.Title, recorded(c))
	}
	for _, c := range checks {
		fmt.Fprintf(&b, "\n## %s\n\n%s (%s, %s%s)\n", c.ID, upper(c.Title), c.Severity, c.Class, strings.ReplaceAll(recorded(c), " *recorded*", ", recorded"))
		for _, part := range []struct{ title, text string }{
			{"Symptom", c.Doc.Symptom},
			{"Cause", c.Doc.Cause},
			{"Evidence", c.Doc.Evidence},
			{"Cure", c.Doc.Cure},
			{"Silent after", strings.Join(c.After, ", ")},
		} {
			if part.text != "" {
				fmt.Fprintf(&b, "\n- **%s.** %s", part.title, strings.NewReplacer("<", `\<`, "*", `\*`).Replace(part.text))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func recorded(c Check) string {
	if c.Recorded {
		return " *recorded*"
	}
	return ""
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
