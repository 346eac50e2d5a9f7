package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/libvirtnet"
)

// Every error is one line, a hint at most one more, and the exit code is that
// of the contract.
func TestFinish(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
		hint string // part of it; "-" for none
		code int
	}{
		{nil, "", "-", 0},
		{found(), "", "-", exitFinding},
		{usage("net-list", "unknown flag --x", ""), "kvnet: net-list: unknown flag --x", "-", exitUsage},
		{usage("", "missing command", "kvnet --help"), "kvnet: missing command", "kvnet --help", exitUsage},
		{refuse("stop network", "default", errors.New("guest web is attached"), "--force"), "kvnet: stop network default: guest web is attached", "--force", exitRefused},
		{&libvirtnet.NotFoundError{Kind: "guest", Name: "wbe", Near: []string{"web"}}, "kvnet: find guest wbe: no such guest", "did you mean web?", exitFailed},
		{&libvirtnet.Error{Op: "start", Object: "network default", Message: "in use\nby virbr0", Kind: libvirtnet.ErrInUse}, "kvnet: start network default: in use; by virbr0", "-", exitFailed},
		{&libvirtnet.Error{Op: "connect to", Object: "qemu:///system", Kind: libvirtnet.ErrNoLibvirt}, "kvnet: connect to qemu:///system: libvirt is not installed", "install libvirt", exitFailed},
		{&libvirtnet.Error{Op: "connect to", Object: "qemu:///system", Kind: libvirtnet.ErrPermission}, "kvnet: connect to qemu:///system: permission refused", "for every user", exitFailed},
		{&libvirtnet.Error{Op: "connect to", Object: "qemu:///system", Kind: libvirtnet.ErrDaemonDown}, "kvnet: connect to qemu:///system: libvirt daemon is not running", "(or virtqemud and virtnetworkd)", exitFailed},
		{fmt.Errorf("wait: %w", context.DeadlineExceeded), "kvnet: wait: context deadline exceeded", "-", exitTimeout},
		{fmt.Errorf("read: %w", context.Canceled), "kvnet: read: interrupted", "-", exitFailed},
		{&failure{op: "read", object: "a\nb\x1b", err: errors.New("x\ny")}, `kvnet: read a\nb\x1b: x\ny`, "-", exitFailed},
	} {
		var out bytes.Buffer
		e := &env{err: &out, format: "table"}
		if code := e.finish(tt.err); code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.err, code, tt.code)
		}
		line, hint, _ := strings.Cut(out.String(), "\n")
		if line != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, line, tt.want)
		}
		switch {
		case tt.hint == "-" && hint != "":
			t.Errorf("%v: unwanted hint %q", tt.err, hint)
		case tt.hint != "-" && (!strings.HasPrefix(hint, "hint: ") || !strings.Contains(hint, tt.hint) || strings.Count(hint, "\n") != 1):
			t.Errorf("%v: hint %q, want %q", tt.err, hint, tt.hint)
		}
	}
}

func TestFinishJSON(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&libvirtnet.NotFoundError{Kind: "network", Name: "<a>\n", Near: nil},
			`{"error":{"op":"find network","object":"<a>\n","message":"no such network","hint":"kvnet net-list --all lists the networks"}}`},
		{&libvirtnet.Error{Op: "start", Object: "network default", Message: "in use"},
			`{"error":{"op":"start","object":"network default","message":"in use","hint":""}}`},
		{fmt.Errorf("look: %w", &libvirtnet.Error{Op: "connect to", Object: "qemu:///system", Message: "refused"}),
			`{"error":{"op":"","object":"","message":"look: connect to qemu:///system: refused","hint":""}}`},
		{errors.New("plain"), `{"error":{"op":"","object":"","message":"plain","hint":""}}`},
	} {
		var out bytes.Buffer
		e := &env{err: &out, format: "json", notes: []string{"a note"}}
		e.finish(tt.err)
		if have := strings.TrimSuffix(out.String(), "\n"); have != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, have, tt.want)
		}
	}
}

// Notes follow the data on standard error, unless quiet.
func TestNotes(t *testing.T) {
	for quiet, want := range map[bool]string{false: "note: a\\nb\n", true: ""} {
		var out bytes.Buffer
		e := &env{err: &out, format: "json", quiet: quiet}
		e.note("a%sb", "\n")
		if code := e.finish(nil); code != 0 || out.String() != want {
			t.Errorf("quiet %v: code %d, %q", quiet, code, out.String())
		}
	}
}
