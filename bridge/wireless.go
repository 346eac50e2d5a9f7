package bridge

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Wireless is what nl80211 says of a wireless link (linux/nl80211.h).
type Wireless struct {
	// Type is NL80211_IFTYPE_* in iw(8)'s words: managed is a station.
	Type string `json:"type"`
	// FourAddress: frames carry four addresses, so that others than the
	// station itself can be behind it (NL80211_ATTR_4ADDR).
	FourAddress bool `json:"four_address,omitempty"`
}

// Types of wireless links in the kernel's order.
var wirelessTypes = [...]string{
	"unspecified", "IBSS", "managed", "AP", "AP/VLAN", "WDS", "monitor", "mesh point",
	"P2P-client", "P2P-GO", "P2P-device", "outside context of a BSS", "NAN",
}

const nl80211 = "nl80211"

// wireless are the wireless links by index; none where the kernel has no
// wireless stack.
func (g *generic) wireless(ctx context.Context) (map[int]Wireless, error) {
	family, ok := g.families[nl80211]
	if !ok {
		return nil, nil
	}
	msgs, err := g.dump(ctx, family, uint16(family), []byte{unix.NL80211_CMD_GET_INTERFACE, 0, 0, 0})
	if err != nil {
		return nil, err
	}
	found := make(map[int]Wireless, len(msgs))
	for _, m := range msgs {
		index, w, err := parseWireless(m)
		if err != nil {
			return nil, err
		}
		found[index] = w
	}
	return found, nil
}

// parseWireless reads NL80211_CMD_NEW_INTERFACE.
func parseWireless(b []byte) (index int, w Wireless, err error) {
	if len(b) < genlHeader {
		return 0, w, fmt.Errorf("parse wireless link: %w", errTruncated)
	}
	err = walk(b[genlHeader:], func(typ uint16, v []byte) error {
		switch typ {
		case unix.NL80211_ATTR_IFINDEX:
			index = s32(v)
		case unix.NL80211_ATTR_IFTYPE:
			w.Type = wirelessType(u32(v))
		case unix.NL80211_ATTR_4ADDR:
			w.FourAddress = u8(v) != 0
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("parse wireless link: %w", err)
	}
	return index, w, err
}

func wirelessType(v uint32) string {
	if int64(v) < int64(len(wirelessTypes)) {
		return wirelessTypes[v]
	}
	return strconv.FormatUint(uint64(v), 10)
}
