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
worst with which a check fires. A check is silent where one of the causes behind "silent after" was found for the same thing. What could
not be read makes the checks that need it ` + "`unknown`" + `.

| check | severity | what is wrong |
|---|---|---|
`)
	for _, c := range checks {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", c.ID, c.ID, c.Severity, c.Title)
	}
	for _, c := range checks {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.ID, upper(c.Title)+".")
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

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
