package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge/socket"
)

const (
	afUnspec = unix.AF_UNSPEC
	afBridge = unix.AF_BRIDGE
	afInet   = unix.AF_INET
	afInet6  = unix.AF_INET6

	// dumpTries bounds how often an interrupted dump is started again. Each
	// try takes well under 10 ms on a host with hundreds of links.
	dumpTries = 30
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
	socket   *socket.Conn // nil behind an answer that was not read to its end
	usual    int          // how many links there are, once known: most lists are about as long
}

func dial(protocol int) (*conn, error) {
	c := &conn{protocol: protocol}
	return c, c.redial()
}

func (c *conn) redial() (err error) {
	c.close()
	c.socket, err = socket.Open(c.protocol)
	return err
}

func (c *conn) close() {
	if c.socket != nil {
		c.socket.Close()
	}
	c.socket = nil
}

// each sends one request and calls f with the payload of each answer of the
// type, 0 for any; f keeps nothing of it.
func (c *conn) each(typ, flags int, answer uint16, payload []byte, f func([]byte) error) error {
	if c.socket == nil {
		if err := c.redial(); err != nil {
			return err
		}
	}
	err := c.socket.Ask(uint16(typ), uint16(flags), payload, func(typ uint16, b []byte) error { // both have 16 bits in linux/netlink.h
		if answer != 0 && typ != answer {
			return nil
		}
		return f(b)
	})
	if err != nil {
		c.close() // the rest of the answer would be in the way of the next one
	}
	return err
}

// ask sends one request and returns the payloads of its answers.
func (c *conn) ask(typ, flags int, answer uint16, payload []byte) ([][]byte, error) {
	var msgs [][]byte
	err := c.each(typ, flags, answer, payload, func(b []byte) error {
		msgs = append(msgs, slices.Clone(b))
		return nil
	})
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
		if err = f(); !errors.Is(err, socket.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("%d readings: %w", dumpTries, err)
}

// dumpAll is a dump with every message parsed; parse keeps nothing of it.
func dumpAll[T any](ctx context.Context, c *conn, d dumpRequest, parse func([]byte) (T, bool, error)) ([]T, error) {
	list := make([]T, 0, c.usual)
	err := retry(ctx, func() error {
		list = list[:0]
		return c.each(d.typ, unix.NLM_F_DUMP, d.answer, d.payload, func(b []byte) error {
			v, keep, err := parse(b)
			if keep && err == nil {
				list = append(list, v)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// dumpRequest is a request for all objects of one kind.
type dumpRequest struct {
	typ     int
	answer  uint16
	payload []byte
}
