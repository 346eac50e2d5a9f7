package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// answerTimeout bounds the wait for one answer. The kernel answers a dump
	// from within the system call; this is for the case that it does not.
	answerTimeout = 10 * time.Second
	// datagramSize is more than the kernel puts into one datagram: 32 KiB, or
	// one message that is longer, such as a link with hundreds of functions.
	datagramSize = 64 << 10
)

// errInterrupted says that the list changed while the kernel walked it.
var errInterrupted = errors.New("the list changed while it was read")

// conn is one netlink socket. It stays in the namespace of the thread that
// opened it; only redial looks at the thread again.
type conn struct {
	protocol int
	fd       int // -1: closed
	seq      uint32
}

// rooms are where datagrams are received.
var rooms = sync.Pool{New: func() any { return new([datagramSize]byte) }}

func dial(protocol int) (*conn, error) {
	c := &conn{protocol: protocol, fd: -1}
	return c, c.redial()
}

func (c *conn) redial() error {
	c.close()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, c.protocol)
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	// These only store the value; they cannot fail.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	// The kernel's own words for a refusal; without them there is still errno.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	c.fd = fd
	return nil
}

func (c *conn) close() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
	}
	c.fd = -1
}

// ask sends one request and returns the payloads of its answers, of any type
// where answer is 0.
func (c *conn) ask(typ, flags int, answer uint16, payload []byte) (msgs [][]byte, err error) {
	err = c.request(typ, flags, payload, func(typ uint16, m []byte) {
		if answer == 0 || typ == answer {
			msgs = append(msgs, slices.Clone(m))
		}
	})
	return msgs, err
}

// request sends one request and calls f with type and payload of each message
// that answers it.
func (c *conn) request(typ, flags int, payload []byte, f func(typ uint16, m []byte)) error {
	if c.fd < 0 {
		if err := c.redial(); err != nil {
			return err
		}
	}
	room, _ := rooms.Get().(*[datagramSize]byte)
	defer rooms.Put(room)
	err := c.send(typ, flags, payload)
	interrupted := false
	for done := false; err == nil && !done; {
		var b []byte
		if b, err = c.receive(room[:]); err != nil {
			break
		}
		err = c.messages(b, func(typ, flags uint16, m []byte) error {
			interrupted = interrupted || flags&unix.NLM_F_DUMP_INTR != 0
			done = typ == unix.NLMSG_DONE || typ == unix.NLMSG_ERROR || flags&unix.NLM_F_MULTI == 0
			if typ == unix.NLMSG_DONE || typ == unix.NLMSG_ERROR {
				return refusal(flags, m)
			}
			f(typ, m)
			return nil
		})
	}
	switch {
	case err != nil:
		// The rest of an answer may still be queued: a later request would
		// find the socket busy. It opens a new one.
		c.close()
		return err
	case interrupted:
		return errInterrupted
	}
	return nil
}

func (c *conn) send(typ, flags int, payload []byte) error {
	c.seq++
	b := make([]byte, 0, unix.NLMSG_HDRLEN+len(payload))
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, uint16(typ))
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NLM_F_REQUEST|flags))
	b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(b, c.seq), 0) // port of the socket: the kernel knows
	return untilDone(func() error {
		return unix.Sendto(c.fd, append(b, payload...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
}

// untilDone repeats what a signal interrupted: Go's runtime sends some.
func untilDone(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// receive reads the next datagram of the kernel into room.
func (c *conn) receive(room []byte) ([]byte, error) {
	for {
		var n int
		var from unix.Sockaddr
		err := untilDone(func() (err error) {
			n, from, err = unix.Recvfrom(c.fd, room, unix.MSG_TRUNC) // n is the datagram's own length
			return err
		})
		switch a, ok := from.(*unix.SockaddrNetlink); {
		case err != nil:
			return nil, err
		case n > len(room):
			return nil, errTruncated
		case ok && a.Pid == 0:
			return room[:n], nil
		}
	}
}

// messages calls f with each message of a datagram that answers the last
// request, until f has an error.
func (c *conn) messages(b []byte, f func(typ, flags uint16, m []byte) error) error {
	for len(b) >= unix.NLMSG_HDRLEN {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return errTruncated
		}
		if binary.NativeEndian.Uint32(b[8:]) == c.seq {
			if err := f(binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:]), b[unix.NLMSG_HDRLEN:n]); err != nil {
				return err
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

// refusal is the error number at the end of a dump or in struct nlmsgerr, with
// the kernel's words for it, which stand behind the request that it echoes.
func refusal(flags uint16, m []byte) error {
	n := -s32(m)
	if n <= 0 {
		return nil
	}
	err := error(unix.Errno(n))
	if flags&unix.NLM_F_ACK_TLVS == 0 || len(m) < 4+unix.NLMSG_HDRLEN {
		return err
	}
	echo := 4 + (int(u32(m[4:]))+3)&^3
	_ = walk(m[min(echo, len(m)):], func(typ uint16, v []byte) error {
		if typ == unix.NLMSGERR_ATTR_MSG {
			err = fmt.Errorf("%w: %s", err, cString(v))
		}
		return nil
	})
	return err
}
