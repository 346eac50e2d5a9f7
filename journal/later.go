package journal

import "slices"

// Later are the changes after e that are still felt and would be taken back with
// it: they changed what e touched, and stand. now is how these things are, in the
// shape of e.Before.
func Later(entries []Entry, e Entry, now Image) []Entry {
	var list []Entry
	after := now // the change that is looked at
	for _, later := range slices.Backward(entries) {
		if later.ID <= e.ID {
			break
		}
		before := later.Before.sharedWith(e.Before)
		if later.Backs == 0 && Stands(entries, later) && !Way(before, after).Empty() {
			list = append(list, later)
		}
		after = before.over(after)
	}
	slices.Reverse(list)
	return list
}

// Stands says whether a change is one that was not taken back, or was made again:
// what took it back was taken back in its turn.
func Stands(entries []Entry, e Entry) bool {
	if e.Outcome == Undone || e.BackedBy == 0 {
		return e.Outcome != Undone
	}
	i := slices.IndexFunc(entries, func(by Entry) bool { return by.ID == e.BackedBy && by.ID > e.ID })
	return i >= 0 && !Stands(entries, entries[i])
}

func sameNetwork(a, b Network) bool     { return a.Name == b.Name }
func sameInterface(a, b Interface) bool { return a.Guest == b.Guest && a.MAC == b.MAC }
func sameLink(a, b Link) bool           { return a.Name == b.Name }

// sharedWith are the networks, interfaces and links that another image has, too.
func (i Image) sharedWith(other Image) Image {
	return Image{
		Networks:   shared(i.Networks, other.Networks, sameNetwork),
		Interfaces: shared(i.Interfaces, other.Interfaces, sameInterface),
		Links:      shared(i.Links, other.Links, sameLink),
	}
}

// over is other with what i has in place of what it has of it.
func (i Image) over(other Image) Image {
	return Image{
		Networks:   laid(i.Networks, other.Networks, sameNetwork),
		Interfaces: laid(i.Interfaces, other.Interfaces, sameInterface),
		Links:      laid(i.Links, other.Links, sameLink),
	}
}

func shared[T any](list, other []T, same func(T, T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool {
		return !slices.ContainsFunc(other, func(o T) bool { return same(v, o) })
	})
}

func laid[T any](list, other []T, same func(T, T) bool) []T {
	rest := slices.DeleteFunc(slices.Clone(other), func(o T) bool {
		return slices.ContainsFunc(list, func(v T) bool { return same(v, o) })
	})
	return append(rest, list...)
}
