package main

import (
	"context"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
)

// record is the entry of a change that is under way.
type record struct {
	journal *journal.Journal
	entry   journal.Entry
}

// end writes how the change ended, and what it left behind.
func (r *record) end(ctx context.Context, conn *libvirtnet.Conn, e *env, err error) {
	if r == nil {
		return
	}
	if r.entry.Outcome, r.entry.Left = outcome(err); err == nil {
		r.entry.After = leftBehind(ctx, conn, r.entry.Before)
	}
	if err := r.journal.End(r.entry); err != nil {
		e.note("%s", oneLine(err))
	}
}

// leftBehind are the networks of an image as they are now; none when one cannot be
// read: the change stands, and undo says then that it does not know.
func leftBehind(ctx context.Context, conn *libvirtnet.Conn, i journal.Image) []journal.Network {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	var list []journal.Network
	for _, was := range i.Networks {
		n, err := captureNetwork(ctx, conn, was.Name)
		if err != nil {
			return nil
		}
		list = append(list, n)
	}
	return list
}

// outcome is how a change ended, and what of it could not be taken back.
func outcome(err error) (journal.Outcome, []string) {
	if err == nil {
		return journal.Done, nil
	}
	_, left, _ := unwound(err)
	if len(left) > 0 {
		return journal.Left, left
	}
	return journal.Undone, nil
}
