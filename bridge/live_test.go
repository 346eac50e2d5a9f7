package bridge

import (
	"context"
	"encoding/json"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace moves the test into a network namespace of its own. The thread
// is never unlocked: it ends with the test's goroutine, and the namespace with
// it.
func inNamespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare network namespace (the live tests need root): %v", err)
	}
	sh(t, "ip link set lo up")
}

// sh runs lines of commands, the second road to every state. A child inherits
// the namespace of the thread that starts it.
func sh(t testing.TB, lines string) string {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(lines) {
		args := strings.Fields(line)
		if len(args) == 0 {
			continue
		}
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", strings.TrimSpace(line), err, out)
		}
		all.Write(out)
	}
	return all.String()
}

// tool runs a command that prints a JSON list.
func tool(t testing.TB, line string) []map[string]any {
	t.Helper()
	out := sh(t, line)
	if strings.TrimSpace(out) == "" {
		return nil // iproute2 prints nothing for some empty lists
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return list
}

func read(t testing.TB) State {
	t.Helper()
	s, err := Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// find returns the first element that f accepts.
func find[T any](t testing.TB, list []T, f func(T) bool) T {
	t.Helper()
	for _, v := range list {
		if f(v) {
			return v
		}
	}
	t.Fatalf("not in %+v", list)
	panic("unreachable")
}
