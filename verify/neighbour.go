package verify

import (
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

// silentNeighbour is an address in one of the link's own subnets for which the
// host asked in vain, and the state of its entry; "" when there is none. A
// gateway is no guest.
func (h *host) silentNeighbour(link string) (ip, state string) {
	for i := range h.snap.Kernel.Neighbours {
		n := &h.snap.Kernel.Neighbours[i]
		if n.Link != link || n.State != "failed" && n.State != "incomplete" || n.IP.IsLinkLocalUnicast() {
			continue
		}
		near := false
		for _, a := range h.globalAddresses(link) {
			near = near || a.Contains(n.IP.Unmap())
		}
		gateway := slices.ContainsFunc(h.snap.Kernel.Routes, func(r bridge.Route) bool { return r.Gateway == n.IP })
		if near && !gateway {
			return n.IP.String(), n.State
		}
	}
	return "", ""
}
