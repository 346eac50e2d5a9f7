package bridge

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// AddAddress adds an address with its prefix length to a link; IPv4 gets the
// usual broadcast address.
func AddAddress(link string, want netip.Prefix) (Undo, error) {
	return change("add address to", link, func(c *conn, have linkMsg) (Undo, error) {
		there, err := c.hasAddress(have.Index, want)
		if err != nil {
			return nil, err
		}
		if there {
			return nothing, nil
		}
		if err := c.addAddress(have.Index, want); err != nil {
			return nil, fmt.Errorf("%s: %w", want, err)
		}
		return undone(func() (Undo, error) { return DelAddress(link, want) }), nil
	})
}

// DelAddress deletes an address. Others of its subnet, which the kernel deletes
// along with a primary address, stay. Undoing also restores the routes that
// went with it.
func DelAddress(link string, have netip.Prefix) (Undo, error) {
	return change("delete address of", link, func(c *conn, l linkMsg) (Undo, error) {
		there, err := c.hasAddress(l.Index, have)
		if err != nil || !there {
			return nil, err
		}
		kept, err := c.keep(l.Index)
		if err != nil {
			return nil, err
		}
		if err := c.delAddress(l.Index, have); err != nil {
			return nil, fmt.Errorf("%s: %w", have, err)
		}
		undo := func() error { return kept.restore(link) }
		others := kept.without(have)
		if err := c.replayAddresses(others); err != nil {
			return nil, errors.Join(fmt.Errorf("keep the others: %w", err), undo())
		}
		// Routes that the others can carry come back; one that needed the
		// address is meant to go.
		if len(others.addresses) > 0 {
			_ = c.replayRoutes(others)
		}
		return undo, nil
	})
}

// ReplaceAddress gives a link the address want in place of have, first adding
// the one and then deleting the other. It undoes itself when it fails half-way.
func ReplaceAddress(link string, have, want netip.Prefix) (Undo, error) {
	if have == want {
		return AddAddress(link, want)
	}
	undoAdd, err := AddAddress(link, want)
	if err != nil {
		return nothing, err
	}
	undoDel, err := DelAddress(link, have)
	if err != nil {
		return nothing, errors.Join(err, undoAdd())
	}
	return func() error { return errors.Join(undoDel(), undoAdd()) }, nil
}

func (c *conn) hasAddress(index int, want netip.Prefix) (bool, error) {
	if !want.IsValid() || want.Addr().Zone() != "" || want.Addr().Is4In6() {
		return false, fmt.Errorf("%s: %w", want, unix.EINVAL)
	}
	list, err := c.addresses(context.Background())
	return slices.ContainsFunc(list, func(a addressMsg) bool { return a.index == index && a.Prefix == want }), err
}

func (c *conn) addAddress(index int, p netip.Prefix) error {
	payload := addressPayload(index, p)
	if p.Addr().Is4() && p.Bits() < 31 && !p.Addr().IsLoopback() {
		a := p.Addr().As4()
		host := uint32(1)<<(32-p.Bits()) - 1
		binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])|host)
		payload = append(payload, nl.NewRtAttr(unix.IFA_BROADCAST, a[:]).Serialize()...)
	}
	return c.tell(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, payload)
}

func (c *conn) delAddress(index int, p netip.Prefix) error {
	return c.tell(unix.RTM_DELADDR, 0, addressPayload(index, p))
}

// addressPayload is struct ifaddrmsg with the address in both attributes.
func addressPayload(index int, p netip.Prefix) []byte {
	family := uint8(afInet)
	if p.Addr().Is6() {
		family = afInet6
	}
	payload := make([]byte, unix.SizeofIfAddrmsg)
	payload[0], payload[1] = family, uint8(p.Bits())
	if p.Addr().IsLoopback() {
		payload[3] = unix.RT_SCOPE_HOST
	}
	binary.NativeEndian.PutUint32(payload[4:], uint32(index))
	ip := p.Addr().AsSlice()
	payload = append(payload, nl.NewRtAttr(unix.IFA_LOCAL, ip).Serialize()...)
	return append(payload, nl.NewRtAttr(unix.IFA_ADDRESS, ip).Serialize()...)
}

// kept is what the kernel had on a link before a change that may drop it, as
// messages that can be sent back. Restoring adds what is missing and leaves
// what has come since.
type kept struct {
	index     int
	addresses [][]byte
	routes    [][]byte
}

// keep reads the addresses of a link and the routes that leave through it.
func (c *conn) keep(index int) (kept, error) {
	k := kept{index: index}
	ctx := context.Background()
	addresses, err := c.dump(ctx, unix.RTM_GETADDR, unix.RTM_NEWADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return k, err
	}
	for _, m := range addresses {
		if a, ok, err := parseAddress(m); err == nil && ok && a.index == index {
			k.addresses = append(k.addresses, m)
		}
	}
	routes, err := c.dump(ctx, unix.RTM_GETROUTE, unix.RTM_NEWROUTE, make([]byte, rtmsgLen))
	if err != nil {
		return k, err
	}
	for _, m := range routes {
		r, ok, err := parseRoute(m)
		if err == nil && ok && slices.ContainsFunc(r.hops, func(h hop) bool { return h.index == index }) {
			k.routes = append(k.routes, m)
		}
	}
	return k, nil
}

// without leaves one address out, and the routes that say it is their source.
func (k kept) without(p netip.Prefix) kept {
	k.addresses = slices.DeleteFunc(slices.Clone(k.addresses), func(m []byte) bool {
		a, _, _ := parseAddress(m)
		return a.Prefix == p
	})
	k.routes = slices.DeleteFunc(slices.Clone(k.routes), func(m []byte) bool {
		r, _, _ := parseRoute(m)
		return r.Src == p.Addr() || r.Protocol == "kernel"
	})
	return k
}

// restore sends everything back to the link of that name.
func (k kept) restore(link string) error {
	_, err := change("restore addresses and routes of", link, func(c *conn, have linkMsg) (Undo, error) {
		if have.Index != k.index {
			return nil, fmt.Errorf("it is another link by now: %w", ErrNotFound)
		}
		now, err := c.keep(k.index)
		if err != nil {
			return nil, err
		}
		if err := c.makeRoom(k, now); err != nil {
			return nil, err
		}
		// What has come since goes back as well, in case it had to make room.
		k.addresses = slices.Concat(k.addresses, now.addresses)
		k.routes = slices.Concat(k.routes, now.routes)
		return nil, errors.Join(c.replayAddresses(k), c.replayRoutes(k))
	})
	return err
}

// makeRoom deletes the IPv4 addresses that took over a subnet from a missing
// one: the first of a subnet is the primary, whose address the host's packets
// carry, and restoring must bring back that order.
func (c *conn) makeRoom(k, now kept) error {
	want, have := k.prefixes(), now.prefixes()
	for i, missing := range want {
		if slices.Contains(have, missing) || missing.Addr().Is6() {
			continue
		}
		for _, p := range want[i+1:] {
			if p.Masked() != missing.Masked() || !slices.Contains(have, p) {
				continue
			}
			// Gone already when it was a secondary of the one before.
			if err := c.delAddress(k.index, p); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
				return fmt.Errorf("make room for %s: %w", missing, err)
			}
		}
	}
	return nil
}

func (k kept) prefixes() []netip.Prefix {
	list := make([]netip.Prefix, 0, len(k.addresses))
	for _, m := range k.addresses {
		a, _, _ := parseAddress(m) // keep parsed it before
		list = append(list, a.Prefix)
	}
	return list
}

const createNew = unix.NLM_F_CREATE | unix.NLM_F_EXCL

// replayAddresses adds the addresses that are not there.
func (c *conn) replayAddresses(k kept) error {
	var errs []error
	for _, m := range k.addresses {
		if err := c.tell(unix.RTM_NEWADDR, createNew, m); err != nil && !errors.Is(err, unix.EEXIST) {
			errs = append(errs, fmt.Errorf("restore address: %w", err))
		}
	}
	return errors.Join(errs...)
}

// replayRoutes adds the routes that are not there. One may need another to
// reach its gateway, so they are tried again as long as that helps.
func (c *conn) replayRoutes(k kept) error {
	routes := k.routes
	for len(routes) > 0 {
		var left [][]byte
		var failed []error
		for _, m := range routes {
			err := c.tell(unix.RTM_NEWROUTE, createNew, liveRoute(m))
			if err != nil && !errors.Is(err, unix.EEXIST) {
				left = append(left, m)
				failed = append(failed, fmt.Errorf("restore route: %w", err))
			}
		}
		if len(left) == len(routes) {
			return errors.Join(failed...)
		}
		routes = left
	}
	return nil
}

// liveRoute clears the flags that the kernel reports and does not take
// (RTNH_F_DEAD, RTNH_F_LINKDOWN).
func liveRoute(m []byte) []byte {
	m = slices.Clone(m)
	const dead = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN
	binary.NativeEndian.PutUint32(m[8:], u32(m[8:])&^dead)
	a := attrs{rest: m[rtmsgLen:]}
	for a.next() {
		if a.typ != unix.RTA_MULTIPATH {
			continue
		}
		for b := a.value; len(b) >= rtnexthopLen; {
			b[2] &^= dead
			n := int(u16(b))
			if n < rtnexthopLen || n > len(b) {
				break
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
	return m
}
