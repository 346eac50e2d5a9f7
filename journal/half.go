package journal

import "slices"

// HalfDone are the entries of changes that stand half-way: that began and never
// ended, and that failed and could not be wholly taken back. The same command
// made again ends the former, any later change of the same things the latter. It
// is for a caller that holds the lock, or knows that nobody does.
func HalfDone(entries []Entry) []Entry {
	var list []Entry
	for i, e := range entries {
		if e.BackedBy == 0 && (e.Outcome == Begun || e.Outcome == Left) && !ended(e, entries[i+1:]) {
			list = append(list, e)
		}
	}
	return list
}

// ended says whether a later change brought one to an end.
func ended(e Entry, later []Entry) bool {
	return slices.ContainsFunc(later, func(l Entry) bool {
		if l.Outcome != Done {
			return false
		}
		again := l.URI == e.URI && l.Op == e.Op && l.Object == e.Object && slices.Equal(l.Command, e.Command)
		return again || e.Outcome == Left && !l.Before.sharedWith(e.Before).Empty()
	})
}
