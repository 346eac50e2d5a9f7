package main

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io"
	"reflect"
	"strings"
)

// streamJSON writes value as compact JSON, in pieces: structures field by
// field and lists item by item as far as they hold lists, and what is left as
// encoding/json writes it, with & < > as they are. encoding/json alone has the
// whole document in memory, twice when it is indented. Each call of Write has
// whole tokens.
func streamJSON(w io.Writer, value any) error {
	s := streamer{out: w, shapes: map[reflect.Type]shape{}}
	s.enc = json.NewEncoder(&s.leaf)
	s.enc.SetEscapeHTML(false)
	return s.value(reflect.ValueOf(value))
}

type streamer struct {
	out    io.Writer
	leaf   bytes.Buffer
	enc    *json.Encoder // into leaf
	shapes map[reflect.Type]shape
}

// shape is how a type is taken apart: not at all, as a list, or as fields.
type shape struct {
	list   bool
	fields []streamField
}

func (s shape) whole() bool { return !s.list && s.fields == nil }

type streamField struct {
	index       int
	key         string // with quotes and colon
	empty, zero bool   // omitempty, omitzero
}

func (s *streamer) value(v reflect.Value) error {
	for v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() && !ownJSON(v.Type()) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return s.whole(v)
	}
	switch shape := s.shape(v.Type()); {
	case shape.whole() || shape.list && v.Kind() == reflect.Slice && v.IsNil():
		return s.whole(v)
	case shape.list:
		return s.list(v)
	default:
		return s.fields(v, shape.fields)
	}
}

func (s *streamer) whole(v reflect.Value) error {
	var value any
	switch {
	case v.IsValid() && v.CanAddr():
		value = v.Addr().Interface() // does not copy it
	case v.IsValid():
		value = v.Interface()
	}
	s.leaf.Reset()
	if err := s.enc.Encode(value); err != nil {
		return err
	}
	return s.write(bytes.TrimSuffix(s.leaf.Bytes(), []byte("\n")))
}

func (s *streamer) list(v reflect.Value) error {
	if err := s.text("["); err != nil {
		return err
	}
	for i := range v.Len() {
		if i > 0 {
			if err := s.text(","); err != nil {
				return err
			}
		}
		if err := s.value(v.Index(i)); err != nil {
			return err
		}
	}
	return s.text("]")
}

func (s *streamer) fields(v reflect.Value, fields []streamField) error {
	between := "{"
	for _, f := range fields {
		value := v.Field(f.index)
		if f.empty && isEmpty(value) || f.zero && isZero(value) {
			continue
		}
		if err := s.text(between + f.key); err != nil {
			return err
		}
		if err := s.value(value); err != nil {
			return err
		}
		between = ","
	}
	if between == "{" {
		return s.text("{}")
	}
	return s.text("}")
}

func (s *streamer) text(t string) error { return s.write([]byte(t)) }

func (s *streamer) write(b []byte) error {
	_, err := s.out.Write(b)
	return err
}

// shape says how to take a type apart. One without lists is written as a
// whole, and so is one that encoding/json has rules for that are not kept here.
func (s *streamer) shape(t reflect.Type) shape {
	known, ok := s.shapes[t]
	if ok {
		return known
	}
	s.shapes[t] = shape{} // for one that holds itself
	switch {
	case ownJSON(t) || ownJSON(reflect.PointerTo(t)):
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		known = shape{list: true}
	case t.Kind() == reflect.Struct:
		known = shape{fields: s.structure(t)}
	}
	s.shapes[t] = known
	return known
}

func (s *streamer) structure(t reflect.Type) []streamField {
	var fields []streamField
	lists := false
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous || options != "" && options != "omitempty" && options != "omitzero",
			options == "omitzero" && reflect.PointerTo(f.Type).Implements(zeroer) && (f.Type.Kind() == reflect.Pointer || !f.Type.Implements(zeroer)):
			return nil
		case !f.IsExported() || tag == "-":
			continue
		case name == "":
			name = f.Name
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil
		}
		fields = append(fields, streamField{index: f.Index[0], key: string(key) + ":", empty: options == "omitempty", zero: options == "omitzero"})
		held := f.Type
		for held.Kind() == reflect.Pointer {
			held = held.Elem()
		}
		lists = lists || !s.shape(held).whole()
	}
	if !lists {
		return nil
	}
	return fields
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	zeroer        = reflect.TypeFor[interface{ IsZero() bool }]()
)

func ownJSON(t reflect.Type) bool {
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}

// isEmpty is what omitempty leaves away.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// isZero is what omitzero leaves away.
func isZero(v reflect.Value) bool {
	if v.Type().Implements(zeroer) {
		return v.Interface().(interface{ IsZero() bool }).IsZero()
	}
	return v.IsZero()
}
