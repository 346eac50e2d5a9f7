package firewall

import (
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge/socket"
)

const (
	// readTries bounds how often a reading that was overtaken by a change of
	// the ruleset is started again.
	readTries = 30
	// datagramsAhead is how many datagrams the kernel is asked for while those
	// before are parsed.
	datagramsAhead = 8
	// datagramsAlone are read before a second thread is started.
	datagramsAlone = 4
)

// errChanged: the ruleset changed while it was read.
var errChanged = socket.ErrChanged

// conn is a netlink socket to netfilter, in the namespace of the thread that
// opened it.
type conn struct {
	*socket.Conn
	buf []byte
}

func dial() (*conn, error) {
	c, err := socket.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	return &conn{c, make([]byte, socket.DatagramSize)}, nil
}

// messages calls f with the payload of each message of a datagram.
func (c *conn) messages(b []byte, f func([]byte) error) (done bool, err error) {
	return c.Messages(b, func(_ uint16, b []byte) error { return f(b) })
}

// request asks nf_tables; f gets every answer.
func (c *conn) request(ctx context.Context, msg, flags int, payload []byte, f func([]byte) error) error {
	if err := c.Send(uint16(unix.NFNL_SUBSYS_NFTABLES<<8|msg), uint16(flags), payload); err != nil { // one of NFT_MSG_*
		return err
	}
	for range datagramsAlone {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := c.Receive(c.buf)
		if err != nil {
			return err
		}
		if done, err := c.messages(c.buf[:n], f); done || err != nil {
			return err
		}
	}
	return c.long(ctx, f)
}

// datagram is what one call received.
type datagram struct {
	buf []byte
	n   int
	err error
}

// long goes on with a long answer: one thread waits for the kernel, which
// needs most of the time, and this one parses.
func (c *conn) long(ctx context.Context, f func([]byte) error) error {
	free, full := make(chan []byte, datagramsAhead), make(chan datagram, datagramsAhead)
	for range datagramsAhead {
		free <- make([]byte, socket.DatagramSize)
	}
	go func() {
		defer close(full)
		for buf := range free {
			n, err := c.Receive(buf)
			full <- datagram{buf, n, err}
			if err != nil || c.last(buf[:n]) {
				return
			}
		}
	}()
	var failed error
	for d := range full {
		if failed == nil {
			if failed = ctx.Err(); failed == nil {
				failed = d.err
			}
			if failed == nil {
				_, failed = c.messages(d.buf[:d.n], f)
			}
			if failed != nil {
				close(free) // the other thread ends behind its datagram
			}
		}
		if failed == nil {
			free <- d.buf
		}
	}
	return failed
}

// last says whether a datagram ends the answer.
func (c *conn) last(b []byte) bool {
	done, err := c.messages(b, func([]byte) error { return nil })
	return done || err != nil
}

// dump lists all objects of a kind: of all families (NFPROTO_UNSPEC), or those
// that the payload asks for.
func (c *conn) dump(ctx context.Context, msg int, payload []byte, f func([]byte) error) error {
	if payload == nil {
		payload = make([]byte, nfgenmsgLen)
	}
	return c.request(ctx, msg, unix.NLM_F_DUMP, payload, f)
}

// generation is the number that every change of the ruleset raises.
func (c *conn) generation(ctx context.Context) (gen uint32, err error) {
	err = c.request(ctx, unix.NFT_MSG_GETGEN, 0, make([]byte, nfgenmsgLen), func(b []byte) error {
		if len(b) >= nfgenmsgLen {
			v, _ := nested(b[nfgenmsgLen:], 1) // NFTA_GEN_ID
			gen = be32(v)
		}
		return nil
	})
	return gen, err
}

// listRequest asks for what is in one chain or set: both have the table's
// name first and their own second (NFTA_RULE_*, NFTA_SET_ELEM_LIST_*).
func listRequest(family, table, name string) []byte {
	return slices.Concat([]byte{familyNumber(family), 0, 0, 0}, textAttr(1, table), textAttr(2, name))
}

func familyNumber(name string) uint8 {
	n := slices.IndexFunc([]uint8{1, 2, 3, 5, 7, 10}, func(n uint8) bool { return familyName(n) == name })
	if n < 0 {
		return 0
	}
	return []uint8{1, 2, 3, 5, 7, 10}[n]
}
