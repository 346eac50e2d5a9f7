package xml

import (
	"slices"

	"github.com/beevik/etree"
)

// CarryOver makes in a document what leads from have to want, and leaves all else
// in it alone. It is false where that is more than entries of sections, and where
// an entry is not as have has it, or another is in the way.
func CarryOver(doc, have, want string) (string, bool) {
	changes, left, err := SectionChanges(have, want)
	if err != nil || len(left) > 0 || !sameMetadata(have, want) {
		return "", false
	}
	tree, errT := load(doc, "network")
	here, errD := Parse(doc)
	was, errH := Parse(have)
	if errT != nil || errD != nil || errH != nil {
		return "", false
	}
	parents := sameSubnets(here.IPs, was.IPs)
	for _, c := range changes {
		if !c.in(tree.Root(), parents) {
			return "", false
		}
	}
	text, err := write(tree)
	return text, err == nil
}

// in makes the change below a document's root; parents are its subnets by their
// index in the document that the change was found in.
func (c EntryChange) in(root *etree.Element, parents map[int]int) bool {
	entry := c.Want
	if entry == nil {
		entry = c.Have
	}
	path := sectionPlaces[c.Section]
	tag, home := path[len(path)-1], root
	switch path[0] {
	case "ip":
		at, known := parents[entry.Parent]
		subnets := children(root, "ip")
		if !known || at >= len(subnets) {
			return false
		}
		home = ensure(subnets[at], "dhcp")
	case "dns":
		home = ensure(root, "dns")
	case "forward": // written in several ways
		return false
	}
	elements := children(home, tag)
	entries := make([]Entry, len(elements))
	for i, e := range elements {
		var err error
		if entries[i], err = entryOf(e, entry.Parent); err != nil {
			return false
		}
	}
	if c.Have != nil {
		at := slices.IndexFunc(entries, c.Have.same)
		if at < 0 {
			return c.Want == nil && !c.Section.meets(entries, *c.Have)
		}
		remove(elements[at])
		entries = slices.Delete(entries, at, at+1)
	}
	switch {
	case c.Want == nil, slices.ContainsFunc(entries, c.Want.same):
		return true
	case c.Section.meets(entries, *c.Want):
		return false
	}
	made, err := load(c.Want.Text, tag)
	if err != nil {
		return false
	}
	e := insert(home, tag)
	e.Attr = made.Root().Attr
	for _, t := range slices.Clone(made.Root().Child) {
		e.AddChild(t)
	}
	return true
}

// meets says whether an entry is for what one of the others is for, too.
func (s Section) meets(others []Entry, e Entry) bool {
	return slices.ContainsFunc(others, func(o Entry) bool { return s.SameOwner(o, e) || s.Clash(o, e) != "" })
}

func sameMetadata(one, other string) bool {
	a, errA := ParseMetadata(one)
	b, errB := ParseMetadata(other)
	return errA == nil && errB == nil && len(a.Drift(b, true)) == 0
}

// Differences are those between two documents of a network, its metadata among
// them: none where both mean the same.
func Differences(have, want string) ([]Change, error) {
	if have == want {
		return nil, nil
	}
	h, err := Parse(have)
	if err != nil {
		return nil, err
	}
	w, err := Parse(want)
	if err != nil {
		return nil, err
	}
	a, err := ParseMetadata(have)
	if err != nil {
		return nil, err
	}
	b, err := ParseMetadata(want)
	if err != nil {
		return nil, err
	}
	changes := Drift(h, w)
	for _, c := range a.Drift(b, true) {
		if !slices.ContainsFunc(changes, func(o Change) bool { return o.Path == c.Path }) {
			changes = append(changes, c)
		}
	}
	return changes, nil
}
