package bridge

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// linkMsg is one RTM_NEWLINK, its relations still interface indexes.
type linkMsg struct {
	Link
	master        int
	parent        int
	foreignParent bool
	bridge        *Bridge
	port          *Port
	bridgeData    []byte // IFLA_INFO_DATA of a bridge
	portData      []byte // IFLA_INFO_SLAVE_DATA of a port
	vlans         []VLAN // of a port; read by keepVLANs only
}

const (
	ifinfomsgLen = unix.SizeofIfInfomsg
	// RTEXT_FILTER_VF and RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: a
	// physical function lists its virtual ones, and counters, half of a link's
	// message, are left out.
	withVFs   = 1 << 0
	skipStats = 1 << 3
)

// linkRequest is the payload of RTM_GETLINK: struct ifinfomsg and IFLA_EXT_MASK.
func linkRequest(index int) []byte {
	msg := nl.NewIfInfomsg(afUnspec)
	msg.Index = int32(index)
	return append(msg.Serialize(), nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(withVFs|skipStats)).Serialize()...)
}

func (c *conn) links(ctx context.Context) ([]linkMsg, error) {
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETLINK, unix.RTM_NEWLINK, linkRequest(0)}, parseLink)
}

// operStates are the words of RFC 2863 as ip(8) prints them (IF_OPER_*,
// linux/if.h), in lower case.
var operStates = [...]string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}

func operState(v uint8) string {
	if int(v) < len(operStates) {
		return operStates[v]
	}
	return strconv.Itoa(int(v))
}

// parseLink reads struct ifinfomsg and its attributes (linux/if_link.h).
func parseLink(b []byte) (linkMsg, bool, error) {
	var l linkMsg
	if len(b) < ifinfomsgLen {
		return l, false, fmt.Errorf("parse link: %w", errTruncated)
	}
	l.Index = s32(b[4:])
	flags := u32(b[8:])
	l.Up = flags&unix.IFF_UP != 0
	l.Loopback = flags&unix.IFF_LOOPBACK != 0
	l.NoARP = flags&unix.IFF_NOARP != 0
	l.Oper = operStates[0]
	err := walk(b[ifinfomsgLen:], func(typ uint16, v []byte) error {
		switch typ {
		case unix.IFLA_IFNAME:
			l.Name = cString(v)
		case unix.IFLA_ADDRESS:
			l.MAC = hexMAC(v)
		case unix.IFLA_MTU:
			l.MTU = int(u32(v))
		case unix.IFLA_CARRIER:
			l.Carrier = u8(v) != 0
		case unix.IFLA_PROMISCUITY:
			n := int(u32(v))
			l.Promiscuity = &n
		case unix.IFLA_OPERSTATE:
			l.Oper = operState(u8(v))
		case unix.IFLA_MASTER:
			l.master = s32(v)
		case unix.IFLA_LINK:
			l.parent = s32(v)
		case unix.IFLA_LINK_NETNSID:
			l.foreignParent = true
		case unix.IFLA_PROP_LIST:
			return walk(v, func(typ uint16, v []byte) error {
				if typ == unix.IFLA_ALT_IFNAME {
					l.AltNames = append(l.AltNames, cString(v))
				}
				return nil
			})
		case unix.IFLA_VFINFO_LIST:
			var err error
			l.VFs, err = parseVFs(v)
			return err
		case unix.IFLA_LINKINFO:
			return l.parseInfo(v)
		}
		return nil
	})
	if err != nil {
		return l, false, fmt.Errorf("parse link %q: %w", l.Name, err)
	}
	return l, true, nil
}

// parseInfo reads IFLA_LINKINFO. Data may come before the kind that says what
// it means, so both are collected first.
func (l *linkMsg) parseInfo(b []byte) error {
	var portKind string
	var data, portData []byte
	err := walk(b, func(typ uint16, v []byte) error {
		switch typ {
		case nl.IFLA_INFO_KIND:
			l.Kind = cString(v)
		case nl.IFLA_INFO_DATA:
			data = v
		case nl.IFLA_INFO_SLAVE_KIND:
			portKind = cString(v)
		case nl.IFLA_INFO_SLAVE_DATA:
			portData = v
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch l.Kind {
	case "bridge":
		l.bridge, l.bridgeData = new(Bridge), slices.Clone(data)
		err = l.bridge.parse(data)
	case "tun":
		if data != nil { // kernels before 5.0 send none
			l.Tun = new(Tun)
			err = l.Tun.parse(data)
		}
	case "bond":
		l.Bond = new(Bond)
		err = l.Bond.parse(data)
	case "macvtap", "macvlan":
		err = walk(data, func(typ uint16, v []byte) error {
			if typ == nl.IFLA_MACVLAN_MODE {
				l.Mode = macvlanMode(u32(v))
			}
			return nil
		})
	}
	if err == nil && portKind == "bridge" {
		l.port, l.portData = new(Port), slices.Clone(portData)
		err = l.port.parse(portData)
	}
	return err
}

func (t *Tun) parse(b []byte) error {
	return walk(b, func(typ uint16, v []byte) error {
		switch typ {
		case nl.IFLA_TUN_TYPE:
			t.Tap = u8(v) == unix.IFF_TAP
		case nl.IFLA_TUN_PERSIST:
			t.Persist = u8(v) != 0
		}
		return nil
	})
}

// macvlanMode is a mode (MACVLAN_MODE_*, linux/if_link.h) in ip-link(8)'s words.
func macvlanMode(v uint32) string {
	switch v {
	case nl.MACVLAN_MODE_PRIVATE:
		return "private"
	case nl.MACVLAN_MODE_VEPA:
		return "vepa"
	case nl.MACVLAN_MODE_BRIDGE:
		return "bridge"
	case nl.MACVLAN_MODE_PASSTHRU:
		return "passthru"
	case nl.MACVLAN_MODE_SOURCE:
		return "source"
	}
	return strconv.FormatUint(uint64(v), 10)
}

// names are the names of links by index.
type names map[int]string

// of returns the name, "" for index 0, and ip(8)'s "if7" for a link that went
// or came while the rest was being read.
func (n names) of(index int) string {
	if index == 0 {
		return ""
	}
	if name, ok := n[index]; ok {
		return name
	}
	return "if" + strconv.Itoa(index)
}

// resolve turns the indexes of a message into names.
func (l *linkMsg) resolve(n names) {
	l.Master = n.of(l.master)
	if l.foreignParent {
		l.ParentElsewhere = l.parent != 0
	} else if l.parent != l.Index {
		l.Parent = n.of(l.parent)
	}
	if l.bridge != nil {
		l.bridge.Name = l.Name
	}
	if l.port != nil {
		l.port.Name, l.port.Bridge = l.Name, l.Master
	}
}

// link asks for one link by name, and for the names of its relations.
func (c *conn) link(name string) (linkMsg, error) {
	if err := CheckName(name); err != nil {
		return linkMsg{}, err
	}
	byName := append(linkRequest(0), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)).Serialize()...)
	l, err := c.oneLink(byName)
	if err != nil {
		return l, fmt.Errorf("read link: %w", kernelError(name, err))
	}
	known := names{}
	for _, index := range []int{l.master, l.parent} {
		if index == 0 || index == l.parent && l.foreignParent {
			continue
		}
		if other, err := c.oneLink(linkRequest(index)); err == nil {
			known[index] = other.Name
		}
	}
	l.resolve(known)
	return l, nil
}

func (c *conn) oneLink(payload []byte) (linkMsg, error) {
	msgs, err := c.ask(unix.RTM_GETLINK, 0, unix.RTM_NEWLINK, payload)
	if err != nil {
		return linkMsg{}, err
	}
	if len(msgs) == 0 {
		return linkMsg{}, unix.ENODEV
	}
	l, _, err := parseLink(msgs[0])
	return l, err
}

// readOne opens a socket in the calling thread's namespace for one question.
func readOne(name string) (linkMsg, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return linkMsg{}, err
	}
	defer c.close()
	return c.link(name)
}

// ReadLink reads one link of the calling thread's namespace. Its error wraps
// [ErrNotFound] or [ErrBadName] where that is the reason.
func ReadLink(name string) (Link, error) {
	l, err := readOne(name)
	return l.Link, err
}
