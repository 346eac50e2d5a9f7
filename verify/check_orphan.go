package verify

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func orphanChecks() []Check {
	return []Check{{
		ID: "tap-orphan", Title: "a tap belongs to no guest", Severity: Warning, Class: Manual,
		Needs: []Need{EveryNetwork, EveryGuest, Links},
		Doc: Doc{
			Symptom:  "Ghost ports in a bridge, MACs that no guest has.",
			Cause:    "A guest ended without cleaning up, or somebody made the tap.",
			Evidence: "A tap named as libvirt names them, or in a bridge that libvirt made, that is in no guest's document. Taps of another name that a process holds are somebody's guest, and taps in bridges that libvirt does not refer to are not judged. Info when a process holds it.",
			Cure:     "Delete it once it is clear that nobody uses it.",
		},
		run: tapOrphan,
	}}
}

// vnetName says whether a link is named as libvirt names taps: vnet and a
// number.
func vnetName(name string) bool {
	number, ok := strings.CutPrefix(name, "vnet")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

func tapOrphan(p *pass) {
	judged := map[string]bool{"": true}
	for _, list := range [][]string{p.ownBridges, p.hostBridges} {
		for _, name := range list {
			judged[name] = true
		}
	}
	for i := range p.snap.Kernel.Links {
		l := &p.snap.Kernel.Links[i]
		if l.Kind != "tun" || l.Tun != nil && !l.Tun.Tap || !judged[l.Master] || p.byTap[l.Name] != nil {
			continue
		}
		own := p.owners[l.Master]
		if !vnetName(l.Name) && (own == nil || l.Name == l.Master+"-nic") {
			continue
		}
		s := scope{kind: aLink, link: l.Name, bridge: l.Master}
		if own != nil {
			s.network = own.Name
		}
		if p.on(s) && (vnetName(l.Name) || !p.held(l)) {
			p.orphan(s, l)
		}
	}
}

// held says whether a process has the tap open: one was found, or the tap has
// a carrier, which it loses with its last holder, or it is not persistent and
// would be gone without one.
func (h *host) held(l *bridge.Link) bool {
	return h.holders[l.Name] != nil || l.Carrier || l.Tun != nil && !l.Tun.Persist
}

func (p *pass) orphan(s scope, l *bridge.Link) {
	where := "in no bridge"
	if l.Master != "" {
		where = "in bridge " + show(l.Master)
	}
	f := Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("tap %s %s belongs to no guest, and no process holds it", show(l.Name), where),
		Evidence: "target/@dev of every guest, RTM_GETLINK of " + show(l.Name),
		Want:     "a guest with " + show(l.Name), Have: "none",
		Fix: Fix{Class: Manual, Say: "delete " + show(l.Name) + " if nobody waits for it", Steps: []Step{{Do: LinkDel, On: l.Name}}},
	}
	if p.held(l) {
		by := "a process holds it"
		if holder := p.holders[l.Name]; holder != nil {
			by = fmt.Sprintf("process %d (%s) holds it", holder.PID, show(holder.Command))
		}
		f.Severity = Info
		f.Message = fmt.Sprintf("tap %s %s belongs to no guest of this connection, but %s", show(l.Name), where, by)
		f.Fix.Say = "find out whose it is; delete " + show(l.Name) + " if it is nobody's"
	}
	p.found(s, f)
}
