package main

import (
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
