package firewall

import (
	"net"
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

// sh runs lines of commands.
func sh(t testing.TB, lines string) string {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(lines) {
		if args := strings.Fields(line); len(args) > 0 {
			all.WriteString(feed(t, "", args...))
		}
	}
	return all.String()
}

// feed runs a command with an input. A child inherits the namespace of the
// thread that starts it.
func feed(t testing.TB, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s\n%s", strings.Join(args, " "), err, out, input)
	}
	return string(out)
}

func nft(t testing.TB, script string) { t.Helper(); feed(t, script, "nft", "-f", "-") }

// rules loads a table in the words of iptables-restore.
func iptables(t testing.TB, tool, table, lines string) {
	t.Helper()
	feed(t, "*"+table+"\n"+strings.TrimSpace(lines)+"\nCOMMIT\n", tool+"-restore", "--noflush")
}

func read(t testing.TB) *Ruleset {
	t.Helper()
	rs, gaps, err := Read(t.Context())
	if err != nil || len(gaps) != 0 {
		t.Fatalf("read: %v, gaps %v", err, gaps)
	}
	rs.Describe()
	return &rs
}

// interfaces are the links of the namespace by name.
func interfaces(t testing.TB) map[string]Interface {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Interface{}
	for _, l := range links {
		out[l.Name] = Interface{Name: l.Name, Index: l.Index}
	}
	return out
}
