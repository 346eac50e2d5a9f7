package verify

import (
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// Causes for which the ruleset does something else with a network's packets
// than the network's mode declares. Each is the id of the check that reports
// it.
const (
	rulesMissing   = "fw-rules-missing"
	chainsMissing  = "fw-chains-missing"
	natMissing     = "nat-missing"
	natWrongSubnet = "nat-wrong-subnet"
	jumpOrder      = "fw-jump-order"
	dropForward    = "fw-foreign-drop-forward"
	dropInput      = "fw-foreign-drop-input"
	ufwBlocks      = "ufw-blocks"
	killSwitch     = "vpn-killswitch"
	isolatedLeak   = "isolated-leak"
	// These are found here and told by the checks about
	// the structure of the ruleset.
	legacyShadow = "fw-legacy-shadow"
	bridgeDrop   = "fw-bridge-family-drop"
	backendMixed = "fw-backend-mixed"
)

// breach is one cause, with the flows of a network that it touches. The first
// is the evidence.
type breach struct {
	check string
	net   flowNet
	flows []seen
	// chains are libvirt's chains that are not there or that nothing leads to
	// (fw-chains-missing).
	chains []string
	// others are networks that the same rule hits, where one finding names them all.
	others []flowNet
}

func (b breach) first() seen { return b.flows[0] }

// breaches are the causes found for a network, each once.
func (f *packetFilter) breaches(n flowNet) []breach {
	if f.found == nil {
		f.found = map[string][]breach{}
	}
	if list, ok := f.found[n.net.Name]; ok {
		return list
	}
	list := rootFirst(oncePerRule(f.layers(n)))
	for i := range list {
		if list[i].check == chainsMissing {
			list[i].chains = append(f.lostChains(n, false), f.lostChains(n, true)...)
		}
	}
	f.found[n.net.Name] = list
	return list
}

// rootFirst leaves out what follows from another cause of the same network.
// Where libvirt's rules are gone in one family, what they lack in the other or
// in the nat table is no second fault; and who switched a firewall on that drops
// both ways is cured once.
func rootFirst(list []breach) []breach {
	follows := map[string][]string{
		rulesMissing: {chainsMissing}, natMissing: {chainsMissing, rulesMissing},
		natWrongSubnet: {chainsMissing, rulesMissing}, isolatedLeak: {chainsMissing, rulesMissing},
	}
	has := func(id string) bool { return slices.ContainsFunc(list, func(b breach) bool { return b.check == id }) }
	var kept []breach
	for _, b := range list {
		if !slices.ContainsFunc(follows[b.check], has) {
			kept = append(kept, b)
		}
	}
	return kept
}

// oncePerRule tells of a rule that drops both what guests send on and what they
// ask the host for, as one before routing does, under the first of the two.
func oncePerRule(list []breach) []breach {
	forward := slices.IndexFunc(list, func(b breach) bool { return b.check == dropForward })
	input := slices.IndexFunc(list, func(b breach) bool { return b.check == dropInput })
	if forward < 0 || input < 0 {
		return list
	}
	both := func(s seen) bool {
		return slices.ContainsFunc(list[forward].flows, func(o seen) bool { return o.last().By == s.last().By })
	}
	for _, s := range list[input].flows {
		if both(s) {
			list[forward].flows = append(list[forward].flows, s)
		}
	}
	if list[input].flows = slices.DeleteFunc(list[input].flows, both); len(list[input].flows) == 0 {
		list = slices.Delete(list, input, input+1)
	}
	return list
}

// judgeFamily compares the network's flows of one family with what is declared.
func (f *packetFilter) judgeFamily(n flowNet, v6 bool, note func(string, seen)) {
	var out seen // the last flow to the outside: answers follow it
	for _, w := range f.h.flowsOf(n, v6) {
		s := f.look(w)
		cause := ""
		if w.say == flowOut {
			out = s
		}
		switch {
		case s.broken() && s.untracked():
			cause = dropForward
		case s.broken() && w.want == firewall.Accept:
			cause = f.blameDrop(n, s)
		case s.broken():
			cause = f.blameAccept(n, s)
		case s.unmasked():
			cause = f.blameNAT(n, s)
		case w.nat && w.say == flowOut:
			if rest := f.see(pings(w)); rest.unmasked() {
				cause, s = f.blameNAT(n, rest), rest
			}
		case w.say == flowBack && out.nat && !out.broken() && !out.unmasked():
			if s.strayed = s.strays(out); s.strayed.Table != "" {
				cause = natMissing
			}
		}
		if cause != "" {
			note(cause, s)
		}
	}
	if w := f.h.spoofed(n, v6); n.ruled(v6) && len(n.prefixes(v6)) > 0 && f.h.carries(n, v6) {
		// Nothing speaks of such packets where a policy lets them pass, not even
		// rules that an administrator has in place of libvirt's.
		if s := f.see(w); s.broken() && s.By.Policy() && f.alone(w).Answer != firewall.Drop {
			note(f.incomplete(n, v6), s)
		}
	}
}

// pings are the part of a flow to the outside that libvirt's third rule of NAT is
// for, behind those for TCP and UDP: all other protocols.
func pings(w declared) declared {
	w.say, w.ways = flowRest, slices.Clone(w.ways)
	proto, typ := "icmp", uint8(8) // echo request, RFC 792
	if w.v6 {
		proto, typ = "ipv6-icmp", 128 // RFC 4443
	}
	for i := range w.ways {
		w.ways[i].Proto, w.ways[i].ICMPType, w.ways[i].ICMPCode = proto, &typ, new(uint8)
	}
	return w
}

// incomplete is the cause where a reject of libvirt's is not there.
func (f *packetFilter) incomplete(n flowNet, v6 bool) string {
	if cause := f.gone(n, v6); cause == chainsMissing || f.backend(n, v6) == "" {
		return cause
	}
	return isolatedLeak
}

// look asks what becomes of a flow; if that depends, what becomes of a part of
// it that stands for the whole. A host that lets pings through and no TCP has a
// fault, and one that drops mail has none: nothing is blamed for the drop of a
// single port, but its source must be translated like that of the rest.
func (f *packetFilter) look(w declared) seen {
	s := f.see(w)
	if s.Answer == firewall.Accept && w.want == firewall.Accept && f.seesFrames() {
		if below := f.see(f.h.framed(w)); below.Answer == firewall.Drop {
			return below
		}
	}
	if s.Answer != firewall.Depends || w.want != firewall.Accept || w.say != flowOut && w.say != flowBack {
		return s
	}
	w.ways = slices.Clone(w.ways)
	for i := range w.ways {
		w.ways[i].Proto = "tcp"
		if w.say == flowBack { // no service of anybody's that a rule may name
			w.ways[i].DstPort = dynamicPort
		}
	}
	if part := f.see(w); part.Answer != firewall.Depends {
		return part
	}
	if w.nat {
		for i := range w.ways {
			w.ways[i].DstPort = 443
		}
		if part := f.see(w); part.unmasked() {
			return part
		}
	}
	return s
}

// seesFrames says whether there is a base chain of the bridge family.
func (f *packetFilter) seesFrames() bool {
	return slices.ContainsFunc(f.rules.Tables, func(t firewall.Table) bool {
		return t.Family == "bridge" && slices.ContainsFunc(t.Chains, func(c firewall.Chain) bool { return c.Base != nil })
	})
}

// framed is a flow that also passes the ports of the bridges that it comes and
// leaves by. What a rule for a single port does to it is not sure, so that it is
// asked for drops only.
func (h *host) framed(w declared) declared {
	w.ways = slices.Clone(w.ways)
	for i := range w.ways {
		way := &w.ways[i]
		way.FromPort, way.ToPort = h.isBridge(way.IIF.Name), h.isBridge(way.OIF.Name)
	}
	return w
}

// alone is what libvirt's rules do to a flow if nobody else has a say.
func (f *packetFilter) alone(w declared) seen { return seeIn(f.ownRules(), w) }

// gone is the cause where libvirt's rules do not decide: its chains are lost,
// or the rules in them.
func (f *packetFilter) gone(n flowNet, v6 bool) string {
	if len(f.lostChains(n, v6)) > 0 {
		return chainsMissing
	}
	return rulesMissing
}

// filterChains are those of libvirt's iptables backend in table filter, each
// with the chain that leads to it (src/network/bridge_driver_linux.c).
var filterChains = []struct{ base, chain string }{
	{"INPUT", "LIBVIRT_INP"}, {"OUTPUT", "LIBVIRT_OUT"}, {"FORWARD", "LIBVIRT_FWX"}, {"FORWARD", "LIBVIRT_FWI"}, {"FORWARD", "LIBVIRT_FWO"},
}

// lostChains are libvirt's chains of one family that are gone while others of
// its are there, or that hold rules for the network and that nothing leads to.
func (f *packetFilter) lostChains(n flowNet, v6 bool) []string {
	var lost []string
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		if t.Family != familyName(v6) || t.Name == "nat" || t.Name == "mangle" {
			continue
		}
		there := 0
		for j := range t.Chains {
			c := &t.Chains[j]
			if c.Base != nil || !networkChain(t, c) {
				continue
			}
			there++
			if f.rulesFor(c, n) && !f.reached(t)[c.Name] {
				lost = append(lost, c.Name)
			}
		}
		if t.Name != "filter" || there == len(filterChains) || there == 0 && (!f.traces() || !f.mayHold(t.Legacy)) {
			continue
		}
		for _, c := range filterChains {
			if f.chain(firewall.Reference{Family: t.Family, Table: t.Name, Legacy: t.Legacy}, c.chain) == nil {
				lost = append(lost, c.chain)
			}
		}
	}
	return lost
}

// traces says whether libvirt's iptables backend is at work here: chains of its
// are left, or the daemon has no other backend.
func (f *packetFilter) traces() bool {
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		for j := range t.Chains {
			if strings.HasPrefix(t.Chains[j].Name, "LIBVIRT_") && !nftTable(t.Name) {
				return true
			}
		}
	}
	version := f.h.snap.Libvirt.Version
	return version >= privateChains && version < nftablesBackend
}

// privateChains and nftablesBackend are the first libvirt with chains of its
// own, 5.1.0, and the first that can do without iptables, 10.4.0.
const (
	privateChains   = 5_001_000
	nftablesBackend = 10_004_000
)
