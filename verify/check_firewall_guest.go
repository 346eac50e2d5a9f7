package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
)

func firewallGuestChecks() []Check {
	return []Check{
		{
			ID: "fw-guest-drop", Title: "the packet filter drops the packets of single guests", Severity: Error, Class: Manual,
			Needs: append([]Need{Guests}, filterNeeds...), After: append([]string{
				rulesMissing, chainsMissing, natMissing, natWrongSubnet, jumpOrder, dropForward, dropInput, ufwBlocks, killSwitch, bridgeDrop, backendMixed, legacyShadow,
			}, filterCauses...),
			Doc: Doc{
				Symptom:  "One guest has no address, no names or no way out, and its neighbours have.",
				Cause:    "A rule names the guest's address or MAC: it was blocked once, or the address was somebody else's then.",
				Evidence: "What the ruleset does to packets of the whole network hangs on the guest, and those with the leased address and the MAC of a running guest are dropped: its DHCP or DNS, what it sends to the outside, or the answers. A warning, for it may be what you want; an error when one rule does so to every guest that runs on the network.",
				Cure:     "Delete the rule if nobody wants it.",
			},
			run: guestDrop,
		},
		{
			ID: "fw-dns-out", Title: "the host's own firewall drops its DNS queries", Severity: Warning, Class: Manual,
			Needs: append([]Need{Resolver}, filterNeeds...), After: append([]string{"host-dns", "host-no-default-route", "dnsmasq-dead", "dns-loop", "dns-upstream-unusable", bridgeDrop}, filterCauses...),
			Doc: Doc{
				Symptom:  "Guests reach others by number, but resolve no name outside; nor does the host.",
				Cause:    "A rule or policy for what the host itself sends.",
				Evidence: "Queries by UDP, from the host to every name server that it has, are dropped on their way out. Networks that do not forward to the host are left alone.",
				Cure:     "Let the host's DNS queries out.",
			},
			run: dnsOut,
		},
		{
			ID: "nat-source-unanswered", Title: "guests leave under an address that nobody answers for", Severity: Warning, Class: Manual,
			Needs: append([]Need{Guests}, filterNeeds...), After: append([]string{natMissing, natWrongSubnet, rulesMissing, chainsMissing, dropForward, jumpOrder}, filterCauses...),
			Doc: Doc{
				Symptom:  "Guests reach the host and nothing beyond; on the wire their packets leave, and the answers' ARP requests, or neighbour solicitations, stay without reply.",
				Cause:    "A source NAT, <nat><address> of libvirt's or a rule of one's own, to an address that the host does not have.",
				Evidence: "The address that guests' packets leave with is in the subnet of the link that they leave by, no link of the host has it, and the host is no proxy for it by ARP or neighbour discovery. One of another subnet may well be routed to the host, and is left alone.",
				Cure:     "Give the host the address, or translate to one that it has.",
			},
			run: natUnanswered,
		},
	}
}

// guestDrop asks again for single guests where the answer for their network
// hangs on the guest.
func guestDrop(p *pass) {
	f := p.packets()
	for _, n := range p.flowNets() {
		for _, v6 := range []bool{false, true} {
			open := f.openFlows(n, v6)
			if len(open) == 0 {
				continue
			}
			p.dropsOf(f, n, open)
		}
	}
}

// dropsOf tells the guests whose packets are dropped, each, or the network where one
// rule drops those of all that run on it.
func (p *pass) dropsOf(f *packetFilter, n flowNet, open []declared) {
	guests := p.leased(n)
	var drops []guestDropped
	nics, hit := map[*nic]bool{}, map[*nic]bool{}
	for _, g := range guests {
		nics[g.nic] = true
		if d, dropped := f.dropOf(g, open); dropped {
			drops = append(drops, d)
			hit[g.nic] = hit[g.nic] || d.first.By == drops[0].first.By
		}
	}
	if len(nics) > 1 && len(hit) == len(nics) && !slices.ContainsFunc(drops, func(d guestDropped) bool { return !hit[d.guest.nic] }) && p.on(n.scope()) {
		first := drops[0]
		p.found(n.scope(), Finding{
			Severity: Error,
			Message:  fmt.Sprintf("a rule drops packets of all %d guests that run on network %s: %s", len(nics), show(n.net.Name), strings.Join(first.says, ", ")),
			Evidence: evidence(first.first.By),
			Want:     first.first.say + ": accepted", Have: first.first.say + ": " + had(first.first),
			Fix: Fix{Class: Manual, Say: "delete the rule, unless somebody wants it", Steps: f.deleteThat(first.first.By)},
		})
		return
	}
	for _, g := range guests {
		if !p.on(g.nic.subject) {
			continue
		}
		for _, d := range drops {
			if d.guest == g {
				p.tellGuestDrop(f, d)
			}
		}
	}
}

// leasedGuest is an interface of a running guest with its leased address, which
// is not valid where none is known.
type leasedGuest struct {
	nic  *nic
	addr netip.Addr
}

// leased are the running guests on a network, those with several addresses
// several times.
func (p *pass) leased(n flowNet) []leasedGuest {
	running := p.runningOn(n.bridge.Name)
	var list []leasedGuest
	for _, l := range p.liveLeases(n.net) {
		if g := running[strings.ToLower(l.MAC)]; g != nil {
			list = append(list, leasedGuest{g, l.IP})
		}
	}
	known := len(list)
	for _, g := range running {
		if !slices.ContainsFunc(list[:known], func(o leasedGuest) bool { return o.nic == g }) {
			list = append(list, leasedGuest{nic: g})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].nic.subject.link < list[j].nic.subject.link })
	return list
}

// narrow is a flow of the network as one guest has it; ok is false where the
// guest's address is not of its subnet.
func (g leasedGuest) narrow(w declared) (one declared, ok bool) {
	one = w
	one.ways = slices.Clone(w.ways)
	for i := range one.ways {
		way := &one.ways[i]
		out := way.Path != firewall.PathOutput && w.say != flowBack
		if out {
			way.SrcMAC = strings.ToLower(g.nic.iface.MAC)
		} else {
			way.OutMAC = strings.ToLower(g.nic.iface.MAC)
		}
		side := &way.Dst
		if out {
			side = &way.Src
		}
		switch {
		case !g.addr.IsValid(), !side.IsValid(), side.IsSingleIP(), side.Addr().IsLinkLocalUnicast():
		case !side.Contains(g.addr):
			return one, false
		default:
			*side = single(g.addr)
		}
	}
	return one, len(one.ways) > 0
}

// guestDropped is what a rule drops of a guest.
type guestDropped struct {
	guest leasedGuest
	first seen
	says  []string
}

func (f *packetFilter) dropOf(g leasedGuest, open []declared) (guestDropped, bool) {
	d := guestDropped{guest: g}
	for _, w := range open {
		one, ok := g.narrow(w)
		if !ok {
			continue
		}
		if s := f.look(one); s.Answer == firewall.Drop && !s.By.Policy() {
			if len(d.says) == 0 {
				d.first = s
			}
			if !slices.Contains(d.says, w.say) {
				d.says = append(d.says, w.say)
			}
		}
	}
	return d, len(d.says) > 0
}

func (p *pass) tellGuestDrop(f *packetFilter, d guestDropped) {
	g, first, says := d.guest, d.first, d.says
	who := "guest " + show(g.nic.guest.Name)
	if g.addr.IsValid() {
		who += " (" + g.addr.String() + ")"
	}
	p.found(g.nic.subject, Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("a rule drops packets of %s alone: %s", who, strings.Join(says, ", ")),
		Evidence: evidence(first.By),
		Want:     first.say + ": accepted", Have: first.say + ": " + had(first),
		Fix: Fix{Class: Manual, Say: "delete the rule, unless somebody wants it", Steps: f.deleteThat(first.By)},
	})
}

// deleteThat is the step that deletes a rule.
func (f *packetFilter) deleteThat(r firewall.Reference) []Step {
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		if t.Family != r.Family || t.Name != r.Table || t.Legacy != r.Legacy {
			continue
		}
		for j := range t.Chains {
			if c := &t.Chains[j]; c.Name == r.Chain && r.Number >= 1 && r.Number <= len(c.Rules) {
				return f.deleteRule(placedRule{t, c, r.Number - 1})
			}
		}
	}
	return nil
}

func dnsOut(p *pass) {
	var scopes []scope
	var names []string
	p.forwarders(func(s scope, n *libvirtnet.Network) { scopes, names = append(scopes, s), append(names, n.Name) })
	servers, known := p.nameServers()
	if len(scopes) == 0 || !known {
		return
	}
	f := p.packets()
	var first seen
	var texts []string
	for _, a := range servers {
		w, ok := p.queryTo(a)
		if !ok {
			return
		}
		s := f.see(w)
		if s.Answer != firewall.Drop {
			return
		}
		if len(texts) == 0 {
			first = s
		}
		texts = append(texts, a.String())
	}
	fix := Fix{Class: Manual, Say: "let the host's DNS queries out"}
	if !first.By.Policy() {
		fix.Say, fix.Steps = "delete the rule, or let the host's DNS queries out before it", f.deleteThat(first.By)
	}
	p.foundAll(scope{kind: theHost, link: "host", network: names[0]}, scopes, Finding{
		Message:  fmt.Sprintf("the host's firewall drops its own queries to its name servers (%s), which network %s asks: guests resolve no name outside", someTexts(texts), someNames(names)),
		Evidence: evidence(first.By), Want: "udp to port 53: accepted", Have: "udp to port 53: " + had(first), Fix: fix,
	})
}

// queryTo is the host's own DNS query to a server.
func (p *pass) queryTo(a netip.Addr) (declared, bool) {
	way := p.routing().lookup(flow{dst: a.Unmap()}).plain
	if a.Zone() != "" || a.IsLinkLocalUnicast() || way.kind != toLink || len(way.routes) != 1 {
		return declared{}, false
	}
	dst := a.Unmap()
	return declared{say: "the host's DNS queries", v6: dst.Is6(), want: firewall.Accept, ways: []firewall.Flow{{
		Family: familyName(dst.Is6()), Path: firewall.PathOutput, OIF: p.device(way.routes[0].Link), Dst: single(dst), Proto: "udp", DstPort: 53,
	}}}, true
}

// mostSources is how many addresses of a range are looked at.
const mostSources = 256

func natUnanswered(p *pass) {
	f := p.packets()
	for _, n := range p.flowNets() {
		if n.natted(false) && p.on(n.scope()) {
			f.eachSource(n, func(s seen) bool {
				addr, lost := p.unanswered(s.Source, s.ways[0].OIF.Name)
				if lost && !s.Source.Maybe {
					p.tellUnanswered(n, s, addr)
				}
				return lost && !s.Source.Maybe
			})
		}
	}
}

// eachSource visits what a network's guests send to the outside under addresses that
// are known, until visit is true.
func (f *packetFilter) eachSource(n flowNet, visit func(seen) bool) {
	for _, v6 := range []bool{false, true} {
		for _, w := range f.h.flowsOf(n, v6) {
			if !w.nat {
				continue
			}
			s := f.look(w)
			if s.Answer == firewall.Accept && s.Source != nil && s.Source.AddrMin.IsValid() && len(s.ways) == 1 && visit(s) {
				return
			}
		}
	}
}

// unanswered is the first address of a translation that is of a link's subnet
// and that the host answers for on no link.
func (p *pass) unanswered(t *firewall.Translation, link string) (netip.Addr, bool) {
	last := t.AddrMax
	if !last.IsValid() {
		last = t.AddrMin
	}
	addr := t.AddrMin
	for range mostSources {
		near := slices.ContainsFunc(p.globalAddresses(link), func(a netip.Prefix) bool { return a.Contains(addr) })
		if near && p.bearerOf(addr) == "" && !p.proxied(addr, link) {
			return addr, true
		}
		if addr == last {
			break
		}
		addr = addr.Next()
	}
	return netip.Addr{}, false
}

// proxied says whether the host answers for an address of somebody else, by ARP
// or neighbour discovery.
func (p *pass) proxied(addr netip.Addr, link string) bool {
	return slices.ContainsFunc(p.snap.Kernel.Forwarding, func(n bridge.Forwarding) bool {
		return n.Family == familyOf(addr) && n.Proxy && (n.Link == link || n.Link == "all")
	}) ||
		slices.ContainsFunc(p.neighboursOn(link), func(at *bridge.Neighbour) bool { return at.State == "proxy" && at.IP == addr })
}

func (p *pass) tellUnanswered(n flowNet, s seen, addr netip.Addr) {
	link := s.ways[0].OIF.Name
	p.found(n.scope(), Finding{
		Message:  fmt.Sprintf("guests of network %s leave by %s under %s, which the host does not have: nobody answers for it, and no answer comes back", show(n.net.Name), show(link), addr),
		Evidence: evidence(s.Source.By),
		Want:     "an address of " + show(link), Have: s.Source.Kind + " to " + addr.String(),
		Fix: Fix{
			Class: Manual, Say: "give " + show(link) + " the address if it is this host's, and keep it in the host's network configuration; else translate to one that the host has",
			Steps: []Step{{Do: AddressAdd, On: link, With: netip.PrefixFrom(addr, addr.BitLen()).String()}},
		},
	})
}
