package bridge

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// SetMaster makes a link a port of a bridge, taking it out of the one it may
// be in. Undoing puts it back with the port's settings and VLANs; static
// forwarding entries of the port are not kept, and a bridge whose MAC nobody set
// follows its ports.
func SetMaster(link, bridge string) (Undo, error) {
	return change("set master of", link, func(c *conn, have linkMsg) (Undo, error) {
		master, err := c.link(bridge)
		if err != nil {
			return nil, err
		}
		if master.bridge == nil {
			return nil, fmt.Errorf("%s: %w", bridge, ErrNotABridge)
		}
		if have.master == master.Index {
			return nothing, nil
		}
		if err := c.keepVLANs(&have); err != nil {
			return nil, err
		}
		if err := c.setMaster(have.Index, master.Index); err != nil {
			// The kernel releases a port before it finds that the new bridge
			// will not have it.
			if have.master != 0 {
				err = errors.Join(err, c.putBack(have))
			}
			return nil, err
		}
		return have.back(link), nil
	})
}

// ClearMaster takes a link out of its bridge, bond or the like. Undoing puts it
// back as [SetMaster]'s undo does.
func ClearMaster(link string) (Undo, error) {
	return change("clear master of", link, func(c *conn, have linkMsg) (Undo, error) {
		if have.master == 0 {
			return nothing, nil
		}
		if err := c.keepVLANs(&have); err != nil {
			return nil, err
		}
		return have.back(link), c.setMaster(have.Index, 0)
	})
}

func (c *conn) setMaster(index, master int) error {
	return c.setLink(linkChange{index: index, attrs: []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master)))}})
}

// back returns the Undo that gives a link the master it had.
func (l linkMsg) back(link string) Undo {
	return undone(func() (Undo, error) {
		return change("put back", link, func(c *conn, now linkMsg) (Undo, error) {
			was := l
			was.Index = now.Index
			if l.master != 0 { // a bridge that was made again has another index
				master, err := c.link(l.Master)
				if err != nil {
					return nil, err
				}
				was.master = master.Index
			}
			return nil, c.putBack(was)
		})
	})
}

// keepVLANs reads the VLANs of a port of a bridge.
func (c *conn) keepVLANs(l *linkMsg) (err error) {
	if l.port != nil {
		l.vlans, err = c.vlansOf(l.Index)
	}
	return err
}

// putBack gives a link its former master and, in a bridge, the port's settings
// and VLANs.
func (c *conn) putBack(was linkMsg) error {
	if err := c.setMaster(was.Index, was.master); err != nil {
		return fmt.Errorf("put back into %s: %w", was.Master, err)
	}
	if was.port == nil {
		return nil
	}
	var settings []*nl.RtAttr
	err := walk(was.portData, func(typ uint16, v []byte) error {
		if portSetting(typ) {
			settings = append(settings, nl.NewRtAttr(int(typ), v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.setPort(was.Index, settings...); err != nil || len(was.vlans) == 0 {
		return err
	}
	master, err := c.link(was.Master)
	if err != nil {
		return err
	}
	return c.setVLANs(was.Index, false, defaultPVID(master), was.vlans)
}

// brportNeighVLANSuppress is IFLA_BRPORT_NEIGH_VLAN_SUPPRESS, which the netlink
// module does not name yet.
const brportNeighVLANSuppress = 43

// portSetting says whether an IFLA_BRPORT_* is a setting of people, not a
// state of STP or a counter.
func portSetting(typ uint16) bool {
	switch typ {
	case nl.IFLA_BRPORT_PRIORITY, nl.IFLA_BRPORT_COST, nl.IFLA_BRPORT_MODE, nl.IFLA_BRPORT_GUARD,
		nl.IFLA_BRPORT_PROTECT, nl.IFLA_BRPORT_FAST_LEAVE, nl.IFLA_BRPORT_LEARNING,
		nl.IFLA_BRPORT_UNICAST_FLOOD, nl.IFLA_BRPORT_MCAST_FLOOD, nl.IFLA_BRPORT_BCAST_FLOOD,
		nl.IFLA_BRPORT_PROXYARP, nl.IFLA_BRPORT_PROXYARP_WIFI, nl.IFLA_BRPORT_MCAST_TO_UCAST,
		nl.IFLA_BRPORT_MULTICAST_ROUTER, nl.IFLA_BRPORT_GROUP_FWD_MASK,
		nl.IFLA_BRPORT_NEIGH_SUPPRESS, nl.IFLA_BRPORT_ISOLATED, nl.IFLA_BRPORT_LOCKED,
		nl.IFLA_BRPORT_VLAN_TUNNEL, nl.IFLA_BRPORT_MAB, nl.IFLA_BRPORT_MCAST_MAX_GROUPS,
		nl.IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT, brportNeighVLANSuppress:
		return true
	}
	return false
}

// setPort changes IFLA_BRPORT_* of a port.
func (c *conn) setPort(index int, settings ...*nl.RtAttr) error {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil)
	for _, s := range settings {
		data.AddChild(s)
	}
	return c.setLink(linkChange{index: index, attrs: []*nl.RtAttr{info}})
}

// setBridge changes IFLA_BR_* of a bridge.
func (c *conn) setBridge(index int, settings ...*nl.RtAttr) error {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	for _, s := range settings {
		data.AddChild(s)
	}
	return c.setLink(linkChange{index: index, attrs: []*nl.RtAttr{info}})
}

// SetForwardDelay sets how long a new port of a bridge listens, and then
// learns, before it forwards. The kernel counts in hundredths of a second; with
// STP on it takes 2 to 30 s only (BR_MIN_FORWARD_DELAY, net/bridge/br_private_stp.h).
func SetForwardDelay(bridge string, delay time.Duration) (Undo, error) {
	return change("set forward delay of", bridge, func(c *conn, have linkMsg) (Undo, error) {
		if have.bridge == nil {
			return nil, ErrNotABridge
		}
		const tick = time.Second / userHZ
		if delay < 0 || delay/tick > 1<<31-1 {
			return nil, fmt.Errorf("%v: %w", delay, unix.ERANGE)
		}
		before := time.Duration(have.bridge.ForwardDelay) * time.Millisecond
		if before/tick == delay/tick {
			return nothing, nil
		}
		if err := c.setBridge(have.Index, nl.NewRtAttr(nl.IFLA_BR_FORWARD_DELAY, nl.Uint32Attr(uint32(delay/tick)))); err != nil {
			return nil, fmt.Errorf("%v: %w", delay, err)
		}
		return undone(func() (Undo, error) { return SetForwardDelay(bridge, before) }), nil
	})
}

// SetSTP turns a bridge's spanning tree on or off. Going on, the kernel raises
// a forward delay under 2 s to 2 s, and ports that forwarded listen and learn
// again; undoing restores the delay too.
func SetSTP(bridge string, on bool) (Undo, error) {
	return change("set STP of", bridge, func(c *conn, have linkMsg) (Undo, error) {
		if have.bridge == nil {
			return nil, ErrNotABridge
		}
		if (have.bridge.STP != 0) == on {
			return nothing, nil
		}
		var value uint32
		if on {
			value = 1
		}
		if err := c.setBridge(have.Index, nl.NewRtAttr(nl.IFLA_BR_STP_STATE, nl.Uint32Attr(value))); err != nil {
			return nil, err
		}
		return func() error {
			if _, err := SetSTP(bridge, !on); err != nil {
				return err
			}
			_, err := SetForwardDelay(bridge, time.Duration(have.bridge.ForwardDelay)*time.Millisecond)
			return err
		}, nil
	})
}

// SetIsolated sets whether a port may talk to non-isolated ports only.
func SetIsolated(port string, on bool) (Undo, error) {
	return change("set isolation of", port, func(c *conn, have linkMsg) (Undo, error) {
		if have.port == nil {
			return nil, ErrNotAPort
		}
		if have.port.Isolated == on {
			return nothing, nil
		}
		var value uint8
		if on {
			value = 1
		}
		if err := c.setPort(have.Index, nl.NewRtAttr(nl.IFLA_BRPORT_ISOLATED, nl.Uint8Attr(value))); err != nil {
			return nil, err
		}
		return undone(func() (Undo, error) { return SetIsolated(port, !on) }), nil
	})
}
