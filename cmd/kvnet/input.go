package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/kvnet/kvnet/xml"
)

// reading reads the file at path, "-" for standard input, with read. A file
// need not come to an end, a pipe that nobody writes not even open: whoever
// waits for it may interrupt, and the wait then ends with the program.
func reading[T any](ctx context.Context, e *env, path string, read func(io.Reader) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		value, err := readFrom(e, path, read)
		got <- answer{value, err}
	}()
	select {
	case a := <-got:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func readFrom[T any](e *env, path string, read func(io.Reader) (T, error)) (T, error) {
	if path == "-" {
		return read(e.in)
	}
	f, err := os.Open(path)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return read(f)
}

// document takes in a document that is to go to libvirt.
func document(in io.Reader) (string, error) {
	text, err := atMost(in)
	if err == nil && len(text) > xml.MaxDocument {
		err = fmt.Errorf("the document is longer than the %d bytes that libvirt takes", xml.MaxDocument)
	}
	return text, err
}

// atMost takes in one byte more than libvirt takes of a document.
func atMost(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, xml.MaxDocument+1))
	return string(data), err
}
