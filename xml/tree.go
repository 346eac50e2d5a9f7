package xml

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// libvirt's elements have no namespace: a prefixed element or attribute of
// the same name is somebody else's.

// child is the first child element of that name, or nil; of nil, nil.
func child(e *etree.Element, tag string) *etree.Element {
	if e == nil {
		return nil
	}
	for _, t := range e.Child {
		if c, ok := t.(*etree.Element); ok && c.Space == "" && c.Tag == tag {
			return c
		}
	}
	return nil
}

func children(e *etree.Element, tag string) []*etree.Element {
	if e == nil {
		return nil
	}
	var found []*etree.Element
	for _, t := range e.Child {
		if c, ok := t.(*etree.Element); ok && c.Space == "" && c.Tag == tag {
			found = append(found, c)
		}
	}
	return found
}

// attr is the value of an attribute, or "".
func attr(e *etree.Element, key string) string {
	if e == nil {
		return ""
	}
	for i := range e.Attr {
		if e.Attr[i].Space == "" && e.Attr[i].Key == key {
			return e.Attr[i].Value
		}
	}
	return ""
}

// text is the character data directly below an element, comments left out.
func text(e *etree.Element) string {
	if e == nil {
		return ""
	}
	var b strings.Builder
	for _, t := range e.Child {
		if c, ok := t.(*etree.CharData); ok {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// setAttr writes an attribute, where it stands or behind the others.
func setAttr(e *etree.Element, key, value string) {
	for i := range e.Attr {
		if e.Attr[i].Space == "" && e.Attr[i].Key == key {
			e.Attr[i].Value = value
			return
		}
	}
	e.Attr = append(e.Attr, etree.Attr{Key: key, Value: value})
}

// dropAttrs removes attributes, and an element that says nothing without them.
func dropAttrs(e *etree.Element, keys ...string) {
	if e == nil {
		return
	}
	e.Attr = slices.DeleteFunc(e.Attr, func(a etree.Attr) bool {
		return a.Space == "" && slices.Contains(keys, a.Key)
	})
	if e.Tag == "bridge" && len(e.Attr) == 0 && len(e.Child) == 0 {
		remove(e)
	}
}

// setText replaces the character data of an element.
func setText(e *etree.Element, s string) {
	e.Child = slices.DeleteFunc(e.Child, func(t etree.Token) bool {
		_, isText := t.(*etree.CharData)
		return isText
	})
	e.ReindexChildren()
	e.InsertChildAt(0, etree.NewText(s))
}

// ensure is the child of that name, made in its place where there is none.
func ensure(parent *etree.Element, tag string) *etree.Element {
	if c := child(parent, tag); c != nil {
		return c
	}
	return insert(parent, tag)
}

// insert makes a child behind its like, in the order of libvirt's documents
// and in the document's own indentation.
func insert(parent *etree.Element, tag string) *etree.Element {
	indented, level := isIndented(parent), depth(parent)
	at := position(parent, tag)
	c := etree.NewElement(tag)
	parent.InsertChildAt(at, c)
	if !indented {
		return c
	}
	parent.InsertChildAt(at, etree.NewText("\n"+strings.Repeat("  ", level)))
	if at+2 == len(parent.Child) {
		parent.InsertChildAt(at+2, etree.NewText("\n"+strings.Repeat("  ", level-1)))
	}
	return c
}

// position is where a new child goes: behind the last that libvirt writes
// before it or is of its kind; in an element whose order is not known, behind
// all.
func position(parent *etree.Element, tag string) int {
	ranks := order[parent.Tag]
	rank := slices.Index(ranks, tag)
	if rank < 0 {
		at := len(parent.Child)
		if at > 0 && isBlank(parent.Child[at-1]) {
			at--
		}
		return at
	}
	for i := len(parent.Child) - 1; i >= 0; i-- {
		c, ok := parent.Child[i].(*etree.Element)
		if !ok || c.Space != "" {
			continue
		}
		if r := slices.Index(ranks, c.Tag); r >= 0 && r <= rank {
			return i + 1
		}
	}
	return 0
}

// remove takes elements of one parent out, each with the white space before
// it, in one pass: a network may have ten thousand reservations.
func remove(elements ...*etree.Element) {
	gone := make(map[etree.Token]bool, len(elements))
	var parent *etree.Element
	for _, e := range elements {
		if e != nil && e.Parent() != nil {
			gone[e] = true
			parent = e.Parent()
		}
	}
	if parent == nil {
		return
	}
	kept := parent.Child[:0]
	for _, t := range parent.Child {
		if !gone[t] {
			kept = append(kept, t)
		} else if last := len(kept) - 1; last >= 0 && isBlank(kept[last]) {
			kept = kept[:last]
		}
	}
	if len(kept) == 1 && isBlank(kept[0]) {
		kept = nil
	}
	clear(parent.Child[len(kept):])
	parent.Child = kept
	parent.ReindexChildren()
}

func isBlank(t etree.Token) bool {
	c, ok := t.(*etree.CharData)
	return ok && strings.TrimSpace(c.Data) == ""
}

// isIndented says whether children stand on lines of their own.
func isIndented(e *etree.Element) bool {
	switch {
	case len(e.Child) > 0:
		return isBlank(e.Child[0])
	case e.Parent() == nil || e.Parent().Parent() == nil:
		return true
	}
	return isIndented(e.Parent())
}

// depth is 1 for the root element.
func depth(e *etree.Element) int {
	n := 0
	for ; e != nil && e.Tag != ""; e = e.Parent() {
		n++
	}
	return n
}
