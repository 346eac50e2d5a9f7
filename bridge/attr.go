package bridge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/bridge/socket"
)

// errTruncated is a netlink message whose lengths do not add up.
var errTruncated = socket.ErrTruncated

// attrs walks netlink attributes (struct nlattr, linux/netlink.h) in place.
// A length that does not fit ends the walk and sets err.
type attrs struct {
	rest  []byte
	typ   uint16 // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
	value []byte
	err   error
}

const attrTypeMask = 0x3fff // NLA_TYPE_MASK

func (a *attrs) next() bool {
	// Fewer than four bytes cannot hold an attribute: padding at most.
	if a.err != nil || len(a.rest) < 4 {
		return false
	}
	n := int(binary.NativeEndian.Uint16(a.rest))
	if n < 4 || n > len(a.rest) {
		a.err = errTruncated
		return false
	}
	a.typ = binary.NativeEndian.Uint16(a.rest[2:]) & attrTypeMask
	a.value = a.rest[4:n]
	a.rest = a.rest[min((n+3)&^3, len(a.rest)):]
	return true
}

// walk calls f with every attribute in b.
func walk(b []byte, f func(typ uint16, value []byte) error) error {
	a := attrs{rest: b}
	for a.next() {
		if err := f(a.typ, a.value); err != nil {
			return err
		}
	}
	return a.err
}

// Values shorter than their type are zero: the kernel's policy keeps them from
// being sent, and an index that is not there must not panic.

func u8(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

func u16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(b)
}

func u32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func s32(b []byte) int { return int(int32(u32(b))) }

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func ipAddr(b []byte) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return a, fmt.Errorf("address of %d bytes: %w", len(b), errTruncated)
	}
	return a, nil
}

// ipFamily returns the byte length of an address of a socket family, and false
// for a family that is neither IPv4 nor IPv6.
func ipFamily(family uint8) (length int, ok bool) {
	switch family {
	case afInet:
		return 4, true
	case afInet6:
		return 16, true
	}
	return 0, false
}

// ipVersion is 4 or 6, the way State counts families.
func ipVersion(family uint8) int {
	if family == afInet6 {
		return 6
	}
	return 4
}

// prefix builds a prefix from an attribute and the header's length. No
// attribute means the unspecified address, which is how the kernel writes the
// default route.
func prefix(family uint8, b []byte, bits uint8) (netip.Prefix, error) {
	if b == nil {
		n, ok := ipFamily(family)
		if !ok {
			return netip.Prefix{}, fmt.Errorf("address family %d: %w", family, errTruncated)
		}
		b = make([]byte, n)
	}
	a, err := ipAddr(b)
	if err != nil {
		return netip.Prefix{}, err
	}
	p := netip.PrefixFrom(a, int(bits))
	if !p.IsValid() {
		return p, fmt.Errorf("prefix length %d: %w", bits, errTruncated)
	}
	return p, nil
}

// hexMAC writes hardware addresses of the lengths that are shown as such:
// EUI-48, EUI-64 and InfiniBand. Tunnels keep an IP address in the same place.
func hexMAC(b []byte) string {
	if n := len(b); n != 6 && n != 8 && n != 20 {
		return ""
	}
	const digits = "0123456789abcdef"
	var s strings.Builder
	s.Grow(3 * len(b))
	for i, v := range b {
		if i > 0 {
			s.WriteByte(':')
		}
		s.WriteByte(digits[v>>4])
		s.WriteByte(digits[v&15])
	}
	return s.String()
}
