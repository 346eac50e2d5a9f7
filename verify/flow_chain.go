package verify

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// chainLinks are the links that the rules of a chain name: hundreds of networks
// ask each chain for theirs.
type chainLinks struct {
	numbers  map[uint32]bool
	names    map[string]bool
	prefixes []string
}

// have says whether a rule of the chain names a link, as isDevice says it of one.
func (c *chainLinks) have(dev firewall.Interface) bool {
	return dev.Index > 0 && c.numbers[uint32(dev.Index)] || dev.Name != "" && (c.names[dev.Name] ||
		slices.ContainsFunc(c.prefixes, func(p string) bool { return strings.HasPrefix(dev.Name, p) }))
}

// rulesFor says whether a chain has rules that name the network's bridge.
func (f *packetFilter) rulesFor(c *firewall.Chain, n flowNet) bool {
	links := f.linksOf[c]
	if links == nil {
		links = linksIn(c)
		if f.linksOf == nil {
			f.linksOf = map[*firewall.Chain]*chainLinks{}
		}
		f.linksOf[c] = links
	}
	return links.have(n.bridge)
}

func linksIn(c *firewall.Chain) *chainLinks {
	links := &chainLinks{numbers: map[uint32]bool{}, names: map[string]bool{}}
	for i := range c.Rules {
		compared(&c.Rules[i], func(load, _, cmp *firewall.Expr) {
			if load.Kind != "meta" || cmp.Kind != "cmp" || cmp.Op == "neq" {
				return
			}
			switch load.Key {
			case "iif", "oif":
				if len(cmp.Data) == 4 {
					links.numbers[binary.LittleEndian.Uint32(cmp.Data)], links.numbers[binary.BigEndian.Uint32(cmp.Data)] = true, true
				}
			case "iifname", "oifname":
				name := string(bytes.TrimRight(cmp.Data, "\x00"))
				links.names[name] = true
				if len(cmp.Data) > 0 && len(name) == len(cmp.Data) && !slices.Contains(links.prefixes, name) {
					links.prefixes = append(links.prefixes, name)
				}
			}
		})
	}
	return links
}

// reached are the chains of a table that packets come to.
func (f *packetFilter) reached(t *firewall.Table) map[string]bool {
	if f.reachedIn[t] == nil {
		if f.reachedIn == nil {
			f.reachedIn = map[*firewall.Table]map[string]bool{}
		}
		f.reachedIn[t] = t.Reached()
	}
	return f.reachedIn[t]
}
