package verify

import (
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
)

// waysOut are the links that packets of a network may leave the host by: the
// network's forward device, else where the routing rules and tables lead,
// those for marked packets included. A link that is not known stands for any.
func (h *host) waysOut(n flowNet, dst, src netip.Prefix) []firewall.Interface {
	if len(n.def.ForwardDevs) > 0 {
		return []firewall.Interface{h.device(n.def.ForwardDevs[0])}
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
		ways = append(ways, firewall.Interface{})
	}
	if h.exitsOf == nil {
		h.exitsOf = map[bool][]firewall.Interface{}
	}
	if !slices.ContainsFunc(h.snap.Kernel.Rules, func(r bridge.Rule) bool { return conditional(&r) }) {
		h.exitsOf[v6] = ways // the same for every network
	}
	return ways
}
