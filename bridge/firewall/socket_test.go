package firewall

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
		"overtaken":             {message(1, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 7, nil), 0, true, errChanged},
		"interrupted":           {message(unix.NLMSG_DONE, 0, 7, errno(unix.EINTR)), 0, true, errChanged},
		"cut off":               {append(rule, rule[:len(rule)-1]...), 1, true, errTruncated},
		"too short a length":    {binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, 3), 0), 0, true, errTruncated},
	} {
		seen := 0
		done, err := (&conn{seq: 7}).messages(c.b, func([]byte) error { seen++; return nil })
		if seen != c.seen || done != c.done || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: have %d messages, done %v, error %v; want %d, %v, %v", name, seen, done, err, c.seen, c.done, c.err)
		}
	}
}

// FuzzDatagram is what somebody else could send; each message is read as a rule.
func FuzzDatagram(f *testing.F) {
	for _, b := range [][]byte{message(1, unix.NLM_F_MULTI, 7, []byte{2, 0, 0, 0}), message(unix.NLMSG_DONE, 0, 7, nil), message(unix.NLMSG_ERROR, 0, 7, []byte{1})} {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		in := ruleReader{chains: map[place]*Chain{}, pool: newExprPool()}
		_, _ = (&conn{seq: 7}).messages(b, in.add)
	})
}
