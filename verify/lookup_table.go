package verify

import (
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

// inTable finds the most specific route of a rule's table that can be used. No
// answer means that the next rule is asked.
func (f *fib) inTable(r *bridge.Rule, fl flow) answer {
	dst := fl.dst.WithZone("")
	if r.Table == tableLocal && (f.local[dst] || dst.IsLoopback()) {
		return answer{kind: toLocal}
	}
	routes := f.routes[table{r.Family, r.Table}]
	if len(routes) == 0 {
		return answer{}
	}
	for bits := dst.BitLen(); bits >= 0; bits-- {
		prefix, _ := dst.Prefix(bits)
		best := f.best(routes[prefix], fl)
		if len(best) == 0 {
			continue
		}
		short := bits <= r.SuppressPrefixLength
		switch kind := best[0].Type; {
		case kind == "throw", short && usable(best[0]):
			return answer{}
		case usable(best[0]):
			return answer{kind: toLink, routes: best}
		default:
			return answer{kind: kind, routes: best[:1]}
		}
	}
	return answer{}
}

// best are the routes of one prefix with the lowest metric that can be used.
// Where there are routes for some sources, the narrowest of those count, and
// others of the prefix do not even when no source fits (fib6_node_lookup_1,
// net/ipv6/ip6_fib.c).
func (f *fib) best(routes []*bridge.Route, fl flow) []*bridge.Route {
	chosen := slices.ContainsFunc(routes, func(r *bridge.Route) bool { return fromBits(r) > 0 })
	var found []*bridge.Route
	for _, r := range routes {
		bits := fromBits(r)
		if chosen && (bits == 0 || !fl.src.IsValid() || !plainPrefix(r.From).Contains(fl.src)) || !f.alive(r) {
			continue
		}
		if len(found) > 0 {
			other := fromBits(found[0])
			if bits < other || bits == other && r.Metric > found[0].Metric {
				continue
			}
			if bits > other || r.Metric < found[0].Metric {
				found = found[:0]
			}
		}
		found = append(found, r)
	}
	return found
}

func fromBits(r *bridge.Route) int {
	if r.From.IsValid() {
		return r.From.Bits()
	}
	return 0
}

// alive says whether a route's link can be used: it is up, and has a carrier
// where routes without one are to be ignored.
func (f *fib) alive(r *bridge.Route) bool {
	l := f.links[r.Link]
	if !usable(r) || l == nil {
		return true
	}
	family := tableOf(r).family
	if r.Down && (f.ignore[ignoreKey(l.Name, family)] || family == 4 && f.ignore[ignoreKey("all", family)]) {
		return false
	}
	return l.Up
}
