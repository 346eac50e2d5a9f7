package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
)

func nwfilterChecks() []Check {
	return []Check{
		{
			ID: "nwfilter-broken", Title: "a guest's network filter is not at work", Severity: Error, Class: Manual,
			Needs: []Need{Guests, Links, Sysctls, PacketFilter}, After: []string{"tap-missing"},
			Doc: Doc{
				Symptom:  "The guest does not start, runs without the protection that its interface asks for, or has a lease and reaches nothing.",
				Cause:    "The filter was undefined; its rules were flushed with the packet filter's; bridged packets are not shown to iptables; or the filter is for another address than the guest has.",
				Evidence: "The filter of <filterref> among libvirt's; its binding for the tap; the chains libvirt-I-TAP and libvirt-O-TAP of the bridge family, and FI-, FO- and HI-TAP of iptables. A filter without rules has none. A rule of a base chain leads into each of them. They let a packet pass from an address that they name, and drop the same from the one that the guest has leased, while it was not seen with the other (a warning). Rules of iptables for bridged packets need net.bridge.bridge-nf-call-iptables or the bridge's own nf_call_iptables. Chains of ebtables-legacy cannot be read.",
				Cure:     "Define the filter again; unplug and plug the interface, which makes its rules anew. Correct parameter IP of <filterref>, or reserve that address for the guest.",
			},
			run: nwfilterBroken,
		},
		{
			ID: "nwfilter-orphan", Title: "a network filter's chains outlived their guest", Severity: Warning, Class: Guarded,
			Needs: []Need{EveryGuest, Links, PacketFilter},
			Doc: Doc{
				Symptom:  "A new guest whose tap gets the name is filtered like the old one.",
				Cause:    "libvirt or the guest ended without cleaning up; libvirt's chains are named after the tap.",
				Evidence: "Chains libvirt-I-TAP and libvirt-O-TAP, FI-, FO- and HI-TAP, whose tap does not exist or belongs to an interface without a filter.",
				Cure:     "Delete the chains and what leads into them.",
			},
			run: nwfilterOrphan,
		},
	}
}

// tapOf is the tap that a chain of libvirt's network filters is named after
// (nwfilter_ebiptables_driver.c).
func tapOf(family, chain string) (string, bool) {
	prefixes := []string{"libvirt-I-", "libvirt-O-"}
	if family != "bridge" {
		prefixes = []string{"FI-", "FO-", "HI-"}
	}
	for _, p := range prefixes {
		if tap, ok := strings.CutPrefix(chain, p); ok && tap != "" {
			return tap, true
		}
	}
	return "", false
}

// tapChain is a chain of a tap's filter.
type tapChain struct {
	table *firewall.Table
	chain *firewall.Chain
}

// filterChains are the chains of network filters, by tap.
func (h *host) filterChains() map[string][]tapChain {
	all := map[string][]tapChain{}
	if h.snap.Firewall == nil {
		return all
	}
	for i := range h.snap.Firewall.Tables {
		t := &h.snap.Firewall.Tables[i]
		if t.Family != "bridge" && t.Family != "ip" && t.Family != "ip6" {
			continue
		}
		for j := range t.Chains {
			if tap, ok := tapOf(t.Family, t.Chains[j].Name); ok {
				all[tap] = append(all[tap], tapChain{t, &t.Chains[j]})
			}
		}
	}
	return all
}

func nwfilterBroken(p *pass) {
	filters := p.snap.Libvirt.Filters
	chains := p.filterChains()
	for i := range p.nics {
		n := &p.nics[i]
		if n.iface.Filter == "" || filters == nil {
			if n.iface.Filter != "" {
				p.cannot("libvirt filters", "libvirt was not asked for its network filters")
			}
			continue
		}
		if !p.on(n.subject) {
			continue
		}
		at := slices.IndexFunc(filters.Defined, func(f libvirtnet.Filter) bool { return f.Name == n.iface.Filter })
		switch {
		case at < 0:
			p.filterUndefined(n)
		case n.active && n.tap != nil && !filters.Defined[at].Empty:
			p.filterAtWork(n, filters, chains[n.iface.Target])
		}
	}
}

func (p *pass) filterUndefined(n *nic) {
	severity := Warning
	if n.active || n.guest.Autostart {
		severity = Error
	}
	p.found(n.subject, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s wants network filter %s, which is not defined: the guest does not start", n.title(), show(n.iface.Filter)),
		Evidence: "<filterref> of the interface, libvirt's network filters",
		Want:     "filter " + show(n.iface.Filter), Have: "no such filter",
		Fix: Fix{Class: Manual, Say: "define the filter again (virsh nwfilter-define), or take <filterref> out of the interface"},
	})
}

// filterAtWork looks for the binding, the chains, and what shows the packets to
// them.
func (p *pass) filterAtWork(n *nic, filters *libvirtnet.Filters, chains []tapChain) {
	bound := slices.ContainsFunc(filters.Bindings, func(b libvirtnet.FilterBinding) bool { return b.Tap == n.iface.Target })
	f := Finding{
		Evidence: "libvirt's bindings, chains of the packet filter for " + show(n.iface.Target),
		Want:     "rules of filter " + show(n.iface.Filter),
		Fix: Fix{
			Class: Manual, Steps: n.renew(false),
			Say: "take the interface out of guest " + show(n.guest.Name) + " and plug an equal one in" + n.byDocument() + ", which makes the rules anew",
		},
	}
	call, off := p.unshown(n, chains)
	switch {
	case !bound:
		f.Message = fmt.Sprintf("%s runs without its network filter %s: libvirt has no binding for it", n.title(), show(n.iface.Filter))
		f.Have = "no binding"
	case len(chains) == 0 && p.legacyBridgeRules():
		p.cannot("kernel firewall", "rules of ebtables-legacy cannot be read")
		return
	case len(chains) == 0:
		f.Message = fmt.Sprintf("%s runs without its network filter %s: its rules are gone", n.title(), show(n.iface.Filter))
		f.Have = "no chains"
	case off:
		f.Severity = Warning
		f.Message = fmt.Sprintf("the iptables rules of %s's network filter %s see no bridged packet: %s is off", n.title(), show(n.iface.Filter), call)
		f.Evidence, f.Want, f.Have = "sysctl "+call, call+" 1", "0"
		f.Fix = Fix{Class: Manual, Say: "switch it on; other rules of iptables then see bridged packets, too", Steps: []Step{{Do: SetSysctl, On: call, With: "1"}}}
	default:
		at := slices.IndexFunc(chains, func(c tapChain) bool { return !p.packets().reached(c.table)[c.chain.Name] })
		if at < 0 {
			p.filterForAnother(n, filters, chains)
			return
		}
		f.Message = fmt.Sprintf("%s runs without all of its network filter %s: no rule leads into its chain %s", n.title(), show(n.iface.Filter), show(chains[at].chain.Name))
		f.Have = "no rule with a jump to " + show(chains[at].chain.Name)
	}
	p.found(n.subject, f)
}

// unshown is the switch for lack of which iptables does not see what a filter's
// chains there are for; the bridge has one of its own.
func (p *pass) unshown(n *nic, chains []tapChain) (call string, off bool) {
	for _, c := range chains {
		call = callSwitch(c.table.Family == "ip6")
		if c.table.Family != "bridge" && p.snap.Kernel.Sysctls[call] == "0" && p.bridges[n.tap.Master] != nil && !p.callsIP(n.tap.Master, c.table.Family == "ip6") {
			return call, true
		}
	}
	return "", false
}

// legacyBridgeRules says whether the ebtables that libvirt runs keeps its rules
// where nftables does not see them.
func (h *host) legacyBridgeRules() bool {
	return h.snap.Services != nil && slices.ContainsFunc(h.snap.Services.Programs, func(p services.Program) bool {
		return p.Name == "ebtables" && strings.Contains(p.Real, "legacy")
	})
}

func nwfilterOrphan(p *pass) {
	chains := p.filterChains()
	for _, tap := range slices.Sorted(maps.Keys(chains)) {
		s := scope{kind: aLink, link: tap, free: true}
		have := "no such link"
		if n := p.byTap[tap]; n != nil {
			s = n.subject
			have = "an interface without a filter"
			if n.iface.Filter != "" {
				continue
			}
		} else if p.links[tap] != nil {
			continue // somebody's link, with a filter of his own
		}
		if !p.on(s) {
			continue
		}
		names := make([]string, 0, len(chains[tap]))
		for _, c := range chains[tap] {
			names = append(names, c.chain.Name)
		}
		p.found(s, Finding{
			Subject:  tap,
			Message:  fmt.Sprintf("chains of a network filter for %s are left over (%s): they filter whoever gets that tap", show(tap), someNames(names)),
			Evidence: fmt.Sprintf("chain %s of table %s %s", show(names[0]), chains[tap][0].table.Family, show(chains[tap][0].table.Name)),
			Want:     "no chain for " + show(tap), Have: have,
			Fix: removeChains(tap, chains[tap]),
		})
	}
}

// removeChains deletes chains: first the rules that lead into them, then what
// is in them and below, then the chains themselves.
func removeChains(tap string, chains []tapChain) Fix {
	fix := Fix{Class: Guarded, Say: "delete the chains and what leads into them"}
	for _, c := range chains {
		if c.table.Legacy {
			return Fix{Class: Manual, Say: "delete chain " + show(c.chain.Name) + " and what leads into it, with iptables-legacy"}
		}
	}
	doomed := doomedChains(tap, chains)
	seen := map[*firewall.Table]bool{}
	for _, c := range chains {
		if !seen[c.table] {
			seen[c.table] = true
			fix.Steps = append(fix.Steps, rulesInto(c.table, doomed)...)
		}
	}
	for _, verb := range []string{"flush", "delete"} {
		for _, d := range doomed {
			fix.Steps = append(fix.Steps, Step{Do: RunArgs, On: "nft", Args: []string{verb, "chain", d.family, d.table, d.chain}})
		}
	}
	return fix
}

// chainAt names a chain of the packet filter.
type chainAt struct{ family, table, chain string }

// doomedChains are the chains of a tap with those below them.
func doomedChains(tap string, chains []tapChain) []chainAt {
	var doomed []chainAt
	for _, tc := range chains {
		t := tc.table
		for i := range t.Chains {
			name := t.Chains[i].Name
			own, _ := tapOf(t.Family, name)
			below := t.Family == "bridge" && (strings.HasPrefix(name, "I-"+tap+"-") || strings.HasPrefix(name, "O-"+tap+"-"))
			if at := (chainAt{t.Family, t.Name, name}); (own == tap || below) && !slices.Contains(doomed, at) {
				doomed = append(doomed, at)
			}
		}
	}
	return doomed
}

// rulesInto are the steps that delete the rules of other chains that lead into
// the doomed ones.
func rulesInto(t *firewall.Table, doomed []chainAt) []Step {
	var steps []Step
	for i := range t.Chains {
		c := &t.Chains[i]
		if slices.Contains(doomed, chainAt{t.Family, t.Name, c.Name}) {
			continue
		}
		for _, r := range c.Rules {
			if slices.ContainsFunc(r.Exprs, func(e *firewall.Expr) bool {
				return e.Jump != nil && slices.Contains(doomed, chainAt{t.Family, t.Name, e.Jump.Chain})
			}) {
				steps = append(steps, Step{Do: RunArgs, On: "nft", Args: []string{
					"delete", "rule", t.Family, t.Name, c.Name, "handle", strconv.FormatUint(r.Handle, 10),
				}})
			}
		}
	}
	return steps
}
