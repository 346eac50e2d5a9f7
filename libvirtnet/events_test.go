//go:build cgo

package libvirtnet

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// The events of a network's life, in their order, of the one asked for.
func TestEvents(t *testing.T) {
	if err := PrepareEvents(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		filter EventFilter
		want   []string
	}{
		{EventFilter{}, []string{"lab stopped", "default stopped", "default started"}},
		{EventFilter{Network: "default", Kind: Lifecycle}, []string{"default stopped", "default started"}},
	} {
		c := open(t)
		listening := make(chan struct{})
		changed := make(chan error, 1)
		go func() {
			<-listening
			changed <- errors.Join(c.Stop(t.Context(), "lab"), c.Stop(t.Context(), "default"), c.Start(t.Context(), "default"))
		}()
		var have []string
		err := c.Events(t.Context(), tc.filter, func() { close(listening) }, func(e Event) bool {
			if e.Event != Lifecycle || e.Time.IsZero() || !isUUID(e.UUID) {
				t.Errorf("have %+v", e)
			}
			have = append(have, e.Network+" "+e.Change)
			return len(have) < len(tc.want)
		})
		if err := errors.Join(err, <-changed); err != nil {
			t.Error(err)
		}
		if !slices.Equal(have, tc.want) {
			t.Errorf("%+v: have %q, want %q", tc.filter, have, tc.want)
		}
	}
}

// Nothing comes: the context ends the wait. What is missing is named.
func TestEventsEnd(t *testing.T) {
	if err := PrepareEvents(); err != nil {
		t.Fatal(err)
	}
	c := open(t)
	none := func(e Event) bool { t.Errorf("have %+v", e); return false }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Events(ctx, EventFilter{}, func() {}, none); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %v", err)
	}
	missing := (*NotFoundError)(nil)
	if err := c.Events(t.Context(), EventFilter{Network: "defualt"}, func() {}, none); !errors.As(err, &missing) {
		t.Errorf("have %v", err)
	}
}
