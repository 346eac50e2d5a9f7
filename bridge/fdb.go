package bridge

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// States of a forwarding entry.
const (
	FDBPermanent = "permanent" // the port's own address: frames to it are the host's
	FDBStatic    = "static"    // set by hand, does not age
	FDBLearned   = "learned"
)

// ntfSticky is NTF_STICKY of linux/neighbour.h, which x/sys lacks.
const ntfSticky = 1 << 6

type fdbMsg struct {
	FDBEntry
	index  int
	bridge int
	flags  uint8 // NTF_*
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
	state := u16(b[8:])
	e.flags = b[10]
	e.Self = e.flags&unix.NTF_SELF != 0
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

// static are the entries that somebody gave a port of a bridge, and no daemon
// keeps (NTF_EXT_LEARNED).
func (c *conn) static(l linkMsg) ([]fdbMsg, error) {
	header := nl.NewIfInfomsg(afBridge)
	header.Index = int32(l.Index) // only this port's
	list, err := dumpAll(context.Background(), c, dumpRequest{unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, header.Serialize()}, parseFDB)
	return slices.DeleteFunc(list, func(e fdbMsg) bool {
		own := e.State == FDBPermanent && e.MAC == l.MAC
		return e.index != l.Index || e.Self || own || e.State == FDBLearned || e.flags&unix.NTF_EXT_LEARNED != 0
	}), err
}

// addStatic gives a port such an entry; one of that address is replaced.
func (c *conn) addStatic(index int, e fdbMsg) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return fmt.Errorf("add forwarding entry: %w", err)
	}
	payload := make([]byte, ndmsgLen)
	payload[0] = afBridge
	binary.NativeEndian.PutUint32(payload[4:], uint32(index))
	state := uint16(unix.NUD_NOARP)
	if e.State == FDBPermanent {
		state = unix.NUD_PERMANENT
	}
	binary.NativeEndian.PutUint16(payload[8:], state)
	payload[10] = unix.NTF_MASTER | e.flags&ntfSticky
	payload = append(payload, nl.NewRtAttr(unix.NDA_LLADDR, mac).Serialize()...)
	if e.VLAN != 0 {
		payload = append(payload, nl.NewRtAttr(unix.NDA_VLAN, nl.Uint16Attr(uint16(e.VLAN))).Serialize()...)
	}
	if err := c.tell(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, payload); err != nil {
		return fmt.Errorf("add forwarding entry of %s: %w", e.MAC, err)
	}
	return nil
}
