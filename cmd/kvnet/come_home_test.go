package main

import (
	"context"
	"errors"
	"testing"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
)

// TestHome: what a change says that was looked at again, and how its entry ends.
func TestHome(t *testing.T) {
	cause, gone := errors.New("start network lab: connection lost"), errors.New("connection lost")
	failed := &libvirtnet.UndoneError{
		Cause:  &libvirtnet.UndoneError{Cause: cause, Undone: []string{"put vnet0 into virbr7"}},
		Undone: []string{"start network lab"}, Left: []string{"define network lab"}, Errs: []error{gone},
	}
	for _, c := range []struct {
		name    string
		have    error
		outcome journal.Outcome
		want    string
	}{
		{"all is as it was", home(failed), journal.Undone,
			"start network lab: connection lost; undone: start network lab, put vnet0 into virbr7, define network lab"},
		{"nothing had been done", home(cause), journal.Undone, "start network lab: connection lost"},
		{"something is left", notHome(failed, "undefine network lab", gone), journal.Left,
			"start network lab: connection lost; undone: start network lab, put vnet0 into virbr7; not undone: undefine network lab (connection lost)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if outcome, _ := outcome(c.have); outcome != c.outcome || c.have.Error() != c.want || !errors.Is(c.have, cause) {
				t.Errorf("%s: %s\nwant %s: %s", outcome, c.have, c.outcome, c.want)
			}
		})
	}
}

// TestLookBack: a daemon that goes away behind a change takes nothing from it;
// one that stays away does not say that the change failed.
func TestLookBack(t *testing.T) {
	down := &libvirtnet.Error{Op: "read", Object: "network lab", Kind: libvirtnet.ErrDaemonDown}
	other := errors.New("no such network")
	for _, c := range []struct {
		name    string
		answers []error // of one reading after the other
		want    error
		hint    string
	}{
		{"it is there", []error{nil}, nil, ""},
		{"it came back", []error{down, nil}, nil, ""},
		{"another error", []error{other}, other, ""},
		{"it went again", []error{down, down}, libvirtnet.ErrDaemonDown, "the change was made and stands: kvnet history shows it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &env{uri: "test:///default"}
			var conns []*libvirtnet.Conn
			have, err := lookBack(t.Context(), e, nil, func(_ context.Context, conn *libvirtnet.Conn) (int, error) {
				conns = append(conns, conn)
				return len(conns), c.answers[len(conns)-1]
			})
			if !errors.Is(err, c.want) || have != len(c.answers) || len(conns) != len(c.answers) {
				t.Errorf("have reading %d of %d and %v, want %d and %v", have, len(conns), err, len(c.answers), c.want)
			}
			if len(conns) == 2 && conns[1] == nil {
				t.Error("it read over the connection that was lost")
			}
			if f := (*failure)(nil); c.hint != "" && (!errors.As(err, &f) || f.hint != c.hint) {
				t.Errorf("hint of %v, want %q", err, c.hint)
			}
		})
	}
}
