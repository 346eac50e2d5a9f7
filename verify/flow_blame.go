package verify

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// unserved are the flows between guests and the host that libvirt has no rules for.
var unserved = []string{flowND, flowNDReply, flowRouter, flowRouterAd, flowDNSReply}

// blameDrop is the cause for which packets are dropped that must pass.
func (f *packetFilter) blameDrop(n flowNet, s seen) string {
	by := s.last()
	switch {
	case by.By.Family == "bridge" || by.By.Family == "netdev" || by.Hook == "ingress":
		return bridgeDrop
	case f.libvirts(by.By) && f.backend(n, s.v6) == "both":
		return backendMixed
	case f.libvirts(by.By):
		return rulesMissing // a reject of libvirt's stands there, the accept before it does not
	}
	accept := f.alone(s.declared)
	reached := accept.Answer == firewall.Accept && accept.By.Table != "" && !accept.By.Policy() || !f.separable() ||
		accept.Answer == firewall.Depends && f.backend(n, s.v6) != "" && len(f.lostChains(n, s.v6)) == 0
	served := !slices.Contains(unserved, s.say)
	switch {
	case !reached && served && f.before(by):
		return jumpOrder // libvirt would leave its jumps where they are
	case !reached && (s.say == flowOut || s.say == flowBack) && f.home(n, by.By):
		return f.gone(n, s.v6)
	case !reached && iptablesTable(by.By) && (by.Hook == "input" || by.Hook == "output") && f.backend(n, s.v6) != "nftables" && served:
		// Only the iptables backend has rules for the host's services.
		if f.backend(n, s.v6) == "iptables" || f.traces() {
			return f.gone(n, s.v6)
		}
	case reached && sameBase(by, accept.last()):
		return jumpOrder
	}
	return f.blameForeign(by, accept)
}

// home says whether a rule stands in a table in which libvirt's own would save
// the network's packets. No rule of another table's can.
func (f *packetFilter) home(n flowNet, by firewall.Reference) bool {
	return nftTable(by.Table) || iptablesTable(by) && f.mayHold(by.Legacy) && f.backend(n, by.Family == "ip6") != "nftables"
}

// before says whether a rule that drops stands in front of a jump to libvirt's
// chains, in the same base chain.
func (f *packetFilter) before(by firewall.Step) bool {
	c := f.chain(by.By, by.Chain)
	if c == nil || by.By.Policy() || by.By.Chain != by.Chain || by.By.Number > len(c.Rules) {
		return false
	}
	t := &firewall.Table{Name: by.By.Table}
	return len(libvirtRules(t, c.Rules[:by.By.Number])) == 0 && len(libvirtRules(t, c.Rules[by.By.Number:])) > 0
}

// separable says whether libvirt's rules stand in chains of their own.
func (f *packetFilter) separable() bool {
	v := f.h.snap.Libvirt.Version
	return v == 0 || v >= privateChains
}

// nftTable says whether a table is one of libvirt's nftables backend.
func nftTable(name string) bool { return name == "libvirt_network" || name == "libvirt" }

// iptablesTable says whether a rule stands where libvirt's iptables backend has
// its own.
func iptablesTable(r firewall.Reference) bool {
	return (r.Family == "ip" || r.Family == "ip6") && r.Table == "filter"
}

// backend is the backend of libvirt's whose rules for the network are there:
// iptables, nftables, both, or none ("").
func (f *packetFilter) backend(n flowNet, v6 bool) string {
	found := ""
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		if t.Family != familyName(v6) || t.Name == "nat" || t.Name == "mangle" {
			continue
		}
		for j := range t.Chains {
			if c := &t.Chains[j]; !networkChain(t, c) || !f.rulesFor(c, n) {
				continue
			}
			have := "iptables"
			if nftTable(t.Name) {
				have = "nftables"
			}
			if found != "" && found != have {
				return "both"
			}
			found = have
		}
	}
	return found
}

// blameAccept is the cause for which packets pass that must not; "" where
// somebody wants that.
func (f *packetFilter) blameAccept(n flowNet, s seen) string {
	reject := f.alone(s.declared)
	if reject.Answer == firewall.Drop {
		// libvirt's reject is there. A rule before it, of the same base chain,
		// lets them pass; one that names the network is meant to.
		for _, step := range s.Steps {
			if sameBase(step, reject.last()) && !step.By.Policy() && s.say == flowIn && f.speaksOf(step.By, n) {
				return ""
			}
		}
		return isolatedLeak
	}
	if !f.separable() && f.backend(n, s.v6) == "" {
		return isolatedLeak
	}
	return f.incomplete(n, s.v6)
}

// blameNAT is the cause for which guests' own addresses leave the host.
func (f *packetFilter) blameNAT(n flowNet, s seen) string {
	if s.untracked() {
		return natMissing
	}
	own := f.alone(s.declared)
	if f.separable() && (own.Answer != firewall.Accept || own.By.Table == "" || own.By.Policy()) {
		return f.gone(n, s.v6)
	}
	if f.natSource(n, s.v6).IsValid() {
		return natWrongSubnet
	}
	return natMissing
}

// natSource is a subnet of no active network that rules of libvirt's translate,
// while it has none for the network's own.
func (f *packetFilter) natSource(n flowNet, v6 bool) netip.Prefix {
	var found netip.Prefix
	own := n.prefixes(v6)
	mine := false
	f.rulesOf(func(t *firewall.Table, c *firewall.Chain, r *firewall.Rule) {
		if t.Family != familyName(v6) || !networkChain(t, c) || !translates(r) {
			return
		}
		src := sourceOf(r)
		switch {
		case slices.Contains(own, src):
			mine = true
		case src.IsValid() && !f.h.subnetOf(src) && !found.IsValid():
			found = src
		}
	})
	if mine {
		return netip.Prefix{}
	}
	return found
}

// subnetOf says whether a subnet is that of an active network.
func (h *host) subnetOf(p netip.Prefix) bool {
	if h.subnets == nil {
		h.subnets = map[netip.Prefix]bool{}
		for _, n := range h.flowNets() {
			for _, v6 := range []bool{false, true} {
				for _, subnet := range n.prefixes(v6) {
					h.subnets[subnet] = true
				}
			}
		}
	}
	return h.subnets[p]
}

// blameForeign names whose base chain drops what libvirt lets pass.
func (f *packetFilter) blameForeign(by firewall.Step, accept seen) string {
	ours := accept.last().By
	switch {
	case by.By.Legacy && (!ours.Legacy || !f.holds(true)):
		return legacyShadow
	case f.vpn(by.By) != "":
		return killSwitch
	case f.owner(by) == firewall.OwnerUFW:
		return ufwBlocks
	case by.Hook == "forward" || by.Hook == "postrouting" || accept.say == flowOut || accept.say == flowBack:
		return dropForward
	}
	return dropInput
}

// holds says whether libvirt's own chains are in tables of iptables-legacy, as
// everything is on some hosts, or in others.
func (f *packetFilter) holds(legacy bool) bool {
	return slices.ContainsFunc(f.rules.Tables, func(t firewall.Table) bool {
		return t.Legacy == legacy && slices.ContainsFunc(t.Chains, func(c firewall.Chain) bool { return networkChain(&t, &c) })
	})
}

// mayHold says whether libvirt's chains are in tables of that kind, or in none.
func (f *packetFilter) mayHold(legacy bool) bool { return f.holds(legacy) || !f.holds(!legacy) }

// sameBase says whether two base chains are one.
func sameBase(a, b firewall.Step) bool {
	return a.Chain == b.Chain && a.By.Table == b.By.Table && a.By.Family == b.By.Family && a.By.Legacy == b.By.Legacy && a.By.Table != ""
}

// libvirts says whether a rule is one of libvirt's for networks.
func (f *packetFilter) libvirts(r firewall.Reference) bool {
	return r.Number > 0 && networkChain(&firewall.Table{Name: r.Table}, &firewall.Chain{Name: r.Chain})
}

// vpns are words in names of tables, chains and comments of programs that cut a
// host off while their tunnel is down.
var vpns = []string{"mullvad", "nordvpn", "ivpn", "protonvpn", "piavpn", "expressvpn", "xvpn", "evpn", "surfshark", "windscribe", "killswitch", "kill-switch", "kill_switch"}

// vpn is the name of the program whose rule it is, or the tunnel that it wants
// packets to take; "" for any other rule.
func (f *packetFilter) vpn(r firewall.Reference) string {
	text := strings.ToLower(r.Table + " " + r.Chain + " " + r.Text)
	for _, word := range vpns {
		if i := strings.Index(text, word); i >= 0 && (i == 0 || !isLetter(text[i-1])) {
			return word
		}
	}
	rule := f.rule(r)
	if rule == nil {
		return ""
	}
	for i := range f.h.snap.Kernel.Links {
		l := &f.h.snap.Kernel.Links[i]
		tunnel := l.Kind == "wireguard" || l.Kind == "tun" && l.Tun != nil && !l.Tun.Tap
		if tunnel && excepts(rule, firewall.Interface{Name: l.Name, Index: l.Index}) {
			return l.Name
		}
	}
	return ""
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' }

// owner guesses whose the drop is. A policy belongs to whoever has hung chains
// of its own into the base chain: ufw before Docker, since its cure covers both.
func (f *packetFilter) owner(by firewall.Step) string {
	if by.By.Owner != firewall.OwnerOther && by.By.Owner != "" {
		return by.By.Owner
	}
	c := f.chain(by.By, by.Chain)
	if c == nil {
		return firewall.OwnerOther
	}
	found := firewall.OwnerOther
	for i := range c.Rules {
		switch o := c.Rules[i].Owner; o {
		case firewall.OwnerUFW:
			return o
		case firewall.OwnerDocker, firewall.OwnerKube, firewall.OwnerFirewalld:
			if found == firewall.OwnerOther || o == firewall.OwnerDocker {
				found = o
			}
		}
	}
	return found
}

// chain is a chain of the table that a reference is of.
func (f *packetFilter) chain(r firewall.Reference, name string) *firewall.Chain {
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		if t.Family != r.Family || t.Name != r.Table || t.Legacy != r.Legacy {
			continue
		}
		for j := range t.Chains {
			if t.Chains[j].Name == name {
				return &t.Chains[j]
			}
		}
	}
	return nil
}

// rule is the rule that a reference names; nil for a policy.
func (f *packetFilter) rule(r firewall.Reference) *firewall.Rule {
	c := f.chain(r, r.Chain)
	if c == nil || r.Number < 1 || r.Number > len(c.Rules) {
		return nil
	}
	return &c.Rules[r.Number-1]
}
