package xml

import (
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
