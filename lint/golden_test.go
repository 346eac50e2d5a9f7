package lint

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the findings into testdata")

// trial is what is judged together, against a host where there is one.
type trial struct {
	files []File
	host  *Host
}

func (c trial) findings() []Finding {
	if c.host != nil {
		return CheckOn(c.files, *c.host)
	}
	return Check(c.files)
}

// cases are the documents of an archive, by the folder or name below
// fires/ and quiet/; those in one folder are judged together, and against its
// host.json.
func cases(t *testing.T, a *txtar.Archive, kind string) (names []string, trials map[string]trial) {
	t.Helper()
	trials = map[string]trial{}
	for _, f := range a.Files {
		rest, ok := strings.CutPrefix(f.Name, kind+"/")
		if !ok {
			continue
		}
		name := rest
		if dir := path.Dir(rest); dir != "." {
			name = dir
		}
		c, seen := trials[name]
		if !seen {
			names = append(names, name)
		}
		if path.Base(rest) == "host.json" {
			d := json.NewDecoder(bytes.NewReader(f.Data))
			d.DisallowUnknownFields()
			if err := d.Decode(&c.host); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
		} else {
			c.files = append(c.files, File{Name: rest, Text: string(f.Data)})
		}
		trials[name] = c
	}
	return names, trials
}

// TestRules: testdata/RULE.txtar has documents that break the rule and no
// other, what is found in them, and documents in which nothing is found.
func TestRules(t *testing.T) {
	for _, rule := range Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			file := filepath.Join("testdata", rule.ID+".txtar")
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			names, files := cases(t, a, "fires")
			quiet, silent := cases(t, a, "quiet")
			if len(names) == 0 || len(quiet) == 0 {
				t.Fatalf("%d cases fire and %d do not: want both", len(names), len(quiet))
			}
			var have strings.Builder
			for _, name := range names {
				found := files[name].findings()
				if len(found) == 0 {
					t.Errorf("fires/%s: nothing found", name)
				}
				for _, f := range found {
					have.WriteString(f.String() + "\n")
					if f.Rule != rule.ID {
						t.Errorf("fires/%s: %s", name, f)
					}
				}
			}
			for _, name := range quiet {
				for _, f := range silent[name].findings() {
					t.Errorf("quiet/%s: %s", name, f)
				}
			}
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "report.txt" })
			if *update {
				if i < 0 {
					i, a.Files = len(a.Files), append(a.Files, txtar.File{Name: "report.txt"})
				}
				a.Files[i].Data = []byte(have.String())
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if i < 0 {
				t.Fatal("no report.txt: run with -update and look at it")
			}
			if diff := cmp.Diff(string(a.Files[i].Data), have.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every rule says what it is, and every archive belongs to one.
func TestRulesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.ID] || r.Title == "" || r.Doc == "" || r.Severity != Error && r.Severity != Warning {
			t.Errorf("rule %+v: twice, or incomplete", r)
		}
		seen[r.ID] = true
		switch r.Refused {
		case AtDefine, BySchema, AtStart, Never:
		default:
			t.Errorf("rule %s: refused %q", r.ID, r.Refused)
		}
	}
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range archives {
		if id := strings.TrimSuffix(filepath.Base(a), ".txtar"); !seen[id] {
			t.Errorf("%s is of no rule", a)
		}
	}
}
