package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
		if err := encodeYAML(&b, value); err != nil {
			return &failure{op: "write yaml", err: err}
		}
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

// note keeps a remark on what the answer lacks. Notes go to standard error
// behind the data; a JSON error stands there alone.
func (e *env) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

func (e *env) printNotes(failed bool) {
	if e.quiet || failed && e.format == "json" {
		return
	}
	for _, n := range e.notes {
		fmt.Fprintln(e.err, "note: "+clean(n))
	}
}
