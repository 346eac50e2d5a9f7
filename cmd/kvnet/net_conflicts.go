package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// networkConflicts says why a definition could not work on this host, or would
// touch what is somebody else's. have is what the network is now, nil when it
// is new: what it has already is no conflict.
func networkConflicts(w world, def xml.Network, have *xml.Network) []string {
	had := xml.Network{}
	if have != nil {
		had = *have
	}
	var fresh []netip.Prefix
	for _, ip := range def.IPs {
		known := slices.ContainsFunc(had.IPs, func(o xml.IP) bool { return o.Address.Masked() == ip.Address.Masked() })
		if !known {
			fresh = append(fresh, ip.Address.Masked())
		}
	}
	found := overlaps(fresh, claims(def.Name, w.Libvirt.Networks, w.kernel().Routes))
	if def.Bridge != "" && (def.Bridge != had.Bridge || def.Managed() != had.Managed()) {
		found = append(found, bridgeConflicts(w, def)...)
	}
	for _, dev := range def.ForwardDevs {
		isNew := !slices.Contains(had.ForwardDevs, dev)
		if link := findLink(w.Kernel, dev); isNew && w.here && (link == nil || link.Loopback) {
			found = append(found, fmt.Sprintf("the host has no device %s (it has %s)", dev, someNames(linkNames(w.Kernel))))
		}
	}
	return found
}

// bridgeConflicts says who has the bridge that a definition names, or that
// nobody has the one it needs.
func bridgeConflicts(w world, def xml.Network) []string {
	var found []string
	for _, n := range w.Libvirt.Networks {
		if n.Name == def.Name {
			continue
		}
		for _, other := range definitions(n) {
			if other.Bridge == def.Bridge && (other.Managed() || def.Managed()) {
				found = append(found, fmt.Sprintf("bridge %s belongs to network %s (%s)", def.Bridge, clean(n.Name), activeWord(n.Active)))
				break
			}
		}
	}
	if !w.here || len(found) > 0 {
		return found
	}
	link := findLink(w.Kernel, def.Bridge)
	switch {
	case def.Mode == xml.HostBridge && link == nil:
		there := "it has no bridge"
		if names := bridgeNames(w.Kernel); len(names) > 0 {
			there = "it has " + someNames(names)
		}
		found = append(found, fmt.Sprintf("the host has no bridge %s (%s)", def.Bridge, there))
	case def.Mode == xml.HostBridge && link.Kind != "bridge" && def.VirtualPort == "":
		found = append(found, fmt.Sprintf("%s is no bridge%s", def.Bridge, kindWords(*link)))
	case def.Managed() && link != nil && !liveBridge(w, def):
		found = append(found, fmt.Sprintf("the host has a device %s already (%s)", def.Bridge, ownKind(*link)))
	}
	return found
}

// refuseUUID refuses a definition of network name whose UUID another network
// has. libvirt does not take it, and so there is no --force.
func refuseUUID(op string, w world, name, document string) error {
	def, _ := xml.Parse(document) // who reads it next says what is wrong with it
	for _, n := range w.Libvirt.Networks {
		if def.UUID != "" && n.UUID == def.UUID && n.Name != name && def.Name == name {
			return refuse(op, "network "+clean(shorten(name)), fmt.Errorf("UUID %s belongs to network %s (%s)", def.UUID, clean(shorten(n.Name)), activeWord(n.Active)),
				"leave <uuid> out: a new network gets one of its own")
		}
	}
	return nil
}

// liveBridge says whether the device is the one that libvirt made for the
// network itself.
func liveBridge(w world, def xml.Network) bool {
	n := w.network(def.Name)
	return n != nil && n.Live != nil && n.Live.Managed() && n.Live.Bridge == def.Bridge
}

func ownKind(l bridge.Link) string {
	if l.Kind == "" {
		return "a NIC"
	}
	return l.Kind
}

// refuseConflicts is the refusal for what networkConflicts found; nil with
// --force, which then says what it overrides.
func (e *env) refuseConflicts(op, object string, found []string, o changeOptions) error {
	if len(found) == 0 {
		return nil
	}
	if o.force {
		for _, f := range found {
			e.note("forced: %s", f)
		}
		return nil
	}
	hint := "--force does it all the same"
	if strings.Contains(found[0], " overlaps ") {
		hint = "--subnet auto finds a free subnet; " + hint
	}
	return refuse(op, object, errors.New(strings.Join(found, "; ")), hint)
}

// startConflicts says why a network that is not active would not work.
func startConflicts(w world, n libvirtnet.Network) []string {
	if n.Config == nil {
		return nil
	}
	return networkConflicts(w, *n.Config, nil)
}
