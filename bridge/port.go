package bridge

import (
	"fmt"
	"strconv"

	"github.com/vishvananda/netlink/nl"
)

// portStates in the order of BR_STATE_* (linux/if_bridge.h).
var portStates = [...]string{PortDisabled, PortListening, PortLearning, PortForwarding, PortBlocking}

func portState(v uint8) string {
	if int(v) < len(portStates) {
		return portStates[v]
	}
	return strconv.Itoa(int(v))
}

// parse reads IFLA_INFO_SLAVE_DATA of a bridge port.
func (p *Port) parse(b []byte) error {
	// Attributes that an old kernel does not send describe features that it
	// lacks; flooding is what such a kernel does all the same.
	p.State = PortDisabled
	p.Learning, p.Flood, p.MulticastFlood, p.BroadcastFlood = true, true, true, true
	return walk(b, func(typ uint16, v []byte) error {
		on := u8(v) != 0
		switch typ {
		case nl.IFLA_BRPORT_STATE:
			p.State = portState(u8(v))
		case nl.IFLA_BRPORT_PRIORITY:
			p.Priority = int(u16(v))
		case nl.IFLA_BRPORT_COST:
			p.Cost = int(u32(v))
		case nl.IFLA_BRPORT_NO:
			p.Number = int(u16(v))
		case nl.IFLA_BRPORT_ROOT_ID:
			p.DesignatedRoot = bridgeID(v)
		case nl.IFLA_BRPORT_MODE:
			p.Hairpin = on
		case nl.IFLA_BRPORT_GUARD:
			p.Guard = on
		case nl.IFLA_BRPORT_PROTECT:
			p.RootBlock = on
		case nl.IFLA_BRPORT_FAST_LEAVE:
			p.FastLeave = on
		case nl.IFLA_BRPORT_LEARNING:
			p.Learning = on
		case nl.IFLA_BRPORT_UNICAST_FLOOD:
			p.Flood = on
		case nl.IFLA_BRPORT_MCAST_FLOOD:
			p.MulticastFlood = on
		case nl.IFLA_BRPORT_BCAST_FLOOD:
			p.BroadcastFlood = on
		case nl.IFLA_BRPORT_NEIGH_SUPPRESS:
			p.NeighSuppress = on
		case nl.IFLA_BRPORT_ISOLATED:
			p.Isolated = on
		case nl.IFLA_BRPORT_LOCKED:
			p.Locked = on
		}
		return nil
	})
}

// ReadPort reads one bridge port of the calling thread's namespace. Its error
// wraps [ErrNotFound] or [ErrNotAPort] where that is the reason.
func ReadPort(name string) (Port, error) {
	l, err := readOne(name)
	if err != nil {
		return Port{}, err
	}
	if l.port == nil {
		return Port{}, fmt.Errorf("read port %s: %w", name, ErrNotAPort)
	}
	return *l.port, nil
}
