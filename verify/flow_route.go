package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
)

// waysOut are the links that packets of a network may leave the host by: the
// network's forward device, as libvirt's rules call it, else where the routing rules and tables lead,
// those for marked packets included. A link that is not known stands for any.
func (h *host) waysOut(n flowNet, dst, src netip.Prefix) []firewall.Interface {
	if len(n.def.ForwardDevs) > 0 {
		way := h.device(n.def.ForwardDevs[0])
		way.Name = n.def.ForwardDevs[0]
		return []firewall.Interface{way}
	}
	v6 := dst.Addr().Is6()
	if ways, ok := h.exitsOf[v6]; ok {
		return ways
	}
	packet := flow{dst: dst.Addr().Next(), iif: n.bridge.Name}
	if src.IsValid() {
		packet.src = src.Addr().Next()
	}
	found := h.routing().lookup(packet)
	var ways []firewall.Interface
	for _, a := range append([]answer{found.plain}, found.rest...) {
		for _, r := range a.routes {
			// A network's own static routes are not the way out.
			if way := h.device(r.Link); a.kind == toLink && r.Link != "" && r.Link != n.bridge.Name && !slices.Contains(ways, way) {
				ways = append(ways, way)
			}
		}
	}
	if len(ways) == 0 {
		ways = h.likelyWays(v6)
	}
	if h.exitsOf == nil {
		h.exitsOf = map[bool][]firewall.Interface{}
	}
	if !slices.ContainsFunc(h.snap.Kernel.Rules, func(r bridge.Rule) bool { return conditional(&r) }) {
		h.exitsOf[v6] = ways // the same for every network
	}
	return ways
}

// likelyWays are the links that packets would leave by if the host had a way
// out: those with an IPv4 address that are no network's and no containers'.
// That there is no route hides no other fault; without IPv6 there is none.
func (h *host) likelyWays(v6 bool) []firewall.Interface {
	var ways []firewall.Interface
	for i := range h.snap.Kernel.Links {
		l := &h.snap.Kernel.Links[i]
		inner := l.Loopback || h.owners[l.Name] != nil || l.Kind == "bridge" && h.containers(h.uplinks(l.Name))
		if !v6 && !inner && h.hasIPv4(l.Name) {
			ways = append(ways, h.device(l.Name))
		}
	}
	if len(ways) == 0 {
		ways = append(ways, firewall.Interface{})
	}
	return ways
}
