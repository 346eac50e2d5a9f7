package firewall

import (
	"bytes"
	"slices"
	"sort"
)

// candidatesKept bounds how many elements of a map are looked at when the key
// is not known exactly. Beyond that the result is simply not known.
const candidatesKept = 64

// setIndex is a set prepared for searching.
type setIndex struct {
	*Set
	ready    bool                // once it was searched
	exact    map[string]*Element // keys that are not intervals
	sorted   []*Element          // the same in order, nil if they differ in length
	ranges   []*Element          // intervals, sorted by their first key
	fields   []*Element          // concatenations with intervals
	catchAll *Element
}

func (x *setIndex) prepare() {
	s := x.Set
	x.ready, x.exact = true, make(map[string]*Element)
	for i := range s.Elements {
		e := &s.Elements[i]
		switch {
		case e.CatchAll:
			x.catchAll = e
		case len(s.Fields) > 1 && s.Interval:
			x.fields = append(x.fields, e)
		case len(e.End) == len(e.Key) && len(e.Key) > 0:
			x.ranges = append(x.ranges, e)
		default:
			x.exact[string(e.Key)] = e
		}
	}
	slices.SortStableFunc(x.ranges, func(a, b *Element) int { return bytes.Compare(a.Key, b.Key) })
	x.sorted = make([]*Element, 0, len(x.exact))
	for _, e := range x.exact {
		if len(x.sorted) > 0 && len(e.Key) != len(x.sorted[0].Key) {
			x.sorted = nil // no kernel has such a set
			return
		}
		x.sorted = append(x.sorted, e)
	}
	slices.SortFunc(x.sorted, func(a, b *Element) int { return bytes.Compare(a.Key, b.Key) })
}

// search looks for a key. With yes there is one element, unless several are
// possible and one of them is certain to match; with maybe the elements are
// those that may match. More than candidatesKept are cut to nil.
func (x *setIndex) search(key bits, steps *int) (tri, []*Element) {
	if !x.ready {
		x.prepare()
	}
	answer, found := x.find(key, steps)
	if answer != yes && x.catchAll != nil {
		return yes, append(found, x.catchAll)
	}
	if answer == no && x.Truncated {
		return maybe, nil
	}
	if len(found) > candidatesKept {
		found = nil
	}
	if x.Stateful && answer == yes || len(found) == 1 && found[0].Stateful && answer == yes {
		answer = maybe // a limit in the element
	}
	return answer, found
}

func (x *setIndex) find(key bits, steps *int) (tri, []*Element) {
	if key.complete() {
		if e, ok := x.exact[string(key.val)]; ok {
			return yes, []*Element{e}
		}
	} else if answer, found := x.scan(key, steps); answer != no {
		return answer, found
	}
	if len(x.fields) > 0 {
		return x.findFields(key, steps)
	}
	return x.findRange(key, steps)
}

// scan compares with the single keys that are not less than the smallest and
// not greater than the greatest value that the key can have.
func (x *setIndex) scan(key bits, steps *int) (tri, []*Element) {
	var found []*Element
	list := x.sorted
	low, high := key.min(), key.max()
	if len(list) > 0 && len(list[0].Key) <= len(low) {
		low, high = low[:len(list[0].Key)], high[:len(list[0].Key)]
	} else {
		list = nil
	}
	if list == nil {
		*steps += len(x.exact) / 16
		for k, e := range x.exact {
			if key.equal([]byte(k)) != no {
				found = append(found, e)
			}
		}
	}
	seen := 0
	for _, e := range list[sort.Search(len(list), func(i int) bool { return bytes.Compare(list[i].Key, low) >= 0 }):] {
		if seen++; bytes.Compare(e.Key, high) > 0 || len(found) > candidatesKept {
			break
		}
		if key.equal(e.Key) != no {
			found = append(found, e)
		}
	}
	*steps += seen / 16
	if len(found) == 0 {
		return no, nil
	}
	return maybe, found
}

// findRange searches intervals that do not overlap.
func (x *setIndex) findRange(key bits, steps *int) (tri, []*Element) {
	low, high := key.min(), key.max()
	first := sort.Search(len(x.ranges), func(i int) bool { return bytes.Compare(x.ranges[i].End, low) >= 0 })
	var found []*Element
	for _, e := range x.ranges[first:] {
		if *steps++; bytes.Compare(e.Key, high) > 0 {
			break
		}
		switch key.between(e.Key, e.End) {
		case yes:
			return yes, []*Element{e}
		case maybe:
			found = append(found, e)
		}
		if len(found) > candidatesKept {
			return maybe, found
		}
	}
	if found == nil {
		return no, nil
	}
	if covers(found, low, high) {
		return yes, found
	}
	return maybe, found
}

// covers says whether intervals without gaps hold everything from low to high.
func covers(list []*Element, low, high []byte) bool {
	for _, e := range list {
		if bytes.Compare(e.Key, low) > 0 {
			return false
		}
		if bytes.Compare(e.End, high) >= 0 {
			return true
		}
		low = after(e.End)
	}
	return false
}

func after(b []byte) []byte {
	out := slices.Clone(b)
	for i := len(out) - 1; i >= 0; i-- {
		out[i]++
		if out[i] != 0 {
			break
		}
	}
	return out
}

// findFields compares a concatenation part by part; each part of the element
// is an interval. The first element that matches wins.
func (x *setIndex) findFields(key bits, steps *int) (tri, []*Element) {
	*steps += len(x.fields) / 8
	var found []*Element
	for _, e := range x.fields {
		switch x.matchFields(key, e) {
		case yes:
			if found == nil {
				return yes, []*Element{e}
			}
			return yes, append(found, e)
		case maybe:
			if len(found) <= candidatesKept {
				found = append(found, e)
			}
		}
	}
	if found == nil {
		return no, nil
	}
	return maybe, found
}

func (x *setIndex) matchFields(key bits, e *Element) tri {
	last := e.End
	if len(last) != len(e.Key) {
		last = e.Key
	}
	answer, at := yes, 0
	for _, n := range x.Fields {
		if n < 0 || at+n > len(e.Key) || at+n > len(key.val) {
			return maybe
		}
		answer = min(answer, key.sub(at, at+n).between(e.Key[at:at+n], last[at:at+n]))
		at += (n + 3) &^ 3
	}
	return answer
}

// lookup searches a set, and with a map takes what the key is mapped to.
func (m *machine) lookup(e *Expr) tri {
	s := m.table.sets[e.Set]
	if s == nil {
		if e.Op == "map" && e.Dreg == 0 {
			return m.anything("map " + e.Set + " is missing")
		}
		return m.doubt("set %s is missing", e.Set)
	}
	answer, found := s.search(m.regs.at(e.Sreg, s.KeyLen), &m.steps)
	if e.Op != "map" {
		return answer.invert(e.Invert)
	}
	if answer == no {
		return no
	}
	if e.Dreg == 0 {
		return m.verdictMap(answer, found)
	}
	v := unknownBits(min(64, max(0, s.DataLen)))
	for i, el := range found {
		data := knownBits(el.Data)
		if i > 0 {
			data = v.join(data)
		}
		v = data
	}
	m.regs.store(e.Dreg, v)
	return answer
}

// verdictMap takes the verdicts of all elements that may match.
func (m *machine) verdictMap(answer tri, found []*Element) tri {
	if len(found) == 0 {
		return m.anything("a map's key that the flow leaves open")
	}
	var seen []Jump
	passes := false
	for _, el := range found {
		switch {
		case el.Jump == nil || el.Jump.Code == "continue":
			passes = true
		case !slices.Contains(seen, *el.Jump):
			seen = append(seen, *el.Jump)
		}
	}
	if len(seen) == 0 {
		return answer
	}
	if len(seen) > 1 || passes {
		m.rule.split = true
		m.doubt("a map's key that the flow leaves open")
		if passes {
			answer = maybe
		}
	}
	m.rule.verdicts = append(m.rule.verdicts, seen...)
	return answer
}
