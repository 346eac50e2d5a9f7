package integration

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestRepair breaks the same hosts as TestFaults and has kvnet repair cure
// them: where a cure is safe or guarded, nobody pastes a command, and no guest
// is restarted.
func TestRepair(t *testing.T) {
	cmds := commands()
	cmds["cure"], cmds["cures"] = repair, repair
	scriptsWith(t, machineRoad(t), byProgram(t, all(t, "testdata/fault")), cmds)
}

// byProgram are the scripts but for those of checks whose cures are all a
// person's, in every report that is kept of them.
func byProgram(t *testing.T, files []string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, "kvnet"), "verify", "--list-checks", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var checks []struct{ ID, Class string }
	if err := json.Unmarshal(out, &checks); err != nil {
		t.Fatal(err)
	}
	manual := map[string]bool{}
	for _, c := range checks {
		manual[c.ID] = c.Class == "manual" && !healed(t, c.ID)
	}
	list := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		return manual[strings.TrimSuffix(filepath.Base(file), ".txtar")]
	})
	if len(list) == 0 || len(list) == len(files) {
		t.Fatalf("%d of %d scripts have a cure for a program", len(list), len(files))
	}
	return list
}

// healed says whether a finding of the check is cured by a program in any of
// verify's golden reports: the class that a check announces is that of its worst.
func healed(t *testing.T, check string) bool {
	t.Helper()
	reports, err := filepath.Glob("../verify/testdata/" + check + "*/report.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range reports {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var r struct{ Findings []finding }
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Check == check && f.Fix.Class != "manual" && len(f.Fix.Commands) > 0 }) {
			return true
		}
	}
	return false
}

// repair repairs the host; what is a person's to do is done as it is printed.
func repair(ts *testscript.TestScript, neg bool, args []string) {
	byProgram := slices.ContainsFunc(verify(ts).Findings, func(f finding) bool {
		return f.Fix.Class != "manual" && len(f.Fix.Commands) > 0
	})
	if byProgram {
		before := emulators(ts)
		if err := run(ts, "kvnet", "repair", "--apply", "--guarded"); err != nil && exitCode(err) != 3 {
			ts.Fatalf("kvnet repair: %v", err)
		}
		if after := emulators(ts); after != before {
			ts.Fatalf("QEMU's processes were %s, and are %s: a guest was restarted", before, after)
		}
	}
	rest := slices.DeleteFunc(verify(ts).Findings, func(f finding) bool { return len(f.Fix.Commands) == 0 })
	for _, f := range rest {
		if f.Fix.Class != "manual" {
			ts.Fatalf("kvnet repair left %s %s, whose cure is %s", f.Check, f.Subject, f.Fix.Class)
		}
	}
	if len(rest) > 0 {
		cures(ts, neg, args)
	}
}

// emulators are the processes of the guests.
func emulators(ts *testscript.TestScript) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := here(ts).host.Exec(ctx, "sh", "-c", "pgrep -f '^[^ ]*qemu-system' | sort -n | tr '\\n' ' '")
	ts.Check(err)
	return strings.TrimSpace(res.Stdout)
}
