package verify

import (
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

// Routing tables of linux/rtnetlink.h.
const (
	tableDefault = 253
	tableMain    = 254
)

// table is a routing table of one family.
type table struct {
	family, id int
}

func tableOf(r *bridge.Route) table {
	if r.Dst.Addr().Unmap().Is4() {
		return table{4, r.Table}
	}
	return table{6, r.Table}
}

// tables are the tables that any packet is looked up in: those that rules
// without conditions lead to; the main and the default table where no rule of the
// family is known. What a rule with conditions (a mark, a source, a VRF) does to a
// packet cannot be told from here.
func (h *host) tables() map[table]bool {
	found := map[table]bool{}
	for _, family := range []int{4, 6} {
		if !slices.ContainsFunc(h.snap.Kernel.Rules, func(r bridge.Rule) bool { return r.Family == family }) {
			found[table{family, tableMain}], found[table{family, tableDefault}] = true, true
		}
	}
	for i := range h.snap.Kernel.Rules {
		if r := &h.snap.Kernel.Rules[i]; r.Action == "lookup" && !conditional(r) {
			found[table{r.Family, r.Table}] = true
		}
	}
	return found
}

// conditional says whether a rule applies to some packets only. A suppressed
// prefix length drops the default route, which does not count here.
func conditional(r *bridge.Rule) bool {
	return r.Src.IsValid() && r.Src.Bits() > 0 || r.Dst.IsValid() && r.Dst.Bits() > 0 ||
		r.IIF != "" || r.OIF != "" || r.Mark != 0 || r.Mask != 0 || r.Invert || len(r.Selectors) > 0
}

// defaultRoutes are the IPv4 default routes that lead somewhere, of any table
// that a rule leads to; two halves of the address space are as good.
func (h *host) defaultRoutes() []*bridge.Route {
	if h.defaults != nil {
		return h.defaults
	}
	reached := h.tables()
	for i := range h.snap.Kernel.Rules {
		if r := &h.snap.Kernel.Rules[i]; r.Action == "lookup" {
			reached[table{r.Family, r.Table}] = true
		}
	}
	h.defaults = []*bridge.Route{}
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		dst := plainPrefix(r.Dst)
		if dst.IsValid() && dst.Addr().Is4() && dst.Bits() <= 1 && usable(r) && reached[tableOf(r)] {
			h.defaults = append(h.defaults, r)
		}
	}
	return h.defaults
}
