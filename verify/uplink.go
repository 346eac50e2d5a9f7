package verify

import "github.com/kvnet/kvnet/bridge"

// uplinks are the ports of a bridge that lead out of this host: NICs, bonds,
// VLANs and tunnels; veth ends only where there is nothing else, because most
// of them are containers.
func (h *host) uplinks(bridgeName string) []*bridge.Link {
	found, known := h.uplinksOf[bridgeName]
	if !known {
		found = h.findUplinks(bridgeName)
		h.uplinksOf[bridgeName] = found
	}
	return found
}

func (h *host) findUplinks(bridgeName string) []*bridge.Link {
	var strong, weak []*bridge.Link
	for _, l := range h.slaves[bridgeName] {
		switch l.Kind {
		case "tun", "dummy", "ifb", "macvtap", "bridge":
		case "veth":
			if h.byTap[l.Name] == nil && !vnetName(l.Name) {
				weak = append(weak, l)
			}
		default:
			strong = append(strong, l)
		}
	}
	if len(strong) > 0 {
		return strong
	}
	return weak
}

// spareNICs are the links that could be a bridge's uplink and are in use for
// nothing else.
func (h *host) spareNICs() []*bridge.Link {
	routes := map[string]bool{}
	for i := range h.snap.Kernel.Routes {
		if r := &h.snap.Kernel.Routes[i]; !plainPrefix(r.Dst).Addr().IsLinkLocalUnicast() && !r.Dst.Addr().IsMulticast() {
			routes[r.Link] = true
		}
	}
	lower := map[string]bool{}
	for i := range h.snap.Kernel.Links {
		if l := &h.snap.Kernel.Links[i]; l.Kind != "veth" {
			lower[l.Parent] = true
		}
	}
	var spare []*bridge.Link
	for i := range h.snap.Kernel.Links {
		l := &h.snap.Kernel.Links[i]
		usual := l.Kind == "" || l.Kind == "bond" || l.Kind == "team" || l.Kind == "veth" && !vnetName(l.Name) && h.byTap[l.Name] == nil
		if usual && !l.Loopback && l.Master == "" && !routes[l.Name] && !lower[l.Name] && len(h.globalAddresses(l.Name)) == 0 {
			spare = append(spare, l)
		}
	}
	return spare
}
