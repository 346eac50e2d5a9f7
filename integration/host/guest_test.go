package host_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/integration/host"
)

const defaultNetwork = `<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>`

var defaultSubnet = netip.MustParsePrefix("192.168.122.0/24")

// withNetwork starts a host with an active network "default".
func withNetwork(t *testing.T) *host.Host {
	t.Helper()
	h := host.New(t)
	cmd := h.Command(deadline(t), "virsh", "net-define", "/dev/stdin")
	cmd.Stdin = strings.NewReader(defaultNetwork)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.MustExec(t, "virsh", "net-start", "default")
	return h
}

// A guest boots, takes the address that belongs to its MAC, and reaches the
// outside, which sees the host's address as the source.
func TestGuest(t *testing.T) {
	h := withNetwork(t)
	g := h.Guest("centos")
	ctx := deadline(t)
	if state, err := g.State(ctx); err != nil || state != "" {
		t.Errorf("state before: %q, %v", state, err)
	}
	if err := g.Define(ctx, host.GuestSpec{MAC: "52:54:00:e4:75:83"}); err != nil {
		t.Fatal(err)
	}
	if state, err := g.State(ctx); err != nil || state != "shut off" {
		t.Errorf("state when defined: %q, %v", state, err)
	}
	if err := g.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(ctx); err != nil {
		t.Errorf("start again: %v", err)
	}
	// It has no lease yet: a ping waits for the route.
	if r, err := g.Ping(ctx, host.OutsideAddress); err != nil || r.Code != 0 {
		t.Errorf("ping outside: %v, %+v", err, r)
	}
	addr, err := g.WaitAddress(ctx, defaultSubnet)
	if err != nil {
		console, _ := g.Console()
		t.Fatalf("%v\n%s", err, console)
	}
	if addr.String() != "192.168.122.169" {
		t.Errorf("address: have %s, want 192.168.122.169", addr)
	}
	for _, way := range []string{
		"wget -qO- http://203.0.113.1:8080/",
		"nc 203.0.113.1 8081 </dev/null",
		"wget -qO- http://203.0.113.1:8080/seen",
	} {
		r, err := g.Exec(ctx, "sh", "-c", way)
		if err != nil || r.Stdout != host.Address+"\n" {
			t.Errorf("%s: %v, have %+v, want %s", way, err, r, host.Address)
		}
	}
	if seen, err := h.Seen(); err != nil || !slices.Equal(seen, []string{host.Address}) {
		t.Errorf("sources seen outside: %v, have %v, want only %s", err, seen, host.Address)
	}
	t.Run("exec", func(t *testing.T) { guestExec(t, g) })
	t.Run("hotplug", func(t *testing.T) { hotplug(t, h, g) })
	if err := g.Stop(ctx); err != nil {
		t.Error(err)
	}
	if state, err := g.State(ctx); err != nil || state != "shut off" {
		t.Errorf("state after stop: %q, %v", state, err)
	}
}

func guestExec(t *testing.T, g *host.Guest) {
	for _, c := range []struct {
		argv []string
		want host.Result
	}{
		{[]string{"sh", "-c", "echo out; echo err >&2; exit 5"}, host.Result{Stdout: "out\n", Stderr: "err\n", Code: 5}},
		{[]string{"printf", "%s|", "a b", "", "$x", "it's", "END 1"}, host.Result{Stdout: "a b||$x|it's|END 1|"}},
		{[]string{"hostname"}, host.Result{Stdout: "centos\n"}},
		{[]string{"nosuch"}, host.Result{Stderr: "sh: nosuch: not found\n", Code: 127}},
	} {
		r, err := g.Exec(deadline(t), c.argv...)
		if err != nil || r != c.want {
			t.Errorf("%q: %v, have %+v, want %+v", c.argv, err, r, c.want)
		}
	}
	// Longer than any buffer on the way.
	r, err := g.Exec(deadline(t), "sh", "-c", "seq 1 20000")
	if err != nil || len(r.Stdout) != 108894 || !strings.HasSuffix(r.Stdout, "\n20000\n") {
		t.Errorf("long output: %v, %d bytes", err, len(r.Stdout))
	}
	// Callers at the same time are served one after the other.
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := g.Exec(deadline(t), "echo", "me too")
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// hotplug attaches a link to the running guest and takes it away again; the
// guest must let go of it.
func hotplug(t *testing.T, h *host.Host, g *host.Guest) {
	const mac = "52:54:00:00:00:77"
	h.MustExec(t, "virsh", "attach-interface", g.Name(), "network", "default", "--model", "virtio", "--mac", mac, "--live")
	links := func() string {
		r, err := g.Exec(deadline(t), "ip", "-o", "link")
		if err != nil {
			t.Fatal(err)
		}
		return r.Stdout
	}
	until(t, "the guest to see the link", func() bool { return strings.Contains(links(), mac) })
	h.MustExec(t, "virsh", "detach-interface", g.Name(), "network", "--mac", mac, "--live")
	until(t, "libvirt to lose the link", func() bool {
		return !strings.Contains(h.MustExec(t, "virsh", "domiflist", g.Name()), mac)
	})
	if strings.Contains(links(), mac) {
		t.Error("the guest still has the link")
	}
}

// Guests without a system have real taps; paused ones cost no time either.
func TestEmptyGuests(t *testing.T) {
	h := withNetwork(t)
	ctx := deadline(t)
	run, paused := h.Guest("run"), h.Guest("paused")
	for _, g := range []*host.Guest{run, paused} {
		if err := g.Define(ctx, host.GuestSpec{Empty: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := paused.StartPaused(ctx); err != nil {
		t.Fatal(err)
	}
	for g, want := range map[*host.Guest]string{run: "running", paused: "paused"} {
		if state, err := g.State(ctx); err != nil || state != want {
			t.Errorf("state of %s: %v, have %q", g.Name(), err, state)
		}
	}
	if taps := strings.Count(h.MustExec(t, "ip", "-o", "link", "show", "master", "virbr0"), "vnet"); taps != 2 {
		t.Errorf("virbr0 has %d taps, want 2", taps)
	}
}

func TestGuestErrors(t *testing.T) {
	h := host.New(t)
	ctx := deadline(t)
	for name, spec := range map[string]host.GuestSpec{
		"bad name":  {},
		"badmac":    {MAC: "52:54"},
		"both":      {Network: "a", Bridge: "b"},
		"badsource": {Network: "a'/><b"},
		"negative":  {MemoryMiB: -1},
	} {
		if err := h.Guest(name).Define(ctx, spec); err == nil {
			t.Errorf("define %s with %+v succeeded", name, spec)
		}
	}
	if err := h.Guest("none").Start(ctx); err == nil {
		t.Error("start of an undefined guest succeeded")
	}
	if _, err := h.Guest("none").Exec(ctx, "true"); err == nil {
		t.Error("exec in an undefined guest succeeded")
	}
}
