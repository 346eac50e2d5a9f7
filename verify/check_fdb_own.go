package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func fdbOwnChecks() []Check {
	return []Check{{
		ID: "bridge-mac-lost", Title: "a bridge does not take frames for its own MAC", Severity: Error, Class: Guarded,
		Needs: []Need{Networks, Guests, Links, Addresses, FDB},
		After: []string{"bridge-missing", "if-source-not-a-bridge", "bridge-admin-down"},
		Doc: Doc{
			Symptom:  "Guests find the host by ARP and reach nothing of it: no gateway, no DNS, nothing outside. They reach each other.",
			Cause:    "The forwarding table was flushed or edited by hand. The kernel makes the bridge's own entry once, when the bridge gets its MAC.",
			Evidence: "A bridge on which the host has an address has no permanent entry for its MAC in its forwarding table: frames to it are sent to the ports and not to the host. A bridge that takes every frame (promiscuous, as with a macvlan on it) does without.",
			Cure:     "Make the entry again.",
		},
		run: bridgeMACLost,
	}}
}

func bridgeMACLost(p *pass) {
	// Each link that is up has entries of its own: none at all is a table not read.
	if !slices.ContainsFunc(p.snap.Kernel.FDB, func(e bridge.FDBEntry) bool { return e.Self }) {
		return
	}
	p.eachBridge(func(b judgedBridge) {
		l := p.links[b.Name]
		if l == nil || !l.Up || l.MAC == "" || l.Promiscuity == nil || *l.Promiscuity > 0 || !p.standsOn(b.Name) || !p.on(b.scope) {
			return
		}
		at, whole := p.ownEntry(b.Name, l.MAC)
		if whole {
			return
		}
		f := Finding{
			Message:  fmt.Sprintf("bridge %s has no entry for its own MAC: what guests send to the host, or by it to the outside, does not arrive", show(b.Name)),
			Evidence: fmt.Sprintf("forwarding entry %s of %s", show(l.MAC), show(b.Name)),
			Want:     show(l.MAC) + " dev " + show(b.Name) + " permanent", Have: "none",
			Fix: Fix{Class: Safe, Say: "make the entry again", Steps: []Step{{Do: FDBOwnAdd, On: b.Name, With: strings.ToLower(l.MAC)}}},
		}
		if at != nil {
			f.Have = fmt.Sprintf("%s dev %s %s", show(l.MAC), show(at.Port), at.State)
			f.Message = fmt.Sprintf("bridge %s sends frames for its own MAC to %s: what guests send to the host, or by it to the outside, does not arrive", show(b.Name), p.portTitle(at.Port))
			f.Fix.Class, f.Fix.Say = Guarded, "make the bridge's own entry again in its place"
		}
		p.found(b.scope, f)
	})
}

// ownEntry says whether a bridge keeps frames for its MAC to the host, in any VLAN;
// else what entry it has for it, if any.
func (h *host) ownEntry(name, mac string) (at *bridge.FDBEntry, whole bool) {
	for _, e := range h.inside().fdb[name] {
		if !strings.EqualFold(e.MAC, mac) {
			continue
		}
		if e.State == bridge.FDBPermanent {
			return e, true
		}
		at = e
	}
	return at, false
}

// standsOn says whether the host has an address on a link or on a VLAN of it.
func (h *host) standsOn(name string) bool {
	return len(h.globalAddresses(name)) > 0 || slices.ContainsFunc(h.snap.Kernel.Links, func(l bridge.Link) bool {
		return l.Parent == name && l.Kind == "vlan" && len(h.globalAddresses(l.Name)) > 0
	})
}
