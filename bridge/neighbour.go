package bridge

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	ndmsgLen   = unix.SizeofNdMsg
	ndmsgFlags = 10 // ndm_flags

	// Offsets in struct nda_cacheinfo (linux/neighbour.h), each a clock_t.
	cacheConfirmed = 0
	cacheUpdated   = 8
	cacheLen       = 16
)

type neighbourMsg struct {
	Neighbour
	index int
}

func (c *conn) neighbours(ctx context.Context) ([]neighbourMsg, error) {
	header := make([]byte, ndmsgLen) // family 0: IPv4 and IPv6
	list, err := dumpAll(ctx, c, dumpRequest{unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, header}, parseNeighbour)
	if err != nil {
		return nil, err
	}
	header[ndmsgFlags] = unix.NTF_PROXY // these are a table of their own
	proxies, err := dumpAll(ctx, c, dumpRequest{unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, header}, parseNeighbour)
	return append(list, proxies...), err
}

// parseNeighbour reads struct ndmsg and its attributes.
func parseNeighbour(b []byte) (neighbourMsg, bool, error) {
	var n neighbourMsg
	if len(b) < ndmsgLen {
		return n, false, fmt.Errorf("parse neighbour: %w", errTruncated)
	}
	state, proxy := u16(b[8:]), b[ndmsgFlags]&unix.NTF_PROXY != 0
	if _, ok := ipFamily(b[0]); !ok || state == 0 && !proxy { // NUD_NONE: an empty slot
		return n, false, nil
	}
	n.index = s32(b[4:])
	if n.State = neighbourState(state); proxy {
		n.State = "proxy"
	}
	err := walk(b[ndmsgLen:], func(typ uint16, v []byte) (err error) {
		switch typ {
		case unix.NDA_DST:
			n.IP, err = ipAddr(v)
		case unix.NDA_LLADDR:
			n.MAC = hexMAC(v)
		case unix.NDA_CACHEINFO:
			if len(v) < cacheLen {
				return errTruncated
			}
			n.Age = ticks(uint64(u32(v[cacheConfirmed:])))
			n.Updated = ticks(uint64(u32(v[cacheUpdated:])))
		}
		return err
	})
	if err == nil && !n.IP.IsValid() {
		err = errTruncated
	}
	if err != nil {
		return n, false, fmt.Errorf("parse neighbour: %w", err)
	}
	return n, true, nil
}

// neighbourState is a state (NUD_*, linux/neighbour.h) in ip-neighbour(8)'s words.
func neighbourState(v uint16) string {
	switch v {
	case unix.NUD_INCOMPLETE:
		return "incomplete"
	case unix.NUD_REACHABLE:
		return "reachable"
	case unix.NUD_STALE:
		return "stale"
	case unix.NUD_DELAY:
		return "delay"
	case unix.NUD_PROBE:
		return "probe"
	case unix.NUD_FAILED:
		return "failed"
	case unix.NUD_NOARP:
		return "noarp"
	case unix.NUD_PERMANENT:
		return "permanent"
	}
	return strconv.Itoa(int(v))
}
