package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/xml"
)

func (h *host) missingAddresses(def xml.Network, name string) []netip.Prefix {
	var missing []netip.Prefix
	for _, ip := range def.IPs {
		off := ip.Address.Addr().Is6() && ipv6Off(&h.snap.Kernel, name) // told as bridge-ipv6-broken
		if _, found := h.addressOn(name, ip.Address.Addr()); !found && ip.Address.IsValid() && !off && !h.takenDown(name, ip.Address) {
			missing = append(missing, ip.Address)
		}
	}
	return missing
}

func (h *host) lostAddresses(def xml.Network, name string) []netip.Prefix {
	if len(h.gaps.lacks[Addresses]) > 0 {
		return nil
	}
	var lost []netip.Prefix
	for _, ip := range def.IPs {
		if _, found := h.addressOn(name, ip.Address.Addr()); !found && h.takenDown(name, ip.Address) {
			lost = append(lost, ip.Address)
		}
	}
	return lost
}

func (h *host) takenDown(name string, a netip.Prefix) bool {
	l := h.links[name]
	return l != nil && !l.Up && a.Addr().Is6() && !a.Addr().Is4In6()
}

func (h *host) addressOn(link string, addr netip.Addr) (netip.Prefix, bool) {
	for _, a := range h.addresses[link] {
		if a.Prefix.Addr().WithZone("").Unmap() == addr.WithZone("").Unmap() {
			return a.Prefix, true
		}
	}
	return netip.Prefix{}, false
}

func (h *host) globalAddresses(link string) []netip.Prefix {
	var found []netip.Prefix
	for _, a := range h.addresses[link] {
		if (a.Scope == "global" || a.Scope == "site") && a.Prefix.IsValid() && !a.Prefix.Addr().IsLinkLocalUnicast() {
			found = append(found, a.Prefix)
		}
	}
	return found
}

// takeAddresses are the steps that take addresses away from a link and leave it the
// others: a secondary address goes with the primary one of its subnet, or before it.
func (h *host) takeAddresses(link string, gone []netip.Prefix) (steps []Step) {
	var primaries, kept []Step
	for _, a := range h.addresses[link] {
		step := Step{Do: AddressDel, On: link, With: a.Prefix.String()}
		switch going := slices.Contains(gone, a.Prefix); {
		case going && a.Secondary:
			steps = append(steps, step)
		case going:
			primaries = append(primaries, step)
		case a.Secondary && slices.ContainsFunc(gone, func(p netip.Prefix) bool { return p.Masked() == a.Prefix.Masked() }):
			step.Do = AddressKeep
			kept = append(kept, step)
		}
	}
	return slices.Concat(steps, primaries, kept)
}

func prefixes(list []netip.Prefix) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, 0, len(list))
	for _, p := range list {
		texts = append(texts, p.String())
	}
	return someTexts(texts)
}

func bridgeIPMissing(p *pass) {
	routes := map[string]map[netip.Prefix]bool{}
	for i := range p.snap.Kernel.Routes {
		r := &p.snap.Kernel.Routes[i]
		if p.owners[r.Link] == nil {
			continue
		}
		if routes[r.Link] == nil {
			routes[r.Link] = map[netip.Prefix]bool{}
		}
		routes[r.Link][plainPrefix(r.Dst)] = true
	}
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		def := n.Def()
		if l == nil || len(def.IPs) == 0 || !p.on(s) {
			continue
		}
		if missing := p.missingAddresses(def, name); len(missing) > 0 {
			p.addressLost(s, missing)
		} else if lost := p.lostRoutes(def, name, routes[name]); l.Up && len(lost) > 0 {
			p.routeLost(s, lost)
		} else if lost := p.lostLocal(def, name); l.Up && len(lost) > 0 {
			p.localLost(s, lost)
		}
	}
}

func (p *pass) addressLost(s scope, missing []netip.Prefix) {
	message := fmt.Sprintf("bridge %s of network %s lost its address %s: guests have no gateway, DHCP or DNS", show(s.bridge), show(s.network), prefixes(missing))
	fix := Fix{Class: Safe, Say: "add the address to bridge " + show(s.bridge) + " again"}
	for _, a := range missing {
		links, away := p.bearers(a.Addr())
		if len(links) > 0 {
			fix.Class, fix.Say = Guarded, "move the address back to bridge "+show(s.bridge)
			message += "; " + a.Addr().String() + " is on " + someNames(links) + " now"
		}
		fix.Steps = append(append(fix.Steps, away...), Step{Do: AddressAdd, On: s.bridge, With: a.String()})
	}
	p.found(s, Finding{
		Message: message, Evidence: "RTM_GETADDR of " + show(s.bridge), Want: prefixes(missing), Have: prefixes(p.globalAddresses(s.bridge)), Fix: fix,
	})
}

func (h *host) lostRoutes(def xml.Network, name string, routes map[netip.Prefix]bool) []netip.Prefix {
	var lost []netip.Prefix
	for _, ip := range def.IPs {
		have, found := h.addressOn(name, ip.Address.Addr())
		if found && have == ip.Address && !have.IsSingleIP() && !routes[plainPrefix(have)] {
			lost = append(lost, have)
		}
	}
	return lost
}

func (p *pass) routeLost(s scope, lost []netip.Prefix) {
	var steps []Step
	var want []string
	for _, a := range lost {
		steps = append(steps, Step{Do: RouteAdd, On: s.bridge, With: a.String()})
		want = append(want, "route "+a.Masked().String()+" dev "+show(s.bridge))
	}
	p.found(s, Finding{
		Message:  fmt.Sprintf("bridge %s of network %s has its address but lost the route to its subnet: the host does not reach the guests", show(s.bridge), show(s.network)),
		Evidence: "RTM_GETROUTE of " + show(s.bridge),
		Want:     someTexts(want), Have: "no such route",
		Fix: Fix{Class: Safe, Say: "add the connected route again", Steps: steps},
	})
}

// lostLocal are the network's addresses that the bridge has and no local route leads to.
func (h *host) lostLocal(def xml.Network, name string) []netip.Prefix {
	var lost []netip.Prefix
	for _, a := range h.addresses[name] {
		if a.Unrouted && slices.ContainsFunc(def.IPs, func(ip xml.IP) bool { return ip.Address == a.Prefix }) {
			lost = append(lost, a.Prefix)
		}
	}
	return lost
}

func (p *pass) localLost(s scope, lost []netip.Prefix) {
	var steps []Step
	for _, a := range lost {
		steps = append(steps, Step{Do: RouteLocal, On: s.bridge, With: a.Addr().String()})
	}
	p.found(s, Finding{
		Message:  fmt.Sprintf("bridge %s of network %s has its address %s, but no local route leads to it: the host takes nothing that is sent there, guests have no gateway or DNS", show(s.bridge), show(s.network), prefixes(lost)),
		Evidence: "RTM_GETROUTE of table local",
		Want:     "route local " + lost[0].Addr().String() + " dev " + show(s.bridge), Have: "no such route",
		Fix: Fix{Class: Safe, Say: "add the local route again", Steps: steps},
	})
}

func bridgeIPMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if p.links[name] == nil || !p.on(s) {
			continue
		}
		def := n.Def()
		wanted := map[netip.Addr]bool{}
		var want, have []netip.Prefix
		var steps []Step
		for _, ip := range def.IPs {
			wanted[ip.Address.Addr().WithZone("").Unmap()] = true
			got, found := p.addressOn(name, ip.Address.Addr())
			if found && !p.hasPrefix(name, ip.Address) {
				want, have = append(want, ip.Address), append(have, got)
				add, del := Step{Do: AddressAdd, On: name, With: ip.Address.String()}, Step{Do: AddressDel, On: name, With: got.String()}
				if got.Addr().Unmap().Is4() {
					steps = append(steps, add, del)
				} else {
					// A link has an IPv6 address once, whatever its length.
					steps = append(steps, del, add)
				}
			}
		}
		if len(have) > 0 {
			p.found(s, Finding{
				Message:  fmt.Sprintf("bridge %s has %s, and network %s declares %s", show(name), prefixes(have), show(n.Name), prefixes(want)),
				Evidence: "RTM_GETADDR of " + show(name),
				Want:     prefixes(want), Have: prefixes(have),
				Fix: Fix{Class: Guarded, Say: "set the prefix length that the network declares", Steps: steps},
			})
			continue
		}
		p.extraAddresses(s, def, wanted)
	}
}

func (h *host) hasPrefix(link string, want netip.Prefix) bool {
	for _, a := range h.addresses[link] {
		if a.Prefix.Bits() == want.Bits() && a.Prefix.Addr().WithZone("") == want.Addr().WithZone("") {
			return true
		}
	}
	return false
}

func (p *pass) extraAddresses(s scope, def xml.Network, wanted map[netip.Addr]bool) {
	if len(p.missingAddresses(def, s.bridge)) > 0 {
		return
	}
	var extra []netip.Prefix
	strays := p.straysOf(s.bridge)
	for _, a := range p.globalAddresses(s.bridge) {
		if !slices.Contains(strays, a) && !wanted[a.Addr().WithZone("").Unmap()] {
			extra = append(extra, a)
		}
	}
	if len(extra) == 0 {
		return
	}
	var want []netip.Prefix
	for _, ip := range def.IPs {
		want = append(want, ip.Address)
	}
	p.found(s, Finding{
		Severity: Info,
		Message:  fmt.Sprintf("bridge %s has %s, which network %s does not declare", show(s.bridge), prefixes(extra), show(s.network)),
		Evidence: "RTM_GETADDR of " + show(s.bridge),
		Want:     prefixes(want), Have: prefixes(p.globalAddresses(s.bridge)),
		Fix: Fix{Class: Guarded, Say: "take the address away unless a hook or a person put it there on purpose", Steps: p.takeAddresses(s.bridge, extra)},
	})
}
