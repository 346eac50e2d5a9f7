package verify

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

// pinnedGateway reports an entry that somebody made and that keeps the frames for a
// router on the bridge from it: at a guest's tap, or at the bridge itself. A router
// may be a guest, with any of its MACs, or a link of this host.
func (p *pass) pinnedGateway(b judgedBridge) {
	gateways := p.gatewaysOn(b.Name)
	if len(gateways) == 0 {
		return
	}
	known := p.knownMACs()
	for _, e := range p.inside().fdb[b.Name] {
		at := gateways[strings.ToLower(e.MAC)]
		n := p.byTap[e.Port]
		if at == nil || e.State == bridge.FDBLearned || n == nil && e.Port != b.Name || known[strings.ToLower(e.MAC)] || virtualMAC(e.MAC) {
			continue
		}
		s := b.scope
		if n != nil {
			s = n.subject
		}
		if !p.on(s) {
			continue
		}
		p.found(s, Finding{
			Severity: Warning,
			Message:  fmt.Sprintf("bridge %s has a fixed entry that sends frames for %s, the MAC of gateway %s, to %s", show(b.Name), show(e.MAC), at.IP, p.portTitle(e.Port)),
			Evidence: fmt.Sprintf("forwarding entry %s dev %s of %s, %s; neighbour %s", show(e.MAC), show(e.Port), show(b.Name), e.State, at.IP),
			Want:     show(e.MAC) + " where it is heard", Have: show(e.MAC) + " at " + show(e.Port),
			Fix: Fix{
				Class: Guarded, Say: "take the entry out, unless the gateway is behind " + show(e.Port),
				Steps: []Step{fdbDel(b.Name, e)},
			},
		})
		return
	}
}

// gatewaysOn are the gateways of routes over a link whose MAC is known, by MAC.
func (h *host) gatewaysOn(link string) map[string]*bridge.Neighbour {
	var found map[string]*bridge.Neighbour
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		if r.Link != link || !r.Gateway.IsValid() {
			continue
		}
		if at := h.neighbour(link, r.Gateway); at != nil && at.MAC != "" {
			if found == nil {
				found = map[string]*bridge.Neighbour{}
			}
			found[strings.ToLower(at.MAC)] = at
		}
	}
	return found
}

// fdbDel takes an entry out of a bridge's table.
func fdbDel(name string, e *bridge.FDBEntry) Step {
	args := []string{"master"}
	if e.Port == name {
		args = []string{"self"}
	}
	if e.VLAN != 0 {
		args = append(args, "vlan", strconv.Itoa(e.VLAN))
	}
	return Step{Do: FDBDel, On: e.Port, With: strings.ToLower(e.MAC), Args: args}
}
