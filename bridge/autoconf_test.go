package bridge

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAutoconfRoutes sends a router advertisement over a veth pair: the routes
// that the kernel makes of it are marked, and those of programs are not.
func TestAutoconfRoutes(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add ra.0 type veth peer name router
		sysctl -qw net.ipv6.conf.ra/0.accept_ra=1
		sysctl -qw net.ipv6.conf.router.accept_ra=0
		sysctl -qw net.ipv6.conf.all.accept_dad=0
		sysctl -qw net.ipv6.conf.ra/0.accept_dad=0
		sysctl -qw net.ipv6.conf.router.accept_dad=0
		ip link set ra.0 up
		ip link set router up
		ip addr add fd00:9::9/64 dev ra.0 nodad
		ip -6 route add fd00:8::/64 dev ra.0 proto ra
	`)
	advertise(t, "router")
	autoconf := func(dst string) bool {
		r := find(t, read(t).Routes, func(r Route) bool { return r.Dst == netip.MustParsePrefix(dst) && r.Link == "ra.0" })
		return r.Autoconf
	}
	until(t, "the advertised prefix", func() bool {
		for _, r := range read(t).Routes {
			if r.Dst == netip.MustParsePrefix("fd00:7::/64") && r.Link == "ra.0" {
				return true
			}
		}
		return false
	})
	for dst, want := range map[string]bool{"fd00:7::/64": true, "::/0": true, "fd00:8::/64": false, "fd00:9::/64": false, "fe80::/64": false} {
		check(t, dst, autoconf(dst), want)
	}
	check(t, "accept_ra", read(t).Sysctls["net.ipv6.conf.ra.0.accept_ra"], "1")
}

// advertise sends a router advertisement of fd00:7::/64 with a lifetime of 30
// minutes from a link (RFC 4861, 4.2 and 4.6.2).
func advertise(t *testing.T, link string) {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	index := find(t, read(t).Links, func(l Link) bool { return l.Name == link }).Index
	if err := unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255); err != nil {
		t.Fatal(err)
	}
	msg := []byte{134, 0, 0, 0, 64, 0, 1800 >> 8, 1800 & 0xff, 0, 0, 0, 0, 0, 0, 0, 0}
	msg = append(msg, 3, 4, 64, 0xc0, 0, 0, 7, 8, 0, 0, 7, 8, 0, 0, 0, 0)
	prefix := netip.MustParseAddr("fd00:7::").As16()
	msg = append(msg, prefix[:]...)
	to := unix.SockaddrInet6{ZoneId: uint32(index), Addr: netip.MustParseAddr("ff02::1").As16()}
	until(t, "an advertisement to be sent", func() bool { return unix.Sendto(s, msg, 0, &to) == nil })
}

func TestParseAutoconf(t *testing.T) {
	const (
		zero  = "00000000000000000000000000000000"
		dst   = "fd000007000000000000000000000000"
		left  = dst + " 40 " + zero + " 00 " + zero + " 00000100 00000001 00000000 "
		right = "     eth0\n"
	)
	want := autoconfKey{netip.MustParsePrefix("fd00:7::/64"), netip.IPv6Unspecified(), 256, "eth0"}
	for line, found := range map[string]bool{
		left + "00040001" + right:                    true,
		left + "00440003" + right:                    true,
		left + "00000001" + right:                    false,
		left + "x" + right:                           false,
		left[:len(left)-9] + right:                   false,
		"zz" + left[2:] + "00040001" + right:         false,
		dst + " ff" + left[35:] + "00040001" + right: false,
		"\n": false,
	} {
		marked := parseAutoconf([]byte(line))
		if marked[want] != found || !found && len(marked) > 0 {
			t.Errorf("%q: have %v, want %v", line, marked, found)
		}
	}
}

func FuzzParseAutoconf(f *testing.F) {
	f.Add([]byte("fd000007000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00040001     eth0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for key := range parseAutoconf(text) {
			if !key.dst.IsValid() || key.link == "" {
				t.Errorf("%q gives %+v", text, key)
			}
		}
	})
}
