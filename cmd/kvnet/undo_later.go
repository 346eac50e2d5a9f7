package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/journal"
)

// readEntries is the journal, oldest change first; with an error, what of it can
// be read.
func readEntries() ([]journal.Entry, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, &failure{op: "read", object: "the journal", err: err}
	}
	entries, err := journal.Entries(dir)
	if err != nil {
		return entries, &failure{op: "read", object: "the journal", err: errors.New(oneLine(err))}
	}
	return entries, nil
}

// refuseOthers refuses to take a change back with what others changed since.
func (e *env) refuseOthers(u undoing, force bool) error {
	if u.entry.Outcome == journal.Done && len(u.entry.Before.Networks) > len(u.entry.After) && !u.arrived() {
		e.note("%s: what it left behind is not known: what others changed since goes with it", u.object)
	}
	if len(u.others) == 0 {
		return nil
	}
	const most = 5
	words := u.others
	if len(words) > most {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
	}
	cause := "it would take back what others changed since: " + clean(strings.Join(words, "; "))
	if force {
		e.announce(u.object + ": " + cause)
		return nil
	}
	return refuse("undo", u.object, errors.New(cause), "--force makes all of it as it was before the change")
}

// refuseLater refuses to take a change back with those that came after it. What
// was cut off is not theirs to keep: there they are told.
func (e *env) refuseLater(u undoing, entries []journal.Entry, force bool) error {
	// A restart brought into force what others wrote: it is nothing to lose.
	later := slices.DeleteFunc(journal.Later(entries, u.entry, u.now), func(n journal.Entry) bool { return n.Op == opRestart })
	if len(later) == 0 {
		return nil
	}
	var names, commands []string
	for _, l := range later {
		names = append(names, fmt.Sprintf("%d (%s %s)", l.ID, l.Op, clean(l.Object)))
		commands = append(commands, "kvnet undo "+strconv.Itoa(l.ID))
	}
	slices.Reverse(commands)
	cause := "it would take back what came later: change " + strings.Join(names, ", change ")
	if force || u.entry.Outcome != journal.Done {
		e.announce(u.object + ": " + cause)
		return nil
	}
	return refuse("undo", u.object, errors.New(cause), strings.Join(commands, ", ")+" first; --force takes all of it back")
}
