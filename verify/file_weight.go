package verify

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// maxWeight bounds what the values of a document take in memory, in bytes: a
// list of "{}," becomes a hundred times its size.
const maxWeight = 56 << 20

// Weights in bytes of what is read by a type's own method, rulesets above all:
// an object or another value in a list, and an object elsewhere.
const (
	opaqueObject = 256
	opaqueValue  = 64
)

// weigher adds up what decoding a valid document into a type takes, without
// making any of it.
type weigher struct {
	doc    []byte
	at     int
	weight int64
	limit  int64
	fields map[reflect.Type]map[string]reflect.Type
}

// opaque is a type whose own method reads it.
type opaque struct{}

var (
	opaqueType      = reflect.TypeFor[opaque]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// tooHeavy says whether a valid document takes more than limit bytes as a
// value of type t.
func tooHeavy(doc []byte, t reflect.Type, limit int64) bool {
	w := weigher{doc: doc, limit: limit, fields: map[reflect.Type]map[string]reflect.Type{}}
	w.value(t)
	return w.over()
}

// over says that enough was seen: what follows is not looked at.
func (w *weigher) over() bool { return w.weight > w.limit }

// value weighs what stands behind pointers and in lists, maps and texts; the
// value itself lies in what holds it. A nil type is not decoded.
func (w *weigher) value(t reflect.Type) {
	w.space()
	switch w.doc[w.at] {
	case '{':
		w.object(w.pointed(t))
	case '[':
		w.list(w.pointed(t))
	case '"':
		if raw := w.quoted(); t != nil {
			w.weight += textWeight(raw)
		}
	default: // a number or a word
		for w.at < len(w.doc) && strings.IndexByte(",]} \t\r\n", w.doc[w.at]) < 0 {
			w.at++
		}
	}
}

// pointed is the type behind pointers, whose target is weighed here, and
// opaqueType for one with a method of its own.
func (w *weigher) pointed(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
		w.weight += int64(t.Size())
	}
	if t == opaqueType {
		w.weight += opaqueValue
	} else if t != nil && (reflect.PointerTo(t).Implements(jsonUnmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler)) {
		return opaqueType
	}
	return t
}

func (w *weigher) object(t reflect.Type) {
	member := func(string) reflect.Type { return nil }
	switch {
	case t == nil:
	case t == opaqueType:
		member = func(string) reflect.Type { return t }
	case t.Kind() == reflect.Struct:
		member = func(name string) reflect.Type { return w.field(t, name) }
	case t.Kind() == reflect.Map:
		entry := int64(t.Key().Size()+t.Elem().Size()) * 2 // a map has room to spare
		member = func(name string) reflect.Type { w.weight += entry + int64(len(name)); return t.Elem() }
	}
	w.items('}', func() {
		name := w.name()
		w.space()
		w.at++ // the colon
		w.value(member(name))
	})
}

func (w *weigher) list(t reflect.Type) {
	var elem reflect.Type
	switch {
	case t == nil:
	case t == opaqueType:
		elem = t
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		elem = t.Elem()
	}
	w.items(']', func() {
		switch {
		case elem == opaqueType && w.doc[w.at] == '{':
			w.weight += opaqueObject
		case elem == opaqueType:
			w.weight += opaqueValue
		case elem != nil:
			w.weight += int64(elem.Size())
		}
		w.value(elem)
	})
}

// items calls one at the begin of each item up to the closing bracket.
func (w *weigher) items(end byte, one func()) {
	w.at++
	for w.space(); !w.over() && w.doc[w.at] != end; w.space() {
		if w.doc[w.at] == ',' {
			w.at++
			w.space()
		}
		one()
	}
	w.at++
}

func (w *weigher) space() {
	for w.at < len(w.doc) && strings.IndexByte(" \t\r\n", w.doc[w.at]) >= 0 {
		w.at++
	}
}

// quoted is a string as it stands there.
func (w *weigher) quoted() []byte {
	begin := w.at
	for w.at++; w.doc[w.at] != '"'; w.at++ {
		if w.doc[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.doc[begin:w.at]
}

// textWeight is at least the length of a quoted string once it is read: a byte
// that is no UTF-8 becomes a character of three.
func textWeight(raw []byte) int64 {
	n := int64(len(raw))
	for _, b := range raw {
		if b >= utf8.RuneSelf {
			n += 2
		}
	}
	return n
}

// name is a member's name.
func (w *weigher) name() string {
	raw := w.quoted()
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	_ = json.Unmarshal(raw, &s) // a valid one
	return s
}

// field is the type of a member, by the rules of encoding/json: the exact
// name, else one that differs in case; nil for one that is left out.
func (w *weigher) field(t reflect.Type, name string) reflect.Type {
	fields, ok := w.fields[t]
	if !ok {
		fields = map[string]reflect.Type{}
		for _, f := range reflect.VisibleFields(t) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() && !f.Anonymous && tag != "-" {
				fields[cmp.Or(tag, f.Name)] = f.Type
			}
		}
		w.fields[t] = fields
	}
	if found, ok := fields[name]; ok {
		return found
	}
	for known, found := range fields {
		if strings.EqualFold(known, name) {
			return found
		}
	}
	return nil
}
