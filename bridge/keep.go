package bridge

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// KeptPort is what a link has as a port: the port's settings, its VLANs and the
// static forwarding entries that somebody gave it.
type KeptPort struct {
	link   string
	was    linkMsg
	static []fdbMsg
}

// KeepPort reads it and changes nothing.
func KeepPort(link string) (*KeptPort, error) {
	k := &KeptPort{link: link}
	_, err := change("read port", link, func(c *conn, have linkMsg) (_ Undo, err error) {
		if err := c.keepVLANs(&have); err != nil {
			return nil, err
		}
		if k.was = have; have.port != nil {
			k.static, err = c.static(have)
		}
		return nil, err
	})
	return k, err
}

// PutBack makes the link a port of a bridge as it was one before; the bridge
// may be one that was made anew.
func (k *KeptPort) PutBack(bridge string) error {
	_, err := change("put back", k.link, func(c *conn, now linkMsg) (Undo, error) {
		master, err := c.link(bridge)
		if err != nil {
			return nil, err
		}
		was := k.was
		was.Index, was.Master, was.master = now.Index, bridge, master.Index
		if err := c.putBack(was); err != nil {
			return nil, err
		}
		var errs []error
		for _, e := range k.static {
			errs = append(errs, c.addStatic(now.Index, e))
		}
		return nil, errors.Join(errs...)
	})
	return err
}

// KeepAddresses reads the addresses of a link and the routes that leave through
// it, as far as they are wanted. The function that it returns adds what is
// missing of them to a link, which may be one that was made anew.
func KeepAddresses(link string, address func(Address) bool, route func(Route) bool) (func(link string) error, error) {
	var k kept
	_, err := change("read addresses of", link, func(c *conn, have linkMsg) (_ Undo, err error) {
		k, err = c.keep(have.Index)
		return nil, err
	})
	k.addresses = slices.DeleteFunc(k.addresses, func(m []byte) bool {
		a, _, _ := parseAddress(m) // keep parsed it before
		a.Link = link
		return !address(a.Address)
	})
	k.routes = slices.DeleteFunc(k.routes, func(m []byte) bool {
		r, _, _ := parseRoute(m)
		r.Link = link
		if len(r.hops) == 1 {
			r.Gateway = r.hops[0].gateway
		}
		return !route(r.Route)
	})
	return k.addTo, err
}

// addTo sends everything to another link.
func (k kept) addTo(link string) error {
	_, err := change("restore addresses and routes of", link, func(c *conn, have linkMsg) (Undo, error) {
		k := k.moved(have.Index)
		return nil, errors.Join(c.replayAddresses(k), c.replayRoutes(k))
	})
	return err
}

// moved is the same for a link of another index.
func (k kept) moved(index int) kept {
	to := kept{index: index}
	swap := func(at []byte) {
		if s32(at) == k.index {
			binary.NativeEndian.PutUint32(at, uint32(index))
		}
	}
	for _, m := range k.addresses {
		m = slices.Clone(m)
		swap(m[4:])
		to.addresses = append(to.addresses, m)
	}
	for _, m := range k.routes {
		m = slices.Clone(m)
		a := attrs{rest: m[rtmsgLen:]}
		for a.next() {
			switch {
			case a.typ == unix.RTA_OIF && len(a.value) == 4:
				swap(a.value)
			case a.typ == unix.RTA_MULTIPATH:
				for b := a.value; len(b) >= rtnexthopLen; {
					swap(b[4:])
					n := int(u16(b))
					if n < rtnexthopLen || n > len(b) {
						break
					}
					b = b[min((n+3)&^3, len(b)):]
				}
			}
		}
		to.routes = append(to.routes, m)
	}
	return to
}
