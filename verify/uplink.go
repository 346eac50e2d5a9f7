package verify

import (
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

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

// containers says whether links are nothing but the host's ends of containers:
// veths to another namespace with a name that a container runtime made up.
func (h *host) containers(links []*bridge.Link) bool {
	for _, l := range links {
		if l.Kind != "veth" || !l.ParentElsewhere || !madeUp(l.Name) {
			return false
		}
	}
	return true
}

// madeUp says whether a veth's name is of the form that Docker, podman, CNI, LXC
// and Incus give (veth and six or more letters and digits, not a word; LXC's for
// users have an underscore), or systemd-nspawn (ve-, vb-).
func madeUp(name string) bool {
	if strings.HasPrefix(name, "ve-") || strings.HasPrefix(name, "vb-") {
		return true
	}
	random, ok := strings.CutPrefix(name, "veth")
	word := true
	for _, c := range random {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c == '_':
			word = false
		case c < 'a' || c > 'z':
			return false
		}
	}
	return ok && !word && len(random) >= 6
}

// gatewayBehind says whether the bridge heard a gateway of the host's on one of
// these ports.
func (h *host) gatewayBehind(bridgeName string, ports []*bridge.Link) bool {
	routers := map[netip.Addr]bool{}
	for i := range h.snap.Kernel.Routes {
		if r := &h.snap.Kernel.Routes[i]; r.Link == bridgeName && r.Gateway.IsValid() {
			routers[r.Gateway.Unmap()] = true
		}
	}
	gateways := map[string]bool{}
	for i := range h.snap.Kernel.Neighbours {
		if n := &h.snap.Kernel.Neighbours[i]; n.MAC != "" && n.Link == bridgeName && routers[n.IP.Unmap()] {
			gateways[n.MAC] = true
		}
	}
	for i := range h.snap.Kernel.FDB {
		e := &h.snap.Kernel.FDB[i]
		for _, l := range ports {
			if e.Port == l.Name && e.Bridge == bridgeName && e.State == "learned" && gateways[e.MAC] {
				return true
			}
		}
	}
	return false
}

// spareHardware are the spare NICs of the machine itself.
func (h *host) spareHardware() []*bridge.Link {
	var list []*bridge.Link
	for _, l := range h.spareNICs() {
		if l.Kind == "" {
			list = append(list, l)
		}
	}
	return list
}
