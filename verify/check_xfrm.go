package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

func xfrmChecks() []Check {
	return []Check{{
		ID: "xfrm-blocks-guests", Title: "an IPsec policy drops guests' packets", Severity: Error, Class: Guarded,
		Needs: []Need{Networks, Guests, Links, Addresses, Routes, Rules, Sysctls, IPsec}, After: []string{"bridge-missing"},
		Doc: Doc{
			Symptom:  "Guests reach nothing outside, or not the host, while routes and the packet filter are in order.",
			Cause:    "A policy of IPsec (ip xfrm policy) that an IKE daemon, a VPN client or somebody's script made and left; or the kernel drops what no policy matches (ip xfrm policy setdefault).",
			Evidence: "The policies are asked as the kernel asks them, in each direction in the order of their priorities, for what guests and the outside, or guests and the host, send each other. One that blocks all of it is a fault, and so is one that wants it encrypted where the kernel has no state for that and no program listens that would make one. Where something of it may pass, for its port or mark or by another policy in front, nothing is said.",
			Cure:     "Delete the policy, unless the host is to refuse these packets; whatever made it may do so again.",
		},
		run: xfrmBlocks,
	}}
}

// xfrmFlow is what a policy is asked about: packets of a family and direction.
type xfrmFlow struct {
	say      string
	dir      string // in, out, fwd
	src, dst netip.Prefix
	iif, oif string
	proto    int // 0 is any
}

// xfrmDrop is a policy that drops, or a direction in which no policy means that.
type xfrmDrop struct {
	policy *bridge.XFRMPolicy // nil: the direction's default
	dir    string
}

func xfrmBlocks(p *pass) {
	if p.snap.Kernel.XFRM == nil {
		return // a document of before policies were read
	}
	type victims struct {
		drop   xfrmDrop
		scopes []scope
		says   []string
	}
	var found []victims
	for _, n := range p.bridgeNets() {
		if !p.on(n.scope()) {
			continue
		}
		for _, fl := range p.xfrmFlows(n) {
			drop, ok := p.xfrmDrop(fl)
			if !ok {
				continue
			}
			i := slices.IndexFunc(found, func(v victims) bool { return v.drop == drop })
			if i < 0 {
				i = len(found)
				found = append(found, victims{drop: drop})
			}
			v := &found[i]
			if !slices.Contains(v.scopes, n.scope()) {
				v.scopes = append(v.scopes, n.scope())
			}
			if !slices.Contains(v.says, fl.say) {
				v.says = append(v.says, fl.say)
			}
		}
	}
	for _, v := range found {
		p.tellXFRM(v.drop, v.scopes, v.says)
	}
}

// xfrmFlows are what must pass for a network's guests, each as the kernel shows
// it to the policies: what is translated is held against those for what comes
// in or goes out once as the guest's and once as the host's.
func (p *pass) xfrmFlows(n flowNet) []xfrmFlow {
	var list []xfrmFlow
	for _, v6 := range []bool{false, true} {
		for _, subnet := range n.prefixes(v6) {
			if routed(*n.def) {
				list = append(list, p.xfrmOutside(n, subnet, v6)...)
			}
		}
	}
	for _, ip := range n.def.IPs {
		host, subnet := ip.Address.Addr().WithZone("").Unmap(), plainPrefix(ip.Address)
		if dns := n.def.DNS; !subnet.IsValid() || !ip.DHCP() && dns != nil && dns.Enabled != nil && !*dns.Enabled {
			continue // nothing is asked of the host
		}
		list = append(list,
			xfrmFlow{say: "guests to the host", dir: "in", src: subnet, dst: single(host), iif: n.bridge.Name},
			xfrmFlow{say: "the host to guests", dir: "out", src: single(host), dst: subnet, oif: n.bridge.Name})
	}
	return list
}

// xfrmOutside are the flows between a subnet and the outside, where its way is
// known and one.
func (p *pass) xfrmOutside(n flowNet, subnet netip.Prefix, v6 bool) []xfrmFlow {
	far := p.outside(v6)
	ways := p.host.waysOut(n, far, subnet)
	if len(ways) != 1 || !p.plainWay(ways[0].Name) {
		return nil
	}
	way := ways[0].Name
	list := []xfrmFlow{
		{say: flowOut, dir: "fwd", src: subnet, dst: far, iif: n.bridge.Name, oif: way},
		{say: flowOut, dir: "out", src: subnet, dst: far, oif: way},
	}
	own := p.addressesOf(way, v6)
	switch {
	case n.natted(v6) && len(own) == 1 && (n.def.NAT == nil || !n.def.NAT.Start.IsValid()):
		list = append(list,
			xfrmFlow{say: flowOut, dir: "out", src: own[0], dst: far, oif: way},
			xfrmFlow{say: flowBack, dir: "fwd", src: far, dst: own[0], iif: way, oif: n.bridge.Name})
	case n.def.Mode == xml.Route && !p.translated(n, v6):
		list = append(list, xfrmFlow{say: flowBack, dir: "fwd", src: far, dst: subnet, iif: way, oif: n.bridge.Name})
	}
	// A host that lets pings through and no TCP has a fault.
	for _, fl := range list {
		fl.proto = tcp
		list = append(list, fl)
	}
	return list
}

const tcp = 6 // IANA's protocol numbers

// plainWay says whether a link takes packets as they are: the policies of
// tunnels are asked by another id or mark.
func (h *host) plainWay(link string) bool {
	l := h.links[link]
	return l != nil && l.Kind != "xfrm" && l.Kind != "vti" && l.Kind != "vti6"
}

// addressesOf are a link's own addresses of one family.
func (h *host) addressesOf(link string, v6 bool) []netip.Prefix {
	var list []netip.Prefix
	for _, a := range h.globalAddresses(link) {
		if addr := a.Addr().WithZone("").Unmap(); addr.Is6() == v6 {
			list = append(list, single(addr))
		}
	}
	return list
}

// xfrmDrop says what surely drops all packets of a flow, if anything does. The
// kernel asks the policies of type sub, then the main ones, and takes the
// default where none of either matches (__xfrm_policy_check,
// net/xfrm/xfrm_policy.c).
func (p *pass) xfrmDrop(fl xfrmFlow) (drop xfrmDrop, ok bool) {
	if p.xfrmExempt(fl) {
		return drop, false
	}
	x := p.snap.Kernel.XFRM
	matched := false
	for _, sub := range []bool{true, false} {
		policy, any := firstPolicy(x, fl, sub)
		if policy != nil {
			return xfrmDrop{policy: policy, dir: fl.dir}, true
		}
		matched = matched || any
	}
	return xfrmDrop{dir: fl.dir}, !matched && slices.Contains(x.Block, fl.dir)
}

// xfrmExempt says whether a link's packets are not held against policies. The
// switches of all links and of one are or-ed.
func (p *pass) xfrmExempt(fl xfrmFlow) bool {
	family, name, link := 4, "disable_policy", fl.iif
	if fl.src.Addr().Is6() {
		family = 6
	}
	if fl.dir == "out" {
		name, link = "disable_xfrm", fl.oif
	}
	return p.snap.Kernel.Sysctls[linkSysctl(family, "all", name)] == "1" || p.snap.Kernel.Sysctls[linkSysctl(family, link, name)] == "1"
}

// firstPolicy is the policy of a type that drops all of a flow; matched says
// whether any is for some of it.
func firstPolicy(x *bridge.XFRM, fl xfrmFlow, sub bool) (drop *bridge.XFRMPolicy, matched bool) {
	for i := range x.Policies {
		p := &x.Policies[i]
		some, every := fl.met(p)
		if p.Sub != sub || !some {
			continue
		}
		matched = true
		drops := blocks(x, p)
		switch {
		case drop != nil && p.Priority > drop.Priority:
			return drop, true
		case !drops:
			return nil, true // some may pass, or all
		case every && drop == nil:
			drop = p
		}
	}
	return drop, matched
}

// met says whether some or every packet of a flow meets a policy's selector.
func (fl xfrmFlow) met(p *bridge.XFRMPolicy) (some, every bool) {
	src, dst := plainPrefix(p.Src), plainPrefix(p.Dst)
	if p.Dir != fl.dir || p.IfID != 0 || p.Mask == 0 && p.Mark != 0 || !src.Overlaps(fl.src) || !dst.Overlaps(fl.dst) ||
		p.Link != "" && fl.oif != "" && p.Link != fl.oif || p.Proto != 0 && fl.proto != 0 && p.Proto != fl.proto {
		return false, false
	}
	within := src.Bits() <= fl.src.Bits() && dst.Bits() <= fl.dst.Bits()
	return true, within && p.Mask == 0 && len(p.Selectors) == 0 && (p.Link == "" || p.Link == fl.oif) && (p.Proto == 0 || p.Proto == fl.proto)
}

// blocks says whether a policy surely drops what meets it: it says so, or wants
// a transformation for which there is no state and nobody who would make one.
func blocks(x *bridge.XFRM, p *bridge.XFRMPolicy) bool {
	return p.Action == "block" || !x.Keyed && slices.ContainsFunc(p.Templates, func(t bridge.XFRMTemplate) bool {
		return !t.Optional && !slices.ContainsFunc(x.States, func(s bridge.XFRMState) bool {
			return s.Proto == t.Proto && (s.ReqID == t.ReqID || s.Dst == t.Dst)
		})
	})
}

// translated says whether what a network's guests send to the outside may leave
// under another address.
func (p *pass) translated(n flowNet, v6 bool) bool {
	f := p.packets()
	return f == nil || slices.ContainsFunc(p.forwardFlows(n, v6), func(w declared) bool {
		s := f.look(w)
		return w.say == flowOut && (s.Source != nil || s.Answer == firewall.Depends)
	})
}

func (p *pass) tellXFRM(drop xfrmDrop, scopes []scope, says []string) {
	var names []string
	used := false
	for _, s := range scopes {
		names = append(names, s.network)
		used = used || len(p.byNet[s.network]) > 0 && len(p.activeNICs(s.bridge)) > 0
	}
	f := Finding{Severity: Warning, Want: says[0] + ": passed", Have: says[0] + ": dropped"}
	if used {
		f.Severity = Error
	}
	what := "a policy"
	switch {
	case drop.policy == nil:
		what, f.Evidence = "the default policy", "default policy of dir "+drop.dir+": block (ip xfrm policy getdefault)"
		f.Fix.Steps = []Step{{Do: XFRMDefault, On: drop.dir, With: "accept"}}
		f.Fix.Say = "let pass what no policy matches, unless the host is to refuse that"
	default:
		selector := selectorOf(drop.policy)
		f.Evidence = "ip xfrm policy: " + show(strings.Join(selector, " ")) + " action " + drop.policy.Action
		f.Fix.Steps = []Step{{Do: XFRMDelete, On: drop.dir, Args: selector}}
		f.Fix.Say = "delete the policy, unless the host is to refuse that; what made it may do so again"
		if drop.policy.Action != "block" {
			f.Evidence += ", with templates, and no state for them"
			f.Fix.Say = "delete the policy, or start the program that is to make its keys"
		}
	}
	f.Message = fmt.Sprintf("%s of IPsec drops the packets of network %s: %s", what, someNames(names), strings.Join(says, ", "))
	f.Fix.Class = Guarded
	p.foundAll(scopes[0], scopes, f)
}

// selectorOf names a policy for ip-xfrm(8).
func selectorOf(p *bridge.XFRMPolicy) []string {
	words := []string{"src", p.Src.String(), "dst", p.Dst.String()}
	if p.Link != "" {
		words = append(words, "dev", p.Link)
	}
	if p.Proto != 0 {
		words = append(words, "proto", strconv.Itoa(p.Proto))
	}
	words = append(words, "dir", p.Dir)
	if p.Sub {
		words = append(words, "ptype", "sub")
	}
	return words
}
