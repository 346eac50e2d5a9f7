package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/services"
)

// handles are a network's rules in libvirt's nftables tables: how many libvirt wrote
// down by their handles (10.4 and later), how many of those are there, and the
// others. The handles are others once a ruleset was saved and read again.
type handles struct {
	all, known int
	strange    []placedRule
}

// handlesOf are those of each network by its name.
func (f *packetFilter) handlesOf() map[string]*handles {
	if f.byHandle != nil {
		return f.byHandle
	}
	f.byHandle = map[string]*handles{}
	made := f.h.rulesMade()
	if len(made) == 0 {
		return f.byHandle
	}
	bySubnet := map[netip.Prefix]string{}
	for _, n := range f.h.flowNets() {
		f.byHandle[n.net.Name] = &handles{}
		for _, p := range append(n.prefixes(false), n.prefixes(true)...) {
			bySubnet[p] = n.net.Name
		}
	}
	for _, name := range made {
		if h := f.byHandle[name]; h != nil {
			h.all++
		}
	}
	f.networkRules(func(r placedRule) {
		if !nftTable(r.table.Name) {
			return
		}
		links := f.ruleLinks(r.rule())
		named := f.namedBy(r.rule(), links, bySubnet)
		switch maker := made[r.place()]; {
		case f.byHandle[maker] != nil && (named == maker || len(links) == 0):
			f.byHandle[maker].known++
		case f.byHandle[named] != nil:
			f.byHandle[named].strange = append(f.byHandle[named].strange, r)
		}
	})
	return f.byHandle
}

// namedBy is the network whose bridge or subnet a rule names.
func (f *packetFilter) namedBy(r *firewall.Rule, links []ruleLink, bySubnet map[netip.Prefix]string) string {
	for _, l := range links {
		if n := f.h.owners[f.h.nameIn(l)]; n != nil {
			return n.Name
		}
	}
	for _, p := range addressesOf(r) {
		if name := bySubnet[p]; name != "" {
			return name
		}
	}
	return ""
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

// tellAsleep says that a dormant table is why a network lacks libvirt's rules, if
// it is.
func (f *packetFilter) tellAsleep(b breach, out *Finding) bool {
	t := f.asleep(b.first().v6)
	if t == nil {
		return false
	}
	text, _ := effects(b)
	out.Message = fmt.Sprintf("the table of libvirt's firewall rules for network %s is dormant: %s", show(b.net.net.Name), text)
	out.Evidence = fmt.Sprintf("flag dormant of table %s %s (nft)", t.Family, t.Name)
	out.Fix = Fix{Class: Guarded, Say: "wake the table up", Steps: []Step{{Do: Filter, On: "nft", Args: []string{"add", "table", t.Family, t.Name}}}}
	return true
}

// tellForgotten tells of rules that libvirt will not find when the network stops;
// ok is false where it will. Rules that are gone altogether are another matter, and
// more rules than libvirt made are not all libvirt's: which is whose, a person says.
func (f *packetFilter) tellForgotten(n flowNet) (out Finding, ok bool) {
	h := f.handlesOf()[n.net.Name]
	if h == nil || h.known == h.all || len(h.strange) == 0 {
		return Finding{}, false
	}
	slices.Reverse(h.strange)
	out = Finding{
		Severity: Warning,
		Message: fmt.Sprintf("libvirt knows %d of its %d firewall rules of network %s no longer, as after nft -f of a saved ruleset: when the network stops, they stay, and others may go instead",
			h.all-h.known, h.all, show(n.net.Name)),
		Evidence: "<firewall> of /run/libvirt/network/" + show(n.net.Name) + ".xml, " + evidence(f.reference(h.strange[len(h.strange)-1])),
		Want:     "the handles that libvirt wrote down", Have: fmt.Sprintf("%d rules with others", len(h.strange)),
		Fix: Fix{
			Class: Guarded, Steps: append(f.deleteRules(h.strange), f.h.rulesAgain().Steps...),
			Say: "delete them and restart libvirt's network daemon, which writes its rules again",
		},
	}
	if h.known+len(h.strange) > h.all {
		out.Fix = Fix{Class: Manual, Say: "some of them are not libvirt's: delete those that are, and restart libvirt's network daemon, which writes its rules again"}
	}
	return out, true
}
