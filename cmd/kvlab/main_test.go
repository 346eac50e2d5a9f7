package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kvnet/kvnet/integration/host"
)

// programEnv makes the test program behave as kvlab.
const programEnv = "KVLAB_TEST_PROGRAM"

func TestMain(m *testing.M) {
	host.Main()
	if os.Getenv(programEnv) != "" {
		os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

type output struct {
	stdout, stderr string
	code           int
}

// kvlab runs the program as people do.
func kvlab(t *testing.T, args ...string) output {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--help", 0, "EXIT STATUS"},
		{"", 0, "COMMANDS"},
		{"nosuch", 2, "kvlab: no such command: nosuch"},
		{"up", 2, "kvlab: up: want NAME"},
		{"up a b", 2, "kvlab: up: want NAME, have 2 arguments"},
		{"up a --nosuch", 2, "kvlab: flag provided but not defined: -nosuch"},
		{"up a --root", 2, "kvlab: up: --root needs a value"},
		{"exec a", 2, "kvlab: exec: want a command behind --"},
		{"exec a ls", 2, "kvlab: exec: want NAME, have 2 arguments"},
		{"run --", 2, "kvlab: run: want a command behind --"},
		{"list a", 2, "kvlab: list: want no arguments, have 1"},
		{"up @", 2, "kvlab: up: NAME is empty"},
		{"guest @ b start", 2, "kvlab: guest: NAME is empty"},
		{"guest a b", 2, "kvlab: guest: want NAME GUEST ACTION"},
		{"down nosuchhost", 1, "kvlab: open host nosuchhost: no such host"},
		{"down ../x", 1, "kvlab: check host name"},
		{"exec . -- true", 1, "not the inside of a host"},
		{"exec nosuchhost -- true", 1, "no such host"},
	} {
		args := strings.Fields(c.args)
		for i, a := range args {
			args[i] = strings.Trim(a, "@")
		}
		got := kvlab(t, args...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
			t.Errorf("kvlab %s: have %+v, want code %d and %q", c.args, got, c.code, c.want)
		}
		if c.code != 0 && got.stdout != "" {
			t.Errorf("kvlab %s: an error on stdout: %q", c.args, got.stdout)
		}
	}
}

// A host's whole life from the command line.
func TestLife(t *testing.T) {
	const name = "kvlab-test-life"
	if got := kvlab(t, "up", name); got.code != 0 {
		t.Fatalf("up: %+v", got)
	}
	t.Cleanup(func() { kvlab(t, "down", name) })
	for _, c := range []struct {
		args []string
		want output
	}{
		{[]string{"exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 7"}, output{"out\n", "err\n", 7}},
		{[]string{"exec", name, "--", "ls", "--", "/dev/kvm"}, output{"", "ls: cannot access '/dev/kvm': No such file or directory\n", 2}},
		{[]string{"guest", name, "g", "state"}, output{"undefined\n", "", 0}},
		{[]string{"guest", name, "g", "define", "--none", "--empty"}, output{}},
		{[]string{"guest", name, "g", "state"}, output{"shut off\n", "", 0}},
		{[]string{"guest", name, "g", "start", "--paused"}, output{}},
		{[]string{"guest", name, "g", "state"}, output{"paused\n", "", 0}},
		{[]string{"guest", name, "g", "stop"}, output{}},
		{[]string{"guest", name, "g", "nosuch"}, output{"", "kvlab: guest: no such action: nosuch\nhint: kvlab --help\n", 2}},
		{[]string{"guest", name, "g", "ping"}, output{"", "kvlab: guest ping: want 1 arguments, have 0\nhint: kvlab --help\n", 2}},
	} {
		got := kvlab(t, c.args...)
		if got != c.want {
			t.Errorf("kvlab %q: have %+v, want %+v", c.args, got, c.want)
		}
	}
	if got := kvlab(t, "exec", "--outside", name, "--", "ip", "-o", "link"); !strings.Contains(got.stdout, "host0") {
		t.Errorf("exec --outside: %+v", got)
	}
	if got := kvlab(t, "list"); !strings.Contains(got.stdout, name) {
		t.Errorf("list: %+v", got)
	}
	if got := kvlab(t, "up", name); got.code != 1 || !strings.Contains(got.stderr, "host exists already") {
		t.Errorf("up again: %+v", got)
	}
	if got := kvlab(t, "down", name); got.code != 0 {
		t.Errorf("down: %+v", got)
	}
	if got := kvlab(t, "list"); strings.Contains(got.stdout, name) {
		t.Errorf("list after down: %+v", got)
	}
}

// Inside of a host kvlab reaches that host as ".".
func TestRunAndInside(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := `"$0" guest . g define --none --empty && "$0" guest . g state && virsh domstate g &&
		"$0" exec . -- echo in && "$0" exec . --outside -- ip -o link show host0 >/dev/null && "$0" list | grep -c host-
		"$0" down . ; exit 9`
	got := kvlab(t, "run", "--", "sh", "-c", script, self)
	if want := "shut off\nshut off\n\nin\n1\n"; got.stdout != want || got.code != 9 || !strings.Contains(got.stderr, "not possible from inside") {
		t.Errorf("have %+v, want %q and code 9", got, want)
	}
}
