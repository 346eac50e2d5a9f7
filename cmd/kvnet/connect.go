package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
)

// answerTime is how long a daemon may take to answer before it is taken for
// hung; a connection over ssh may have to ask for a password first. Tests have
// less patience.
var answerTime = time.Minute

// connect opens the connection that the command line asks for. The caller
// closes it.
func (e *env) connect(ctx context.Context) (*libvirtnet.Conn, error) {
	return connectTo(ctx, e.uri)
}

func connectTo(ctx context.Context, uri string) (*libvirtnet.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, errHung)
	defer cancel()
	conn, err := libvirtnet.OpenContext(ctx, uri)
	if err != nil && errors.Is(context.Cause(ctx), errHung) {
		return nil, &failure{op: "connect to", object: clean(libvirtnet.DefaultURI(uri)), err: errHung, hint: "is the daemon hung, or waiting for somebody? systemctl status libvirtd"}
	}
	return conn, err
}

// errHung is a daemon that does not answer in time.
var errHung = fmt.Errorf("no answer within %s: %w", answerTime, libvirtnet.ErrTimeout)

// partly keeps an answer that lacks something: what is missing becomes a
// note, unless the connection or the context is gone.
func (e *env) partly(err error) error {
	if err == nil || errors.Is(err, libvirtnet.ErrDaemonDown) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e.note("not told: %v", err)
	return nil
}

// elsewhere says why the kernel that was read is not that of the connection's
// daemon; "" when it is proven to be.
func elsewhere(ctx context.Context, conn *libvirtnet.Conn, k bridge.State) string {
	return verify.Elsewhere(proveNamespace(ctx, conn.Daemon(), k), k.Namespace)
}

// proveNamespace finds the daemon's namespace for a user who may not look at
// the daemon: a socket that listens here was made here.
func proveNamespace(ctx context.Context, d libvirtnet.Daemon, k bridge.State) libvirtnet.Daemon {
	if d.Namespace != 0 || d.Socket == "" {
		return d
	}
	if here, err := bridge.Listens(ctx, d.Socket); err == nil && here {
		d.Namespace = k.Namespace
	}
	return d
}

// readKernel reads the kernel's half where nothing works without it.
func readKernel(ctx context.Context) (bridge.State, error) {
	state, err := bridge.Read(ctx)
	if err != nil {
		return state, &failure{op: "read", object: "kernel", err: err}
	}
	return state, nil
}

// hintFor says what to do about an error of libvirtnet; "" where nobody knows.
func hintFor(err error) string {
	missing := (*libvirtnet.NotFoundError)(nil)
	switch {
	case errors.As(err, &missing) && len(missing.Near) > 0:
		return "did you mean " + strings.Join(missing.Near, ", ") + "?"
	case errors.As(err, &missing) && missing.Kind == "network":
		return "kvnet net-list --all lists the networks"
	case errors.As(err, &missing) && missing.Kind == "guest":
		return "kvnet domif-list --all lists the guests and their interfaces"
	case errors.Is(err, libvirtnet.ErrSchema):
		return "kvnet lint --host says where in the document; --no-validate leaves the schema out, and libvirt then drops what it does not know"
	case errors.Is(err, libvirtnet.ErrNoLibvirt):
		return "install libvirt (Debian: libvirt-daemon-system); bridge-list, bridge-show, bridge-fdb and verify --snapshot work without it"
	case errors.Is(err, libvirtnet.ErrDaemonDown):
		start := "systemctl start libvirtd"
		if !libvirtnet.Systemd() {
			start = "libvirtd -d"
		}
		return start + " (or virtqemud and virtnetworkd), or name another daemon with --connect URI"
	case errors.Is(err, libvirtnet.ErrPermission):
		return "networks of the host belong to qemu:///system, which kvnet asks for every user: run it as root or as a member of group libvirt"
	case errors.Is(err, libvirtnet.ErrBadURI):
		return "a URI looks like qemu:///system, qemu+ssh://root@host/system or test:///default"
	case errors.Is(err, libvirtnet.ErrUnreachable):
		return "try ssh to that host, or the same URI with virsh"
	}
	return ""
}
