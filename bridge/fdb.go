package bridge

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// States of a forwarding entry.
const (
	FDBPermanent = "permanent" // the port's own address: frames to it are the host's
	FDBStatic    = "static"    // set by hand, does not age
	FDBLearned   = "learned"
)

type fdbMsg struct {
	FDBEntry
	index  int
	bridge int
}

func (c *conn) fdb(ctx context.Context) ([]fdbMsg, error) {
	// A dump of AF_BRIDGE takes struct ifinfomsg where others take ndmsg.
	header := nl.NewIfInfomsg(afBridge).Serialize()
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, header}, parseFDB)
}

// parseFDB reads struct ndmsg of family AF_BRIDGE and its attributes.
func parseFDB(b []byte) (fdbMsg, bool, error) {
	var e fdbMsg
	if len(b) < ndmsgLen {
		return e, false, fmt.Errorf("parse forwarding entry: %w", errTruncated)
	}
	if b[0] != afBridge {
		return e, false, nil
	}
	e.index = s32(b[4:])
	state, flags := u16(b[8:]), b[10]
	e.Self = flags&unix.NTF_SELF != 0
	switch {
	case state&unix.NUD_PERMANENT != 0:
		e.State = FDBPermanent
	case state&unix.NUD_NOARP != 0:
		e.State = FDBStatic
	default:
		e.State = FDBLearned
	}
	err := walk(b[ndmsgLen:], func(typ uint16, v []byte) error {
		switch typ {
		case unix.NDA_LLADDR:
			e.MAC = hexMAC(v)
		case unix.NDA_MASTER:
			e.bridge = s32(v)
		case unix.NDA_VLAN:
			e.VLAN = int(u16(v))
		case unix.NDA_CACHEINFO:
			if len(v) < cacheLen {
				return errTruncated
			}
			e.Age = ticks(uint64(u32(v[cacheUpdated:])))
		}
		return nil
	})
	if err != nil {
		return e, false, fmt.Errorf("parse forwarding entry: %w", err)
	}
	return e, true, nil
}
