//go:build cgo

package libvirtnet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"libvirt.org/go/libvirt"
)

// Conn is a connection to libvirt. Its methods may be called from several
// goroutines at once.
//
// A call to libvirt blocks in C and cannot be stopped. A method whose context
// ends returns at once and leaves the call behind; it ends by itself, with
// the answer or with the daemon, and keeps the connection open until then.
// What was being changed may therefore still happen; [Conn.Apply] waits for
// it.
type Conn struct {
	raw *libvirt.Connect
	uri string

	mu     sync.Mutex
	calls  int // in flight
	closed bool
	notes  []string
}

// Open connects to libvirt: uri, or LIBVIRT_DEFAULT_URI, or qemu:///system.
// The error is an ErrNoLibvirt, ErrDaemonDown, ErrPermission, ErrUnreachable
// or ErrBadURI where it is one of these.
//
// No event loop is started: without events or keep-alive messages none is
// needed, and a daemon that dies ends the call that waits for it.
func Open(uri string) (*Conn, error) {
	return OpenContext(context.Background(), uri)
}

// OpenContext is [Open] that gives up when ctx ends; a connection that is
// made later is closed again.
func OpenContext(ctx context.Context, uri string) (*Conn, error) {
	if uri = DefaultURI(uri); strings.ContainsRune(uri, 0) {
		return nil, &Error{Op: opConnect, Object: show(uri), Kind: ErrBadURI}
	}
	type answer struct {
		raw *libvirt.Connect
		err error
	}
	ch := make(chan answer)
	go func() {
		raw, err := libvirt.NewConnect(uri)
		select {
		case ch <- answer{raw, err}:
		case <-ctx.Done():
			if err == nil {
				raw.Close()
			}
		}
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%s %s: %w", opConnect, show(uri), ctx.Err())
	case a := <-ch:
		if a.err != nil {
			return nil, openError(uri, a.err)
		}
		c := &Conn{raw: a.raw, uri: uri}
		if !strings.Contains(uri, ":") { // an alias of libvirt.conf
			if full, err := a.raw.GetURI(); err == nil {
				c.uri = full
			}
		}
		return c, nil
	}
}

// openError says why a connection does not come about.
func openError(uri string, err error) error {
	if _, verr := libvirt.GetVersion(); verr != nil {
		return &Error{Op: opConnect, Object: show(uri), Message: "load libvirt.so.0: " + message(verr), Kind: ErrNoLibvirt}
	}
	e := toError(opConnect, show(uri), err)
	return explainOpen(uri, e)
}

// URI is what the connection is open to.
func (c *Conn) URI() string { return c.uri }

// Daemon is the process that answers, as far as this host can tell. It asks
// the kernel, not libvirt.
func (c *Conn) Daemon() Daemon { return findDaemon(c.uri) }

// Close ends the connection once the calls in flight have ended. Closing
// twice is no error.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.calls > 0 {
		return nil // the last call closes it
	}
	return c.shut()
}

func (c *Conn) shut() error {
	if _, err := c.raw.Close(); err != nil {
		return toError("close", show(c.uri), err)
	}
	return nil
}

// Notes are remarks on what was done otherwise than asked, such as a
// definition that the driver could not validate.
func (c *Conn) Notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.notes...)
}

func (c *Conn) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, text)
}

func (c *Conn) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("ask %s: %w", show(c.uri), ErrClosed)
	}
	c.calls++
	return nil
}

func (c *Conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls--; c.calls == 0 && c.closed {
		_ = c.shut() // whoever asked to close has gone
	}
}

// ask runs calls to libvirt and returns their answer, or the context's error
// as soon as it ends.
func ask[T any](ctx context.Context, c *Conn, calls func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("ask %s: %w", show(c.uri), err)
	}
	if err := c.enter(); err != nil {
		return none, err
	}
	if ctx.Done() == nil {
		defer c.leave()
		return calls()
	}
	type answer struct {
		value T
		err   error
	}
	ch := make(chan answer, 1)
	go func() {
		v, err := calls()
		c.leave()
		ch <- answer{v, err}
	}()
	select {
	case <-ctx.Done():
		return none, fmt.Errorf("ask %s: %w", show(c.uri), ctx.Err())
	case a := <-ch:
		return a.value, a.err
	}
}

// do is ask for calls without an answer.
func do(ctx context.Context, c *Conn, calls func() error) error {
	_, err := ask(ctx, c, func() (struct{}, error) { return struct{}{}, calls() })
	return err
}

// toError turns an error of the binding into one of this package.
func toError(op, object string, err error) *Error {
	e := &Error{Op: op, Object: object, Message: message(err)}
	var v libvirt.Error
	if errors.As(err, &v) {
		e.Code = int(v.Code)
		e.Kind = kindOf(op, int(v.Code), int(v.Domain))
	}
	return e
}

func message(err error) string {
	var v libvirt.Error
	if errors.As(err, &v) {
		return v.Message
	}
	return err.Error()
}

// isCode says whether err is one of libvirt's with one of the codes.
func isCode(err error, codes ...int) bool {
	var v libvirt.Error
	if !errors.As(err, &v) {
		return false
	}
	for _, code := range codes {
		if int(v.Code) == code {
			return true
		}
	}
	return false
}
