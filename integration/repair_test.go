package integration

import (
	"context"
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
	scriptsWith(t, machineRoad(t), all(t, "testdata/fault"), cmds)
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
