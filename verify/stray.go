package verify

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// straysOf are the addresses by link that belong on the bridge of a network,
// are missing there, and stand on this link instead: they were moved, or the
// bridge bears another name now. What follows of them is no fault of its own.
func (h *host) straysOf(link string) []netip.Prefix {
	if h.strays == nil {
		h.strays = map[string][]netip.Prefix{}
		gone := map[netip.Addr]string{}
		for _, name := range h.ownBridges {
			for _, a := range h.missingAddresses(h.owners[name].Def(), name) {
				gone[a.Addr().WithZone("").Unmap()] = name
			}
		}
		for i := range h.snap.Kernel.Addresses {
			a := &h.snap.Kernel.Addresses[i]
			if owner, ok := gone[a.Prefix.Addr().WithZone("").Unmap()]; ok && owner != a.Link {
				h.strays[a.Link] = append(h.strays[a.Link], a.Prefix)
			}
		}
	}
	return h.strays[link]
}

// bearers are the links that have an address which strayed, each with the
// address as it stands there, in order.
func (h *host) bearers(addr netip.Addr) (links []string, steps []Step) {
	for i := range h.snap.Kernel.Addresses {
		a := &h.snap.Kernel.Addresses[i]
		if a.Prefix.Addr().WithZone("").Unmap() == addr.WithZone("").Unmap() && slices.Contains(h.straysOf(a.Link), a.Prefix) {
			links = append(links, a.Link)
			steps = append(steps, Step{Do: AddressDel, On: a.Link, With: a.Prefix.String()})
		}
	}
	return links, steps
}

// strayed says whether a route is the connected one of an address that strayed.
func (h *host) strayed(r *bridge.Route) bool {
	return !r.Gateway.IsValid() && slices.ContainsFunc(h.straysOf(r.Link), func(a netip.Prefix) bool {
		return plainPrefix(a) == plainPrefix(r.Dst)
	})
}

// renamed finds the bridge of an active network under another name: libvirt
// gave it the MAC of the network, which no other network has.
func (h *host) renamed(n *libvirtnet.Network) *bridge.Link {
	def := n.Def()
	if def.MAC == "" || h.links[def.Bridge] != nil {
		return nil
	}
	for i := range h.snap.Kernel.Bridges {
		l := h.links[h.snap.Kernel.Bridges[i].Name]
		if l != nil && h.owners[l.Name] == nil && strings.EqualFold(l.MAC, def.MAC) {
			return l
		}
	}
	return nil
}

// remade says whether somebody made the bridge of an active network anew: it
// has not the MAC that libvirt gave it.
func (h *host) remade(name string) bool {
	n, l := h.owners[name], h.links[name]
	if n == nil || l == nil {
		return false
	}
	mac := definition(n).MAC
	return mac != "" && l.MAC != "" && !strings.EqualFold(mac, l.MAC)
}

// bounced says whether libvirt made the bridge anew under its guests: another
// interface on it lost its network port.
func (h *host) bounced(name string) bool {
	return h.owners[name] != nil && slices.ContainsFunc(h.byBridge[name], func(n *nic) bool { return n.active && n.portLost })
}
