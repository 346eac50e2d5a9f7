package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// inNamespace runs f in a network namespace of its own, on a thread that ends
// with it. Commands that f starts are in the namespace, too.
func inNamespace(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread must not be used again
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			f(t)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("make a network namespace (it takes root): %v", err)
	}
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func kvnet(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), append([]string{"kvnet"}, args...), strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// The kernel seen by kvnet is the kernel seen by brctl.
func TestBridgesAsBrctl(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		for _, line := range []string{
			"link add br0 type bridge stp_state 1", "link add averyveryverylo type bridge", "link add v0 type veth peer name v1", "link add v2 type veth peer name v3",
			"link set v0 master br0", "link set v2 master br0", "link set br0 up", "link set v0 up", "link set v1 up",
			"addr add 10.9.9.1/24 dev br0", "link set v0 type bridge_slave isolated on",
		} {
			tool(t, "ip", strings.Fields(line)...)
		}
		// brctl reads sysfs, which has to be this namespace's.
		want := tool(t, "unshare", "-m", "sh", "-c", "mount -t sysfs none /sys && brctl show")
		out, errs, code := kvnet(t, "brctl", "show")
		if diff := cmp.Diff(want, out); diff != "" || code != 0 || errs != "" {
			t.Errorf("exit code %d, %s (-brctl +kvnet):\n%s", code, errs, diff)
		}

		if out, errs, code := kvnet(t, "bridge-list", "--name"); out != "averyveryverylo\nbr0\n" || code != 0 || errs != "" {
			t.Errorf("exit code %d, names %q %s", code, out, errs)
		}

		var rows []bridgeRow
		out, _, _ = kvnet(t, "bridge-list", "-o", "json", "-c", "test:///default", "br0")
		if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
			t.Fatalf("%v in %s", err, out)
		}
		if r := rows[0]; !r.Up || r.ForwardDelay < 2000 || len(r.Addresses) == 0 || r.Addresses[0].String() != "10.9.9.1/24" || len(r.Ports) != 2 || r.Ports[1].State != "disabled" {
			t.Errorf("br0: %+v", r)
		}

		out, _, code = kvnet(t, "bridge-show", "br0", "-c", "test:///default")
		for _, part := range []string{"Address:            10.9.9.1/24 global\n", "STP:                yes\n", "isolated"} {
			if !strings.Contains(out, part) || code != 0 {
				t.Errorf("exit code %d, bridge-show lacks %q:\n%s", code, part, out)
			}
		}
		out, _, _ = kvnet(t, "bridge-fdb", "-q", "br0", "-c", "test:///default")
		if mac := rows[0].MAC; !strings.Contains(out, mac) || !strings.Contains(out, "bridge br0") {
			t.Errorf("bridge-fdb lacks %s of the bridge:\n%s", mac, out)
		}
		if _, errs, code := kvnet(t, "bridge-show", "v0"); code != exitFailed || !strings.Contains(errs, "hint: it is a port of br0\n") {
			t.Errorf("bridge-show of a port: exit code %d, %s", code, errs)
		}
	})
}

// Without libvirt's daemon bridges are shown all the same, with a note.
func TestBridgesWithoutLibvirt(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		tool(t, "ip", "link", "add", "br0", "type", "bridge")
		out, errs, code := kvnet(t, "bridge-list", "-o", "yaml", "-c", "qemu:///system?socket=/nonexistent")
		if code != 0 || !strings.HasPrefix(out, "- name: br0\n") || !strings.HasPrefix(errs, "note: guests are not named: connect to ") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		if out, errs, code := kvnet(t, "bridge-list", "-c", "qemu:///system?socket=/nonexistent"); code != 0 || errs != "" || !strings.Contains(out, "br0\t\t8000.") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
	})
}
