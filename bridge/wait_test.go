package bridge

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestWaitPortSeesItForward(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge forward_delay 200 stp_state 1
		ip link set br0 up
		ip link add eth0 type veth peer name eth1
		ip link set eth1 up
		ip link set eth0 master br0 up
	`)
	var seen []string
	have, err := WaitPort(t.Context(), "eth0", func(p Port) bool {
		if len(seen) == 0 || seen[len(seen)-1] != p.State {
			seen = append(seen, p.State)
		}
		return p.State == PortForwarding
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "state", have.State, PortForwarding)
	check(t, "bridge", have.Bridge, "br0")
	if len(seen) < 2 {
		t.Errorf("forwarded at once: %v", seen)
	}
}

func TestWaitPortEndsWithItsContext(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge\nip link add eth0 type veth peer name eth1\nip link set eth0 master br0")
	for name, want := range map[string]error{"eth0": nil, "eth1": ErrNotAPort, "nothere": ErrNotFound} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		have, err := WaitPort(ctx, name, Forwards)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: have %v, want %v and %v", name, err, context.DeadlineExceeded, want)
		}
		if name == "eth0" && have.State != PortDisabled {
			t.Errorf("last seen %+v, want it disabled", have)
		}
	}
	if _, err := WaitPort(t.Context(), "a/b", Forwards); !errors.Is(err, ErrBadName) {
		t.Errorf("have %v, want %v at once", err, ErrBadName)
	}
}

func TestWaitPortForALinkThatIsMadeMeanwhile(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge\nip link set br0 up")
	later := start(t, "ip link add eth0 type veth peer name eth1", "ip link set eth1 up", "ip link set eth0 master br0 up")
	have, err := WaitPort(t.Context(), "eth0", Forwards)
	later()
	if err != nil || have.Bridge != "br0" {
		t.Errorf("have %+v, %v", have, err)
	}
}

func TestWaitGone(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge\nip link add br1 type bridge")
	later := start(t, "ip link del br0")
	err := WaitGone(t.Context(), "br0")
	later()
	if err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := WaitGone(ctx, "br1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %v, want %v", err, context.DeadlineExceeded)
	}
	if err := WaitGone(t.Context(), "nothere"); err != nil {
		t.Errorf("what is not there is gone: %v", err)
	}
}

func TestWaitLink(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge\nip link set br0 up")
	first, err := Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var index int
	for _, l := range first.Links {
		if l.Name == "br0" {
			index = l.Index
		}
	}
	// Down, gone, and there again.
	for _, c := range []struct {
		change string
		want   func(Link) bool
	}{
		{"ip link set br0 down", func(l Link) bool { return !l.Up && l.Index == index }},
		{"ip link del br0", func(l Link) bool { return l.Index == 0 }},
		{"ip link add br0 type bridge", func(l Link) bool { return l.Index != 0 && l.Index != index }},
	} {
		later := start(t, c.change)
		err := WaitLink(t.Context(), "br0", c.want)
		later()
		if err != nil {
			t.Errorf("%s: %v", c.change, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := WaitLink(ctx, "br0", func(l Link) bool { return l.Up }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %v, want %v", err, context.DeadlineExceeded)
	}
}
