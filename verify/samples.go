package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// lookups is what the checks of routes and neighbours build once.
type lookups struct {
	fib       *fib                           // filled by routing
	homeList  []home                         // filled by homes
	theftList []theft                        // filled by thefts
	around    map[string][]*bridge.Neighbour // by link, filled by neighboursOn
}

// neighboursOn are the neighbours on a link.
func (h *host) neighboursOn(link string) []*bridge.Neighbour {
	if h.around == nil {
		h.around = map[string][]*bridge.Neighbour{}
		for i := range h.snap.Kernel.Neighbours {
			n := &h.snap.Kernel.Neighbours[i]
			h.around[n.Link] = append(h.around[n.Link], n)
		}
	}
	return h.around[link]
}

// home is a subnet of an active network with what its packets are looked up
// by.
type home struct {
	net    *libvirtnet.Network
	def    xml.Network
	bridge string
	prefix netip.Prefix
	own    netip.Addr   // the host's
	guests []netip.Addr // of guests, known or possible; never the host's own
}

// homes are the subnets of the active networks whose bridge is there and has
// the address: without it there is a cause of its own.
func (h *host) homes() []home {
	if h.homeList != nil {
		return h.homeList
	}
	list := []home{}
	for _, name := range h.ownBridges {
		n := h.owners[name]
		def := n.Def()
		for i := range def.IPs {
			own := def.IPs[i].Address.Addr().WithZone("").Unmap()
			prefix := plainPrefix(def.IPs[i].Address)
			if !prefix.IsValid() || prefix.IsSingleIP() || h.links[name] == nil || !h.stands(name, own) {
				continue
			}
			one := home{net: n, def: def, bridge: name, prefix: prefix, own: own}
			one.guests = h.sampleGuests(&one, &def.IPs[i])
			list = append(list, one)
		}
	}
	h.homeList = list
	return list
}

// stands says whether the link has the address.
func (h *host) stands(link string, addr netip.Addr) bool {
	return slices.ContainsFunc(h.addresses[link], func(a bridge.Address) bool {
		return a.Prefix.Addr().WithZone("").Unmap() == addr
	})
}

// someGuests bounds how many addresses of one kind stand for a subnet.
const someGuests = 8

// sampleGuests are addresses that guests have or may have: leases, neighbours,
// reservations, the ends of the ranges, and the ends of the subnet.
func (h *host) sampleGuests(one *home, ip *xml.IP) []netip.Addr {
	var list []netip.Addr
	room := 0
	add := func(a netip.Addr) {
		a = a.WithZone("").Unmap()
		if room > 0 && a.IsValid() && one.prefix.Contains(a) && a != one.own && !slices.Contains(list, a) {
			list = append(list, a)
			room--
		}
	}
	room = someGuests
	for i := range one.net.Leases {
		add(one.net.Leases[i].IP)
	}
	room = someGuests
	for _, n := range h.neighboursOn(one.bridge) {
		if n.MAC != "" {
			add(n.IP)
		}
	}
	room = someGuests
	for _, r := range ip.Hosts {
		add(r.IP)
	}
	room = someGuests
	for _, r := range ip.Ranges {
		add(r.Start)
		add(r.End)
	}
	room = 3
	add(one.prefix.Addr().Next())
	add(one.own.Next())
	add(lastOf(one.prefix).Prev())
	return list
}

// farAway are addresses of the internet, by family; one that the host has a
// route of its own for stands for nothing beyond.
var farAway = map[int][]netip.Addr{
	4: {netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("198.41.0.4"), netip.MustParseAddr("93.184.216.34")},
	6: {netip.MustParseAddr("2606:4700:4700::1111"), netip.MustParseAddr("2001:4860:4860::8888"), netip.MustParseAddr("2001:503:ba3e::2:30")},
}

// beyond is an address that the host knows nothing special of.
func (f *fib) beyond(family int) netip.Addr {
	for _, a := range farAway[family] {
		special := false
		for t, routes := range f.routes {
			for bits := 2; bits <= a.BitLen() && t.family == family; bits++ {
				p, _ := a.Prefix(bits)
				special = special || len(routes[p]) > 0 && !(family == 6 && bits <= 3)
			}
		}
		if !special {
			return a
		}
	}
	return farAway[family][0]
}
