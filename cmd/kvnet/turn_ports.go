package main

import (
	"context"
	"errors"
	"slices"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// stopped adds what running guests have on the networks that the plan stops:
// their ports and taps are gone with them.
func (c change) stopped(ctx context.Context, conn *libvirtnet.Conn, t *touched) error {
	for _, s := range c.plan.Steps {
		n := c.world.network(s.Object)
		if s.Do != libvirtnet.Stop || n == nil {
			continue
		}
		for _, a := range libvirtnet.Attached(*n, c.world.Libvirt.Guests) {
			if a.Interface.Target != "" && !slices.Contains(t.links, a.Interface.Target) {
				t.links = append(t.links, a.Interface.Target)
			}
		}
		ports, err := claimedPorts(ctx, conn, c.world, *n)
		if err != nil {
			return err
		}
		t.ports = append(t.ports, ports...)
	}
	return nil
}

// claimedPorts are the ports that running guests claim of a network.
func claimedPorts(ctx context.Context, conn *libvirtnet.Conn, w world, n libvirtnet.Network) ([]journal.Port, error) {
	var list []journal.Port
	for _, a := range libvirtnet.Attached(n, w.Libvirt.Guests) {
		at := slices.IndexFunc(w.Libvirt.Guests, func(g libvirtnet.Guest) bool { return g.Name == a.Guest })
		if a.Interface.PortID == "" || a.Interface.Network == "" {
			continue
		}
		p := journal.Port{Network: n.Name, UUID: a.Interface.PortID, Guest: a.Guest}
		var err error
		if p.Document, p.Exists, err = portDocument(ctx, conn, n, w.Libvirt.Guests[at], a.Interface); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// portDocument is the document that makes an interface's port again: the one
// that libvirt has, else what the interface says of it.
func portDocument(ctx context.Context, conn *libvirtnet.Conn, n libvirtnet.Network, g libvirtnet.Guest, i libvirtnet.Interface) (document string, exists bool, err error) {
	err = libvirtnet.ErrNotFound
	if n.Active {
		document, err = conn.PortXML(ctx, n.Name, i.PortID)
	}
	if err == nil {
		document, err = xml.Unplugged(document)
		return document, true, err
	}
	if !errors.Is(err, libvirtnet.ErrNotFound) && !errors.Is(err, libvirtnet.ErrNotSupported) {
		return "", false, err
	}
	document, err = xml.BuildPort(xml.PortFor(xml.Guest{Name: g.Name, UUID: g.UUID}, i))
	return document, false, err
}
