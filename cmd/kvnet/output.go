package main

import (
	"bufio"
	"fmt"
	"io"
)

// print writes value as -o asks: JSON and YAML from the value itself, anything
// else by the command's own printer.
func (e *env) print(value any, table func(w io.Writer)) error {
	switch e.format {
	case "json":
		return e.stream("json", func(w *bufio.Writer) error { return encodeJSON(w, value) })
	case "yaml":
		return e.stream("yaml", func(w *bufio.Writer) error { return encodeYAML(w, value) })
	}
	return e.stream("", func(w *bufio.Writer) error { table(w); return nil })
}

// stream writes what is handed over bit by bit: the document of a large host
// is never in memory as a whole. What cannot be written is told at the end;
// an error of write is one of the format.
func (e *env) stream(format string, write func(w *bufio.Writer) error) error {
	w := bufio.NewWriterSize(e.out, 64<<10)
	err := write(w)
	if failed := w.Flush(); failed != nil {
		return &failure{op: "write output", err: failed}
	}
	if err != nil {
		return &failure{op: "write " + format, err: err}
	}
	return nil
}

func (e *env) write(data []byte) error {
	if _, err := e.out.Write(data); err != nil {
		return &failure{op: "write output", err: err}
	}
	return nil
}

// encodeJSON writes value as encoding/json does with an indent of two spaces.
func encodeJSON(w *bufio.Writer, value any) error {
	if err := streamJSON(&indenter{out: w}, value); err != nil {
		return err
	}
	return w.WriteByte('\n')
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
