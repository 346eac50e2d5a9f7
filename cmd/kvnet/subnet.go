package main

import (
	"net/netip"

	"github.com/kvnet/kvnet/lint"
)

// freeSubnet picks an IPv4 /24 that nobody claims and that overlaps none of
// the others: libvirt's own choice first, then its neighbours, then 10.N.0.0, then
// those of 172.16.0.0/12, where container engines take theirs.
func freeSubnet(taken []lint.Claim, others []netip.Prefix) (netip.Prefix, bool) {
	try := func(a, b, c byte) (netip.Prefix, bool) {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, 0}), 24)
		for _, t := range taken {
			if p.Overlaps(t.Prefix) {
				return p, false
			}
		}
		for _, o := range others {
			if p.Overlaps(o) {
				return p, false
			}
		}
		return p, true
	}
	// 192.168.0.0 to .121 come last of their kind: routers at home use the
	// first ones, and a laptop may meet them tomorrow.
	for i := range 256 {
		if p, ok := try(192, 168, byte(122+i)); ok {
			return p, true
		}
	}
	for i := range 256 {
		if p, ok := try(10, byte(122+i), 0); ok {
			return p, true
		}
	}
	for i := range 16 * 256 {
		if p, ok := try(172, byte(16+i/256), byte(i)); ok {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
