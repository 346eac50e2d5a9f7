package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/integration/host"
)

// TestCutOff kills kvnet, or libvirtd under it, at every system call by which
// a change says anything to anybody. Nothing is lost: verify names what is half
// done, and kvnet undo makes it as it was.
func TestCutOff(t *testing.T) {
	const lab = "kvnet net-define lab --subnet 10.7.0.0/24"
	for _, c := range []struct{ name, whom, prepare, change string }{
		{"define", "kvnet", "true", lab + " --start --autostart"},
		{"redefine", "kvnet", lab + " --start", "kvnet net-define lab --dhcp-range 10.7.0.9-10.7.0.99 --autostart"},
		{"stop", "kvnet", lab + " --start", "kvnet net-destroy lab"},
		{"undefine", "kvnet", lab + " --start --autostart", "kvnet net-undefine lab"},
		{"daemon", "libvirtd", "true", lab + " --start --autostart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cutOff(t, c.whom, c.prepare, c.change)
		})
	}
}

func cutOff(t *testing.T, whom, prepare, change string) {
	t.Helper()
	dir := t.TempDir()
	script, err := os.ReadFile("testdata/cut/cut.sh")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cut.sh")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(t.Context(), host.Options{Bind: []string{programs, dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	res, err := h.Exec(t.Context(), "env", "PATH="+programs+":"+os.Getenv("PATH"), "GOMAXPROCS=1", "sh", path, whom, prepare, change)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(res.Stdout), "\n")
	var cut, half int
	if _, err := fmt.Sscanf(lines[len(lines)-1], "cut %d half %d", &cut, &half); err != nil || res.Code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", res.Code, res.Stdout, res.Stderr)
	}
	t.Logf("cut off %d times, half done %d times", cut, half)
	if half < 3 {
		t.Errorf("half done %d times of %d: the test does not reach into the change", half, cut)
	}
}
