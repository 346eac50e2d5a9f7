package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// readTries bounds how often a reading that was overtaken by a change of
	// the ruleset is started again.
	readTries = 30
	// answerTimeout bounds the wait for one answer of the kernel.
	answerTimeout = 10 * time.Second
	// datagramSize is more than the kernel puts into one datagram of a dump:
	// 32 KiB, whatever room there is (net/netlink/af_netlink.c). Less room
	// would make more datagrams, and for each of them the kernel walks again
	// over all the rules of the datagrams before.
	datagramSize = 64 << 10
	// datagramsAhead is how many datagrams the kernel is asked for while those
	// before are parsed.
	datagramsAhead = 8
	// datagramsAlone are read before a second thread is started.
	datagramsAlone = 4
)

// errChanged: the ruleset changed while it was read.
var errChanged = errors.New("ruleset changed while it was read")

// conn is a netlink socket to netfilter, in the namespace of the thread that
// opened it.
type conn struct {
	fd  int
	seq uint32
	buf []byte
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return &conn{fd: fd, buf: make([]byte, datagramSize)}, nil
}

func (c *conn) close() { _ = unix.Close(c.fd) }

// send asks nf_tables; the kernel binds the socket and begins with the answer.
func (c *conn) send(msg, flags int, payload []byte) error {
	c.seq++
	b := make([]byte, 0, unix.NLMSG_HDRLEN+len(payload))
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(payload)))     // names are at most 256 bytes
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NFNL_SUBSYS_NFTABLES<<8|msg))   // one of NFT_MSG_*
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NLM_F_REQUEST|flags))           // NLM_F_*
	b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(b, c.seq), 0) // port of the socket: the kernel knows
	return retry(func() error {
		return unix.Sendto(c.fd, append(b, payload...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
}

// retry repeats what a signal interrupted: Go's runtime sends some.
func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// receive reads the next datagram of the kernel into buf.
func (c *conn) receive(buf []byte) (n int, err error) {
	for {
		var from unix.Sockaddr
		err = retry(func() error { n, from, err = unix.Recvfrom(c.fd, buf, 0); return err })
		if err != nil {
			return 0, fmt.Errorf("read answer of netlink: %w", err)
		}
		if a, ok := from.(*unix.SockaddrNetlink); ok && a.Pid == 0 {
			return n, nil
		}
	}
}

// messages calls f with the payload of each message of a datagram that answers
// the last request; done is true behind the last one.
func (c *conn) messages(b []byte, f func([]byte) error) (done bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return true, errTruncated
		}
		typ, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		mine, body := binary.NativeEndian.Uint32(b[8:]) == c.seq, b[unix.NLMSG_HDRLEN:n]
		b = b[min((n+3)&^3, len(b)):]
		switch {
		case !mine:
			continue
		case flags&unix.NLM_F_DUMP_INTR != 0:
			return true, errChanged
		case typ == unix.NLMSG_DONE || typ == unix.NLMSG_ERROR:
			return true, refusal(body)
		}
		if err := f(body); err != nil {
			return true, err
		}
		if flags&unix.NLM_F_MULTI == 0 {
			return true, nil
		}
	}
	return false, nil
}

// refusal is the error number at the end of a dump or in struct nlmsgerr.
func refusal(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	n := int32(binary.NativeEndian.Uint32(body)) // the kernel's int, negative
	switch {
	case n >= 0:
		return nil
	case unix.Errno(-n) == unix.EINTR:
		return errChanged
	}
	return unix.Errno(-n)
}

// request asks nf_tables; f gets every answer.
func (c *conn) request(ctx context.Context, msg, flags int, payload []byte, f func([]byte) error) error {
	if err := c.send(msg, flags, payload); err != nil {
		return fmt.Errorf("ask netlink: %w", err)
	}
	for range datagramsAlone {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := c.receive(c.buf)
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
		free <- make([]byte, datagramSize)
	}
	go func() {
		defer close(full)
		for buf := range free {
			n, err := c.receive(buf)
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
	b := []byte{familyNumber(family), 0, 0, 0}
	b = appendString(b, 1, table)
	return appendString(b, 2, name)
}

func appendString(b []byte, typ uint16, s string) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(s)+1)) // names are at most 256 bytes
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(append(b, s...), 0)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func familyNumber(name string) uint8 {
	n := slices.IndexFunc([]uint8{1, 2, 3, 5, 7, 10}, func(n uint8) bool { return familyName(n) == name })
	if n < 0 {
		return 0
	}
	return []uint8{1, 2, 3, 5, 7, 10}[n]
}
