package socket

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// message is one netlink message of a dump.
func message(typ, flags uint16, seq uint32, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = append(binary.NativeEndian.AppendUint32(b, 0), body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func TestDatagrams(t *testing.T) {
	errno := func(n unix.Errno) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(-int32(n))) }
	rule := message(1, unix.NLM_F_MULTI, 7, []byte{2, 0, 0, 0})
	for name, c := range map[string]struct {
		b    []byte
		seen int
		done bool
		err  error
	}{
		"part of a dump":        {append(rule, rule...), 2, false, nil},
		"end of a dump":         {append(rule, message(unix.NLMSG_DONE, unix.NLM_F_MULTI, 7, errno(0))...), 1, true, nil},
		"an answer":             {message(1, 0, 7, []byte{2, 0, 0, 0}), 1, true, nil},
		"of an earlier request": {message(1, 0, 6, []byte{2, 0, 0, 0}), 0, false, nil},
		"refused":               {message(unix.NLMSG_ERROR, 0, 7, errno(unix.EPERM)), 0, true, unix.EPERM},
		"overtaken":             {message(1, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 7, nil), 0, true, ErrChanged},
		"interrupted":           {message(unix.NLMSG_DONE, 0, 7, errno(unix.EINTR)), 0, true, ErrChanged},
		"cut off":               {append(rule, rule[:len(rule)-1]...), 1, true, ErrTruncated},
		"too short a length":    {binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, 3), 0), 0, true, ErrTruncated},
	} {
		seen := 0
		done, err := (&Conn{seq: 7}).Messages(c.b, func(uint16, []byte) error { seen++; return nil })
		if seen != c.seen || done != c.done || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: have %d messages, done %v, error %v; want %d, %v, %v", name, seen, done, err, c.seen, c.done, c.err)
		}
	}
}

// A refusal says more with NETLINK_EXT_ACK: the words stand behind the request,
// or behind its header.
func TestWordsOfARefusal(t *testing.T) {
	errno := binary.NativeEndian.AppendUint32(nil, ^uint32(unix.EINVAL)+1)
	attr := func(typ uint16, text string) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(5+len(text)))
		b = append(append(binary.NativeEndian.AppendUint16(b, typ), text...), 0)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		return b
	}
	request := message(1, 0, 7, []byte("request"))
	header := request[:unix.NLMSG_HDRLEN]
	text := append(attr(9, "other"), attr(unix.NLMSGERR_ATTR_MSG, "no such thing")...)
	join := func(parts ...[]byte) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	for name, c := range map[string]struct {
		typ, flags uint16
		body       []byte
		words      string
	}{
		"behind the request":  {unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, join(errno, request, text), "no such thing"},
		"behind its header":   {unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED, join(errno, header, text), "no such thing"},
		"end of a dump":       {unix.NLMSG_DONE, unix.NLM_F_ACK_TLVS, join(errno, text), "no such thing"},
		"none":                {unix.NLMSG_ERROR, unix.NLM_F_CAPPED, join(errno, header), ""},
		"none of these":       {unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED, join(errno, header, attr(9, "x")), ""},
		"too long a request":  {unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, join(errno, []byte{255, 255, 0, 0}, header[4:], text), ""},
		"too short a header":  {unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, join(errno, header[:8]), ""},
		"too long a word":     {unix.NLMSG_DONE, unix.NLM_F_ACK_TLVS, join(errno, []byte{99, 0, 1, 0, 'x', 0, 0, 0}), ""},
		"too short an attrib": {unix.NLMSG_DONE, unix.NLM_F_ACK_TLVS, join(errno, []byte{1, 0, 1, 0}), ""},
	} {
		_, err := (&Conn{seq: 7}).Messages(message(c.typ, c.flags, 7, c.body), nil)
		want := unix.EINVAL.Error()
		if c.words != "" {
			want += ": " + c.words
		}
		if !errors.Is(err, unix.EINVAL) || err.Error() != want {
			t.Errorf("%s: have %v, want %s", name, err, want)
		}
	}
}

// FuzzMessages is what somebody else could send.
func FuzzMessages(f *testing.F) {
	for _, b := range [][]byte{message(1, unix.NLM_F_MULTI, 7, []byte{2, 0, 0, 0}), message(unix.NLMSG_DONE, 0, 7, nil), message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, 7, make([]byte, 24))} {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		_, _ = (&Conn{seq: 7}).Messages(b, func(_ uint16, p []byte) error { n += len(p); return nil })
		if n > len(b) {
			t.Errorf("%d bytes of %d", n, len(b))
		}
	})
}
