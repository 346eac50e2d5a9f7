//go:build cgo

package libvirtnet

import (
	"context"
	"errors"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/kvnet/kvnet/xml"
)

// Networks lists the networks without their definitions: four calls, however
// many there are. They are sorted by name.
func (c *Conn) Networks(ctx context.Context) ([]Network, error) {
	return ask(ctx, c, func() ([]Network, error) {
		handles, list, err := c.listNetworks(false)
		freeNetworks(handles)
		return list, err
	})
}

// ActiveNetworks is Networks without those that are not active: three calls.
func (c *Conn) ActiveNetworks(ctx context.Context) ([]Network, error) {
	return ask(ctx, c, func() ([]Network, error) {
		handles, list, err := c.listNetworks(true)
		freeNetworks(handles)
		return list, err
	})
}

// NetworksFull lists the networks with definitions and ports. What one of
// them does not tell is in the joined error; the others are there all the
// same.
func (c *Conn) NetworksFull(ctx context.Context) ([]Network, error) {
	return ask(ctx, c, func() ([]Network, error) {
		var g gaps
		list := c.gatherNetworks(ctx, &g, false)
		return list, g.joined()
	})
}

// Network reads one network by name or UUID. The error is a *NotFoundError
// with the names that look like it when there is none.
func (c *Conn) Network(ctx context.Context, key string) (Network, error) {
	return ask(ctx, c, func() (Network, error) {
		h, err := c.findNetwork(key)
		if err != nil {
			return Network{}, err
		}
		defer h.Free()
		n, err := networkFlags(h)
		if err != nil {
			return n, err
		}
		var g gaps
		if vanishing := !n.Active && !n.Persistent; vanishing || fillNetwork(h, &n, &g) {
			return n, &NotFoundError{Kind: "network", Name: key}
		}
		return n, g.joined()
	})
}

// NetworkXML is a network's document: the live one of an active network, or
// the one it starts with. libvirt refuses the latter for a transient network.
func (c *Conn) NetworkXML(ctx context.Context, key string, inactive bool) (string, error) {
	return ask(ctx, c, func() (string, error) {
		h, err := c.findNetwork(key)
		if err != nil {
			return "", err
		}
		defer h.Free()
		doc, err := networkXML(h, inactive)
		if err != nil {
			return "", toError(opRead, "network "+show(key), err)
		}
		return doc, nil
	})
}

// networkXML asks for one of a network's documents. The test driver has only
// one and takes the flag for an invalid argument.
func networkXML(h *libvirt.Network, inactive bool) (string, error) {
	if !inactive {
		return h.GetXMLDesc(0)
	}
	doc, err := h.GetXMLDesc(libvirt.NETWORK_XML_INACTIVE)
	if isCode(err, codeInvalidArg) {
		return h.GetXMLDesc(0)
	}
	return doc, err
}

// findNetwork looks a network up, by name first. The handle is to be freed.
func (c *Conn) findNetwork(key string) (*libvirt.Network, error) {
	if strings.ContainsRune(key, 0) {
		return nil, &NotFoundError{Kind: "network", Name: key} // C would cut it there
	}
	h, err := c.raw.LookupNetworkByName(key)
	if err == nil {
		return h, nil
	}
	if !isCode(err, codeNoNetwork) {
		return nil, toError("find", "network "+show(key), err)
	}
	if isUUID(key) {
		if h, err = c.raw.LookupNetworkByUUIDString(key); err == nil {
			return h, nil
		}
		if !isCode(err, codeNoNetwork) {
			return nil, toError("find", "network "+show(key), err)
		}
	}
	missing := &NotFoundError{Kind: "network", Name: key}
	if handles, list, err := c.listNetworks(false); err == nil {
		freeNetworks(handles)
		var names []string
		for _, n := range list {
			names = append(names, n.Name)
		}
		missing.Near = Near(key, names)
	}
	return nil, missing
}

// listNetworks asks for all networks, or for the active ones, and for their
// subsets, and returns a handle for each of the list; the caller frees them.
func (c *Conn) listNetworks(active bool) ([]libvirt.Network, []Network, error) {
	var which libvirt.ConnectListAllNetworksFlags
	if active {
		which = libvirt.CONNECT_LIST_NETWORKS_ACTIVE
	}
	handles, err := c.raw.ListAllNetworks(which)
	if err != nil {
		return nil, []Network{}, toError(opList, "networks", err)
	}
	subset := func(flag libvirt.ConnectListAllNetworksFlags) (map[string]bool, error) {
		some, err := c.raw.ListAllNetworks(flag)
		if err != nil {
			return nil, toError(opList, "networks", err)
		}
		defer freeNetworks(some)
		set := make(map[string]bool, len(some))
		for i := range some {
			if id, err := some[i].GetUUIDString(); err == nil {
				set[id] = true
			}
		}
		return set, nil
	}
	var up map[string]bool
	var err1 error
	if !active {
		up, err1 = subset(libvirt.CONNECT_LIST_NETWORKS_ACTIVE)
	}
	transient, err2 := subset(libvirt.CONNECT_LIST_NETWORKS_TRANSIENT)
	auto, err3 := subset(libvirt.CONNECT_LIST_NETWORKS_AUTOSTART)
	if err := errors.Join(err1, err2, err3); err != nil {
		freeNetworks(handles)
		return nil, []Network{}, err
	}
	list := make([]Network, len(handles))
	for i := range handles {
		name, _ := handles[i].GetName()     // both are in the handle and
		id, _ := handles[i].GetUUIDString() // cannot fail on a valid one
		list[i] = Network{Name: name, UUID: id, Active: active || up[id], Persistent: !transient[id], Autostart: auto[id], Ports: []string{}}
	}
	// A transient network that is not active is just vanishing.
	handles, list = keep(handles, list, func(n Network) bool { return n.Active || n.Persistent }, freeNetworks)
	sortTogether(handles, list, func(n Network) string { return n.Name })
	return handles, list, nil
}

func freeNetworks(handles []libvirt.Network) {
	for i := range handles {
		_ = handles[i].Free()
	}
}

// networkFlags asks for what the lists tell, for one network.
func networkFlags(h *libvirt.Network) (Network, error) {
	n := Network{Ports: []string{}}
	var errs [5]error
	n.Name, errs[0] = h.GetName()
	n.UUID, errs[1] = h.GetUUIDString()
	n.Active, errs[2] = h.IsActive()
	n.Persistent, errs[3] = h.IsPersistent()
	if n.Persistent {
		n.Autostart, errs[4] = h.GetAutostart()
	}
	for _, err := range errs {
		if err != nil {
			return n, toError(opRead, "network "+show(n.Name), err)
		}
	}
	return n, nil
}

// fillNetwork reads a network's documents and ports. It is true when the
// network is gone.
func fillNetwork(h *libvirt.Network, n *Network, g *gaps) (gone bool) {
	object := "network " + show(n.Name)
	read := func(inactive bool) (string, bool) {
		doc, err := networkXML(h, inactive)
		switch {
		case err == nil:
			return doc, true
		case isCode(err, codeNoNetwork):
			gone = true
		case inactive && isCode(err, codeOpInvalid):
			n.Persistent = false // undefined since it was listed
		default:
			g.add(object, toError(opRead, object, err))
		}
		return "", false
	}
	if n.Active {
		if doc, ok := read(false); ok {
			def, err := xml.Parse(doc)
			if err != nil {
				g.add(object, err)
			} else {
				n.Live = &def
			}
		}
		n.Ports, n.PortsKnown = ports(h, n.Name, g)
	}
	if n.Persistent && !gone {
		if doc, ok := read(true); ok {
			def, err := xml.Parse(doc)
			if err != nil {
				g.add(object, err)
			} else {
				n.Config = &def
			}
		}
	}
	return gone
}

// ports lists the UUIDs of a network's ports, sorted.
func ports(h *libvirt.Network, name string, g *gaps) (list []string, known bool) {
	list = []string{}
	handles, err := h.ListAllPorts(0)
	switch {
	case isCode(err, codeNoSupport), isCode(err, codeNoNetwork):
		return list, false
	case isCode(err, codeOpInvalid):
		return list, true // stopped since it was listed
	case err != nil:
		g.add("ports of "+show(name), toError(opPorts, "network "+show(name), err))
		return list, false
	}
	for i := range handles {
		if id, err := handles[i].GetUUIDString(); err == nil {
			list = append(list, id)
		}
		_ = handles[i].Free()
	}
	slices.Sort(list)
	return list, true
}

// isUUID says whether libvirt would take a key for a UUID: 32 hexadecimal
// digits with any dashes between them.
func isUUID(key string) bool {
	digits := 0
	for _, r := range key {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'f', r >= 'A' && r <= 'F':
			digits++
		case r != '-':
			return false
		}
	}
	return digits == 32
}

// sortTogether sorts list by name and the handles with it.
func sortTogether[H, T any](handles []H, list []T, name func(T) string) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(name(list[a]), name(list[b])) })
	h, l := slices.Clone(handles), slices.Clone(list)
	for to, from := range order {
		handles[to], list[to] = h[from], l[from]
	}
}

// keep drops those of list that are not wanted, and frees their handles.
func keep[H, T any](handles []H, list []T, wanted func(T) bool, free func([]H)) ([]H, []T) {
	n := 0
	for i := range list {
		if !wanted(list[i]) {
			free(handles[i : i+1])
			continue
		}
		handles[n], list[n] = handles[i], list[i]
		n++
	}
	return handles[:n], list[:n]
}
