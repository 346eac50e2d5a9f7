package host

import (
	"context"
	"time"
)

// TB is what New needs of testing.TB; naming it here keeps package testing out
// of programs that are no tests.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(func())
}

// New starts a host for one test and ends it with the test. It fails the test
// when that is not possible, for lack of root too; it never skips.
func New(t TB) *Host {
	t.Helper()
	return NewFrom(t, Options{})
}

// NewFrom is New with options.
func NewFrom(t TB, opt Options) *Host {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h, err := Start(ctx, opt)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return h
}

// MustExec runs a command inside the host and returns what it printed; the test
// fails when the command does.
func (h *Host) MustExec(t TB, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := h.must(ctx, argv...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}
