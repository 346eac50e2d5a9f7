package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// DatagramSize is more than the kernel puts into one datagram of a dump: 32 KiB,
// whatever room there is, or one object that is larger (net/netlink/af_netlink.c),
// whose longest attribute has 64 KiB. Less room would make more datagrams, and for
// each of them the kernel may walk again over all the objects of the datagrams
// before.
const DatagramSize = 80 << 10

// answerTimeout bounds the wait for one answer. The kernel answers a dump from
// within the system call; this is for the case that it does not.
const answerTimeout = 10 * time.Second

// What callers decide on.
var (
	// ErrChanged: the list changed while the kernel walked it (NLM_F_DUMP_INTR);
	// what it told cannot be used.
	ErrChanged = errors.New("changed while it was read")
	// ErrTruncated: a message whose lengths do not add up.
	ErrTruncated = errors.New("truncated netlink message")
)

// Conn is a netlink socket in the network namespace of the thread that opened
// it. After an error of [Conn.Ask] the rest of an answer may be queued, and the
// kernel be busy with it: it is to be closed.
type Conn struct {
	fd  int
	seq uint32
}

// Open opens a socket of a protocol, one of NETLINK_*.
func Open(protocol int) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	// The kernel's own words for a refusal, and the request not sent back with
	// them; without there is still the error number.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &Conn{fd: fd}, nil
}

// Close closes the socket.
func (c *Conn) Close() { _ = unix.Close(c.fd) }

// Request is a message to the kernel: a type, flags of NLM_F_*, and what follows
// struct nlmsghdr.
type Request struct {
	Type, Flags uint16
	Payload     []byte
}

// Send sends a request. The kernel binds the socket and begins with the answer.
func (c *Conn) Send(typ, flags uint16, payload []byte) error {
	return c.SendAll(Request{typ, flags, payload})
}

// SendAll sends requests in one datagram and with one number: the first answer
// to any of them is the answer to all.
func (c *Conn) SendAll(list ...Request) error {
	c.seq++
	var b []byte
	for _, r := range list {
		b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(r.Payload))) // requests are small
		b = binary.NativeEndian.AppendUint16(b, r.Type)
		b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|r.Flags)
		b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(b, c.seq), 0) // port of the socket: the kernel knows
		b = append(b, r.Payload...)
		for len(b)%unix.NLMSG_ALIGNTO != 0 {
			b = append(b, 0)
		}
	}
	err := repeat(func() error {
		return unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	if err != nil {
		return fmt.Errorf("ask netlink: %w", err)
	}
	return nil
}

// repeat goes on after what a signal interrupted: Go's runtime sends some.
func repeat(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Receive reads the next datagram of the kernel into buf, which has
// [DatagramSize] bytes.
func (c *Conn) Receive(buf []byte) (n int, err error) {
	for {
		var from unix.Sockaddr
		err = repeat(func() error { n, from, err = unix.Recvfrom(c.fd, buf, unix.MSG_TRUNC); return err })
		if err == nil && n > len(buf) {
			n, err = 0, ErrTruncated
		}
		if err != nil {
			return 0, fmt.Errorf("read answer of netlink: %w", err)
		}
		if a, ok := from.(*unix.SockaddrNetlink); ok && a.Pid == 0 {
			return n, nil
		}
	}
}

// Messages calls f with type and payload of each message of a datagram that
// answers the last request; done is true behind the last one. The payload is
// part of the datagram. Its error is f's, [ErrChanged], [ErrTruncated], or the
// kernel's: a [unix.Errno] and its words.
func (c *Conn) Messages(datagram []byte, f func(typ uint16, payload []byte) error) (done bool, err error) {
	for b := datagram; len(b) >= unix.NLMSG_HDRLEN; {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return true, ErrTruncated
		}
		typ, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		mine, body := binary.NativeEndian.Uint32(b[8:]) == c.seq, b[unix.NLMSG_HDRLEN:n]
		b = b[min((n+3)&^3, len(b)):]
		switch {
		case !mine:
			continue
		case flags&unix.NLM_F_DUMP_INTR != 0:
			return true, ErrChanged
		case typ == unix.NLMSG_DONE || typ == unix.NLMSG_ERROR:
			return true, refusal(typ, flags, body)
		}
		if err := f(typ, body); err != nil {
			return true, err
		}
		if flags&unix.NLM_F_MULTI == 0 {
			return true, nil
		}
	}
	return false, nil
}

// refusal is the error number at the end of a dump or in struct nlmsgerr
// (linux/netlink.h), with the words behind it.
func refusal(typ, flags uint16, body []byte) error {
	if len(body) < 4 {
		return nil
	}
	n := int32(binary.NativeEndian.Uint32(body)) // the kernel's int, negative
	switch {
	case n >= 0:
		return nil
	case unix.Errno(-n) == unix.EINTR:
		return ErrChanged
	}
	if words := words(typ, flags, body[4:]); words != "" {
		return fmt.Errorf("%w: %s", unix.Errno(-n), words)
	}
	return unix.Errno(-n)
}

// words are NLMSGERR_ATTR_MSG. In an error the request is before the attributes,
// or its header alone where the kernel left the rest out.
func words(typ, flags uint16, b []byte) string {
	if flags&unix.NLM_F_ACK_TLVS == 0 {
		return ""
	}
	if typ == unix.NLMSG_ERROR {
		if len(b) < unix.NLMSG_HDRLEN {
			return ""
		}
		skip := unix.NLMSG_HDRLEN
		if flags&unix.NLM_F_CAPPED == 0 {
			skip = int(binary.NativeEndian.Uint32(b)+3) &^ 3
		}
		b = b[min(skip, len(b)):]
	}
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return ""
		}
		if binary.NativeEndian.Uint16(b[2:]) == unix.NLMSGERR_ATTR_MSG {
			text, _, _ := bytes.Cut(b[unix.SizeofRtAttr:n], []byte{0})
			return string(text)
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return ""
}

// Ask sends a request and calls f with type and payload of every message of the
// answer. The payload is valid during the call only.
func (c *Conn) Ask(typ, flags uint16, payload []byte, f func(typ uint16, payload []byte) error) error {
	return c.AskAll(f, Request{typ, flags, payload})
}

// AskAll is Ask for requests in one datagram.
func (c *Conn) AskAll(f func(typ uint16, payload []byte) error, list ...Request) error {
	if err := c.SendAll(list...); err != nil {
		return err
	}
	room := rooms.Get().(*[DatagramSize]byte)
	defer rooms.Put(room)
	for {
		n, err := c.Receive(room[:])
		if err != nil {
			return err
		}
		if done, err := c.Messages(room[:n], f); done || err != nil {
			return err
		}
	}
}

// rooms are for one datagram each: a host is read over several sockets, one after
// the other.
var rooms = sync.Pool{New: func() any { return new([DatagramSize]byte) }}
