//go:build cgo

package libvirtnet

import (
	"context"
	"encoding/xml"
	"net/netip"
	"sort"
	"strings"

	"libvirt.org/go/libvirt"
)

// gatherFilters asks for network filters and their bindings, where a guest
// refers to one; nil where none does, or the daemon has no filters.
func (c *Conn) gatherFilters(ctx context.Context, guests []Guest, g *gaps) *Filters {
	wanted := map[string]bool{}
	for i := range guests {
		for j := range guests[i].Interfaces {
			if f := guests[i].Interfaces[j].Filter; f != "" {
				wanted[f] = true
			}
		}
	}
	if len(wanted) == 0 || ctx.Err() != nil {
		return nil
	}
	all := &Filters{Defined: []Filter{}, Bindings: []FilterBinding{}}
	for name := range wanted {
		f, err := c.readFilter(name)
		switch {
		case isCode(err, int(libvirt.ERR_NO_NWFILTER)):
		case isCode(err, int(libvirt.ERR_NO_SUPPORT)): // the driver has no filters
			return nil
		case err != nil:
			g.add("filters", toError("read filter", show(name), err))
			return nil
		default:
			all.Defined = append(all.Defined, f)
		}
	}
	bindings, err := c.raw.ListAllNWFilterBindings(0)
	if err != nil {
		g.add("filters", toError(opRead, "filter bindings", err))
		return nil
	}
	for i := range bindings {
		b, err := readBinding(&bindings[i])
		switch {
		case isCode(err, int(libvirt.ERR_NO_NWFILTER_BINDING)): // the guest ended
		case err != nil:
			g.add("filters", toError(opRead, "filter binding", err))
		default:
			all.Bindings = append(all.Bindings, b)
		}
	}
	sort.Slice(all.Defined, func(i, j int) bool { return all.Defined[i].Name < all.Defined[j].Name })
	sort.Slice(all.Bindings, func(i, j int) bool { return all.Bindings[i].Tap < all.Bindings[j].Tap })
	return all
}

// readBinding reads a binding's document and frees the binding. Its getters are
// not used: the Go binding of libvirt (1.11010) frees what they return, which is
// still the binding's own.
func readBinding(h *libvirt.NWFilterBinding) (FilterBinding, error) {
	defer func() { _ = h.Free() }()
	doc, err := h.GetXMLDesc(0)
	if err != nil {
		return FilterBinding{}, err
	}
	var b struct {
		Port struct {
			Name string `xml:"name,attr"`
		} `xml:"portdev"`
		Filter struct {
			Name       string `xml:"filter,attr"`
			Parameters []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"parameter"`
		} `xml:"filterref"`
	}
	if err := xml.Unmarshal([]byte(doc), &b); err != nil {
		return FilterBinding{}, err
	}
	binding := FilterBinding{Tap: b.Port.Name, Filter: b.Filter.Name}
	for _, p := range b.Filter.Parameters {
		if addr, err := netip.ParseAddr(p.Value); err == nil && p.Name == "IP" {
			binding.IPs = append(binding.IPs, addr)
		}
	}
	return binding, nil
}

// readFilter looks a filter up. One without rules and references does nothing.
func (c *Conn) readFilter(name string) (Filter, error) {
	h, err := c.raw.LookupNWFilterByName(name)
	if err != nil {
		return Filter{}, err
	}
	defer func() { _ = h.Free() }()
	doc, err := h.GetXMLDesc(0)
	if err != nil {
		return Filter{}, err
	}
	return Filter{Name: name, Empty: !strings.Contains(doc, "<rule") && !strings.Contains(doc, "<filterref")}, nil
}
