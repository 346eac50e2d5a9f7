package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"

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
	// userHZ is the unit of the kernel's clock_t, the same on every
	// architecture that libvirt runs on (USER_HZ, asm-generic/param.h).
	userHZ = 100
)

// ticks converts a clock_t to milliseconds.
func ticks(n uint64) int64 { return int64(n * (1000 / userHZ)) }

// dump asks for all objects of a kind and returns their messages.
func (c *conn) dump(ctx context.Context, typ int, answer uint16, payload []byte) (msgs [][]byte, err error) {
	err = retry(ctx, func() error {
		msgs, err = c.ask(typ, unix.NLM_F_DUMP, answer, payload)
		return err
	})
	return msgs, err
}

// retry calls f until it is not interrupted (NLM_F_DUMP_INTR: the list changed
// while the kernel walked it), at most dumpTries times.
func retry(ctx context.Context, f func() error) error {
	var err error
	for range dumpTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err = f(); !errors.Is(err, errInterrupted) {
			return err
		}
	}
	return fmt.Errorf("changed during each of %d readings: %w", dumpTries, err)
}

// dumpAll is a dump of which each message is parsed where it was received: parse
// keeps no part of it. What an interrupted dump returned is never used.
func dumpAll[T any](ctx context.Context, c *conn, d dumpRequest, parse func([]byte) (T, bool, error)) ([]T, error) {
	var list []T
	err := retry(ctx, func() error {
		list = []T{}
		var failed error
		err := c.request(d.typ, unix.NLM_F_DUMP, d.payload, func(typ uint16, m []byte) {
			if d.answer != 0 && typ != d.answer || failed != nil {
				return
			}
			v, keep, err := parse(m)
			if failed = err; keep && err == nil {
				list = append(list, v)
			}
		})
		return cmp.Or(err, failed)
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
