package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/integration/host"
)

// TestCutOff kills or interrupts kvnet, or kills libvirtd under it, at every act
// of a change: a system call by which it changes something that outlives it.
// Nothing is lost: verify names what is half done, and kvnet undo makes it as it was.
func TestCutOff(t *testing.T) {
	tools := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tools, "./cutoff").CombinedOutput(); err != nil {
		t.Fatalf("build cutoff: %v\n%s", err, out)
	}
	const (
		lab = "kvnet net-define lab --subnet 10.7.0.0/24"
		// A running guest whose port forwards at once.
		nat  = "kvnet net-define default --no-stp --start --autostart; virsh -q start web; "
		heal = "kvnet repair --apply --guarded"
		// Its network is restarted under it, as virsh does.
		bounce = "virsh -q net-destroy default; virsh -q net-start default"
		// The same network each time, to the UUID.
		fixed = `echo "<network><name>lab</name><uuid>0b9b8a4e-0d3c-4c1e-8f6e-6a2f1d3c5b77</uuid><bridge name='virbr7'/><mac address='52:54:00:00:07:07'/><ip address='10.7.0.1' prefix='24'/></network>" >/run/lab.xml; kvnet net-define -f /run/lab.xml --start`
		// A guest with a system, which lets go of a device.
		linux = nat + "until virsh -q domifaddr web --source lease | grep -q 192.168.122; do sleep 0.2; done; " +
			"kvnet net-define lab --mode isolated --subnet 10.7.0.0/24 --no-dhcp --no-stp --start --autostart; "
		move = "kvnet net-define lab --subnet 10.8.0.0/24 --restart"
		// A transient network, and somebody who edits one.
		document = `echo "<network><name>new</name><uuid>0b9b8a4e-0d3c-4c1e-8f6e-6a2f1d3c5b78</uuid><bridge name='virbr8'/><mac address='52:54:00:00:07:08'/><ip address='10.7.8.1' prefix='24'/></network>" >/run/new.xml`
		editor   = `printf '#!/bin/sh\nsed -i s/10.7.0.254/10.7.0.99/ $1\n' >/run/editor; chmod +x /run/editor`
		second   = "web lab --mac 52:54:00:00:00:77"
	)
	for _, c := range []struct {
		name, whom, prepare, change string
		// How what is half done is ended, and how all of it is taken back.
		finish, reset string
		guest         guestKind
	}{
		{"define", "kvnet", "true", lab + " --start --autostart", "undo", "undo", noGuest},
		{"redefine", "kvnet", lab + " --start", "kvnet net-define lab --dhcp-range 10.7.0.9-10.7.0.99 --autostart", "undo", "undo", noGuest},
		{"stop", "kvnet", lab + " --start", "kvnet net-destroy lab", "undo", "undo", noGuest},
		{"undefine", "kvnet", lab + " --start --autostart", "kvnet net-undefine lab", "undo", "undo", noGuest},
		{"daemon", "libvirtd", "true", lab + " --start --autostart", "undo", "undo", noGuest},
		{"start-inside", "inside", lab, "kvnet net-start lab", "undo_half", "undo", noGuest},
		{"stop-inside", "inside", lab + " --start", "kvnet net-destroy lab", "undo_half", "undo", noGuest},
		{"define-interrupt", "interrupt", "true", lab + " --start --autostart", "undo", "undo", noGuest},
		{"restart-inside", "inside", nat, "kvnet net-restart default", "undo_half", "undo", emptyGuest},
		{"restart-interrupt", "interrupt", nat, "kvnet net-restart default", "undo_half", "undo", emptyGuest},
		{"update", "kvnet", nat, "kvnet net-update default dns-host add --ip 192.168.122.7 --name seven", "undo_half", "undo", emptyGuest},
		{"restart", "kvnet", nat, "kvnet net-restart default", "undo_half", "undo", emptyGuest},
		{"restart-daemon", "libvirtd", nat, "kvnet net-restart default", "undo_half", "undo", emptyGuest},
		{"redefine-restart", "kvnet", nat, "kvnet net-define default --mtu 1400 --restart", "undo_all", "undo", emptyGuest},
		{"replug", "kvnet", nat + bounce, "kvnet domif-replug web vnet0", heal, bounce, emptyGuest},
		{"repair", "kvnet", nat + bounce, heal, heal, bounce, emptyGuest},
		{"move-daemon", "libvirtd", lab + " --start", move, "undo_all", "undo", noGuest},
		{"move-back-daemon", "libvirtd", lab + " --start; " + move, "kvnet undo --restart", "undo_all", move, noGuest},
		{"create", "kvnet", document, "kvnet net-create --file /run/new.xml", "undo_half", "undo", noGuest},
		{"edit", "kvnet", lab + " --start; " + editor, "env EDITOR=/run/editor kvnet net-edit lab", "undo_half", "undo", noGuest},
		{"undo", "kvnet", fixed, "kvnet undo", "undo_half", fixed, noGuest},
		{"attach", "kvnet", linux, "kvnet domif-attach " + second, "undo_half", "undo", linuxGuest},
		{"attach-daemon", "libvirtd", linux, "kvnet domif-attach " + second, "undo_half", "undo", linuxGuest},
		{"attach-inside", "inside", linux, "kvnet domif-attach " + second, "undo_half", "undo", linuxGuest},
		{"detach", "kvnet", linux + "kvnet domif-attach " + second, "kvnet domif-detach web 52:54:00:00:00:77", "undo_half", "undo", linuxGuest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stride := 1
			switch {
			case c.name == "restart-inside": // libvirtd runs a program for each rule
				stride = 6
			case c.name == "attach-inside":
				stride = 2
			case c.whom == "inside":
				stride = 3
			case strings.HasPrefix(c.name, "move-"): // two changes, and a restart takes long
				stride = 2
			}
			cutOff(t, tools, c.guest, stride, c.whom, c.prepare, c.change, c.finish, c.reset)
		})
	}
}

// guestKind is what guest web of a host is.
type guestKind int

const (
	noGuest guestKind = iota
	emptyGuest
	linuxGuest
)

func cutOff(t *testing.T, tools string, guest guestKind, stride int, args ...string) {
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
	h, err := host.Start(t.Context(), host.Options{Bind: []string{programs, tools, dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	if guest != noGuest {
		if err := h.Guest("web").Define(t.Context(), host.GuestSpec{Empty: guest == emptyGuest}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := h.Exec(t.Context(), append([]string{"env", "PATH=" + programs + ":" + tools + ":" + os.Getenv("PATH"), "GOMAXPROCS=1", "sh", path}, append(args, strconv.Itoa(stride))...)...)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(res.Stdout), "\n")
	var cut, half int
	if _, err := fmt.Sscanf(lines[len(lines)-1], "cut %d half %d", &cut, &half); err != nil || res.Code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", res.Code, res.Stdout, res.Stderr)
	}
	t.Logf("cut off %d times, half done %d times", cut, half)
	// The journal makes six acts of each change, and the change one at least.
	least := 7
	if stride > 1 {
		least = 5
	}
	if cut < least {
		t.Errorf("cut off %d times: the test does not reach into the change", cut)
	}
	if args[0] == "kvnet" && half < 2 { // a kvnet that lives on takes back what it can by itself
		t.Errorf("half done %d times of %d", half, cut)
	}
}
