package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
)

// print writes value as -o asks: JSON and YAML from the value itself, anything
// else by the command's own printer. Nothing is written before all is known.
func (e *env) print(value any, table func(w io.Writer)) error {
	var b bytes.Buffer
	switch e.format {
	case "json":
		if err := encodeJSON(&b, value); err != nil {
			return &failure{op: "write json", err: err}
		}
	case "yaml":
		var doc bytes.Buffer
		if err := encodeJSON(&doc, value); err != nil {
			return &failure{op: "write yaml", err: err}
		}
		text, err := yaml.JSONToYAML(doc.Bytes())
		if err != nil {
			return &failure{op: "write yaml", err: err}
		}
		b.Write(text)
	default:
		table(&b)
	}
	return e.write(b.Bytes())
}

func (e *env) write(data []byte) error {
	if _, err := e.out.Write(data); err != nil {
		return &failure{op: "write output", err: err}
	}
	return nil
}

func encodeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// remark writes a line that is not data to standard error, unless quiet or
// where a program reads the output.
func (e *env) remark(format string, args ...any) {
	if !e.quiet && e.format == "table" {
		fmt.Fprintln(e.err, clean(fmt.Sprintf(format, args...)))
	}
}

// list returns items, or an empty list for nil: JSON lists are [] and never null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
