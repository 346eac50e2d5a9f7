package bridge

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAddressesAgreeWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link set br0 up
		ip link add eth0 type veth peer name eth1
		ip link set eth0 up
		ip link set eth1 up
		ip addr add 10.0.0.1/24 dev br0
		ip addr add 10.0.0.2/24 dev br0
		ip addr add 10.0.0.1/32 dev br0
		ip addr add 169.254.1.1/16 dev br0 scope link
		ip addr add 10.1.0.1 peer 10.1.0.2/30 dev eth0
		ip addr add fd00::1/64 dev br0
		ip addr add fd00::2/64 dev eth0 nodad
		ip addr add fd00::3/128 dev eth0 nodad preferred_lft 0
		ip route del table local 10.0.0.2
		ip -6 route del local fd00::2 table local
	`)
	lost := []string{"10.0.0.2/24", "fd00::2/64"}
	have, want := quiet(t, "ip -j addr")
	n := 0
	for _, w := range want {
		link := w["ifname"].(string)
		for _, info := range w["addr_info"].([]any) {
			n++
			i := info.(map[string]any)
			p := netip.PrefixFrom(netip.MustParseAddr(i["local"].(string)), int(i["prefixlen"].(float64)))
			a := find(t, have.Addresses, func(a Address) bool { return a.Link == link && a.Prefix == p })
			check(t, p.String()+" scope", a.Scope, i["scope"])
			check(t, p.String()+" tentative", a.Tentative, i["tentative"] == true)
			check(t, p.String()+" unrouted", a.Unrouted, slices.Contains(lost, p.String()))
			check(t, p.String()+" deprecated", a.Deprecated, i["deprecated"] == true)
		}
	}
	check(t, "addresses", len(have.Addresses), n)
	if !find(t, have.Addresses, func(a Address) bool { return a.Prefix == netip.MustParsePrefix("fd00::3/128") }).Deprecated {
		t.Error("fd00::3 is deprecated")
	}
}

func FuzzParseAddress(f *testing.F) {
	seedDumps(f, unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, keep, err := parseAddress(b)
		if keep && (err != nil || !a.Prefix.IsValid()) {
			t.Errorf("kept %+v with %v", a, err)
		}
	})
}
