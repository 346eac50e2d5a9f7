package verify

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// forwardDev looks for networks that are bound to a link that their packets do
// not leave by.
func forwardDev(p *pass) {
	for _, n := range p.flowNets() {
		if len(n.def.ForwardDevs) == 0 || n.def.Mode != xml.NAT && n.def.Mode != xml.Route || !p.on(n.scope()) {
			continue
		}
		dev := n.def.ForwardDevs[0]
		fix := Fix{Class: Manual, Say: "leave dev out of the network's forward element, or name the link that the default route leads by (virsh net-edit)"}
		want := show(dev) + " leads to the outside"
		if p.links[dev] == nil {
			p.found(n.scope(), Finding{
				Message:  fmt.Sprintf("network %s may leave by %s only, and there is no such link: its guests reach nothing outside", show(n.net.Name), show(dev)),
				Evidence: "forward dev=" + strconv.Quote(oneLine(dev)) + " of the network, and the links", Want: want, Have: "no link " + show(dev), Fix: fix,
			})
			continue
		}
		if real := p.links[dev].Name; real != dev {
			p.found(n.scope(), Finding{
				Message: fmt.Sprintf("network %s may leave by %s only, which is another name of %s, and libvirt's rules match real names: its guests reach nothing outside",
					show(n.net.Name), show(dev), show(real)),
				Evidence: "forward dev=" + strconv.Quote(oneLine(dev)) + " of the network, and IFLA_ALT_IFNAME of " + show(real),
				Want:     "forward dev=" + strconv.Quote(oneLine(real)), Have: show(dev),
				Fix: Fix{Class: Manual, Say: "name " + show(real) + " in the network's forward element, or leave dev out of it (virsh net-edit), and restart the network"},
			})
			continue
		}
		if way := p.otherWay(n, dev); way != "" {
			p.found(n.scope(), Finding{
				Severity: Warning,
				Message: fmt.Sprintf("network %s may leave by %s only, and the routes lead by %s: libvirt's rules reject what its guests send to the outside",
					show(n.net.Name), show(dev), show(way)),
				Evidence: "forward dev=" + strconv.Quote(oneLine(dev)) + " of the network, and the routes",
				Want:     want, Have: "by " + show(way), Fix: fix,
			})
		}
	}
}

// otherWay is the link by which a network's packets leave for the outside where
// that is not dev. A link that only its own subnet lies behind is a
// restriction that somebody meant.
func (h *host) otherWay(n flowNet, dev string) string {
	def := *n.def
	def.ForwardDevs = nil
	free := flowNet{net: n.net, def: &def, bridge: n.bridge}
	v6 := len(n.prefixes(false)) == 0
	prefixes := n.prefixes(v6)
	if len(prefixes) == 0 {
		return ""
	}
	ways := h.waysOut(free, h.outside(v6), prefixes[0])
	if slices.ContainsFunc(ways, func(w firewall.Interface) bool { return w.Name == dev || w.Name == "" }) {
		return ""
	}
	routed, gateway := false, false
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		if r.Link != dev || r.Dst.IsValid() && (r.Dst.Addr().Is6() != v6 || r.Dst.Addr().IsLinkLocalUnicast() || r.Dst.Addr().IsMulticast()) {
			continue
		}
		routed, gateway = true, gateway || r.Gateway.IsValid()
	}
	if routed && !gateway {
		return ""
	}
	return ways[0].Name
}

// dnatRule is a rule that sends connections on to one address.
type dnatRule struct {
	placedRule
	to       netip.Addr
	proto    string // as in a Flow
	port     int
	dst, src netip.Prefix
	in       string
}

// dnatRules are the rules of the hook prerouting, or of chains that it leads
// to, with a plain destination. What a rule matches beside is the evaluator's.
func (f *packetFilter) dnatRules() []dnatRule {
	var list []dnatRule
	for i := range f.rules.Tables {
		t := &f.rules.Tables[i]
		for j := range t.Chains {
			for k := range t.Chains[j].Rules {
				r := &t.Chains[j].Rules[k]
				if to := dnatTo(r); to.IsValid() {
					d := dnatRule{placedRule: placedRule{t, &t.Chains[j], k}, to: to}
					d.read(f, r)
					list = append(list, d)
				}
			}
		}
	}
	return list
}

// dnatTo is the one address that a rule sends connections to.
func dnatTo(r *firewall.Rule) netip.Addr {
	loaded := map[uint8][]byte{}
	for _, e := range r.Exprs {
		switch {
		case e.Kind == "immediate" && e.Jump == nil:
			loaded[e.Dreg] = e.Data
		case e.Kind == "nat" && e.NAT != nil && e.NAT.Kind == "dnat":
			to, _ := netip.AddrFromSlice(loaded[e.NAT.AddrMin])
			return to
		case e.Kind == "target" && e.Key == "DNAT":
			for _, o := range e.Options {
				if o.Name != "--to" && o.Name != "--to-destination" { // the kernel's form, and that of iptables-legacy-save
					continue
				}
				if to, err := netip.ParseAddrPort(o.Value); err == nil {
					return to.Addr()
				}
				to, _ := netip.ParseAddr(o.Value)
				return to
			}
		}
	}
	return netip.Addr{}
}

// read takes from a rule which connections it is for.
func (d *dnatRule) read(f *packetFilter, r *firewall.Rule) {
	compared(r, func(load, mask, cmp *firewall.Expr) {
		if cmp.Kind != "cmp" || cmp.Op != "eq" {
			return
		}
		protocol := load.Kind == "meta" && load.Key == "l4proto" || load.Kind == "payload" && load.Key == "network" && load.Len == 1 && (load.Offset == 9 || load.Offset == 6)
		switch p := addressOf(load, mask, cmp); {
		case protocol && len(cmp.Data) == 1:
			d.proto = strconv.Itoa(int(cmp.Data[0]))
		case load.Kind == "payload" && load.Key == "transport" && load.Offset == 2 && len(cmp.Data) == 2:
			d.port = int(binary.BigEndian.Uint16(cmp.Data))
		case p.IsValid() && (load.Offset == 16 || load.Offset == 24):
			d.dst = p
		case p.IsValid():
			d.src = p
		}
	})
	for _, l := range f.ruleLinks(r) {
		if l.key == "iifname" {
			d.in = l.name
		}
	}
	for _, e := range r.Exprs {
		for _, o := range e.Options {
			if e.Kind == "match" && o.Name == "--dport" && !o.Not {
				first, _, _ := strings.Cut(o.Value, ":")
				d.port, _ = strconv.Atoi(first)
			}
		}
	}
}

// portForwards looks for forwarded ports that libvirt's rules reject.
func portForwards(p *pass) {
	f := p.packets()
	rules := f.dnatRules()
	for _, n := range p.flowNets() {
		if !p.on(n.scope()) {
			continue
		}
		told := map[netip.AddrPort]bool{}
		for _, d := range rules {
			at := netip.AddrPortFrom(d.to, uint16(d.port)) // a port of 16 bits
			if !slices.ContainsFunc(n.prefixes(d.to.Is6()), func(s netip.Prefix) bool { return s.Contains(d.to) }) || told[at] {
				continue
			}
			if finding, broken := f.forwarded(n, d); broken {
				told[at] = true
				p.found(n.scope(), finding)
			}
		}
	}
}

// forwarded follows a new connection from the outside that a rule sends on.
func (f *packetFilter) forwarded(n flowNet, d dnatRule) (Finding, bool) {
	v6 := d.to.Is6()
	ways := f.h.waysOut(n, f.h.outside(v6), n.prefixes(v6)[0])
	in := ways[0]
	if d.in != "" && f.h.links[d.in] != nil {
		in = f.h.device(d.in)
	}
	flow := firewall.Flow{
		Family: familyName(v6), Path: firewall.PathInput, IIF: in, Src: f.h.outside(v6), Dst: d.dst, Proto: d.proto, SrcPort: 0, DstPort: d.port,
	}
	if d.src.IsValid() {
		flow.Src = d.src
	}
	if !flow.Dst.IsValid() {
		for _, a := range f.h.addresses[in.Name] {
			if addr := a.Prefix.Addr().Unmap(); addr.Is6() == v6 && !addr.IsLinkLocalUnicast() && !flow.Dst.IsValid() {
				flow.Dst = single(addr)
			}
		}
	}
	v := f.filter.Decide(flow)
	if v.Answer != firewall.Drop || !v.Rejected || !f.libvirts(v.By) || v.Destination == nil || v.Destination.Maybe || v.Destination.AddrMin != d.to {
		return Finding{}, false
	}
	port := cmp.Or(v.Destination.PortMin, d.port)
	what := d.to.String()
	if port > 0 {
		what = netip.AddrPortFrom(d.to, uint16(port)).String() // a port of 16 bits
	}
	return Finding{
		Message:  fmt.Sprintf("connections forwarded to %s are rejected by libvirt's rules for network %s", what, show(n.net.Name)),
		Evidence: evidence(f.reference(d.placedRule)) + "; " + evidence(v.By),
		Want:     "connections to " + what + " accepted", Have: "rejected",
		Fix: f.letForwarded(n, d, v, port),
	}, true
}

func (f *packetFilter) letForwarded(n flowNet, d dnatRule, v firewall.Verdict, port int) Fix {
	fix := Fix{Class: Guarded, Say: "accept the forwarded connections in front of libvirt's reject, and do that again in a hook script: libvirt writes its rules anew"}
	proto := map[string]string{"6": "tcp", "17": "udp"}[d.proto]
	by := v.By
	if !plainName(n.bridge.Name) || !plainName(by.Table) || !plainName(by.Chain) {
		return Fix{Class: Manual, Say: fix.Say}
	}
	if nftTable(by.Table) {
		args := []string{"insert", "rule", by.Family, by.Table, by.Chain, "oifname", nftName(n.bridge.Name), by.Family, "daddr", d.to.String()}
		if proto != "" && port > 0 {
			args = append(args, proto, "dport", strconv.Itoa(port))
		}
		fix.Steps = []Step{{Do: Filter, On: "nft", Args: append(args, "ct", "status", "dnat", "accept")}}
		return fix
	}
	args := []string{"-I", "FORWARD", "-o", n.bridge.Name, "-d", d.to.String()}
	if proto != "" && port > 0 {
		args = append(args, "-p", proto, "--dport", strconv.Itoa(port))
	}
	fix.Steps = []Step{{Do: Filter, On: f.tool(by), Args: append(args, "-j", "ACCEPT")}}
	return fix
}
