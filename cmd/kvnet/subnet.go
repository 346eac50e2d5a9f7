package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// claim is a range of addresses that somebody on the host uses already.
type claim struct {
	prefix  netip.Prefix
	words   string // "10.0.0.0/24 of network lab (active)", "route 10.0.0.0/24 dev eth0 (...)"
	network bool   // it is a libvirt network's
}

// claims lists who uses which addresses: every network of libvirt, active or
// not, and every route of every table. The network named self owns what is
// asked about, and so do the routes on its bridge. Default routes lead
// everywhere and claim nothing; neither do the halves of the address space
// that VPNs set in their place, and link-local and multicast routes.
func claims(self string, networks []libvirtnet.Network, routes []bridge.Route) []claim {
	var list []claim
	own := map[string]bool{}
	for _, n := range networks {
		if n.Name == self {
			own[n.Def().Bridge] = n.Def().Managed()
			continue
		}
		list = append(list, networkClaims(n)...)
	}
	for _, r := range routes {
		dst := r.Dst.Masked()
		if dst.Bits() <= 1 || dst.Addr().IsLinkLocalUnicast() || dst.Addr().IsMulticast() || dst.Addr().IsLoopback() || own[r.Link] {
			continue
		}
		list = append(list, claim{prefix: dst, words: routeWords(r)})
	}
	return list
}

// networkClaims are the subnets and static routes of a network, as it is and
// as it will be at its next start.
func networkClaims(n libvirtnet.Network) []claim {
	var list []claim
	seen := map[netip.Prefix]bool{}
	add := func(p netip.Prefix, words string) {
		if p = p.Masked(); p.IsValid() && p.Bits() > 0 && !seen[p] {
			seen[p] = true
			list = append(list, claim{prefix: p, words: p.String() + " of " + words, network: true})
		}
	}
	words := fmt.Sprintf("network %s (%s)", clean(n.Name), activeWord(n.Active))
	if b := n.Def().Bridge; b != "" {
		words = fmt.Sprintf("network %s (%s, bridge %s)", clean(n.Name), activeWord(n.Active), clean(b))
	}
	for _, def := range definitions(n) {
		for _, ip := range def.IPs {
			add(ip.Address, words)
		}
		for _, r := range def.Routes {
			add(r.To, "a route of "+words)
		}
	}
	return list
}

// routeWords names a route as ip route does.
func routeWords(r bridge.Route) string {
	words := []string{"route"}
	if r.Type != "" && r.Type != "unicast" {
		words = append(words, r.Type)
	}
	words = append(words, r.Dst.String())
	if r.Gateway.IsValid() {
		words = append(words, "via", r.Gateway.String())
	}
	if r.Link != "" {
		words = append(words, "dev", clean(r.Link))
	}
	const mainTable = 254 // RT_TABLE_MAIN, linux/rtnetlink.h
	table := "main"
	if r.Table != mainTable {
		table = fmt.Sprint(r.Table)
	}
	return strings.Join(words, " ") + " (table " + table + ", proto " + r.Protocol + ")"
}

// overlaps says, one line each, which of the subnets share addresses with a
// claim, in either direction. A network's subnet and the routes to it are one
// owner: the routes are only named where no network is.
func overlaps(subnets []netip.Prefix, taken []claim) []string {
	var lines []string
	for _, s := range subnets {
		named := map[netip.Prefix]bool{}
		for _, c := range taken {
			if !s.Overlaps(c.prefix) || named[c.prefix] && !c.network {
				continue
			}
			named[c.prefix] = named[c.prefix] || c.network
			lines = append(lines, fmt.Sprintf("%s overlaps %s", s.Masked(), c.words))
		}
	}
	return lines
}

// freeSubnet picks an IPv4 /24 that nobody claims and that overlaps none of
// the others: libvirt's own choice first, then its neighbours, then 10.N.0.0.
func freeSubnet(taken []claim, others []netip.Prefix) (netip.Prefix, bool) {
	try := func(a, b, c byte) (netip.Prefix, bool) {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, 0}), 24)
		for _, t := range taken {
			if p.Overlaps(t.prefix) {
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
	return netip.Prefix{}, false
}
