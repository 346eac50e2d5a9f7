package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// encodeYAML writes value as YAML with the keys and order of its JSON. It is
// done by hand because a string must come back as the same string from every
// reader, of YAML 1.1 too: what looks like anything else is quoted.
func encodeYAML(b *bytes.Buffer, value any) error {
	var doc bytes.Buffer
	if err := encodeJSON(&doc, value); err != nil {
		return err
	}
	dec := json.NewDecoder(&doc)
	dec.UseNumber()
	w := yamlWriter{out: b, dec: dec}
	return w.value(0, false)
}

type yamlWriter struct {
	out *bytes.Buffer
	dec *json.Decoder
}

// value writes the next value. indent is the depth of its keys or items;
// inline says that something stands in front of it on the line.
func (w *yamlWriter) value(indent int, inline bool) error {
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		if inline {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(scalar(token) + "\n")
		return nil
	}
	if !w.dec.More() {
		if inline {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(map[json.Delim]string{'{': "{}", '[': "[]"}[delim] + "\n")
	} else if delim == '{' {
		err = w.mapping(indent, inline)
	} else {
		err = w.sequence(indent, inline)
	}
	if err != nil {
		return err
	}
	_, err = w.dec.Token() // the closing delimiter
	return err
}

func (w *yamlWriter) mapping(indent int, inline bool) error {
	// The first key of a list's item stands behind its dash.
	newline := inline && w.behindKey()
	if newline {
		w.out.WriteByte('\n')
	} else if inline {
		w.out.WriteByte(' ')
	}
	for first := true; w.dec.More(); first = false {
		key, err := w.dec.Token()
		if err != nil {
			return err
		}
		if !first || newline || !inline {
			w.spaces(indent)
		}
		w.out.WriteString(scalar(key) + ":")
		if err := w.value(indent+2, true); err != nil {
			return err
		}
	}
	return nil
}

// sequence writes items at the indent of the key in front of them, or below
// the dash.
func (w *yamlWriter) sequence(indent int, inline bool) error {
	if inline {
		if w.behindKey() {
			indent -= 2
		}
		w.out.WriteByte('\n')
	}
	for w.dec.More() {
		w.spaces(indent)
		w.out.WriteByte('-')
		if err := w.value(indent+2, true); err != nil {
			return err
		}
	}
	return nil
}

// behindKey tells the colon of a key from the dash of an item.
func (w *yamlWriter) behindKey() bool { return bytes.HasSuffix(w.out.Bytes(), []byte(":")) }

func (w *yamlWriter) spaces(n int) {
	w.out.WriteString(strings.Repeat(" ", n))
}

// plain are strings that no reader of YAML takes for anything but a string:
// words that begin with a letter, and IPv4 addresses and prefixes.
var (
	plain    = regexp.MustCompile(`^[A-Za-z/]([A-Za-z0-9_./,()=+' -]*[A-Za-z0-9_./()+])?$`)
	plainIP  = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(/[0-9]+)?$`)
	reserved = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true}
)

func scalar(token json.Token) string {
	switch v := token.(type) {
	case nil:
		return "null"
	case string:
		if plainIP.MatchString(v) || plain.MatchString(v) && !reserved[strings.ToLower(v)] {
			return v
		}
		return strconv.Quote(v) // its escapes are all YAML's, too
	default:
		return fmt.Sprint(v)
	}
}
