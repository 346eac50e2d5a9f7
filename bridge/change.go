package bridge

import (
	"errors"
	"fmt"
	"net"
	"runtime"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Undo takes one change back: it restores what was there before. Where the
// change found its work done already, it does nothing. Like the change itself
// it works in the namespace of the calling thread, and needs CAP_NET_ADMIN.
type Undo func() error

func nothing() error { return nil }

// change opens a socket, reads the link and hands both to f. The error names
// what was to be done and the link.
func change(verb, link string, f func(c *conn, have linkMsg) (Undo, error)) (Undo, error) {
	fail := func(err error) (Undo, error) {
		return nothing, fmt.Errorf("%s %s: %w", verb, link, kernelError(link, err))
	}
	if err := CheckName(link); err != nil {
		return nothing, fmt.Errorf("%s: %w", verb, err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return fail(err)
	}
	defer c.close()
	have, err := c.link(link)
	if err != nil {
		return fail(err)
	}
	undo, err := f(c, have)
	if err != nil {
		return fail(err)
	}
	if undo == nil {
		undo = nothing
	}
	return undo, nil
}

// undone makes an Undo of the opposite change.
func undone(change func() (Undo, error)) Undo {
	return func() error {
		_, err := change()
		return err
	}
}

// MayChange says whether this process may change links in the namespace of the
// calling thread: nil or [ErrPermission]. It asks for a change of no link at all; the
// kernel looks who asks before it looks for what (rtnetlink_rcv_msg).
func MayChange() error {
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return kernelError("", err)
	}
	defer c.close()
	if err := kernelError("", c.setLink(linkChange{})); errors.Is(err, ErrPermission) {
		return err
	}
	return nil
}

// linkChange is an RTM_NEWLINK for a link that exists.
type linkChange struct {
	index int
	flags uint32 // new value of the flags in mask
	mask  uint32
	attrs []*nl.RtAttr
}

func (c *conn) setLink(l linkChange) error {
	msg := nl.NewIfInfomsg(afUnspec)
	msg.Index, msg.Flags, msg.Change = int32(l.index), l.flags, l.mask
	payload := msg.Serialize()
	for _, a := range l.attrs {
		payload = append(payload, a.Serialize()...)
	}
	return c.tell(unix.RTM_NEWLINK, 0, payload)
}

// tell sends a request that is answered by success or an error.
func (c *conn) tell(typ, flags int, payload []byte) error {
	_, err := c.ask(typ, flags|unix.NLM_F_ACK, 0, payload)
	return err
}

// SetUp sets a link administratively up.
func SetUp(link string) (Undo, error) {
	return change("set up", link, func(c *conn, have linkMsg) (Undo, error) {
		if have.Up {
			return nothing, nil
		}
		err := c.setLink(linkChange{index: have.Index, flags: unix.IFF_UP, mask: unix.IFF_UP})
		return undone(func() (Undo, error) { return SetDown(link) }), err
	})
}

// SetDown sets a link administratively down. The kernel then drops its routes
// and IPv6 addresses: undoing brings them back.
func SetDown(link string) (Undo, error) {
	return change("set down", link, func(c *conn, have linkMsg) (Undo, error) {
		if !have.Up {
			return nothing, nil
		}
		kept, err := c.keep(have.Index)
		if err != nil {
			return nil, err
		}
		err = c.setLink(linkChange{index: have.Index, mask: unix.IFF_UP})
		return func() error {
			if _, err := SetUp(link); err != nil {
				return err
			}
			return kept.restore(link)
		}, err
	})
}

// SetARP says whether a link asks for neighbours and answers those who ask for
// the host's addresses (IFF_NOARP).
func SetARP(link string, on bool) (Undo, error) {
	return change("set ARP of", link, func(c *conn, have linkMsg) (Undo, error) {
		if have.NoARP != on {
			return nothing, nil
		}
		set := linkChange{index: have.Index, mask: unix.IFF_NOARP}
		if !on {
			set.flags = unix.IFF_NOARP
		}
		return undone(func() (Undo, error) { return SetARP(link, !on) }), c.setLink(set)
	})
}

// SetMTU sets a link's MTU in bytes. Set on a port, it may change the MTU of
// the bridge; set on a bridge, the bridge stops following its ports, and that
// cannot be undone. Below 1280 the kernel drops IPv6 from the link: undoing
// brings addresses and routes back.
func SetMTU(link string, mtu int) (Undo, error) {
	return change("set MTU of", link, func(c *conn, have linkMsg) (Undo, error) {
		if mtu < 0 || mtu > 1<<31-1 {
			return nil, fmt.Errorf("%d bytes: %w", mtu, unix.EINVAL)
		}
		if have.MTU == mtu {
			return nothing, nil
		}
		kept, err := c.keep(have.Index)
		if err != nil {
			return nil, err
		}
		err = c.setLink(linkChange{index: have.Index, attrs: []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu)))}})
		if err != nil {
			return nil, fmt.Errorf("%d bytes: %w", mtu, err)
		}
		return func() error {
			if _, err := SetMTU(link, have.MTU); err != nil {
				return err
			}
			return kept.restore(link)
		}, nil
	})
}

// SetMAC sets a link's hardware address, six bytes in any notation that
// [net.ParseMAC] takes.
func SetMAC(link, mac string) (Undo, error) {
	return change("set MAC of", link, func(c *conn, have linkMsg) (Undo, error) {
		want, err := net.ParseMAC(mac)
		if err != nil || len(want) != 6 {
			return nil, fmt.Errorf("%.40q is not a MAC address: %w", mac, unix.EINVAL)
		}
		if have.MAC == want.String() {
			return nothing, nil
		}
		err = c.setLink(linkChange{index: have.Index, attrs: []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_ADDRESS, want)}})
		return undone(func() (Undo, error) { return SetMAC(link, have.MAC) }), err
	})
}

// AddBridge creates a bridge, down and with the kernel's defaults. A bridge of
// that name is success; any other link of that name wraps [ErrNotABridge].
func AddBridge(name string) (Undo, error) {
	if err := CheckName(name); err != nil {
		return nothing, fmt.Errorf("add bridge: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return nothing, err
	}
	defer c.close()
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	payload := nl.NewIfInfomsg(afUnspec).Serialize()
	payload = append(payload, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)).Serialize()...)
	payload = append(payload, info.Serialize()...)
	err = c.tell(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, payload)
	if errors.Is(err, unix.EEXIST) {
		have, err := c.link(name)
		if err == nil && have.bridge == nil {
			err = ErrNotABridge
		}
		if err != nil {
			return nothing, fmt.Errorf("add bridge %s: %w", name, err)
		}
		return nothing, nil
	}
	if err != nil {
		return nothing, fmt.Errorf("add bridge %s: %w", name, kernelError(name, err))
	}
	return func() error { return DeleteLink(name) }, nil
}

// DeleteLink deletes a link for good: with its addresses, routes and, for a
// bridge, its ports' membership. There is no undo.
func DeleteLink(link string) error {
	_, err := change("delete", link, func(c *conn, have linkMsg) (Undo, error) {
		msg := nl.NewIfInfomsg(afUnspec)
		msg.Index = int32(have.Index)
		return nil, c.tell(unix.RTM_DELLINK, 0, msg.Serialize())
	})
	return err
}
