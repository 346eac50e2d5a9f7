package firewall

import (
	"bytes"
	"encoding/binary"

	"github.com/kvnet/kvnet/bridge/socket"
)

// errTruncated is a netlink message whose lengths do not add up.
var errTruncated = socket.ErrTruncated

const attrTypeMask = 0x3fff // NLA_TYPE_MASK: without NLA_F_NESTED and NLA_F_NET_BYTEORDER

// attribute is one struct nlattr (linux/netlink.h).
type attribute struct {
	typ   uint16
	value []byte
}

// nextAttribute splits the first attribute off b; ok is false at the end.
func nextAttribute(b []byte) (a attribute, rest []byte, ok bool, err error) {
	if len(b) < 4 {
		return a, nil, false, nil // padding at most
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < 4 || n > len(b) {
		return a, nil, false, errTruncated
	}
	a = attribute{binary.NativeEndian.Uint16(b[2:]) & attrTypeMask, b[4:n]}
	return a, b[min((n+3)&^3, len(b)):], true, nil
}

// walk calls f with every attribute in b.
func walk(b []byte, f func(typ uint16, v []byte) error) error {
	for {
		a, rest, ok, err := nextAttribute(b)
		if err != nil || !ok {
			return err
		}
		if err := f(a.typ, a.value); err != nil {
			return err
		}
		b = rest
	}
}

// be32 reads nf_tables' numbers, which are big endian. A value that is too
// short is zero: the kernel's policy keeps it from being sent.
func be32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func be64(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// cString copies the text before the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// nested finds one attribute within a nest.
func nested(b []byte, want uint16) (found []byte, err error) {
	err = walk(b, func(typ uint16, v []byte) error {
		if typ == want {
			found = v
		}
		return nil
	})
	return found, err
}
