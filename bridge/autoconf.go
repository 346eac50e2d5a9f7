package bridge

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
)

// rtfAddrconf marks a route that the kernel itself made of a router
// advertisement (RTF_ADDRCONF, linux/ipv6_route.h). Netlink does not show it:
// a network manager's routes have the same protocol.
const rtfAddrconf = 0x00040000

// procRoutes is the IPv6 table of the calling thread's namespace; /proc/net
// would be that of the process.
const procRoutes = "/proc/thread-self/net/ipv6_route"

// autoconfKey is what the two views of a route have in common.
type autoconfKey struct {
	dst     netip.Prefix
	gateway netip.Addr
	metric  int
	link    string
}

// markAutoconf finds the routes that the kernel made of router advertisements.
// Hosts without any candidate are not asked.
func (r *reader) markAutoconf() error {
	var candidates []*Route
	for i := range r.state.Routes {
		if one := &r.state.Routes[i]; mayBeAutoconf(one) {
			candidates = append(candidates, one)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	text, err := readProc(procRoutes)
	if err != nil {
		return fmt.Errorf("read autoconfigured routes: %w", err)
	}
	marked := parseAutoconf(text)
	for _, one := range candidates {
		gateway := one.Gateway
		if !gateway.IsValid() {
			gateway = netip.IPv6Unspecified()
		}
		one.Autoconf = marked[autoconfKey{one.Dst, gateway, one.Metric, one.Link}]
	}
	return nil
}

func mayBeAutoconf(r *Route) bool {
	dst := r.Dst.Addr()
	return dst.Is6() && r.Type == "unicast" && (r.Protocol == "ra" || r.Protocol == "kernel") &&
		!dst.IsLinkLocalUnicast() && !dst.IsMulticast()
}

// parseAutoconf reads the marked lines of /proc/net/ipv6_route: destination,
// source, next hop, metric, references, uses, flags and link, in hexadecimal
// but for the link (rt6_info_route, net/ipv6/route.c). Other lines are
// skipped.
func parseAutoconf(text []byte) map[autoconfKey]bool {
	marked := map[autoconfKey]bool{}
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) != 10 {
			continue
		}
		flags, err1 := strconv.ParseUint(string(f[8]), 16, 32)
		if err1 != nil || flags&rtfAddrconf == 0 {
			continue
		}
		bits, err2 := strconv.ParseUint(string(f[1]), 16, 8)
		metric, err3 := strconv.ParseUint(string(f[5]), 16, 32)
		dst, ok1 := hexAddr(f[0])
		gateway, ok2 := hexAddr(f[4])
		if err2 == nil && err3 == nil && ok1 && ok2 && bits <= 128 {
			marked[autoconfKey{netip.PrefixFrom(dst, int(bits)), gateway, int(metric), string(f[9])}] = true
		}
	}
	return marked
}

func hexAddr(text []byte) (netip.Addr, bool) {
	var b [16]byte
	if len(text) != 2*len(b) {
		return netip.Addr{}, false
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(b), true
}
