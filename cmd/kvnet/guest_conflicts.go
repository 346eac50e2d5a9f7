package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// attachConflicts says why an interface would not work, or would harm others.
func (t guestTarget) attachConflicts(want xml.NewInterface, src source, live bool) []string {
	var found []string
	w := t.world
	if n := src.network; n != nil {
		if !n.Active {
			found = append(found, fmt.Sprintf("it is not active (kvnet net-start %s)", clean(n.Name)))
		}
		if b := n.Def().Bridge; n.Active && b != "" && w.here && findLink(w.Kernel, b) == nil {
			found = append(found, fmt.Sprintf("the host has no bridge %s (kvnet verify says more)", clean(b)))
		}
	}
	if n := src.network; n != nil && want.PortGroup != "" && !slices.Contains(n.Def().PortGroups, want.PortGroup) {
		has := "it has none"
		if groups := n.Def().PortGroups; len(groups) > 0 {
			has = "it has " + clean(someNames(groups))
		}
		found = append(found, fmt.Sprintf("it has no port group %s (%s), and libvirt would leave that out without a word", clean(want.PortGroup), has))
	}
	if src.kind == sourceDirect {
		found = append(found, portAlready(w.kernel(), src.name)...)
	}
	if want.MAC != "" {
		found = append(found, t.macOwners(want.MAC, src)...)
	}
	if want.Target != "" {
		found = append(found, t.targetOwners(want, live)...)
	}
	if len(want.VLANs) > 0 && !live && src.bridge != "" && w.here && w.Libvirt.Version < vlansOnBridges {
		found = append(found, fmt.Sprintf("libvirt %s takes VLANs on Open vSwitch only, and %s is a bridge of the kernel: the guest would not start",
			versionWord(w.Libvirt.Version), clean(src.bridge)))
	}
	return found
}

// portAlready says that a device hands what it receives to a bridge or bond: the
// kernel takes one such receiver (netdev_rx_handler_register, net/core/dev.c).
func portAlready(k bridge.State, name string) []string {
	l := findLink(k, name)
	if l == nil || l.Master == "" {
		return nil
	}
	if m := findLink(k, l.Master); m == nil || !slices.Contains([]string{"bridge", "bond", "team", "openvswitch"}, m.Kind) {
		return nil
	}
	return []string{fmt.Sprintf("%s is a port of %s, and the kernel puts no macvtap on one", clean(l.Name), clean(l.Master))}
}

// vlansOnBridges is the first libvirt that takes VLANs on bridges of the kernel
// (https://libvirt.org/news.html, 11.0.0).
const vlansOnBridges = 11_000_000

// versionWord prints libvirt's number of a version.
func versionWord(v int) string {
	return fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1_000%1_000, v%1_000)
}

// targetOwners names who has the name that a tap is to have. A guest that is
// shut off does not start when the name is that of a device which is no tap, or
// of a tap of its own. Taps of others come and go.
func (t guestTarget) targetOwners(want xml.NewInterface, live bool) []string {
	if l := findLink(t.world.kernel(), want.Target); l != nil && (live || l.Tun == nil && l.Kind != "macvtap") {
		return []string{fmt.Sprintf("the host has a device %s already (%s)", want.Target, ownKind(*l))}
	}
	for _, i := range t.config {
		if i.Target == want.Target && i.MAC != want.MAC {
			return []string{fmt.Sprintf("target %s belongs to interface %s of the guest", want.Target, i.MAC)}
		}
	}
	return nil
}

// missingFilter says that the filter of an interface is not there. libvirt asks
// for it when the guest runs; in a configuration it takes any name.
func (t guestTarget) missingFilter(ctx context.Context, want xml.NewInterface, live bool) []string {
	if want.Filter == "" || live {
		return nil
	}
	if has, err := t.conn.HasFilter(ctx, want.Filter); err != nil || has {
		return nil // a driver without filters, or one that says more when it is asked to attach
	}
	return []string{"libvirt has no network filter " + clean(shorten(want.Filter)) + ": the guest would not start"}
}

// macOwners names who has a MAC on the same layer 2: other guests, running or
// not, and the host itself.
func (t guestTarget) macOwners(mac string, src source) []string {
	var found []string
	place := layer2(src)
	for _, g := range t.world.Libvirt.Guests {
		for _, i := range g.Interfaces {
			if i.MAC == mac && g.Name != t.have.Name && t.world.place(i) == place {
				found = append(found, fmt.Sprintf("MAC %s belongs to guest %s (%s) on the same network", mac, clean(g.Name), g.State))
			}
		}
	}
	for _, l := range t.world.kernel().Links {
		if l.MAC == mac && src.bridge != "" && (l.Name == src.bridge || l.Master == src.bridge) {
			found = append(found, fmt.Sprintf("MAC %s belongs to the host's %s", mac, l.Name))
		}
	}
	return found
}

// layer2 names the layer 2 that a source leads to.
func layer2(src source) string {
	switch {
	case src.bridge != "":
		return "bridge " + src.bridge
	case src.network != nil:
		return "network " + src.network.Name
	}
	return "device " + src.name
}

// place names the layer 2 of an interface that is there.
func (w world) place(i libvirtnet.Interface) string {
	if i.Network != "" {
		if n := w.network(i.Network); n != nil && n.Def().Bridge != "" {
			return "bridge " + n.Def().Bridge
		}
		return "network " + i.Network
	}
	if i.Bridge != "" {
		return "bridge " + i.Bridge
	}
	return "device " + i.Dev
}
