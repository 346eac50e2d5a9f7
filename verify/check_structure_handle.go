package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/services"
)

// remembered are the rules of a network by which libvirt will take them away,
// those of them that are the network's, and the network's that libvirt does not
// know. It keeps handles (10.4 and later, nftables), which are others once a
// ruleset was saved and read again.
func (f *packetFilter) remembered(n flowNet) (all, lost int, strange []placedRule) {
	made := f.h.rulesMade()
	for _, network := range made {
		if network == n.net.Name {
			all++
		}
	}
	if all == 0 {
		return 0, 0, nil
	}
	known := 0
	f.networkRules(func(r placedRule) {
		if !nftTable(r.table.Name) {
			return
		}
		mine := ruleNames(r.rule(), n.bridge, "iif", "oif") || n.inRule(r.rule())
		switch {
		case made[r.place()] == n.net.Name && (mine || len(f.ruleLinks(r.rule())) == 0):
			known++
		case mine:
			strange = append(strange, r)
		}
	})
	return all, all - known, strange
}

// unmade says whether a rule of libvirt's nftables table is none that libvirt made.
func (f *packetFilter) unmade(r firewall.Reference) bool {
	made := f.h.rulesMade()
	_, ours := made[services.FilterRule{Family: r.Family, Table: r.Table, Chain: r.Chain, Handle: r.Handle}]
	return len(made) > 0 && !ours && nftTable(r.Table) && r.Number > 0
}

// asleep is libvirt's nftables table of a family, if somebody made it dormant.
func (f *packetFilter) asleep(v6 bool) *firewall.Table {
	at := slices.IndexFunc(f.rules.Tables, func(t firewall.Table) bool { return t.Family == familyName(v6) && nftTable(t.Name) && t.Dormant })
	if at < 0 {
		return nil
	}
	return &f.rules.Tables[at]
}

// tellForgotten tells of rules that libvirt will not find when the network stops;
// ok is false where it will. Rules that are gone altogether are another matter.
func (f *packetFilter) tellForgotten(n flowNet) (out Finding, ok bool) {
	all, lost, strange := f.remembered(n)
	if lost == 0 || len(strange) == 0 {
		return Finding{}, false
	}
	slices.Reverse(strange)
	again := f.h.rulesAgain()
	out = Finding{
		Severity: Warning,
		Message: fmt.Sprintf("libvirt knows %d of its %d firewall rules of network %s no longer, as after nft -f of a saved ruleset: when the network stops, they stay, and others may go instead",
			lost, all, show(n.net.Name)),
		Evidence: "<firewall> of /run/libvirt/network/" + show(n.net.Name) + ".xml, " + evidence(f.reference(strange[len(strange)-1])),
		Want:     "the handles that libvirt wrote down", Have: fmt.Sprintf("%d rules with others", len(strange)),
		Fix: Fix{Class: Guarded, Say: "delete them and restart libvirt's network daemon, which writes its rules again", Steps: append(f.deleteRules(strange), again.Steps...)},
	}
	return out, true
}
