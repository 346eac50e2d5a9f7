package bridge

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge/socket"
)

func TestRetryAsksAgainWhenInterrupted(t *testing.T) {
	calls := 0
	err := retry(t.Context(), func() error {
		if calls++; calls < 5 {
			return socket.ErrChanged
		}
		return nil
	})
	if err != nil || calls != 5 {
		t.Errorf("have %d calls and %v, want 5 and none", calls, err)
	}
}

func TestRetryGivesUp(t *testing.T) {
	calls := 0
	err := retry(t.Context(), func() error { calls++; return socket.ErrChanged })
	if !errors.Is(err, socket.ErrChanged) || calls != dumpTries {
		t.Errorf("have %d calls and %v, want %d and %v", calls, err, dumpTries, socket.ErrChanged)
	}
}

func TestRetryLeavesOtherErrorsAlone(t *testing.T) {
	calls := 0
	err := retry(t.Context(), func() error { calls++; return unix.EPERM })
	if !errors.Is(err, unix.EPERM) || calls != 1 {
		t.Errorf("have %d calls and %v, want 1 and %v", calls, err, unix.EPERM)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := retry(ctx, func() error { t.Error("asked after ctx ended"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v, want %v", err, context.Canceled)
	}
}

func TestSocketSurvivesRefusedRequests(t *testing.T) {
	inNamespace(t)
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 3 {
		if _, err := c.link("nothere"); !errors.Is(err, ErrNotFound) {
			t.Errorf("have %v, want %v", err, ErrNotFound)
		}
		if _, err := c.links(t.Context()); err != nil {
			t.Errorf("dump after a refusal: %v", err)
		}
	}
}

func TestDatagramLargerThanItsRoom(t *testing.T) {
	inNamespace(t)
	c, err := socket.Open(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Send(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkRequest(0)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Receive(make([]byte, 64)); !errors.Is(err, socket.ErrTruncated) {
		t.Errorf("have %d bytes and %v, want %v", n, err, socket.ErrTruncated)
	}
}

func TestDumpWhileLinksChange(t *testing.T) {
	inNamespace(t)
	hundred(t)
	// The churn runs in this namespace, in a process of its own.
	stop := churn(t)
	defer stop()
	for range 50 {
		s := read(t)
		if len(s.Links) < benchTaps {
			t.Fatalf("%d links; a partial dump was used", len(s.Links))
		}
		for _, g := range s.Gaps {
			t.Errorf("gap %+v", g)
		}
	}
}

func TestAttrsRefuseBadLengths(t *testing.T) {
	attr := func(n uint16, b ...byte) []byte {
		h := binary.NativeEndian.AppendUint16(nil, n)
		return append(binary.NativeEndian.AppendUint16(h, 1), b...)
	}
	for name, b := range map[string][]byte{
		"longer than the message": attr(9, 1, 2, 3, 4),
		"shorter than its header": attr(3),
		"zero":                    attr(0),
	} {
		err := walk(b, func(uint16, []byte) error { return nil })
		if !errors.Is(err, errTruncated) {
			t.Errorf("%s: have %v, want %v", name, err, errTruncated)
		}
	}
	n := 0
	// The last attribute's padding may be missing.
	two := append(attr(5, 'a', 0, 0, 0), attr(6, 'b', 'c')...)
	err := walk(two, func(_ uint16, v []byte) error { n += len(v); return nil })
	if err != nil || n != 3 {
		t.Errorf("have %d bytes and %v, want 3 and none", n, err)
	}
}

func TestMessagesOfTheWrongVersionAreErrors(t *testing.T) {
	for name, parse := range map[string]func([]byte) error{
		"link":       func(b []byte) error { _, _, err := parseLink(b); return err },
		"address":    func(b []byte) error { _, _, err := parseAddress(b); return err },
		"route":      func(b []byte) error { _, _, err := parseRoute(b); return err },
		"rule":       func(b []byte) error { _, _, err := parseRule(b); return err },
		"neighbour":  func(b []byte) error { _, _, err := parseNeighbour(b); return err },
		"fdb":        func(b []byte) error { _, _, err := parseFDB(b); return err },
		"forwarding": func(b []byte) error { _, _, err := parseNetconf(b); return err },
		"socket":     func(b []byte) error { _, _, err := parseSocket(b, unix.IPPROTO_UDP); return err },
	} {
		if err := parse([]byte{2, 24}); !errors.Is(err, errTruncated) {
			t.Errorf("%s: have %v, want %v", name, err, errTruncated)
		}
	}
}
