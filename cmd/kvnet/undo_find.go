package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
)

// toTakeBack is the change with the number, or the last one that stands and has a
// way back, with that way.
func (e *env) toTakeBack(ctx context.Context, conn *libvirtnet.Conn, w world, entries []journal.Entry, o undoOptions) (undoing, error) {
	for before := math.MaxInt; ; {
		entry, err := findChange(entries, o.number, before)
		if err != nil {
			return undoing{}, err
		}
		object := fmt.Sprintf("change %d (%s %s)", entry.ID, entry.Op, clean(entry.Object))
		if entry.URI != w.URI && !o.force {
			return undoing{}, refuse("undo", object, fmt.Errorf("it was made over %s, and this is %s", clean(entry.URI), clean(w.URI)), "-c "+clean(entry.URI))
		}
		u, err := wayBack(ctx, conn, w, entry, func(u *undoing) {
			if !halfSince(entries, entry) {
				u.keepOthers(o.force)
			}
		})
		u.object = object
		if err != nil || o.number != 0 || !u.onlyFinal() {
			return u, err
		}
		e.note("%s is passed over: no way back from: %s", object, clean(strings.Join(entry.Final, ", ")))
		before = entry.ID
	}
}

// halfSince says whether a change of the same networks stands half-way since: what
// is otherwise than the change left it may be kvnet's own.
func halfSince(entries []journal.Entry, entry journal.Entry) bool {
	return slices.ContainsFunc(journal.HalfDone(entries), func(n journal.Entry) bool {
		return n.ID > entry.ID && slices.ContainsFunc(n.Before.Networks, func(net journal.Network) bool {
			return slices.ContainsFunc(entry.Before.Networks, func(own journal.Network) bool { return own.Name == net.Name })
		})
	})
}

// onlyFinal says that all that there would be to take back has no way back.
func (u undoing) onlyFinal() bool {
	return u.arrived() && u.entry.Outcome == journal.Done && len(u.entry.Final) > 0
}

// findChange is the entry with the number, or the last one that stands, of those
// before a number.
func findChange(entries []journal.Entry, number, before int) (journal.Entry, error) {
	for i := len(entries) - 1; i >= 0; i-- {
		n := entries[i]
		switch {
		case number == n.ID:
			return n, nil
		case number != 0 || n.ID >= before || n.Backs != 0 || !journal.Stands(entries, n):
			continue
		case i > 0 && n.Outcome == journal.Done && broughtIntoForce(entries[i-1], n):
			continue
		}
		return n, nil
	}
	if number != 0 {
		return journal.Entry{}, &failure{op: "undo", object: "change " + strconv.Itoa(number), err: journal.ErrNoEntry, hint: "kvnet history lists what there is"}
	}
	return journal.Entry{}, &failure{op: "undo", object: "the last change", err: errors.New("there is none to take back"), hint: "kvnet history lists what there is"}
}

// broughtIntoForce says whether an entry is the restart of --restart for the change
// before it: that one is what there is to take back.
func broughtIntoForce(change, n journal.Entry) bool {
	return n.Op == opRestart && n.PID == change.PID && slices.Equal(n.Command, change.Command)
}
