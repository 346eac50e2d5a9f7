package bridge

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// routeMsg is one RTM_NEWROUTE. hops are its next hops; a route without any
// (a blackhole) has one empty hop.
type routeMsg struct {
	Route
	hops []hop
}

type hop struct {
	gateway netip.Addr
	index   int
	down    bool
}

const (
	rtmsgLen     = unix.SizeofRtMsg
	rtnexthopLen = unix.SizeofRtNexthop
)

// routes are those of [State], and the targets of all that are local.
func (c *conn) routes(ctx context.Context) (list []routeMsg, local map[netip.Prefix]bool, err error) {
	header := make([]byte, rtmsgLen) // family 0: all
	local = map[netip.Prefix]bool{}
	list, err = dumpAll(ctx, c, dumpRequest{unix.RTM_GETROUTE, unix.RTM_NEWROUTE, header}, func(b []byte) (routeMsg, bool, error) {
		r, keep, err := parseRoute(b)
		if err == nil && r.Type == "local" {
			local[r.Dst] = true
		}
		return r, keep, err
	})
	return list, local, err
}

// unrouted marks the addresses that no local route has. A dump that was asked for
// again leaves what it saw before: then a route that just went is not missed.
func unrouted(list []Address, local map[netip.Prefix]bool) {
	for i := range list {
		a := &list[i]
		addr := a.Prefix.Addr().WithZone("")
		found := a.Tentative || a.DADFailed
		for bits := addr.BitLen(); bits >= 0 && !found; bits-- {
			to, _ := addr.Prefix(bits)
			found = local[to]
		}
		a.Unrouted = !found
	}
}

// parseRoute reads struct rtmsg and its attributes (linux/rtnetlink.h). Routes
// that the kernel keeps in the local table for addresses, cached ones and families
// other than IP are left out.
func parseRoute(b []byte) (routeMsg, bool, error) {
	var r routeMsg
	if len(b) < rtmsgLen {
		return r, false, fmt.Errorf("parse route: %w", errTruncated)
	}
	family, flags := b[0], u32(b[8:])
	if _, ok := ipFamily(family); !ok || flags&unix.RTM_F_CLONED != 0 {
		return r, false, nil
	}
	r.Table = int(b[4])
	if family == afInet {
		r.TOS = int(b[3])
	}
	r.Protocol, r.Scope, r.Type = routeProtocol(b[5]), scope(b[6]), routeType(b[7])
	one := hop{down: flags&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) != 0}
	var dst, from []byte
	err := walk(b[rtmsgLen:], func(typ uint16, v []byte) (err error) {
		switch typ {
		case unix.RTA_DST:
			dst = v
		case unix.RTA_SRC:
			from = v
		case unix.RTA_TABLE:
			r.Table = int(u32(v))
		case unix.RTA_PREFSRC:
			r.Src, err = ipAddr(v)
		case unix.RTA_PRIORITY:
			r.Metric = int(u32(v))
		case unix.RTA_METRICS:
			err = walk(v, func(typ uint16, v []byte) error {
				if typ == unix.RTAX_MTU {
					r.MTU = int(u32(v))
				}
				return nil
			})
		case unix.RTA_MULTIPATH:
			r.hops, err = parseHops(v)
		case unix.RTA_OIF:
			one.index = s32(v)
		default:
			err = one.parse(typ, v)
		}
		return err
	})
	if err == nil {
		r.Dst, err = prefix(family, dst, b[1])
	}
	if err == nil && from != nil {
		r.From, err = prefix(family, from, b[2])
	}
	if err != nil {
		return r, false, fmt.Errorf("parse route: %w", err)
	}
	if len(r.hops) == 0 {
		r.hops = []hop{one}
	}
	// The kernel's own follow from the addresses.
	return r, r.Table != unix.RT_TABLE_LOCAL || r.Type == "local" && r.Protocol != "kernel", nil
}

// parse takes the attributes that a route and a next hop have in common.
func (h *hop) parse(typ uint16, v []byte) (err error) {
	switch typ {
	case unix.RTA_GATEWAY:
		h.gateway, err = ipAddr(v)
	case unix.RTA_VIA: // struct rtvia: a gateway of the other family
		if len(v) < 2 {
			return errTruncated
		}
		if _, ok := ipFamily(uint8(u16(v))); ok {
			h.gateway, err = ipAddr(v[2:])
		}
	}
	return err
}

// parseHops reads RTA_MULTIPATH: a list of struct rtnexthop with attributes.
func parseHops(b []byte) ([]hop, error) {
	var hops []hop
	for len(b) >= rtnexthopLen {
		n := int(u16(b))
		if n < rtnexthopLen || n > len(b) {
			return nil, errTruncated
		}
		h := hop{index: s32(b[4:]), down: b[2]&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) != 0}
		if err := walk(b[rtnexthopLen:n], h.parse); err != nil {
			return nil, err
		}
		hops = append(hops, h)
		b = b[min((n+3)&^3, len(b)):]
	}
	return hops, nil
}

// expand makes one Route of each next hop.
func (r routeMsg) expand(n names) []Route {
	list := make([]Route, 0, len(r.hops))
	for _, h := range r.hops {
		one := r.Route
		one.Gateway, one.Link, one.Down = h.gateway, n.of(h.index), h.down
		list = append(list, one)
	}
	return list
}

func routeType(v uint8) string {
	types := [...]string{"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"}
	if int(v) < len(types) {
		return types[v]
	}
	return strconv.Itoa(int(v))
}

// routeProtocol is who made a route (RTPROT_*, linux/rtnetlink.h), in the
// words of iproute2's rt_protos.
func routeProtocol(v uint8) string {
	switch v {
	case unix.RTPROT_UNSPEC:
		return "unspec"
	case unix.RTPROT_REDIRECT:
		return "redirect"
	case unix.RTPROT_KERNEL:
		return "kernel"
	case unix.RTPROT_BOOT:
		return "boot"
	case unix.RTPROT_STATIC:
		return "static"
	case unix.RTPROT_RA:
		return "ra"
	case unix.RTPROT_ZEBRA:
		return "zebra"
	case unix.RTPROT_BIRD:
		return "bird"
	case unix.RTPROT_DHCP:
		return "dhcp"
	case unix.RTPROT_KEEPALIVED:
		return "keepalived"
	case unix.RTPROT_BGP:
		return "bgp"
	case unix.RTPROT_OSPF:
		return "ospf"
	}
	return strconv.Itoa(int(v))
}
