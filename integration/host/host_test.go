package host_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/kvnet/kvnet/integration/host"
)

// deadline is for everything that ends by itself; tests do not measure time.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// until polls a condition, and fails the test when it stays false.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(90 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// members lists the processes that are in one of the first process's namespaces.
func members(t *testing.T, spaces map[string]bool) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		// Processes that end meanwhile are no members.
		if target, err := os.Readlink(link); err == nil && spaces[target] {
			found = append(found, link)
		}
	}
	return found
}

// namespaces of a host. They are held open until the test ends: the kernel gives
// the number of one that is gone to the next, perhaps of another test's host.
func namespaces(t *testing.T, h *host.Host) map[string]bool {
	t.Helper()
	spaces := map[string]bool{}
	for _, kind := range []string{"net", "mnt", "pid", "ipc", "uts"} {
		path := fmt.Sprintf("/proc/%d/ns/%s", h.Info().PID, kind)
		hold, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { hold.Close() })
		theirs, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		if theirs == ours {
			t.Errorf("%s namespace is the machine's own", kind)
		}
		spaces[theirs] = true
	}
	return spaces
}

func TestNothingIsLeft(t *testing.T) {
	before := machine(t)
	h, err := host.Start(deadline(t), host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spaces := namespaces(t, h)
	busy := []string{
		"virsh net-define /dev/stdin && virsh net-start default", // dnsmasq, bridge, rules
		"touch /run/left /etc/left /var/lib/libvirt/left /var/lib/kvnet/left",
		"ip link add left type dummy || ip link add left type bridge",
	}
	for _, line := range busy {
		cmd := h.Command(deadline(t), "sh", "-c", line)
		cmd.Stdin = strings.NewReader(defaultNetwork)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	g := h.Guest("left")
	if err := errors.Join(g.Define(deadline(t), host.GuestSpec{Empty: true}), g.Start(deadline(t))); err != nil {
		t.Fatal(err)
	}
	daemon := h.Command(deadline(t), "sleep", "1000")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	if got := members(t, spaces); len(got) < 10 {
		t.Errorf("namespaces of a running host have %d members", len(got))
	}
	if diff := compare(before, machine(t)); diff != "" {
		t.Errorf("the running host changed the machine:\n%s", diff)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := daemon.Wait(); err == nil {
		t.Error("a command outlived its host")
	}
	if got := members(t, spaces); len(got) > 0 {
		t.Errorf("after the end there are still %v", got)
	}
	if diff := compare(before, machine(t)); diff != "" {
		t.Errorf("the host changed the machine:\n%s", diff)
	}
	if _, err := host.Open(h.Name()); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("open after the end: %v", err)
	}
}

func TestOwnerKilled(t *testing.T) {
	owner := exec.Command("/proc/self/exe")
	owner.Env = append(os.Environ(), ownerEnv+"=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	name, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(strings.TrimSpace(name))
	if err != nil {
		t.Fatalf("owner said %q: %v", name, err)
	}
	spaces := namespaces(t, h)
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	until(t, "no process left", func() bool { return len(members(t, spaces)) == 0 })
	if err := h.Close(); err != nil {
		t.Errorf("close a host that has ended: %v", err)
	}
}

func TestTwoHostsDoNotMeet(t *testing.T) {
	one, two := host.New(t), host.New(t)
	for _, h := range []*host.Host{one, two} {
		cmd := h.Command(deadline(t), "virsh", "net-define", "/dev/stdin")
		cmd.Stdin = strings.NewReader(defaultNetwork)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	one.MustExec(t, "virsh", "net-start", "default")
	one.MustExec(t, "touch", "/run/mine", "/etc/mine", "/dev/shm/mine")
	if got := strings.TrimSpace(two.MustExec(t, "virsh", "net-list", "--name")); got != "" {
		t.Errorf("the second host sees active networks: %q", got)
	}
	script := "ls /run/mine /etc/mine /dev/shm/mine 2>/dev/null; ip -o link show virbr0 2>/dev/null; pgrep dnsmasq; true"
	if got := two.MustExec(t, "sh", "-c", script); got != "" {
		t.Errorf("the second host sees of the first:\n%s", got)
	}
	// The same addresses, bridge and ports are free for the second.
	two.MustExec(t, "virsh", "net-start", "default")
	if _, err := host.Start(deadline(t), host.Options{Name: one.Name()}); !errors.Is(err, host.ErrExists) {
		t.Errorf("start a second host of the same name: %v", err)
	}
	list, err := host.List()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, info := range list {
		if info.Name == one.Name() || info.Name == two.Name() {
			found++
		}
	}
	if found != 2 {
		t.Errorf("list shows %d of 2 hosts: %+v", found, list)
	}
}

func TestExec(t *testing.T) {
	h := host.New(t)
	for _, c := range []struct {
		argv           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"sh", "-c", "echo out; echo err >&2; exit 7"}, 7, "out\n", "err\n"},
		{[]string{"true"}, 0, "", ""},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15, "", ""},
		{[]string{"printf", "%s|", "a b", "", "--", "$HOME", "'"}, 0, "a b||--|$HOME|'|", ""},
		{[]string{"no-such-program"}, 127, "", "kvlab: run no-such-program: not found in the host\n"},
		{[]string{"/etc/hostname"}, 126, "", "kvlab: run /etc/hostname: exec: \"/etc/hostname\": permission denied\n"},
		{[]string{"hostname"}, 0, h.Name() + "\n", ""},
		{[]string{"sh", "-c", "ls /dev/kvm"}, 2, "", "ls: cannot access '/dev/kvm': No such file or directory\n"},
	} {
		got, err := h.Exec(deadline(t), c.argv...)
		if err != nil {
			t.Errorf("%q: %v", c.argv, err)
		}
		if want := (host.Result{Stdout: c.stdout, Stderr: c.stderr, Code: c.code}); got != want {
			t.Errorf("%q: have %+v, want %+v", c.argv, got, want)
		}
	}
	out, err := h.Outside(deadline(t), "ip", "-4", "route")
	if want := "203.0.113.0/24 dev host0 proto kernel scope link src 203.0.113.1 \n"; err != nil || out.Stdout != want {
		t.Errorf("routes outside: %v, have %q, want %q", err, out.Stdout, want)
	}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(h.MustExec(t, "pwd")); got != cwd {
		t.Errorf("working folder: have %s, want %s", got, cwd)
	}
}

// A signal to the prepared command is a signal to the program inside, and
// killing it kills that.
func TestSignals(t *testing.T) {
	h := host.New(t)
	cmd := h.Command(deadline(t), "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("after SIGINT: exit code %d, want 9", code)
	}

	ctx, cancel := context.WithCancel(deadline(t))
	killed := h.Command(ctx, "sleep", "4321")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	running := func() bool {
		r, err := h.Exec(deadline(t), "pgrep", "-x", "sleep")
		return err == nil && r.Code == 0
	}
	until(t, "sleep to run", running)
	cancel()
	_ = killed.Wait()
	until(t, "sleep to be killed", func() bool { return !running() })
}

// macvtap devices need nodes in /dev that come and go with their links.
func TestDeviceNodes(t *testing.T) {
	h := host.New(t)
	h.MustExec(t, "ip", "link", "add", "link", "eth0", "name", "mt0", "type", "macvtap", "mode", "bridge")
	node := "/dev/tap" + strings.TrimSpace(h.MustExec(t, "cat", "/sys/class/net/mt0/ifindex"))
	exists := func() bool {
		_, err := os.Stat(h.Path(node))
		return err == nil
	}
	until(t, node+" to appear", exists)
	h.MustExec(t, "sh", "-c", "exec 3<>"+node)
	h.MustExec(t, "ip", "link", "del", "mt0")
	until(t, node+" to vanish", func() bool { return !exists() })
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		opt  host.Options
		want string
	}{
		{host.Options{Name: "a/b"}, `check host name "a/b"`},
		{host.Options{Name: "-x"}, `check host name "-x"`},
		{host.Options{Name: strings.Repeat("x", 5000)}, `xxx...": want 1 to 40 letters`},
		{host.Options{Name: "noroot", Root: "/nonexistent"}, "start host noroot: root folder /nonexistent: no such file or directory"},
		{host.Options{Name: "noroot", Root: "/etc/passwd"}, "start host noroot: root folder /etc/passwd: not a directory"},
		{host.Options{Name: "nolibvirt", Root: t.TempDir()}, "libvirtd is not installed: apt-get install libvirt-daemon-system"},
	} {
		h, err := host.Start(deadline(t), c.opt)
		if err == nil {
			_ = h.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: have %v, want %s", c.opt, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(deadline(t))
	cancel()
	if h, err := host.Start(ctx, host.Options{}); err == nil {
		_ = h.Close()
		t.Error("start with a cancelled context succeeded")
	}
}

// machine is what a host must not touch.
func machine(t *testing.T) map[string]string {
	t.Helper()
	state := map[string]string{}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		a := l.Attrs()
		state["link "+a.Name] = fmt.Sprint(a.Index, a.HardwareAddr, a.MTU, a.Flags, a.MasterIndex)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		state["route "+r.String()] = "there"
	}
	rules, err := exec.Command("nft", "--stateless", "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Fatalf("nft: %v\n%s", err, rules)
	}
	state["ruleset"] = string(rules)
	for _, file := range []string{"/proc/self/mountinfo", "/proc/sys/net/ipv4/ip_forward", "/etc/hosts", "/etc/resolv.conf"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		state[file] = string(data)
	}
	for _, dir := range []string{"/run/libvirt", "/run/netns", "/etc/libvirt", "/var/lib/libvirt", "/var/lib/kvnet", "/var/log/libvirt", "/var/cache/libvirt"} {
		state[dir] = listing(dir)
	}
	// libvirt's part of the cgroup trees, whichever the machine has.
	trees, err := filepath.Glob("/sys/fs/cgroup/*/machine*")
	if err != nil {
		t.Fatal(err)
	}
	state["cgroups"] = strings.Join(trees, " ")
	return state
}

// listing names every file below a folder with what changes when it is touched.
func listing(dir string) string {
	var b strings.Builder
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			fmt.Fprintln(&b, path, err)
			return nil
		}
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return b.String()
}

func compare(have, want map[string]string) string {
	var b strings.Builder
	for key, value := range have {
		if want[key] != value {
			fmt.Fprintf(&b, "%s\n before: %s\n after:  %s\n", key, value, want[key])
		}
	}
	for key, value := range want {
		if _, ok := have[key]; !ok {
			fmt.Fprintf(&b, "%s\n new: %s\n", key, value)
		}
	}
	return b.String()
}
