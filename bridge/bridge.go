package bridge

import (
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
)

// parse reads IFLA_INFO_DATA of a bridge. Times come in clock_t.
func (br *Bridge) parse(b []byte) error {
	return walk(b, func(typ uint16, v []byte) error {
		switch typ {
		case nl.IFLA_BR_FORWARD_DELAY:
			br.ForwardDelay = clock(v)
		case nl.IFLA_BR_HELLO_TIME:
			br.HelloTime = clock(v)
		case nl.IFLA_BR_MAX_AGE:
			br.MaxAge = clock(v)
		case nl.IFLA_BR_AGEING_TIME:
			br.AgeingTime = clock(v)
		case nl.IFLA_BR_STP_STATE:
			br.STP = int(u32(v))
		case nl.IFLA_BR_PRIORITY:
			br.Priority = int(u16(v))
		case nl.IFLA_BR_VLAN_FILTERING:
			br.VLANFiltering = u8(v) != 0
		case nl.IFLA_BR_GROUP_FWD_MASK:
			br.GroupForwardMask = int(u16(v))
		case nl.IFLA_BR_ROOT_ID:
			br.RootID = bridgeID(v)
		case nl.IFLA_BR_BRIDGE_ID:
			br.ID = bridgeID(v)
		case nl.IFLA_BR_ROOT_PORT:
			br.RootPort = int(u16(v))
		case nl.IFLA_BR_MCAST_SNOOPING:
			br.MulticastSnooping = u8(v) != 0
		case nl.IFLA_BR_MCAST_QUERIER:
			br.MulticastQuerier = u8(v) != 0
		case nl.IFLA_BR_NF_CALL_IPTABLES:
			br.NFCallIPTables = u8(v) != 0
		case nl.IFLA_BR_NF_CALL_IP6TABLES:
			br.NFCallIP6Tables = u8(v) != 0
		case nl.IFLA_BR_NF_CALL_ARPTABLES:
			br.NFCallARPTables = u8(v) != 0
		case nl.IFLA_BR_VLAN_DEFAULT_PVID:
			id := int(u16(v))
			br.DefaultPVID = &id
		case nl.IFLA_BR_MCAST_HASH_MAX:
			br.GroupMax = int(u32(v))
		case brQuerierState:
			return br.parseQuerier(v)
		case brFDBLearned:
			br.FDBLearned = int(u32(v))
		case brFDBMax:
			br.FDBMax = int(u32(v))
		}
		return nil
	})
}

// Attributes of a bridge that the netlink module does not name yet
// (linux/if_link.h), and those nested in IFLA_BR_MCAST_QUERIER_STATE
// (BRIDGE_QUERIER_*, linux/if_bridge.h).
const (
	brQuerierState = 47 // IFLA_BR_MCAST_QUERIER_STATE
	brFDBLearned   = 48 // IFLA_BR_FDB_N_LEARNED
	brFDBMax       = 49 // IFLA_BR_FDB_MAX_LEARNED
	querierIPv4    = 1
	querierIPv6    = 5
)

// parseQuerier reads the addresses of the elected queriers. The kernel sends
// one only while it knows one.
func (br *Bridge) parseQuerier(b []byte) error {
	return walk(b, func(typ uint16, v []byte) (err error) {
		var addr netip.Addr
		switch typ {
		case querierIPv4:
			if addr, err = ipAddr(v); err == nil && !addr.IsUnspecified() {
				br.Querier4 = addr.String()
			}
		case querierIPv6:
			if addr, err = ipAddr(v); err == nil && !addr.IsUnspecified() {
				br.Querier6 = addr.String()
			}
		}
		return err
	})
}

// clock is an attribute of type clock_t in milliseconds.
func clock(b []byte) int { return int(ticks(uint64(u32(b)))) }

// bridgeID writes struct ifla_bridge_id (two bytes of priority, six of
// address) as brctl(8) does.
func bridgeID(b []byte) string {
	if len(b) != 8 {
		return ""
	}
	return hex.EncodeToString(b[:2]) + "." + hex.EncodeToString(b[2:])
}

// ReadBridge reads one bridge of the calling thread's namespace. Its error
// wraps [ErrNotFound] or [ErrNotABridge] where that is the reason.
func ReadBridge(name string) (Bridge, error) {
	l, err := readOne(name)
	if err != nil {
		return Bridge{}, err
	}
	if l.bridge == nil {
		return Bridge{}, fmt.Errorf("read bridge %s: %w", name, ErrNotABridge)
	}
	return *l.bridge, nil
}
