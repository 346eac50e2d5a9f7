package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// editedText is what came back from an editor, and the file that holds it until
// it is where it belongs: a person's work must not be lost.
type editedText struct{ path, edited string }

// editText has a person edit a text in a file that only its owner may read,
// whose name is made from a pattern.
func editText(ctx context.Context, e *env, pattern, text string) (t editedText, err error) {
	f, err := os.CreateTemp("", pattern) // 0600
	if err != nil {
		return t, err
	}
	t.path = f.Name()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		t.remove(e)
		return editedText{}, err
	}
	argv := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	if len(argv) == 0 {
		argv = []string{"vi"}
	}
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], t.path)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, e.err, e.err
	failed := cmd.Run()
	if failed != nil {
		failed = fmt.Errorf("%s: %w", argv[0], failed)
	}
	data, err := os.ReadFile(t.path)
	switch {
	case failed != nil && err == nil && string(data) == text:
		t.remove(e) // nothing was written
		return editedText{}, failed
	case err == nil && len(data) > xml.MaxDocument:
		err = fmt.Errorf("the document is longer than the %d bytes that libvirt takes", xml.MaxDocument)
	}
	t.edited = string(bytes.TrimPrefix(data, []byte("\ufeff")))
	return t, cmp.Or(failed, err)
}

// keptIn adds where the text is to an error about it.
func (t editedText) keptIn(what string, err error) error {
	f := explain(err)
	if t.path != "" {
		f.hint = strings.TrimPrefix(f.hint+"; your "+what+" is in "+t.path, "; ")
	}
	return f
}

// remove deletes the file.
func (t editedText) remove(e *env) {
	if err := os.Remove(t.path); err != nil {
		e.note("%s", oneLine(err))
	}
}
