package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// theft is a flow of guests that does not go where it should.
type theft struct {
	home   *home
	flow   flow
	answer answer
	// proven: every packet of the flow is lost whatever mark it has, or it is
	// the host's own, which has none.
	proven bool
	// likely: guests have the address, or may get it.
	likely bool
}

// narrow says whether a route that is more specific than the subnet took the
// packets; else it was a rule.
func (t *theft) narrow() bool {
	return len(t.answer.routes) > 0 && plainPrefix(t.answer.routes[0].Dst).Bits() > t.home.prefix.Bits()
}

// thefts are the flows to guests that end elsewhere. Where the connected route
// of the subnet is missing, nobody took anything.
func (h *host) thefts() []theft {
	if h.theftList != nil {
		return h.theftList
	}
	list := []theft{}
	homes := h.homes()
	inside := h.routesInside(homes)
	for i := range homes {
		one := &homes[i]
		if !h.connected(one) {
			continue
		}
		for j, addr := range append(slices.Clone(one.guests), inside[one]...) {
			for _, fl := range h.flowsTo(one, addr) {
				if t, lost := h.stolen(one, fl); lost {
					t.likely = j < len(one.guests) || one.mayGive(addr)
					list = append(list, t)
				}
			}
		}
	}
	h.theftList = list
	return list
}

// mayGive says whether guests may get an address: it is in a DHCP range, or
// there is no DHCP and they take what they like.
func (one *home) mayGive(addr netip.Addr) bool {
	ranges := 0
	for _, ip := range one.def.IPs {
		for _, r := range ip.Ranges {
			ranges++
			if r.Start.Unmap().Compare(addr) <= 0 && addr.Compare(r.End.Unmap()) <= 0 {
				return true
			}
		}
	}
	return ranges == 0
}

// flowsTo are the flows to a guest: the host's own, and those that come from
// beyond where the network is routed.
func (h *host) flowsTo(one *home, addr netip.Addr) []flow {
	flows := []flow{{dst: addr, src: one.own}}
	if !routed(one.def) {
		return flows
	}
	far := h.routing().beyond(familyOf(addr))
	for _, link := range h.exits(one.def) {
		if link != one.bridge {
			flows = append(flows, flow{dst: addr, src: far, iif: link})
		}
	}
	return flows
}

// stolen says whether a flow to a guest ends elsewhere.
func (h *host) stolen(one *home, fl flow) (theft, bool) {
	lost := func(a answer) bool {
		switch {
		case a.kind == toLocal:
			return len(a.routes) > 0 // by a route; an address is told with the guests'
		case a.kind == noRoute:
			return false
		case a.kind != toLink:
			return true
		}
		return !slices.ContainsFunc(a.routes, func(r *bridge.Route) bool {
			return h.realName(r.Link) == one.bridge || h.ofNetwork(r)
		})
	}
	found := h.routing().lookup(fl)
	return theft{home: one, flow: fl, answer: found.plain, proven: fl.iif == "" || found.all(lost)}, lost(found.plain)
}

// ofNetwork says whether a route is one that comes with another network of
// libvirt's: that of its subnet, which is told as an overlap, or one that it declares.
func (h *host) ofNetwork(r *bridge.Route) bool {
	n := h.owners[h.realName(r.Link)]
	if n == nil {
		return false
	}
	dst := plainPrefix(r.Dst)
	return slices.ContainsFunc(spansOf(n), func(s span) bool { return s.prefix == dst }) ||
		slices.ContainsFunc(n.Def().Routes, func(g xml.Gateway) bool { return plainPrefix(g.To) == dst })
}

// connected says whether the subnet's own route is there and can be used.
func (h *host) connected(one *home) bool {
	routes := h.routing().routes[table{familyOf(one.own), tableMain}][one.prefix]
	return slices.ContainsFunc(routes, func(r *bridge.Route) bool {
		return usable(r) && h.realName(r.Link) == one.bridge && h.routing().alive(r)
	})
}

// routesInside are addresses in the subnets that a more specific route leads
// elsewhere, a few for each.
func (h *host) routesInside(homes []home) map[*home][]netip.Addr {
	subnets, lengths := map[netip.Prefix]*home{}, map[int]bool{}
	for i := range homes {
		subnets[homes[i].prefix] = &homes[i]
		lengths[homes[i].prefix.Bits()] = true
	}
	found := map[*home][]netip.Addr{}
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		dst := plainPrefix(r.Dst)
		if !dst.IsValid() || !foreign(r) {
			continue
		}
		for bits := range lengths {
			if bits >= dst.Bits() {
				continue
			}
			outer, _ := dst.Addr().Prefix(bits)
			one := subnets[outer]
			if one == nil || h.realName(r.Link) == one.bridge || len(found[one]) >= someGuests {
				continue
			}
			addr := dst.Addr()
			if !dst.IsSingleIP() {
				addr = addr.Next()
			}
			found[one] = append(found[one], addr)
		}
	}
	return found
}

// routeText writes a route as ip does.
func routeText(r *bridge.Route) string {
	dst := plainPrefix(r.Dst)
	text := "route "
	if !usable(r) {
		text += show(r.Type) + " "
	}
	if dst.Bits() == 0 {
		text += "default"
	} else {
		text += dst.String()
	}
	if r.Gateway.IsValid() {
		text += " via " + r.Gateway.String()
	}
	if r.Link != "" && usable(r) {
		text += " dev " + show(r.Link)
	}
	if r.Table != tableMain {
		text += " table " + strconv.Itoa(r.Table)
	}
	return text
}

// ruleText writes a rule as ip does.
func ruleText(r *bridge.Rule) string {
	text := fmt.Sprintf("rule %d:", r.Priority)
	if r.Invert {
		text += " not"
	}
	if r.Src.IsValid() && r.Src.Bits() > 0 {
		text += " from " + r.Src.String()
	} else {
		text += " from all"
	}
	if r.Dst.IsValid() && r.Dst.Bits() > 0 {
		text += " to " + r.Dst.String()
	}
	if r.Mark != 0 || r.Mask != 0 {
		text += fmt.Sprintf(" fwmark %#x/%#x", r.Mark, r.Mask)
	}
	if r.IIF != "" {
		text += " iif " + show(r.IIF)
	}
	for _, s := range r.Selectors {
		text += " " + show(s)
	}
	switch r.Action {
	case "lookup":
		text += " lookup " + tableName(r.Table)
	default:
		text += " " + show(r.Action)
	}
	return text
}

func tableName(id int) string {
	switch id {
	case tableMain:
		return "main"
	case tableDefault:
		return "default"
	case tableLocal:
		return "local"
	}
	return strconv.Itoa(id)
}

// evidence writes what decided.
func (a answer) evidence() string {
	text := ""
	if len(a.routes) > 0 {
		text = routeText(a.routes[0])
	}
	if a.rule == nil || a.rule.Table == tableMain && len(a.routes) > 0 {
		return text
	}
	if text != "" {
		return ruleText(a.rule) + "; " + text
	}
	return ruleText(a.rule)
}

// where writes the end of a flow.
func (a answer) where() string {
	switch {
	case a.kind == toLink:
		return "dev " + show(a.routes[0].Link)
	case len(a.routes) > 0 && !usable(a.routes[0]):
		return show(a.kind)
	}
	return a.kind
}
