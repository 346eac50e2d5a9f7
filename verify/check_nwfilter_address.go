package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
)

// filterForAnother reports a filter that drops what a guest sends from the
// address that it has by DHCP, and would let the same pass from another one.
func (p *pass) filterForAnother(n *nic, filters *libvirtnet.Filters, chains []tapChain) {
	if n.port == nil || !n.running() {
		return
	}
	own, allowed := p.leasedTo(n), sourcesIn(n.iface.Target, chains)
	if len(own) == 0 || len(allowed) == 0 || slices.ContainsFunc(allowed, func(a netip.Addr) bool { return p.usedBy(n, a) }) {
		return
	}
	low := slices.DeleteFunc(p.lowFlows(n, n.port.Bridge), func(l lowFlow) bool { return l.flow.Family != "ip" || l.flow.SrcMAC == "" })
	below := p.packets().below()
	if len(low) == 0 || below == nil {
		return
	}
	send := func(src netip.Addr) firewall.Verdict {
		f := low[0].flow
		f.Src, f.Proto = single(src), "tcp"
		return below.Decide(f)
	}
	at := slices.IndexFunc(allowed, func(a netip.Addr) bool { return send(a).Answer == firewall.Accept })
	if at < 0 {
		return
	}
	var by firewall.Verdict
	for _, addr := range own {
		by = send(addr)
		if by.Answer != firewall.Drop || !strings.Contains(by.By.Chain, n.iface.Target) {
			return
		}
	}
	f := Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("%s's network filter %s is for %s, and drops what the guest sends from %s, its address by DHCP", n.title(), show(n.iface.Filter), allowed[at], own[0]),
		Evidence: evidence(by.By) + "; lease of " + show(n.iface.MAC),
		Want:     own[0].String() + " accepted", Have: "dropped; " + allowed[at].String() + " accepted",
		Fix: Fix{
			Class: Manual, Steps: n.renew(false),
			Say: "take the interface out of guest " + show(n.guest.Name) + " and plug an equal one in" + n.byDocument() + ": libvirt then learns the address that the guest has now",
		},
	}
	if slices.ContainsFunc(filters.Bindings, func(b libvirtnet.FilterBinding) bool { return b.Tap == n.iface.Target && len(b.IPs) > 0 }) {
		f.Fix = Fix{Class: Manual, Say: fmt.Sprintf("correct parameter IP of the interface's <filterref>, or reserve %s for the guest (kvnet net-update NETWORK dhcp-host add)", allowed[at])}
	}
	p.found(n.subject, f)
}

// leasedTo are the IPv4 addresses that an interface has leased.
func (p *pass) leasedTo(n *nic) []netip.Addr {
	var list []netip.Addr
	if owner := p.owners[n.port.Bridge]; owner != nil {
		for _, l := range p.liveLeases(owner) {
			if l.IP.Is4() && strings.EqualFold(l.MAC, n.iface.MAC) {
				list = append(list, l.IP)
			}
		}
	}
	return list
}

// usedBy says whether an interface has leased an address, or was seen with it.
func (p *pass) usedBy(n *nic, addr netip.Addr) bool {
	return slices.Contains(p.leasedTo(n), addr) || slices.ContainsFunc(p.neighboursOn(n.port.Bridge), func(at *bridge.Neighbour) bool {
		return at.IP == addr && strings.EqualFold(at.MAC, n.iface.MAC)
	})
}

// sourcesIn are the single IPv4 addresses that the chains for what a tap's
// guest sends ask for, in the order of the rules.
func sourcesIn(tap string, chains []tapChain) []netip.Addr {
	var list []netip.Addr
	for _, c := range chains {
		if c.table.Family != "bridge" || c.chain.Name != "libvirt-I-"+tap {
			continue
		}
		for i := range c.table.Chains {
			chain := &c.table.Chains[i]
			if chain != c.chain && !strings.HasPrefix(chain.Name, "I-"+tap+"-") {
				continue
			}
			for k := range chain.Rules {
				if src := filteredSource(&chain.Rules[k]); src.IsSingleIP() && src.Addr().Is4() && !src.Addr().IsUnspecified() {
					list = append(list, src.Addr())
				}
			}
		}
	}
	return list
}

// filteredSource is the source that a rule of ebtables asks for: by the match of
// its own, or as nftables does.
func filteredSource(r *firewall.Rule) netip.Prefix {
	for _, e := range r.Exprs {
		if e == nil || e.Kind != "match" || e.Key != "ip" {
			continue
		}
		for _, o := range e.Options {
			if p, err := netip.ParsePrefix(o.Value); err == nil && o.Name == "--ip-src" && !o.Not {
				return p
			}
		}
	}
	return sourceOf(r)
}
