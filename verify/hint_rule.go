package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// undecidedRule: a rule that kvnet does not understand, or that hangs on what is
// in no packet, decides about a guest's packets.
func undecidedRule(p *pass) (message, probe string) {
	f := p.packets()
	p.packetsOfGuests(f.openFlows, func(n flowNet, w declared) bool {
		s := f.see(w)
		if s.Answer != firewall.Depends || s.By.Table == "" || s.By.Policy() {
			return false
		}
		message = fmt.Sprintf("whether %s of network %s pass is not seen from here: it hangs on a rule (%s), %s", w.say, show(n.net.Name), oneLine(s.Why), evidence(s.By))
		probe = shellJoin(f.listChain(s.By))
		return true
	})
	return message, probe
}

// redirected: a rule sends what guests send to the outside, or their DNS queries,
// elsewhere, as to a transparent proxy or a filter of advertisements.
func redirected(p *pass) (message, probe string) {
	f := p.packets()
	if f == nil || !f.translates() {
		return "", ""
	}
	out := func(n flowNet, v6 bool) []declared {
		list := slices.DeleteFunc(p.flowsOf(n, v6), func(w declared) bool { return w.say != flowOut && w.say != flowDNS || w.want != firewall.Accept })
		slices.Reverse(list) // the outside first: what takes all takes queries, too
		return list
	}
	p.packetsOfGuests(out, func(n flowNet, w declared) bool {
		to := f.see(w).Destination
		if to == nil || to.Maybe {
			return false
		}
		message = fmt.Sprintf("what guests of network %s send to the %s is sent elsewhere: whether they are answered from there is not seen from here; %s", show(n.net.Name), sentTo(w), evidence(to.By))
		probe = shellJoin(f.listChain(to.By))
		return true
	})
	return message, probe
}

// mostRewritten is how many guests of a network are asked about: rules seldom tell
// them apart.
const mostRewritten = 32

// rewritten: a rule writes what a guest's packets are delivered by.
func rewritten(p *pass) (message, probe string) {
	f := p.packets()
	if f == nil || !p.kernelKnown() || !f.rules.Rewrites() {
		return "", ""
	}
	for _, n := range p.flowNets() {
		if !p.asked(key{aNetwork, n.net.Name}) {
			continue
		}
		guests := p.leased(n)
		for _, g := range guests[:min(len(guests), mostRewritten)] {
			// The outside first: it takes more hops than the host.
			for _, w := range slices.Backward(slices.Concat(p.flowsOf(n, true), p.flowsOf(n, false))) {
				one, ok := g.narrow(w)
				if !ok || w.want != firewall.Accept || slices.ContainsFunc(w.ways, astray) {
					continue
				}
				s := f.see(p.byPort(n.bridge.Name, g, wholly(one)))
				if s.Rewritten.Table == "" || s.Answer == firewall.Drop {
					continue
				}
				return fmt.Sprintf("a rule gives %s of network %s other addresses, or few hops to live: whether they arrive is not seen from here; %s", w.say, show(n.net.Name), evidence(s.Rewritten)),
					shellJoin(f.listChain(s.Rewritten))
			}
		}
	}
	return "", ""
}

// byPort is a guest's flow that comes and leaves by its own port of the bridge.
func (h *host) byPort(bridge string, g leasedGuest, w declared) declared {
	for i := range w.ways {
		way := &w.ways[i]
		if way.IIF.Name == bridge {
			way.PhysIn = h.device(g.nic.iface.Target)
		}
		if way.OIF.Name == bridge {
			way.PhysOut = h.device(g.nic.iface.Target)
		}
	}
	return w
}

// sourceElsewhere: guests leave under an address that is neither the host's nor of
// the link's subnet.
func sourceElsewhere(p *pass) (message, probe string) {
	f := p.packets()
	if f == nil || !p.kernelKnown() || p.toldBy("nat-source-unanswered") {
		return "", ""
	}
	for _, n := range p.flowNets() {
		if !p.asked(key{aNetwork, n.net.Name}) || len(p.leased(n)) == 0 {
			continue
		}
		f.eachSource(n, func(s seen) bool {
			addr, link := s.Source.AddrMin, s.ways[0].OIF.Name
			if s.Source.Maybe && s.Source.Kind != "netmap" || p.bearerOf(addr) != "" || p.proxied(addr, link) {
				return false
			}
			message = fmt.Sprintf("guests of network %s leave by %s under %s, which the host does not have: whether answers to it are led here is not seen from here; %s", show(n.net.Name), show(link), addr, evidence(s.Source.By))
			probe = shellJoin([]string{"tcpdump", "-ni", link, "host", addr.String()})
			return true
		})
		if message != "" {
			break
		}
	}
	return message, probe
}

// inboundRefused: what libvirt lets pass to guests of a routed network, somebody else
// drops, as a firewall does that lets nobody in.
func inboundRefused(p *pass) (message, probe string) {
	f := p.packets()
	if f == nil || !p.kernelKnown() || p.toldBy(rulesMissing, chainsMissing, jumpOrder, dropForward, ufwBlocks, killSwitch, bridgeDrop) {
		return "", ""
	}
	for _, n := range p.flowNets() {
		if n.def.Mode != xml.Route || !p.asked(key{aNetwork, n.net.Name}) || len(p.leased(n)) == 0 {
			continue
		}
		for _, v6 := range []bool{false, true} {
			for _, prefix := range n.prefixes(v6) {
				w := declared{say: flowIn, v6: v6, want: firewall.Accept}
				for _, way := range p.host.waysOut(n, p.outside(v6), prefix) {
					w.ways = append(w.ways, firewall.Flow{Family: familyName(v6), Path: firewall.PathForward, IIF: way, OIF: n.bridge, Src: p.outside(v6), Dst: prefix})
				}
				if s := f.see(w); len(w.ways) > 0 && s.Answer == firewall.Drop && !f.libvirts(s.By) && !slices.ContainsFunc(w.ways, astray) {
					return fmt.Sprintf("new connections from the outside to guests of network %s, which is routed, are dropped: whether somebody wants that is not seen from here; %s", show(n.net.Name), evidence(s.By)),
						shellJoin(f.listChain(s.By))
				}
			}
		}
	}
	return "", ""
}

func sentTo(w declared) string {
	if w.say == flowDNS {
		return "host's name server"
	}
	return "outside"
}

// packetsOfGuests makes one packet of each of the flows, of one running guest of
// each network that was asked for, and calls visit with it until that is true.
func (p *pass) packetsOfGuests(flows func(flowNet, bool) []declared, visit func(flowNet, declared) bool) {
	if p.packets() == nil || !p.kernelKnown() {
		return
	}
	for _, n := range p.flowNets() {
		guests := p.leased(n)
		if len(guests) == 0 || !p.asked(key{aNetwork, n.net.Name}) {
			continue
		}
		for _, v6 := range []bool{false, true} {
			for _, w := range flows(n, v6) {
				if one, ok := guests[0].narrow(w); ok && !slices.ContainsFunc(w.ways, astray) && visit(n, p.answered(wholly(one))) {
					return
				}
			}
		}
	}
}

// answered gives answers the destination that they come with: the host's address on
// their link, where it has one alone.
func (p *pass) answered(w declared) declared {
	for i := range w.ways {
		way := &w.ways[i]
		var own []netip.Prefix
		for _, a := range p.globalAddresses(way.IIF.Name) {
			if a.Addr().Is6() == w.v6 {
				own = append(own, a)
			}
		}
		if way.Translated && len(own) == 1 {
			way.Before = own[0].Addr()
		}
	}
	return w
}

// translates says whether any rule of prerouting changes destinations.
func (f *packetFilter) translates() bool {
	return slices.ContainsFunc(f.rules.Tables, func(t firewall.Table) bool {
		return slices.ContainsFunc(t.Chains, func(c firewall.Chain) bool {
			return c.Base != nil && c.Base.Type == "nat" && c.Base.Hook == "prerouting" && len(c.Rules) > 0
		})
	})
}

// astray says whether it is not known by which link packets come or leave.
func astray(way firewall.Flow) bool {
	return way.Path == firewall.PathForward && (way.IIF.Name == "" || way.OIF.Name == "")
}

// Any host outside (RFC 5737, RFC 3849), and the MAC of whoever leads there.
var (
	anyHost4 = netip.MustParsePrefix("198.51.100.1/32")
	anyHost6 = netip.MustParsePrefix("2001:db8::1/128")
)

const anyMAC = "02:00:00:00:00:01"

// Ports as a browser has them.
const (
	webPort  = 443
	freePort = 49152 // first of those that nobody has (RFC 6335)
)

// wholly is one packet of a flow: all of it that rules ask for is known.
func wholly(w declared) declared {
	w.ways = slices.Clone(w.ways)
	for i := range w.ways {
		way := &w.ways[i]
		far := anyHost4
		if w.v6 {
			far = anyHost6
		}
		for _, side := range []*netip.Prefix{&way.Src, &way.Dst} {
			switch {
			case !side.IsValid():
				*side = far
			case !side.IsSingleIP(): // of a guest without a lease
				*side = single(side.Masked().Addr().Next().Next())
			}
		}
		if way.SrcMAC == "" && w.say == flowBack {
			way.SrcMAC = anyMAC
		}
		if way.Proto != "" {
			continue
		}
		way.Proto, way.SrcPort, way.DstPort = "tcp", freePort, webPort
		if w.say == flowBack {
			way.SrcPort, way.DstPort = webPort, freePort
		}
	}
	return w
}

// listChain is the command that lists a rule's chain with its counters.
func (f *packetFilter) listChain(r firewall.Reference) []string {
	if r.Legacy {
		return []string{f.tool(r), "-t", r.Table, "-vnL", r.Chain}
	}
	return []string{"nft", "-a", "list", "chain", r.Family, r.Table, r.Chain}
}
