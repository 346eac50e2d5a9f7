package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	afUnspec = unix.AF_UNSPEC
	afBridge = unix.AF_BRIDGE
	afInet   = unix.AF_INET
	afInet6  = unix.AF_INET6

	// dumpTries bounds how often an interrupted dump is started again. Each
	// try takes well under 10 ms on a host with hundreds of links.
	dumpTries = 30
	// answerTimeout bounds the wait for one answer. The kernel answers a dump
	// from within the system call; this is for the case that it does not.
	answerTimeout = 10 * time.Second
	// userHZ is the unit of the kernel's clock_t, the same on every
	// architecture that libvirt runs on (USER_HZ, asm-generic/param.h).
	userHZ = 100
)

// ticks converts a clock_t to milliseconds.
func ticks(n uint64) int64 { return int64(n * (1000 / userHZ)) }

// conn is one netlink socket. It stays in the namespace of the thread that
// opened it; only redial looks at the thread again.
type conn struct {
	protocol int
	sockets  map[int]*nl.SocketHandle
}

func dial(protocol int) (*conn, error) {
	c := &conn{protocol: protocol}
	return c, c.redial()
}

func (c *conn) redial() error {
	c.close()
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), c.protocol)
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	// These two only store the value; they cannot fail.
	_ = s.SetSendTimeout(&limit)
	_ = s.SetReceiveTimeout(&limit)
	// The kernel's own words for a refusal; without them there is still errno.
	_ = s.SetExtAck(true)
	c.sockets = map[int]*nl.SocketHandle{c.protocol: {Socket: s}}
	return nil
}

func (c *conn) close() {
	for _, s := range c.sockets {
		s.Close()
	}
	c.sockets = nil
}

// ask sends one request and returns the payloads of its answers.
func (c *conn) ask(typ, flags int, answer uint16, payload []byte) ([][]byte, error) {
	if c.sockets == nil {
		if err := c.redial(); err != nil {
			return nil, err
		}
	}
	req := nl.NewNetlinkRequest(typ, flags)
	req.AddRawData(payload)
	req.Sockets = c.sockets
	msgs, err := req.Execute(c.protocol, answer)
	if err != nil && !errors.Is(err, nl.ErrDumpInterrupted) {
		// The rest of an answer may still be queued: a later request would
		// find the socket busy. It opens a new one.
		c.close()
	}
	return msgs, err
}

// dump asks for all objects of a kind. An interrupted dump is asked for again;
// what it returned is never used.
func (c *conn) dump(ctx context.Context, typ int, answer uint16, payload []byte) ([][]byte, error) {
	var msgs [][]byte
	err := retry(ctx, func() (err error) {
		msgs, err = c.ask(typ, unix.NLM_F_DUMP, answer, payload)
		return err
	})
	if err != nil {
		return nil, err
	}
	return msgs, nil
}

// retry calls f until it is not interrupted (NLM_F_DUMP_INTR: the list changed
// while the kernel walked it), at most dumpTries times.
func retry(ctx context.Context, f func() error) error {
	var err error
	for range dumpTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err = f(); !errors.Is(err, nl.ErrDumpInterrupted) {
			return err
		}
	}
	return fmt.Errorf("changed during each of %d readings: %w", dumpTries, err)
}

// dumpAll is a dump with every message parsed.
func dumpAll[T any](ctx context.Context, c *conn, d dumpRequest, parse func([]byte) (T, bool, error)) ([]T, error) {
	msgs, err := c.dump(ctx, d.typ, d.answer, d.payload)
	if err != nil {
		return nil, err
	}
	list := make([]T, 0, len(msgs))
	for _, m := range msgs {
		v, keep, err := parse(m)
		if err != nil {
			return nil, err
		}
		if keep {
			list = append(list, v)
		}
	}
	return list, nil
}

// dumpRequest is a request for all objects of one kind.
type dumpRequest struct {
	typ     int
	answer  uint16
	payload []byte
}
