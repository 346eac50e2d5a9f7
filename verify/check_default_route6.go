package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// noDefaultRoute6 judges the way out by IPv6. A host that has neither a route
// nor a public address is without IPv6 as many are, whatever its networks have.
func noDefaultRoute6(p *pass) {
	online := len(p.defaultRoutes6()) > 0
	if !online && len(p.outerLinks(global6.Contains)) == 0 {
		return
	}
	var list []*libvirtnet.Network
	for _, n := range p.routed6() {
		def := n.Def()
		if masquerades6(def) || online && def.Mode != xml.Open && (def.Mode == xml.Route || public6(def)) {
			list = append(list, n)
		}
	}
	p.judgeWayOut(list, 6, !online, func(network string) Finding {
		return Finding{
			Message: "the host has no IPv6 default route: guests of network " + network + ", whose IPv6 has NAT, reach nothing beyond its own subnets by IPv6",
			Want:    "an IPv6 default route", Fix: p.defaultRouteFix6(),
		}
	})
}

// masquerades6 says whether libvirt gives the network's IPv6 NAT.
func masquerades6(def xml.Network) bool {
	return def.Mode == xml.NAT && def.NAT != nil && def.NAT.IPv6
}

// public6 says whether the network has an IPv6 subnet that the world can
// answer to.
func public6(def xml.Network) bool {
	return slices.ContainsFunc(def.IPs, func(ip xml.IP) bool {
		return ip.Address.IsValid() && global6.Contains(ip.Address.Addr())
	})
}

// global6 is all that is given to anybody of IPv6's public addresses.
var global6 = netip.MustParsePrefix("2000::/3")

// defaultRoutes6 are the IPv6 default routes that lead somewhere, of any table
// that a rule leads to; the public addresses alone are as good.
func (h *host) defaultRoutes6() []*bridge.Route {
	reached := h.tables()
	for i := range h.snap.Kernel.Rules {
		if r := &h.snap.Kernel.Rules[i]; r.Action == "lookup" {
			reached[table{r.Family, r.Table}] = true
		}
	}
	var list []*bridge.Route
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		dst := plainPrefix(r.Dst)
		if dst.IsValid() && dst.Addr().Is6() && dst.Bits() <= 3 && dst.Overlaps(global6) && usable(r) && reached[tableOf(r)] {
			list = append(list, r)
		}
	}
	return list
}

// defaultRouteFix6 is what to do about a host without an IPv6 default route.
func (h *host) defaultRouteFix6() Fix {
	return Fix{Class: Manual, Say: "give the host an IPv6 default route: by its router's advertisements, or ip -6 route add default via ROUTER dev NIC"}
}
