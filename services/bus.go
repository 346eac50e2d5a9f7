package services

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names on the system bus.
const (
	firewalldName = "org.fedoraproject.FirewallD1"
	nmName        = "org.freedesktop.NetworkManager"
	busName       = "org.freedesktop.DBus"
)

// answerTime is how long the services on one socket may take altogether. They
// answer within milliseconds; who does not is a gap.
const answerTime = 2 * time.Second

// managers asks firewalld and NetworkManager, whichever run. Without a system
// bus there are none, and nothing is asked.
func (r *reader) managers(ctx context.Context, s *State) {
	path := r.path("run/dbus/system_bus_socket")
	if st, err := os.Stat(path); err != nil || st.Mode().Type() != os.ModeSocket {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := dialBus(ctx, path)
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) { // refused: a socket that outlived its bus
			r.gap(PartFirewalld, err)
			r.gap(PartNM, err)
		}
		return
	}
	defer conn.Close()
	var names []string
	if err := ask(ctx, conn.BusObject(), busName+".ListNames").Store(&names); err != nil {
		r.gap(PartFirewalld, err)
		r.gap(PartNM, err)
		return
	}
	if slices.Contains(names, firewalldName) {
		f, err := r.firewalld(ctx, conn)
		if err != nil {
			r.gap(PartFirewalld, err)
		}
		s.Firewalld = f
	}
	if slices.Contains(names, nmName) {
		nm, err := r.networkManager(ctx, conn)
		if err != nil {
			r.gap(PartNM, err)
		}
		s.NetworkManager = nm
	}
}

func dialBus(ctx context.Context, path string) (*dbus.Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok { // the library's handshake knows no context
		if err := raw.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
	}
	conn, err := dbus.NewConn(raw, dbus.WithContext(ctx))
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	if err := conn.Auth(nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := conn.Hello(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// ask calls a method without starting the service that has it.
func ask(ctx context.Context, o dbus.BusObject, method string, args ...any) *dbus.Call {
	return o.CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}

// start is ask without waiting.
func start(ctx context.Context, o dbus.BusObject, method string, args ...any) *dbus.Call {
	return o.GoWithContext(ctx, method, dbus.FlagNoAutoStart, make(chan *dbus.Call, 1), args...)
}

// finish waits for a call and stores what it answered.
func finish(c *dbus.Call, into any) error {
	c = <-c.Done
	if c.Err != nil {
		return c.Err
	}
	return c.Store(into)
}

// namespaceOf is the network namespace of a service's process.
func (r *reader) namespaceOf(c *dbus.Call) uint64 {
	var pid uint32
	if finish(c, &pid) != nil || pid == 0 || pid > 1<<30 {
		return 0
	}
	return r.netNamespace(int(pid))
}
