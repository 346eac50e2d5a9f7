package verify

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden folders from the hosts that the tests build")

// TestGolden judges the saved hosts. A folder is named after the one check
// that fires in it (a tail after "+" tells cases apart), or begins with "ok-"
// when the host is healthy and nothing must be said. A document without a
// packet filter is that of a host with libvirt's own rules.
func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	fires := map[string]bool{}
	for _, f := range folders {
		if f.Name() == "fuzz" {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			dir := filepath.Join("testdata", f.Name())
			report := judgeOnly(loadFile(t, filepath.Join(dir, "snapshot.json")), asked(f.Name()))
			have := withoutEmptyHints(encode(t, report))
			if *update {
				if err := os.WriteFile(filepath.Join(dir, "report.json"), have, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(filepath.Join(dir, "report.json"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(have)); diff != "" {
				t.Errorf("report (-want +have):\n%s", diff)
			}
			checkVerdict(t, f.Name(), report, fires)
		})
	}
	for _, c := range Checks() {
		if !fires[c.ID] {
			t.Errorf("check %s has no folder in which it fires", c.ID)
		}
	}
}

// asked asks for a folder's check by name where nobody is told of it otherwise.
func asked(folder string) Options {
	id, _, _ := strings.Cut(folder, "+")
	for _, c := range Checks() {
		if c.ID == id && c.OnDemand {
			return Options{Checks: []string{id}}
		}
	}
	return Options{}
}

// withoutEmptyHints shortens a saved report by what nearly all have.
func withoutEmptyHints(doc []byte) []byte {
	return bytes.Replace(doc, []byte(",\n  \"hints\": []\n"), []byte("\n"), 1)
}

// checkVerdict holds a report against what its folder's name promises.
func checkVerdict(t *testing.T, folder string, r Report, fires map[string]bool) {
	t.Helper()
	if r.Checks == 0 {
		t.Error("no verdict was reached")
	}
	if strings.HasPrefix(folder, "ok-") {
		for _, f := range r.Findings {
			t.Errorf("healthy host: %s %s %s: %s", f.Severity, f.Check, f.Subject, f.Message)
		}
		return
	}
	id, _, _ := strings.Cut(folder, "+")
	fires[id] = true
	if len(r.Findings) == 0 {
		t.Errorf("check %s does not fire", id)
	}
	for _, f := range r.Findings {
		if f.Check != id {
			t.Errorf("also fires: %s %s: %s", f.Check, f.Subject, f.Message)
		}
		checkFinding(t, f)
	}
}

// checkFinding holds what every finding promises.
func checkFinding(t *testing.T, f Finding) {
	t.Helper()
	if f.Subject == "" || f.Message == "" || f.Evidence == "" || f.Want == "" || f.Have == "" || f.Fix.Say == "" {
		t.Errorf("finding is incomplete: %+v", f)
	}
	if !slices.Contains([]Class{Safe, Guarded, Manual}, f.Fix.Class) {
		t.Errorf("%s: class %q", f.Check, f.Fix.Class)
	}
	if f.Fix.Class != Manual && len(f.Fix.Commands()) == 0 {
		t.Errorf("%s: a %s fix without commands", f.Check, f.Fix.Class)
	}
	for _, text := range append(f.Fix.Commands(), f.Message, f.Evidence, f.Want, f.Have, f.Fix.Say) {
		if text == "" || oneLine(text) != text {
			t.Errorf("%s: not one printable line: %q", f.Check, text)
		}
	}
}

// TestClasses holds the class that a check announces against those of its
// cures in all folders: none disturbs more.
func TestClasses(t *testing.T) {
	classes := []Class{Safe, Guarded, Manual}
	announced := map[string]int{}
	for _, c := range Checks() {
		announced[c.ID] = slices.Index(classes, c.Class)
		if announced[c.ID] < 0 {
			t.Errorf("%s: no class %q", c.ID, c.Class)
		}
	}
	for name, s := range goldenHosts() {
		for _, f := range judge(s).Findings {
			if class := slices.Index(classes, f.Fix.Class); f.Severity != Unknown && class > announced[f.Check] {
				t.Errorf("%s: %s announces %s cures, and this is %s", name, f.Check, classes[announced[f.Check]], f.Fix.Class)
			}
		}
	}
}

// TestMutedCheck proves that each folder fires by its own check alone: without
// that check nothing of it is said.
func TestMutedCheck(t *testing.T) {
	for name, s := range goldenHosts() {
		id, _, _ := strings.Cut(name, "+")
		if strings.HasPrefix(name, "ok-") {
			continue
		}
		var others []string
		for _, c := range Checks() {
			if c.ID != id && !c.OnDemand {
				others = append(others, c.ID)
			}
		}
		if r := judgeOnly(s, Options{Checks: others}); len(r.Findings) > 0 {
			t.Errorf("%s: without its check: %+v", name, r.Findings)
		}
		if r := judgeOnly(s, Options{Checks: []string{id}}); len(r.Findings) == 0 {
			t.Errorf("%s: its check alone does not fire", name)
		}
	}
}

func writeGolden(t *testing.T) {
	t.Helper()
	for name, s := range goldenHosts() {
		dir := filepath.Join("testdata", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Save(&b, s); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGoldenHosts proves that the folders are those that the tests build.
func TestGoldenHosts(t *testing.T) {
	for name, s := range goldenHosts() {
		var b bytes.Buffer
		if err := Save(&b, s); err != nil {
			t.Fatal(err)
		}
		saved, err := os.ReadFile(filepath.Join("testdata", name, "snapshot.json"))
		if err != nil {
			t.Errorf("%v: run go test -run Golden -update", err)
			continue
		}
		if diff := cmp.Diff(string(saved), b.String()); diff != "" {
			t.Errorf("%s (-saved +built): run go test -run Golden -update\n%s", name, diff)
		}
	}
}

func loadFile(t *testing.T, path string) Snapshot {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
