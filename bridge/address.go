package bridge

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

type addressMsg struct {
	Address
	index int
}

func (c *conn) addresses(ctx context.Context) ([]addressMsg, error) {
	header := make([]byte, unix.SizeofIfAddrmsg) // family 0: IPv4 and IPv6
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETADDR, unix.RTM_NEWADDR, header}, parseAddress)
}

// parseAddress reads struct ifaddrmsg and its attributes (linux/if_addr.h).
func parseAddress(b []byte) (addressMsg, bool, error) {
	var a addressMsg
	if len(b) < unix.SizeofIfAddrmsg {
		return a, false, fmt.Errorf("parse address: %w", errTruncated)
	}
	family, bits := b[0], b[1]
	if _, ok := ipFamily(family); !ok {
		return a, false, nil
	}
	flags := uint32(b[2])
	a.Scope = scope(b[3])
	a.index = s32(b[4:])
	var local, address []byte
	err := walk(b[unix.SizeofIfAddrmsg:], func(typ uint16, v []byte) error {
		switch typ {
		case unix.IFA_LOCAL:
			local = v
		case unix.IFA_ADDRESS:
			address = v
		case unix.IFA_FLAGS: // the header has room for eight flags only
			flags = u32(v)
		}
		return nil
	})
	if err != nil {
		return a, false, fmt.Errorf("parse address: %w", err)
	}
	// IFA_ADDRESS is the peer's on a point-to-point link; IPv6 sends
	// IFA_LOCAL only there.
	if local == nil {
		local = address
	}
	if local == nil {
		return a, false, fmt.Errorf("parse address: none in the message: %w", errTruncated)
	}
	if a.Prefix, err = prefix(family, local, bits); err != nil {
		return a, false, fmt.Errorf("parse address: %w", err)
	}
	a.Tentative = flags&unix.IFA_F_TENTATIVE != 0
	a.DADFailed = flags&unix.IFA_F_DADFAILED != 0
	a.Secondary = a.Prefix.Addr().Is4() && flags&unix.IFA_F_SECONDARY != 0 // IPv6 calls a temporary address so
	a.Deprecated = flags&unix.IFA_F_DEPRECATED != 0
	return a, true, nil
}

// scope is a scope (RT_SCOPE_*, linux/rtnetlink.h) in ip(8)'s words.
func scope(v uint8) string {
	switch v {
	case unix.RT_SCOPE_UNIVERSE:
		return "global"
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	case unix.RT_SCOPE_NOWHERE:
		return "nowhere"
	}
	return strconv.Itoa(int(v))
}
