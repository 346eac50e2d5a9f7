package verify

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// How the packet filter is judged. Nothing is compared by its text:
//
//	declared   flowsOf: what must become of the packets of a network, by its
//	           mode (declared.want, declared.nat)
//	effective  packetFilter.see: what the whole ruleset does to them
//	cause      packetFilter.breaches: where the two differ, the one cause
//
// A check about the packet filter asks h.packets(), which is nil where nothing
// was read, for the filter (its Decide answers for any other flow), h.flowNets()
// for the networks with a bridge to judge, and breachesOf(p, ID) for what has
// been found of its id. A new cause is a case in blame, and a line in After of
// what follows from it.

// packetFilter is the ruleset of a host, prepared for questions.
type packetFilter struct {
	h      *host
	rules  *firewall.Ruleset
	filter *firewall.Filter
	// own is the ruleset with libvirt's rules alone, once it is asked for.
	own  *firewall.Filter
	less map[string]*firewall.Filter // serves without
	// found are the breaches by network, once looked for.
	found map[string][]breach
	// openOf are the open flows, once looked for.
	openOf   map[netFamily][]declared
	byHandle map[string]*handles // filled by handlesOf
	// repliesARP says whether a rule answers ARP, once asked.
	repliesARP *bool
	// linksOf and reachedIn serve rulesFor and reached.
	linksOf   map[*firewall.Chain]*chainLinks
	reachedIn map[*firewall.Table]map[string]bool
}

// netFamily is one family of a network.
type netFamily struct {
	network string
	v6      bool
}

// packets is the packet filter of the host; nil when it was not read.
func (h *host) packets() *packetFilter {
	if h.firewall == nil && h.snap.Firewall != nil {
		h.firewall = &packetFilter{h: h, rules: h.snap.Firewall, filter: firewall.New(h.snap.Firewall, h.firewallHost())}
	}
	return h.firewall
}

// firewallHost is what matches such as addrtype and fib ask of the host. Routes
// are given where no rule for some packets can overrule them.
func (h *host) firewallHost() firewall.Host {
	var out firewall.Host
	for i := range h.snap.Kernel.Addresses {
		a := &h.snap.Kernel.Addresses[i]
		if a.Prefix.IsValid() {
			addr := a.Prefix.Addr().WithZone("").Unmap()
			out.Addresses = append(out.Addresses, firewall.HostAddress{
				Interface: h.device(a.Link), Prefix: netip.PrefixFrom(addr, min(a.Prefix.Bits(), addr.BitLen())),
			})
		}
	}
	for i := range h.snap.Kernel.Links {
		l := &h.snap.Kernel.Links[i]
		if mac, err := net.ParseMAC(l.MAC); err == nil && len(mac) == 6 && !l.Loopback {
			out.Ethernet = append(out.Ethernet, l.Name)
		}
	}
	for i := range h.snap.Kernel.Rules {
		if r := &h.snap.Kernel.Rules[i]; conditional(r) || r.Action != "lookup" {
			return out
		}
	}
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		if r.Table == tableMain && usable(r) && r.Dst.IsValid() {
			out.Routes = append(out.Routes, firewall.HostRoute{Dst: plainPrefix(r.Dst), OIF: h.device(r.Link)})
		}
	}
	return out
}

// device is a link as the packet filter knows it.
func (h *host) device(name string) firewall.Interface {
	out := firewall.Interface{Name: name}
	if l := h.links[name]; l != nil {
		out.Name, out.Index = l.Name, l.Index
	}
	return out
}

// flowNet is an active network whose bridge is libvirt's and there.
type flowNet struct {
	net    *libvirtnet.Network
	def    *xml.Network
	bridge firewall.Interface
}

func (n flowNet) scope() scope {
	return scope{kind: aNetwork, network: n.net.Name, bridge: n.bridge.Name}
}

// bridgeNets are the networks whose bridge is there and libvirt's.
func (h *host) bridgeNets() []flowNet {
	if h.withBridge != nil {
		return h.withBridge
	}
	list := []flowNet{}
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		def := definition(n)
		if !n.Active || !def.Managed() || h.owners[def.Bridge] != n || !h.isBridge(def.Bridge) {
			continue
		}
		list = append(list, flowNet{net: n, def: def, bridge: h.device(def.Bridge)})
	}
	h.withBridge = list
	return list
}

// flowNets are those of them that libvirt makes rules for.
func (h *host) flowNets() []flowNet {
	if h.withRules == nil {
		h.withRules = slices.DeleteFunc(slices.Clone(h.bridgeNets()), func(n flowNet) bool { return n.def.Mode == xml.Open })
	}
	return h.withRules
}

// prefixes are the network's subnets of one family.
func (n flowNet) prefixes(v6 bool) []netip.Prefix {
	var list []netip.Prefix
	for _, ip := range n.def.IPs {
		if p := plainPrefix(ip.Address); p.IsValid() && p.Addr().Is6() == v6 && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// natted says whether libvirt translates the network's packets: IPv6 only with
// <nat ipv6='yes'>.
func (n flowNet) natted(v6 bool) bool {
	return n.def.Mode == xml.NAT && (!v6 || n.def.NAT != nil && n.def.NAT.IPv6)
}

// ruled says whether libvirt makes any rule of this family for the network.
func (n flowNet) ruled(v6 bool) bool {
	return !v6 || n.def.IPv6 || len(n.prefixes(true)) > 0
}

// seen is what became of a flow.
type seen struct {
	declared
	firewall.Verdict
	// strayed is the rule by which answers are looked for in another zone of
	// conntrack's than their connection is in.
	strayed firewall.Reference
}

// broken says whether the verdict is surely not the declared one.
func (s seen) broken() bool { return s.Answer != firewall.Depends && s.Answer != s.want }

// unmasked says whether packets surely leave with the guest's own source
// though it is to be translated. Those that somebody surely sends elsewhere, as to a
// proxy on the host, are another matter.
func (s seen) unmasked() bool {
	return s.nat && s.Answer == firewall.Accept && s.Source == nil && (s.Destination == nil || s.Destination.Maybe)
}

// untracked says whether a rule takes packets from conntrack that guests send out, or
// the answers to them: libvirt's rules are for connections.
func (s seen) untracked() bool {
	return s.Untracked.Table != "" && (s.say == flowOut || s.say == flowRest || s.say == flowBack)
}

// strays is the rule by which answers come in another zone than what they answer left
// in, so that the address of the host in them is not translated back. Its Table is
// empty where none does.
func (s seen) strays(out seen) firewall.Reference {
	switch {
	case s.Zone < 0 || out.Zone < 0 || s.Zone == out.Zone:
		return firewall.Reference{}
	case out.Zoned.Table != "":
		return out.Zoned
	}
	return s.Zoned
}

// see asks what becomes of a flow. Where it may take several ways, all must
// agree: on the answer, and on whether the source is translated.
func (f *packetFilter) see(w declared) seen { return seeIn(f.filter, w) }

func seeIn(filter *firewall.Filter, w declared) seen {
	s := seen{declared: w}
	for i, way := range w.ways {
		v := filter.Decide(way)
		switch {
		case i == 0:
			s.Verdict = v
		case v.Answer != s.Answer, (v.Source == nil) != (s.Source == nil):
			s.Answer, s.Why = firewall.Depends, "the ways out differ"
		case v.Zone != s.Zone:
			s.Zone = -1
		}
	}
	if len(w.ways) == 0 {
		s.Answer = firewall.Depends
	}
	return s
}

// last is the base chain that decided: that which dropped, or which holds the
// rule named by By.
func (s seen) last() firewall.Step {
	for _, step := range s.Steps {
		if step.By == s.By {
			return step
		}
	}
	return firewall.Step{By: s.By}
}

// rulesOf calls visit for every rule.
func (f *packetFilter) rulesOf(visit func(t *firewall.Table, c *firewall.Chain, r *firewall.Rule)) {
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		for j := range t.Chains {
			for k := range t.Chains[j].Rules {
				visit(t, &t.Chains[j], &t.Chains[j].Rules[k])
			}
		}
	}
}

// networkChain says whether a chain is one that libvirt's network driver fills:
// LIBVIRT_* of the iptables backend, or one of a table of the nftables backend.
// libvirt's guest filters have other names.
func networkChain(t *firewall.Table, c *firewall.Chain) bool {
	return strings.HasPrefix(c.Name, "LIBVIRT_") || nftTable(t.Name)
}

// ownRules is the ruleset with the rules of libvirt's network driver alone and
// every policy accept: what libvirt's part does if nobody else has a say.
func (f *packetFilter) ownRules() *firewall.Filter {
	if f.own != nil {
		return f.own
	}
	rs := &firewall.Ruleset{Version: f.rules.Version, BigEndian: f.rules.BigEndian}
	for i := range f.rules.Tables {
		t := f.rules.Tables[i]
		chains := make([]firewall.Chain, 0, len(t.Chains))
		for j := range t.Chains {
			c := t.Chains[j]
			if !networkChain(&t, &c) {
				c.Rules = libvirtRules(&t, c.Rules)
			}
			if c.Base != nil {
				base := *c.Base
				base.Policy = "accept"
				c.Base = &base
			}
			chains = append(chains, c)
		}
		t.Chains = chains
		rs.Tables = append(rs.Tables, t)
	}
	f.own = firewall.New(rs, f.h.firewallHost())
	return f.own
}

// libvirtRules are the jumps of a chain into libvirt's chains.
func libvirtRules(t *firewall.Table, rules []firewall.Rule) []firewall.Rule {
	var kept []firewall.Rule
	for i := range rules {
		for _, e := range rules[i].Exprs {
			if e.Jump != nil && networkChain(t, &firewall.Chain{Name: e.Jump.Chain}) && e.Jump.Chain != "" {
				kept = append(kept, rules[i])
				break
			}
		}
	}
	return kept
}

// openFlows are the flows of a network that are to be accepted, and whose verdict
// hangs on more than the network.
func (f *packetFilter) openFlows(n flowNet, v6 bool) []declared {
	at := netFamily{n.net.Name, v6}
	open, known := f.openOf[at]
	if known {
		return open
	}
	for _, w := range f.h.flowsOf(n, v6) {
		if w.want == firewall.Accept && f.open(w) {
			open = append(open, w)
		}
	}
	if f.openOf == nil {
		f.openOf = map[netFamily][]declared{}
	}
	f.openOf[at] = open
	return open
}

// open says whether what becomes of a flow hangs on the guest, or may.
func (f *packetFilter) open(w declared) bool {
	return f.see(w).Answer == firewall.Depends || f.seesFrames() && f.see(f.h.framed(w)).Answer == firewall.Depends
}
