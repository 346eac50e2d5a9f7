package verify

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// staleIndexes looks for rules of the nftables backend whose link is gone. The
// rules of a network that is gone itself are left over: see mixedBackends.
func staleIndexes(p *pass) {
	f := p.packets()
	stale := f.staleRules()
	for _, n := range p.flowNets() {
		if !p.on(n.scope()) {
			continue
		}
		list := stale[n.net.Name]
		if len(list) == 0 {
			continue
		}
		first, have, open := list[0], "no link", "its guests can be reached from outside and send under any address"
		if n.def.Mode == xml.Isolated {
			open = "nothing keeps its guests from the outside"
		}
		index := f.foreignIndex(first.rule(), n)
		if l := p.linkByIndex(index); l != "" {
			have = "link " + show(l)
		}
		p.found(n.scope(), Finding{
			Message: fmt.Sprintf("libvirt's nftables rules for network %s are bound to link number %d, and its bridge %s is number %d: %s",
				show(n.net.Name), index, show(n.bridge.Name), n.bridge.Index, open),
			Evidence: evidence(f.reference(first)),
			Want:     fmt.Sprintf("iif and oif %d (%s)", n.bridge.Index, show(n.bridge.Name)),
			Have:     fmt.Sprintf("iif and oif %d (%s)", index, have),
			Fix:      p.rulesAgain(),
		})
	}
}

// staleRules are, by network, the rules of the nftables backend that are its
// own and name another link than its bridge, where no rule names that. A rule
// is its own that names its subnets, or that libvirt remembers to have made for
// it: those of isolated networks name none.
func (f *packetFilter) staleRules() map[string][]placedRule {
	found, bound := map[string][]placedRule{}, map[string]bool{}
	nets, made := f.h.flowNets(), f.h.rulesMade()
	f.networkRules(func(r placedRule) {
		if !nftTable(r.table.Name) {
			return
		}
		for _, l := range f.ruleLinks(r.rule()) {
			for _, n := range nets {
				switch {
				case l.name == "" && l.index == n.bridge.Index || l.name == n.bridge.Name:
					bound[n.net.Name] = true
				case l.name == "" && (n.inRule(r.rule()) || made[r.place()] == n.net.Name) && f.h.owners[f.h.linkByIndex(l.index)] == nil:
					found[n.net.Name] = append(found[n.net.Name], r)
				}
			}
		}
	})
	for name := range bound {
		delete(found, name)
	}
	return found
}

// rulesMade are the networks by the rules that libvirt made for them.
func (h *host) rulesMade() map[services.FilterRule]string {
	if h.made != nil {
		return h.made
	}
	made := map[services.FilterRule]string{}
	h.made = made
	if s := h.snap.Services; s != nil {
		for i := range s.Networks {
			for _, r := range s.Networks[i].Rules {
				made[r] = s.Networks[i].Name
			}
		}
	}
	return made
}

// foreignIndex is the link number in a rule that is not that of the network's
// bridge.
func (f *packetFilter) foreignIndex(r *firewall.Rule, n flowNet) int {
	for _, l := range f.ruleLinks(r) {
		if l.name == "" && l.index != n.bridge.Index {
			return l.index
		}
	}
	return 0
}

// linkByIndex is the name of a link; "" where there is none.
func (h *host) linkByIndex(index int) string {
	for i := range h.snap.Kernel.Links {
		if h.snap.Kernel.Links[i].Index == index {
			return h.snap.Kernel.Links[i].Name
		}
	}
	return ""
}

// mixedBackends looks for rules of libvirt's that nobody needs: of a network
// that is gone, or of the backend that is no longer in use.
func mixedBackends(p *pass) {
	f := p.packets()
	left := f.leftovers()
	for _, name := range slices.Sorted(maps.Keys(left)) {
		s := scope{kind: aBridge, bridge: name}
		for i := range p.snap.Libvirt.Networks {
			if n := &p.snap.Libvirt.Networks[i]; n.Def().Bridge == name && name != "" {
				s.network = n.Name
			}
		}
		if !p.on(s) {
			continue
		}
		p.found(s, f.tellLeftover(name, left[name]))
	}
	for _, n := range p.flowNets() {
		if !p.on(n.scope()) {
			continue
		}
		if f.backend(n, false) == "both" || f.backend(n, true) == "both" {
			p.found(n.scope(), f.tellBoth(n))
		} else if forgotten, ok := f.tellForgotten(n); ok {
			p.found(n.scope(), forgotten)
		}
	}
}

func (f *packetFilter) tellLeftover(name string, list []placedRule) Finding {
	fix := Fix{Class: Guarded, Say: "delete the rules: no active network has that bridge", Steps: f.deleteRules(list)}
	if len(fix.Steps) == 0 {
		fix.Class = Manual
	}
	return Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("%d firewall rules of libvirt's for %s are left over: no active network has that bridge", len(list), show(name)),
		Evidence: evidence(f.reference(list[0])),
		Want:     "no rules for " + show(name), Have: fmt.Sprintf("%d rules", len(list)),
		Fix: fix,
	}
}

// leftovers are the rules of no active network, by the name of the bridge that
// they are for. A link that is there, or that an active network names as its
// way out, does not make a rule one of these: only the bridge does. A rule that
// names an active network besides is of use to that. Rules for a link number
// that nobody has are those of an active network's bridge that is missing, while
// there is one: it may have no address that would tell.
func (f *packetFilter) leftovers() map[string][]placedRule {
	active, dead := f.h.bridgesByFate()
	stale, bridgeless := f.staleNumbers(), f.h.bridgeless()
	found, subnets := map[string][]placedRule{}, map[netip.Prefix]string{}
	var nat []placedRule
	f.networkRules(func(r placedRule) {
		links := f.ruleLinks(r.rule())
		if f.serves(r.rule(), links) {
			return
		}
		for _, l := range links {
			if l.name == "" && (stale[l.index] || bridgeless && f.h.linkByIndex(l.index) == "") {
				return
			}
			name := f.h.nameIn(l)
			if !active[name] && (dead[name] || f.h.links[name] == nil) {
				found[name] = append(found[name], r)
				for _, subnet := range addressesOf(r.rule()) {
					subnets[subnet] = name
				}
				return
			}
		}
		if len(links) == 0 {
			nat = append(nat, r)
		}
	})
	for _, r := range nat {
		if name := subnets[sourceOf(r.rule())]; name != "" {
			found[name] = append(found[name], r)
		}
	}
	return found
}

// serves says whether a rule is for an active network, by its bridge or its subnet.
func (f *packetFilter) serves(r *firewall.Rule, links []ruleLink) bool {
	owned := func(l ruleLink) bool { return f.h.owners[f.h.nameIn(l)] != nil }
	in := func(l ruleLink) bool { return l.key == "iif" || l.key == "iifname" }
	return slices.ContainsFunc(links, owned) || f.h.subnetOf(sourceOf(r)) && !slices.ContainsFunc(links, in)
}

// staleNumbers are the link numbers in rules of active networks that are bound
// to a link that is gone.
func (f *packetFilter) staleNumbers() map[int]bool {
	stale := map[int]bool{}
	for _, list := range f.staleRules() {
		for _, r := range list {
			for _, l := range f.ruleLinks(r.rule()) {
				stale[l.index] = true
			}
		}
	}
	return stale
}

// bridgeless says whether an active network's bridge is missing.
func (h *host) bridgeless() bool {
	return slices.ContainsFunc(h.snap.Libvirt.Networks, func(n libvirtnet.Network) bool {
		def := definition(&n)
		return n.Active && def.Managed() && !h.isBridge(def.Bridge)
	})
}

// bridgesByFate are the bridges and forward devices of active networks, and the
// bridges of the others.
func (h *host) bridgesByFate() (active, dead map[string]bool) {
	active, dead = map[string]bool{}, map[string]bool{}
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		def := definition(n)
		switch {
		case n.Active:
			active[h.realName(def.Bridge)], active[def.Bridge] = true, true
			for _, dev := range def.ForwardDevs {
				active[dev] = true
			}
		case def.Managed() && def.Bridge != "":
			dead[def.Bridge] = true
		}
	}
	return active, dead
}

// nameIn is the name of a rule's link; one that has none is called by its
// number.
func (h *host) nameIn(l ruleLink) string {
	if l.name != "" {
		return l.name
	}
	if name := h.linkByIndex(l.index); name != "" {
		return name
	}
	return fmt.Sprintf("link number %d", l.index)
}

// tellBoth is the finding for a network with rules of both backends.
func (f *packetFilter) tellBoth(n flowNet) Finding {
	current := f.h.backendOf(n.net.Name)
	out := Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("both firewall backends of libvirt's have rules for network %s (%s)", show(n.net.Name), show(n.bridge.Name)),
		Want:     "rules of one backend", Have: "rules of iptables and of nftables",
		Fix: Fix{Class: Manual, Say: "delete the rules of the backend that is no longer in use (firewall_backend in /etc/libvirt/network.conf)"},
	}
	for _, b := range f.breaches(n) {
		if text, cut := effects(b); b.check == backendMixed && cut {
			out.Severity = Error
			out.Message += ", and " + text
		}
	}
	if current == "" {
		current = "nftables"
	} else {
		out.Want = "rules of " + current
	}
	var other []placedRule
	f.networkRules(func(r placedRule) {
		mine := ruleNames(r.rule(), n.bridge, "iif", "oif") || translates(r.rule()) && n.inRule(r.rule())
		if mine && (current == "nftables") != nftTable(r.table.Name) {
			other = append(other, r)
		}
	})
	if len(other) == 0 {
		return out
	}
	out.Evidence = evidence(f.reference(other[0]))
	if f.h.backendOf(n.net.Name) != "" {
		out.Fix = Fix{Class: Guarded, Say: "delete the rules of the other backend; libvirt uses " + current, Steps: f.deleteRules(other)}
	}
	if len(out.Fix.Steps) == 0 {
		out.Fix.Class = Manual
	}
	return out
}

// backendOf is the backend that libvirt uses for a network; "" where that is
// not known.
func (h *host) backendOf(network string) string {
	if s := h.snap.Services; s != nil {
		for i := range s.Networks {
			if n := &s.Networks[i]; n.Name == network && n.Backend != "" {
				return n.Backend
			}
		}
	}
	if v := h.snap.Libvirt.Version; v > 0 && v < nftablesBackend {
		return "iptables"
	}
	return ""
}
