package bridge

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const routedHost = `
	ip link add br0 type bridge
	ip link add eth0 type veth peer name eth1
	ip link set br0 up
	ip link set eth0 up
	ip link set eth1 up
	ip addr add 10.0.0.1/24 dev br0
	ip addr add 10.1.0.1/24 dev eth0
	ip addr add fd00:1::1/64 dev eth0 nodad
	ip route add default via 10.1.0.254 metric 100 proto dhcp
	ip route add default via 10.0.0.254 metric 200
	ip route add 192.168.0.0/16 nexthop via 10.0.0.2 weight 1 nexthop via 10.1.0.2 weight 2
	ip route add 192.168.5.0/24 via 10.1.0.3 table 1000 mtu 1400 proto static
	ip route add 192.168.6.0/24 dev br0 src 10.0.0.1 table 300
	ip route add 192.168.7.0/24 via inet6 fd00:1::9 dev eth0
	ip route add blackhole 172.16.0.0/12
	ip route add unreachable 172.20.0.0/16 metric 5
	ip route add prohibit 172.21.0.0/16
	ip route add throw 172.22.0.0/16
	ip -6 route add default via fd00:1::fe dev eth0 metric 50
	ip -6 route add 2001:db8::/32 nexthop via fd00:1::2 dev eth0 nexthop via fd00:1::3 dev eth0
	ip -6 route add 2001:db8:1::/48 from 2001:db8:2::/48 via fd00:1::4 dev eth0
	ip -6 route add unreachable 2001:db8:3::/48
`

// routeLine is a route in a form that both roads can be turned into.
func routeLine(family int, dst string, table any, gateway, link, kind string, metric, mtu float64) string {
	return fmt.Sprintf("%d %s table %v via %s dev %s %s metric %v mtu %v", family, dst, table, gateway, link, kind, metric, mtu)
}

func TestRoutesAgreeWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, routedHost)
	var have, want []string
	for _, r := range read(t).Routes {
		family := 4
		if r.Dst.Addr().Is6() {
			family = 6
		}
		gateway := ""
		if r.Gateway.IsValid() {
			gateway = r.Gateway.String()
		}
		link := r.Link
		if r.Type != "unicast" {
			link = "" // IPv6 shows lo for what goes nowhere, or nothing
		}
		have = append(have, routeLine(family, r.Dst.String(), r.Table, gateway, link, r.Type, float64(r.Metric), float64(r.MTU)))
	}
	for family, everywhere := range map[int]string{4: "0.0.0.0/0", 6: "::/0"} {
		for _, w := range tool(t, fmt.Sprintf("ip -%d -j -d -N route show table all", family)) {
			want = append(want, ipRoutes(family, everywhere, w)...)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("-ip +have:\n%s", d)
	}
	if len(want) < 20 {
		t.Errorf("only %d routes compared", len(want))
	}
}

// ipRoutes turns one route of ip(8) into a line for each next hop; none for
// the local table.
func ipRoutes(family int, everywhere string, w map[string]any) []string {
	table := "254"
	if v, ok := w["table"]; ok {
		table = fmt.Sprint(v)
	}
	if table == "255" && (fmt.Sprint(w["type"]) != "2" && fmt.Sprint(w["type"]) != "local" || fmt.Sprint(w["protocol"]) == "kernel" || fmt.Sprint(w["protocol"]) == "2") {
		return nil
	}
	dst := w["dst"].(string)
	if dst == "default" {
		dst = everywhere
	}
	if a, err := netip.ParseAddr(dst); err == nil {
		dst = netip.PrefixFrom(a, a.BitLen()).String()
	}
	var mtu float64
	if m, ok := w["metrics"].([]any); ok {
		mtu, _ = m[0].(map[string]any)["mtu"].(float64)
	}
	metric, _ := w["metric"].(float64)
	numbers := map[string]string{"1": "unicast", "6": "blackhole", "7": "unreachable", "8": "prohibit", "9": "throw"}
	kind := fmt.Sprint(w["type"])
	if word, ok := numbers[kind]; ok {
		kind = word
	}
	hops := []any{w}
	if h, ok := w["nexthops"].([]any); ok {
		hops = h
	}
	var lines []string
	for _, h := range hops {
		hop := h.(map[string]any)
		gateway, _ := hop["gateway"].(string)
		if via, ok := hop["via"].(map[string]any); ok {
			gateway = via["host"].(string)
		}
		link, _ := hop["dev"].(string)
		if kind != "unicast" {
			link = ""
		}
		lines = append(lines, routeLine(family, dst, table, gateway, link, kind, metric, mtu))
	}
	return lines
}

func TestRouteDetails(t *testing.T) {
	inNamespace(t)
	sh(t, routedHost)
	by := func(dst string, metric int) Route {
		p := netip.MustParsePrefix(dst)
		return find(t, read(t).Routes, func(r Route) bool { return r.Dst == p && r.Metric == metric })
	}
	dhcp := by("0.0.0.0/0", 100)
	check(t, "protocol", dhcp.Protocol, "dhcp")
	check(t, "from", by("2001:db8:1::/48", 1024).From, netip.MustParsePrefix("2001:db8:2::/48"))
	until(t, "the route is usable", func() bool { return !by("0.0.0.0/0", 100).Down })
	sh(t, "ip link set eth1 down")
	until(t, "the route has no carrier", func() bool { return by("0.0.0.0/0", 100).Down })
	check(t, "src", by("192.168.6.0/24", 0).Src, netip.MustParseAddr("10.0.0.1"))
	check(t, "scope", by("192.168.6.0/24", 0).Scope, "link")
}

func FuzzParseRoute(f *testing.F) {
	seedDumps(f, unix.RTM_GETROUTE, make([]byte, rtmsgLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, keep, err := parseRoute(b)
		if keep && (err != nil || !r.Dst.IsValid() || len(r.expand(names{1: "lo"})) == 0) {
			t.Errorf("kept %+v with %v", r, err)
		}
		if len(b) >= rtmsgLen {
			liveRoute(b)
		}
	})
}
