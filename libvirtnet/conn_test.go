//go:build cgo

package libvirtnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// open connects to a test driver of the test's own, filled from
// testdata/node.xml: two networks and two guests, all of them active.
func open(t testing.TB) *Conn {
	t.Helper()
	node, err := os.ReadFile("testdata/node.xml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "node.xml")
	if err := os.WriteFile(path, node, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open("test://" + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		// libvirt keeps a connection open for handles that were not freed.
		if _, err := c.raw.GetType(); err == nil {
			t.Error("the connection is still open: a handle was not freed")
		}
	})
	return c
}

// difference is cmp.Diff for values with addresses in them.
func difference(want, have any) string {
	return cmp.Diff(want, have, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}))
}

func TestState(t *testing.T) {
	c := open(t)
	s, err := c.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.URI != c.URI() || s.Driver != "TEST" || s.Version < 9_000_000 || s.Daemon.Local || len(s.Gaps) > 0 {
		t.Errorf("have %q %q %d %+v, gaps %v", s.URI, s.Driver, s.Version, s.Daemon, s.Gaps)
	}
	var names []string
	for _, n := range s.Networks {
		names = append(names, n.Name)
		if !n.Active || !n.Persistent || n.Autostart || n.Live == nil || n.Config == nil || n.PortsKnown || n.Ports == nil {
			t.Errorf("network: have %+v", n)
		}
	}
	for _, g := range s.Guests {
		names = append(names, g.Name)
		if !g.Active() || g.State != Running || !g.Persistent || g.Autostart || g.Interfaces == nil {
			t.Errorf("guest: have %+v", g)
		}
	}
	if want := []string{"default", "lab", "alone", "centos"}; !slices.Equal(names, want) {
		t.Fatalf("have %q, want %q", names, want)
	}
	if have := s.Networks[1].Live; have.Bridge != "virbr7" || have.IPs[0].Address.String() != "10.7.0.1/24" {
		t.Errorf("lab: have %+v", have)
	}
	want := []Interface{
		{Type: "network", Source: "default", Network: "default", Target: "tap0", MAC: "52:54:00:e4:75:83", Model: "virtio", Managed: true},
		{Type: "bridge", Source: "br0", Bridge: "br0", Target: "tap1", MAC: "52:54:00:00:00:02", Managed: true},
	}
	have := s.Guests[1].Interfaces
	if diff := difference(want, have); diff != "" {
		t.Error(diff)
	}
}

// The lists tell the same as the objects one by one.
func TestListsAgree(t *testing.T) {
	c, ctx := open(t), t.Context()
	if err := errors.Join(c.Stop(ctx, "lab"), c.SetAutostart(ctx, "lab", true),
		c.Create(ctx, "<network><name>fleeting</name></network>", false)); err != nil {
		t.Fatal(err)
	}
	full, err := c.NetworksFull(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := c.Networks(ctx)
	if err != nil || len(bare) != 3 || len(full) != 3 {
		t.Fatalf("have %v, %v, %v", bare, full, err)
	}
	for i, n := range full {
		one, err := c.Network(ctx, n.Name)
		if err != nil {
			t.Fatal(err)
		}
		byUUID, err := c.Network(ctx, n.UUID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := difference(n, one) + difference(n, byUUID); diff != "" {
			t.Errorf("%s: %s", n.Name, diff)
		}
		n.Live, n.Config, n.PortsKnown = nil, nil, false
		if diff := difference(n, bare[i]); diff != "" {
			t.Errorf("%s: %s", n.Name, diff)
		}
	}
	if n := full[1]; n.Name != "fleeting" || !n.Active || n.Persistent || n.Config != nil {
		t.Errorf("have %+v, want a transient network", n)
	}
	if n := full[2]; n.Name != "lab" || n.Active || !n.Autostart || n.Live != nil || n.Config == nil {
		t.Errorf("have %+v, want a network that is off and starts with the daemon", n)
	}
	guests, err := c.Guests(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guests {
		one, err := c.Guest(ctx, g.Name)
		if err != nil {
			t.Fatal(err)
		}
		g.State, g.Reason = one.State, one.Reason // the reason is told of one alone
		if diff := difference(g, one); diff != "" {
			t.Errorf("%s: %s", g.Name, diff)
		}
	}
}

func TestGuestKeys(t *testing.T) {
	c, ctx := open(t), t.Context()
	want, err := c.Guest(ctx, "centos")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"aaaaaaaa-0000-0000-0000-000000000001", "AAAAAAAA000000000000000000000001", "1"} {
		have, err := c.Guest(ctx, key)
		if err != nil || have.Name != want.Name {
			t.Errorf("key %s: have %s, %v", key, have.Name, err)
		}
	}
	list, err := c.GuestConfig(ctx, "centos")
	if err != nil || len(list) != 2 || list[0].MAC != "52:54:00:e4:75:83" {
		t.Errorf("configuration: have %+v, %v", list, err)
	}
}

func TestNotFound(t *testing.T) {
	c, ctx := open(t), t.Context()
	tests := []struct {
		key           string
		network, near []string
	}{
		{"defualt", []string{"default"}, nil},
		{"cent", nil, []string{"centos"}},
		{"", nil, nil},
		{"default\x00", nil, nil}, // not "default", where C would end it
		{"centos\x00", nil, nil},
		{"a'b\"<>&\n", nil, nil},
		{strings.Repeat("x", 10000), nil, nil},
		{"\xff\xfe", nil, nil},
		{"99999999-2222-3333-4444-555555555555", nil, nil},
		{"-1", nil, nil},
		{"4294967297", nil, nil}, // id 1 in 32 bits
	}
	for _, tt := range tests {
		_, err := c.Network(ctx, tt.key)
		var missing *NotFoundError
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &missing) || missing.Name != tt.key || missing.Kind != "network" || !slices.Equal(missing.Near, tt.network) {
			t.Errorf("network %.20q: have %v, near %q", tt.key, err, missing)
		}
		_, err = c.Guest(ctx, tt.key)
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &missing) || missing.Kind != "guest" || !slices.Equal(missing.Near, tt.near) {
			t.Errorf("guest %.20q: have %v, near %q", tt.key, err, missing)
		}
		if strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 300 {
			t.Errorf("guest %.20q: the error is not fit to print", tt.key)
		}
	}
}

func TestApplyOnLibvirt(t *testing.T) {
	c, ctx := open(t), t.Context()
	state := func() State {
		t.Helper()
		s, err := c.State(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := state()
	define, err := NewPlan(nil, labTwo)
	if err != nil {
		t.Fatal(err)
	}
	p := define.With(PlanStart(Network{Name: "lab2"}), PlanAutostart(Network{Name: "lab2"}, true))

	no := errors.New("no")
	err = c.Apply(ctx, p, func(ctx context.Context) error {
		n, err := c.Network(ctx, "lab2")
		if err != nil || !n.Active || !n.Autostart || n.Config.Bridge != "virbr8" {
			t.Errorf("in between: have %+v, %v", n, err)
		}
		return no
	})
	var undone *UndoneError
	if !errors.Is(err, no) || !errors.As(err, &undone) || len(undone.Undone) != 3 || len(undone.Left) > 0 {
		t.Fatalf("have %v", err)
	}
	if diff := difference(before, state()); diff != "" {
		t.Fatalf("after undoing:\n%s", diff)
	}

	ctx2, cancel := context.WithCancel(ctx)
	err = c.Apply(ctx2, p, func(ctx context.Context) error { cancel(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) || !errors.As(err, &undone) || len(undone.Left) > 0 {
		t.Fatalf("cancelled: have %v", err)
	}
	if diff := difference(before, state()); diff != "" {
		t.Fatalf("after cancelling:\n%s", diff)
	}

	if err := c.Apply(ctx, p, nil); err != nil {
		t.Fatal(err)
	}
	have, err := c.Network(ctx, "lab2")
	if err != nil || !have.Active || !have.Autostart {
		t.Fatalf("have %+v, %v", have, err)
	}
	if again, err := NewPlan(&have, labTwo); err != nil || !again.Empty() {
		t.Errorf("again: have %+v, %v, want nothing to do", again, err)
	}
}

const labTwo = `<network><name>lab2</name><forward mode="nat"/><bridge name="virbr8"/>` +
	`<ip address="10.8.0.1" prefix="24"><dhcp><range start="10.8.0.2" end="10.8.0.9"/></dhcp></ip></network>`

func TestApplyRedefines(t *testing.T) {
	c, ctx := open(t), t.Context()
	if err := c.Stop(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	have, err := c.Network(ctx, "lab")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(&have, `<network><name>lab</name><bridge name="virbr9"/><ip address="10.9.0.1" prefix="24"/></network>`)
	if err != nil || !p.Does(Redefine) {
		t.Fatalf("have %+v, %v", p, err)
	}
	no := errors.New("no")
	if err := c.Apply(ctx, p, func(context.Context) error { return no }); !errors.Is(err, no) {
		t.Fatal(err)
	}
	if now, err := c.Network(ctx, "lab"); err != nil || difference(have, now) != "" {
		t.Fatalf("after undoing: %v\n%s", err, difference(have, now))
	}
	if err := c.Apply(ctx, p, nil); err != nil {
		t.Fatal(err)
	}
	now, err := c.Network(ctx, "lab")
	if err != nil || now.Config.Bridge != "virbr9" || now.UUID != have.UUID || now.Config.MAC != have.Config.MAC {
		t.Errorf("have %+v, %v", now.Config, err)
	}
}

func TestRefusals(t *testing.T) {
	c, ctx := open(t), t.Context()
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"unknown element", c.Define(ctx, put(labTwo, "<bogus/>"), true), ErrInvalid},
		{"half a document", c.Define(ctx, labTwo[:40], true), ErrInvalid},
		{"half a document, not validated", c.Define(ctx, labTwo[:40], false), ErrInvalid},
		{"a domain", c.Define(ctx, "<domain/>", false), ErrInvalid},
		{"nothing", c.Define(ctx, "", true), ErrInvalid},
		{"NUL", c.Define(ctx, labTwo+"\x00<!-- lost -->", false), ErrInvalid},
		{"10 MiB", c.Define(ctx, put(labTwo, strings.Repeat(" ", 10<<20)), false), ErrInvalid},
		{"start what is active", c.Start(ctx, "lab"), ErrActive},
		{"stop what is not there", c.Stop(ctx, "labb"), ErrNotFound},
		{"attach to what is not there", c.AttachInterface(ctx, "none", nic("01"), true, false), ErrNotFound},
		{"port of what is not there", c.CreatePort(ctx, "none", "<networkport/>", false), ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !errors.Is(tt.err, tt.want) {
				t.Errorf("have %v, want %v", tt.err, tt.want)
			}
			if tt.err != nil && strings.Contains(tt.err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", tt.err)
			}
		})
	}
	list, err := c.Networks(ctx)
	if err != nil || len(list) != 2 {
		t.Errorf("have %v, %v: something was defined", list, err)
	}
}

// What the test driver lacks is told as not supported, never as nothing.
func TestNotSupported(t *testing.T) {
	c, ctx := open(t), t.Context()
	if _, err := c.Leases(ctx, "default"); !errors.Is(err, ErrNotSupported) {
		t.Errorf("leases: have %v", err)
	}
	if _, err := c.HasPort(ctx, "default", labUUID); !errors.Is(err, ErrNotSupported) {
		t.Errorf("port: have %v", err)
	}
	if _, err := c.Addresses(ctx, "centos", "arp"); !errors.Is(err, ErrInvalid) {
		t.Errorf("addresses of an unknown source: have %v", err)
	}
	list, err := c.Addresses(ctx, "centos", SourceLease)
	if err != nil || len(list) == 0 || list[0].MAC != "52:54:00:e4:75:83" || !list[0].IP.IsValid() || list[0].Source != "lease" {
		t.Errorf("addresses: have %+v, %v", list, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	listener, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, uri string
		want      error
	}{
		{"no socket", "qemu+unix:///system?socket=" + dir + "/none", ErrDaemonDown},
		{"nobody listens", "qemu+unix:///system?socket=" + dead, ErrDaemonDown},
		{"no such path", "qemu+unix:///foo?socket=" + dir + "/none", ErrBadURI},
		{"no such driver", "foo+unix:///system?socket=" + dir + "/none", ErrBadURI},
		{"no such transport", "qemu+foo:///system", ErrBadURI},
		{"no URI", "hail", ErrBadURI},
		{"half a URI", "qemu://[::1", ErrBadURI},
		{"NUL", "test:///default\x00", ErrBadURI},
		{"nobody listens there", "qemu+tcp://127.0.0.1:1/system", ErrUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Open(tt.uri)
			if err == nil {
				_ = c.Close()
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("have %v, want %v", err, tt.want)
			}
		})
	}
}

// A daemon that takes the connection and never answers does not hold up a
// caller whose time is over.
func TestOpenContextGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mute")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	peer := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			cancel() // connected: now the caller gives up
			peer <- conn
		}
		close(peer)
	}()
	if _, err := OpenContext(ctx, "qemu+unix:///system?socket="+path); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v, want the end of the context", err)
	}
	// The call that was left behind ends with its socket.
	if conn := <-peer; conn != nil {
		_ = conn.Close()
	}
	_ = listener.Close()
}

func TestContextEnds(t *testing.T) {
	c := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.State(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("state: have %v", err)
	}
	if err := c.Stop(ctx, "lab"); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: have %v", err)
	}
	if n, err := c.Network(t.Context(), "lab"); err != nil || !n.Active {
		t.Errorf("have %+v, %v: the call was made all the same", n, err)
	}
}

func TestClose(t *testing.T) {
	c := open(t)
	// A call that is in flight keeps the connection until it ends.
	under, release, gone := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		gone <- do(context.Background(), c, func() error {
			close(under)
			<-release
			handles, _, err := c.listNetworks(false)
			freeNetworks(handles)
			return err
		})
	}()
	<-under
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-gone; err != nil {
		t.Errorf("the call in flight: have %v", err)
	}
	if _, err := c.raw.GetType(); err == nil {
		t.Error("the last call has not closed the connection")
	}
	if _, err := c.State(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("have %v, want a closed connection", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing twice: have %v", err)
	}
}

// Networks and guests come and go while others look at them: what vanished is
// left out, and is no gap.
func TestStateWhileThingsVanish(t *testing.T) {
	c, ctx := open(t), t.Context()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			// A name of its own each time: the test driver takes a handle for
			// whatever has its name by now, where others go by UUID.
			name := fmt.Sprint("fleeting", i)
			if err := errors.Join(c.Create(ctx, "<network><name>"+name+"</name></network>", false), c.Stop(ctx, name)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 200 {
		s, err := c.State(ctx)
		if err != nil || len(s.Gaps) > 0 || len(s.Networks) < 2 || len(s.Guests) != 2 {
			t.Errorf("have %d networks, %d guests, gaps %v, %v", len(s.Networks), len(s.Guests), s.Gaps, err)
			break
		}
		if slices.ContainsFunc(s.Networks, func(n Network) bool { return n.Live == nil }) {
			t.Errorf("a network that vanished is left without its definition: %+v", s.Networks)
			break
		}
	}
	close(stop)
	wg.Wait()
}

func BenchmarkState(b *testing.B) {
	c := open(b)
	for b.Loop() {
		if _, err := c.State(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
