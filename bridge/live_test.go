package bridge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
	// iproute2 leaves {} for what it filtered out.
	return slices.DeleteFunc(list, func(m map[string]any) bool { return len(m) == 0 })
}

func read(t testing.TB) State {
	t.Helper()
	s, err := Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// quiet reads the state at a moment when the tool says the same before and
// after: carrier and operstate follow a change with some delay.
func quiet(t testing.TB, line string) (State, []map[string]any) {
	t.Helper()
	for range 100 {
		before := tool(t, line)
		s := read(t)
		if after := tool(t, line); reflect.DeepEqual(withoutTimers(before), withoutTimers(after)) {
			return s, after
		}
	}
	t.Fatalf("%s never says the same twice", line)
	panic("unreachable")
}

// withoutTimers takes out what runs down while a bridge is looked at.
func withoutTimers(list []map[string]any) []map[string]any {
	for _, m := range list {
		info, _ := m["linkinfo"].(map[string]any)
		data, _ := info["info_data"].(map[string]any)
		for key := range data {
			if strings.HasSuffix(key, "_timer") {
				delete(data, key)
			}
		}
	}
	return list
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

func hexNumber(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.ParseInt(s, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// seedDumps gives a fuzz test the kernel's own answers, whole and cut short.
func seedDumps(f *testing.F, typ int, payload []byte) {
	f.Helper()
	inNamespace(f)
	sh(f, mixedHost)
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		f.Fatal(err)
	}
	defer c.close()
	msgs, err := c.ask(typ, unix.NLM_F_DUMP, 0, payload)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	for _, m := range msgs {
		f.Add(m)
		f.Add(m[:len(m)/2])
		f.Add(m[:len(m)-1])
	}
}

// asNobodyEnv tells a test of this binary that it was started by helper.
const asNobodyEnv = "KVNET_BRIDGE_HELPER"

// helper runs one test of this binary as a child in the same namespace, behind
// a command, and returns what it printed.
func helper(t *testing.T, test string, as *syscall.SysProcAttr, command ...string) string {
	t.Helper()
	// A copy where everybody may read it.
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bridge-helper") //nolint:usetesting // above t.TempDir is a folder that only its owner may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/bridge.test", binary, 0o755)); err != nil {
		t.Fatal(err)
	}
	args := append(command, dir+"/bridge.test", "-test.run", "^"+test+"$")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), asNobodyEnv+"=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = as
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", test, err, out)
	}
	return string(out)
}

// asNobody runs a helper without any privilege.
func asNobody(t *testing.T, test string) string {
	t.Helper()
	return helper(t, test, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
}

// waitForText reads until a line has the text.
func waitForText(t *testing.T, r io.Reader, text string) {
	t.Helper()
	lines := bufio.NewScanner(r)
	var seen []string
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			go func() { _, _ = io.Copy(io.Discard, r) }() // never let the writer block
			return
		}
		seen = append(seen, lines.Text())
	}
	t.Fatalf("%q was not printed, but %q", text, seen)
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// churn adds and deletes a link all the time until it is stopped.
func churn(t *testing.T) (stop func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "while :; do ip link add churn type bridge; ip link del churn; done")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// start runs lines of commands in a child while the test goes on. The child
// inherits the namespace; wait waits for it.
func start(t *testing.T, lines ...string) (wait func()) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", strings.Join(lines, "\n"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// until asks again and again until the answer is yes. The kernel follows some
// changes by and by (carrier, operstate, the state of ports); a test that waits
// in vain fails after a bound that no healthy kernel comes near.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < 20*time.Second; {
		if yes() {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("waited in vain: %s", what)
}
