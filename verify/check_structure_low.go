package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// bridgeFamily looks for rules of the families bridge, netdev and arp that drop all
// ARP or all IP packets of a guest.
func bridgeFamily(p *pass) {
	f := p.packets()
	below := f.below()
	told, known := map[string]bool{}, map[firewall.Reference]bool{}
	for _, name := range slices.Concat(p.hostBridges, p.ownBridges) {
		s := p.bridgeScope(name)
		if p.bridges[name] == nil || !p.on(s) || below == nil {
			continue
		}
		told[name] = f.tellBelow(p, s, below, known)
	}
	var list []breach
	for _, n := range p.flowNets() {
		if !p.on(n.scope()) || told[n.bridge.Name] {
			continue
		}
		for _, b := range f.breaches(n) {
			if by := b.first().By; b.check == bridgeDrop && !filterOfGuest(by, n.bridge.Name) {
				list = append(list, b)
			}
		}
	}
	for _, b := range list {
		known[b.first().By] = true
	}
	if below != nil && len(p.gaps.lacks[Routes])+len(p.gaps.lacks[Rules]) == 0 {
		f.tellGateways(p, below, known)
	}
	for len(list) > 0 {
		by := list[0].first().By
		same := slices.DeleteFunc(slices.Clone(list), func(b breach) bool { return b.first().By != by })
		list = slices.DeleteFunc(list, func(b breach) bool { return b.first().By == by })
		p.tellBelowNets(f, same)
	}
}

// below is the ruleset with the families bridge, netdev and arp alone; nil where
// there are no base chains of theirs.
func (f *packetFilter) below() *firewall.Filter {
	rs := &firewall.Ruleset{Version: f.rules.Version, BigEndian: f.rules.BigEndian}
	base := false
	for i := range f.rules.Tables {
		t := f.rules.Tables[i]
		if t.Family != "bridge" && t.Family != "netdev" && t.Family != "arp" && t.Family != "inet" {
			continue
		}
		if t.Family == "inet" { // its ingress is that of a device
			t.Chains = slices.DeleteFunc(slices.Clone(t.Chains), func(c firewall.Chain) bool { return c.Base != nil && c.Base.Hook != "ingress" })
		}
		base = base || slices.ContainsFunc(t.Chains, func(c firewall.Chain) bool { return c.Base != nil })
		rs.Tables = append(rs.Tables, t)
	}
	if !base {
		return nil
	}
	return firewall.New(rs, f.h.firewallHost())
}

// lowFlow is a packet that nobody can live without.
type lowFlow struct {
	say  string
	flow firewall.Flow
	need *lowFlow // the part of such packets that is wanted most
}

// lowARP is ARP one way: somebody's requests, or the replies to them.
func lowARP(way string, replies bool, f firewall.Flow) lowFlow {
	f.Family = "arp"
	all, need := lowFlow{say: "ARP " + way, flow: f}, lowFlow{say: "ARP requests " + way, flow: f}
	need.flow.ARPOp = 1
	if replies {
		need.say, need.flow.ARPOp = "ARP replies "+way, 2
	}
	all.need = &need
	return all
}

// dropped asks what is surely dropped: all of the flow, or what is needed of it.
func (w lowFlow) dropped(below *firewall.Filter) (say string, v firewall.Verdict, ok bool) {
	v = below.Decide(w.flow)
	if v.Answer == firewall.Depends && w.need != nil {
		return w.need.dropped(below)
	}
	return w.say, v, v.Answer == firewall.Drop
}

// lowFlows are a guest's ARP and IPv4, to its host or uplink and back.
func (h *host) lowFlows(n *nic, name string) []lowFlow {
	dev, tap := h.device(name), h.device(n.tap.Name)
	own := h.owners[name]
	var list []lowFlow
	add := func(way string, f firewall.Flow) {
		arp := lowARP(way, f.SrcMAC == "", f)
		if h.answersARP(n) {
			arp.need = nil
		}
		list = append(list, arp)
		f.Family = "ip"
		list = append(list, lowFlow{say: "IPv4 " + way, flow: f})
	}
	mac := n.iface.MAC
	switch uplinks := h.uplinks(name); {
	case own != nil && hasIPv4(own.Def()):
		add("to the host", firewall.Flow{Path: firewall.PathInput, IIF: dev, PhysIn: tap, SrcMAC: mac})
		add("from the host", firewall.Flow{Path: firewall.PathOutput, OIF: dev, PhysOut: tap, DstMAC: mac})
	case own == nil && len(uplinks) > 0:
		up := h.device(uplinks[0].Name)
		add("to the outside", firewall.Flow{Path: firewall.PathBridge, IIF: dev, OIF: dev, PhysIn: tap, PhysOut: up, SrcMAC: mac})
		add("from the outside", firewall.Flow{Path: firewall.PathBridge, IIF: dev, OIF: dev, PhysIn: up, PhysOut: tap, DstMAC: mac})
	}
	return list
}

// answersARP says whether a guest may be answered in place of those that it asks for:
// by the bridge, or by a rule of ebtables.
func (h *host) answersARP(n *nic) bool {
	if n.port != nil && n.port.NeighSuppress {
		return true
	}
	f := h.packets()
	if f.repliesARP == nil {
		replies := false
		f.rulesOf(func(_ *firewall.Table, _ *firewall.Chain, r *firewall.Rule) {
			replies = replies || slices.ContainsFunc(r.Exprs, func(e *firewall.Expr) bool { return e.Kind == "target" && e.Key == "arpreply" })
		})
		f.repliesARP = &replies
	}
	return *f.repliesARP
}

// filterOfGuest says whether a rule stands in a chain that somebody made for
// one guest: libvirt's filters, and chains with the name of the tap.
func filterOfGuest(r firewall.Reference, tap string) bool {
	if r.Owner == firewall.OwnerLibvirt || strings.Contains(r.Chain, tap) {
		return true
	}
	for _, prefix := range []string{"libvirt-", "FI-", "FO-", "HI-", "I-vnet", "O-vnet", "J-vnet", "P-vnet"} {
		if strings.HasPrefix(r.Chain, prefix) {
			return true
		}
	}
	return false
}

// tellBelow reports the rules that drop frames of a bridge's guests, each once, and
// adds them to those that are known.
func (f *packetFilter) tellBelow(p *pass, s scope, below *firewall.Filter, known map[firewall.Reference]bool) bool {
	type dropped struct {
		by     firewall.Step
		say    []string
		guests []string
	}
	var list []*dropped
	for _, n := range f.h.activeNICs(s.bridge) {
		if n.tap == nil || n.port == nil || n.port.Bridge != s.bridge {
			continue
		}
		for _, w := range f.h.lowFlows(n, s.bridge) {
			say, v, ok := w.dropped(below)
			if !ok || filterOfGuest(v.By, n.tap.Name) {
				continue
			}
			by := seen{Verdict: v}.last()
			i := slices.IndexFunc(list, func(d *dropped) bool { return d.by.By == by.By })
			if i < 0 {
				i, list = len(list), append(list, &dropped{by: by})
			}
			if d := list[i]; !slices.Contains(d.say, say) {
				d.say = append(d.say, say)
			}
			if d := list[i]; !slices.Contains(d.guests, n.guest.Name) {
				d.guests = append(d.guests, n.guest.Name)
			}
		}
	}
	for _, d := range list {
		known[d.by.By] = true
		p.found(s, Finding{
			Message: fmt.Sprintf("%s %s %s drops frames of %s on bridge %s: %s",
				show(d.by.By.Family), show(d.by.By.Table), show(d.by.Chain), someNames(d.guests), show(s.bridge), someTexts(d.say)),
			Evidence: evidence(d.by.By),
			Want:     d.say[0] + " accepted", Have: "dropped",
			Fix: f.openBelow(d.by),
		})
	}
	return len(list) > 0
}

// tellGateways reports the rules, but for those that are known, by which the host
// does not find the gateways that guests of its networks leave by.
func (f *packetFilter) tellGateways(p *pass, below *firewall.Filter, known map[firewall.Reference]bool) {
	for _, g := range p.gateways() {
		r := g.routes[0]
		at, link := f.h.neighbour(r.Link, r.Gateway), f.h.links[r.Link]
		if len(g.routes) > 1 || !r.Gateway.Is4() || link == nil || link.NoARP || at != nil && (at.State == "permanent" || at.State == "noarp") {
			continue
		}
		dev := f.h.device(r.Link)
		for _, w := range []lowFlow{
			lowARP("to gateway "+r.Gateway.String(), false, firewall.Flow{Path: firewall.PathOutput, OIF: dev}),
			lowARP("from gateway "+r.Gateway.String(), true, firewall.Flow{Path: firewall.PathInput, IIF: dev}),
		} {
			say, v, ok := w.dropped(below)
			if !ok || known[v.By] {
				continue
			}
			known[v.By] = true
			by := seen{Verdict: v}.last()
			// The link alone is the cause of what follows, not the whole host.
			p.tell(g.scopes[0], []scope{{kind: aBridge, bridge: r.Link}}, p.asked(hostKey), Finding{
				Message: fmt.Sprintf("%s %s %s drops %s, by which guests of network %s leave: they reach nothing beyond the host's own subnets",
					show(by.By.Family), show(by.By.Table), show(by.Chain), say, someNames(g.names)),
				Evidence: evidence(v.By), Want: say + " accepted", Have: "dropped",
				Fix: f.openBelow(by),
			})
		}
	}
}

// openBelow takes the rule out, or turns the policy.
func (f *packetFilter) openBelow(by firewall.Step) Fix {
	fix := Fix{Class: Manual, Say: "delete the rule, or have its owner accept the guests"}
	r := by.By
	switch {
	case !plainName(r.Table) || !plainName(r.Chain):
	case r.Policy():
		fix.Say = "have the chain accept what no rule decides"
		fix.Steps = []Step{{Do: Filter, On: "nft", Args: []string{"add", "chain", r.Family, r.Table, r.Chain, "{ policy accept ; }"}}}
	case r.Handle > 0:
		fix.Steps = []Step{{Do: Filter, On: "nft", Args: []string{"delete", "rule", r.Family, r.Table, r.Chain, "handle", fmt.Sprint(r.Handle)}}}
	}
	return fix
}

// tellBelowNets reports networks whose packets one rule below IP drops.
func (p *pass) tellBelowNets(f *packetFilter, same []breach) {
	var scopes []scope
	var names []string
	for _, b := range same {
		scopes, names = append(scopes, b.net.scope()), append(names, b.net.net.Name)
	}
	what := "network "
	if len(names) > 1 {
		what = "networks "
	}
	by := same[0].first().last()
	text, _ := effects(same[0])
	p.foundAll(scopes[0], scopes, told(same[0], Finding{
		Message: fmt.Sprintf("%s %s %s drops the packets of %s: %s", show(by.By.Family), show(by.By.Table), show(by.Chain), what+someNames(names), text),
		Fix:     f.openBelow(by),
	}))
}
