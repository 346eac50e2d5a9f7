package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

// Exit codes of the contract, see doc.go.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitFinding = 3
	exitRefused = 4
	exitTimeout = 5
)

// failure is an error with all that run needs to print it and to choose the
// exit code. Commands return it, or any other error, which then is explained
// by explain.
type failure struct {
	op     string // the verb: "read network"; or the command, when its line was wrong
	object string // what it was done to, as the user or libvirt named it
	err    error  // the cause; nil when something was found (exit code 3) and printed already
	hint   string // what to do about it, one line; may be empty
	code   int    // 0 means exitFailed
	line   string // the whole message where op, object and err do not make it up
}

func (f *failure) Error() string {
	if f.line != "" {
		return f.line
	}
	var cause string
	if f.err != nil {
		cause = f.err.Error()
	}
	head := strings.TrimSpace(f.op + " " + clean(f.object))
	if head == "" || cause == "" {
		return head + cause
	}
	return head + ": " + cause
}

// message is the cause alone.
func (f *failure) message() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usage is a wrong command line: exit code 2.
func usage(command, what, hint string) error {
	return &failure{op: command, err: errors.New(what), hint: hint, code: exitUsage}
}

// refuse is a refusal: exit code 4. The hint should name the way to do it all
// the same.
func refuse(op, object string, cause error, hint string) error {
	return &failure{op: op, object: object, err: cause, hint: hint, code: exitRefused}
}

// found says that the command did its work, printed it, and that something is
// wrong: exit code 3 and no further word.
func found() error { return &failure{code: exitFinding} }

// wrongValue takes what package flag says of a bad value.
func wrongValue(c *cli.Context, err error) error {
	name := ""
	if c.Command.Name != c.App.Name {
		name = c.Command.Name
	}
	what := strings.NewReplacer(" for flag -", " for flag --", " for -", " for --").Replace(err.Error())
	return usage(name, what, "kvnet "+strings.TrimSpace(name+" --help")+" shows what the flag takes")
}

// finish prints err and returns the exit code of the program.
func (e *env) finish(err error) int {
	if err == nil {
		e.printNotes(false)
		return 0
	}
	f := explain(err)
	e.printNotes(f.err != nil)
	if f.err == nil && f.code == exitFinding {
		return f.code
	}
	if e.format == "json" {
		e.printErrorJSON(f)
	} else {
		fmt.Fprintln(e.err, "kvnet: "+clean(f.Error()))
		if f.hint != "" {
			fmt.Fprintln(e.err, "hint: "+clean(f.hint))
		}
	}
	return f.code
}

// errorDocument is the error as -o json prints it on standard error.
type errorDocument struct {
	Error struct {
		Op      string `json:"op"`
		Object  string `json:"object"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	} `json:"error"`
}

func (e *env) printErrorJSON(f *failure) {
	var doc errorDocument
	doc.Error.Op, doc.Error.Object, doc.Error.Message, doc.Error.Hint = f.op, f.object, f.message(), f.hint
	enc := json.NewEncoder(e.err)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // nowhere left to report to
}

// explain turns any error into a failure: with the verb and object that it
// names, a hint where there is something to do, and the exit code that fits.
func explain(err error) *failure {
	f := &failure{err: err}
	if own := (*failure)(nil); errors.As(err, &own) {
		copied := *own
		f = &copied
	} else {
		f.split(err)
	}
	if f.hint == "" {
		f.hint = hintFor(err)
	}
	if f.code != 0 {
		return f
	}
	f.code = exitFailed
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, libvirtnet.ErrTimeout):
		f.code = exitTimeout
	case errors.Is(err, context.Canceled):
		f.interrupted()
	}
	return f
}

// interrupted words an error of a context that was cancelled: that is SIGINT,
// SIGTERM or SIGHUP, and what was going on names itself in front of it.
func (f *failure) interrupted() {
	if f.op == "" && f.line != "" {
		f.op = strings.TrimSuffix(strings.TrimSuffix(f.line, context.Canceled.Error()), ": ")
	}
	f.line, f.hint, f.err = "", "", errInterrupted
}

// split takes verb and object out of an error of libvirtnet. What is wrapped
// around it stays in the line.
func (f *failure) split(err error) {
	f.line = err.Error()
	if e := (*libvirtnet.Error)(nil); errors.As(err, &e) {
		if cause, found := strings.CutPrefix(f.line, strings.TrimSpace(e.Op+" "+e.Object)+": "); found {
			f.op, f.object, f.err = e.Op, e.Object, errors.New(cause)
		}
	} else if e := (*libvirtnet.NotFoundError)(nil); errors.As(err, &e) {
		f.op, f.object = "find "+e.Kind, e.Name
		if f.line == e.Error() {
			f.err = errors.New("no such " + e.Kind)
		}
	}
}
