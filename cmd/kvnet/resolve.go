package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// Types of source that an interface is attached to, in libvirt's words.
const (
	sourceNetwork = "network"
	sourceBridge  = "bridge"
	sourceDirect  = "direct"
)

// source is what an interface is plugged into.
type source struct {
	kind    string // sourceNetwork, sourceBridge or sourceDirect
	name    string
	network *libvirtnet.Network // of sourceNetwork
	// bridge is the kernel's bridge that a tap on the source becomes a port
	// of; "" for macvtap, and where libvirt does not tell.
	bridge string
}

func (s source) String() string {
	if s.kind == sourceDirect {
		return "device " + clean(s.name)
	}
	return s.kind + " " + clean(s.name)
}

// resolveSource finds out what name means: a network of libvirt or a bridge
// of the host. kind, when not empty, says which. Without the daemon's kernel a
// bridge is taken on trust, and only when kind asks for it.
func resolveSource(command, name, kind string, w world) (source, error) {
	networks, kernel, here := w.Libvirt.Networks, w.kernel(), w.here
	network := findSourceNetwork(name, networks)
	link, device := findLink(kernel, name), name
	if link != nil {
		device = link.Name // name may be another one of it
	}
	isBridge := slices.ContainsFunc(kernel.Bridges, func(b bridge.Bridge) bool { return b.Name == device })
	switch {
	case kind == "" && network != nil && isBridge && network.Name == name:
		return source{}, usage(command, quote(name)+" is both a network of libvirt and a bridge of the host",
			"say which: --type network or --type bridge")
	case kind == "" && network != nil, kind == sourceNetwork && network != nil:
		on := linuxBridge(network.Def())
		if l := findLink(kernel, on); l != nil {
			on = l.Name
		}
		return source{kind: sourceNetwork, name: network.Name, network: network, bridge: on}, nil
	case kind == sourceNetwork:
		return source{}, &libvirtnet.NotFoundError{Kind: "network", Name: name, Near: nearest(name, networkNames(networks))}
	case kind != "" && !here:
		return source{kind: kind, name: name, bridge: bridgeOf(kind, name)}, nil
	case kind == sourceDirect && link != nil:
		return source{kind: sourceDirect, name: device}, nil
	case kind == sourceDirect:
		return source{}, missingSource("link", name, "", linkNames(kernel))
	case isBridge:
		return source{kind: sourceBridge, name: device, bridge: device}, nil
	case link != nil:
		return source{}, &failure{op: "attach to", object: name, err: errors.New("it is no bridge" + kindWords(*link)),
			hint: "--type direct attaches a macvtap interface to a NIC"}
	case kind == sourceBridge:
		return source{}, missingSource("bridge", name, "", bridgeNames(kernel))
	case !here:
		return source{}, missingSource("network", name, "libvirt does not run on this network namespace, so a bridge is only found with --type bridge", networkNames(networks))
	}
	return source{}, missingSource("network or bridge", name, "", append(networkNames(networks), bridgeNames(kernel)...))
}

// linuxBridge is the kernel's bridge of a network; "" where guests hang in
// another kind of switch.
func linuxBridge(def xml.Network) string {
	if def.VirtualPort != "" {
		return ""
	}
	return def.Bridge
}

func bridgeOf(kind, name string) string {
	if kind == sourceBridge {
		return name
	}
	return ""
}

func kindWords(l bridge.Link) string {
	if l.Kind == "" {
		return ""
	}
	return " but a " + l.Kind + " device"
}

// missingSource is the error for a name that nothing has: with names that
// look like it, else with all there are.
func missingSource(what, name, hint string, names []string) error {
	if near := nearest(name, names); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	} else if hint == "" && len(names) > 0 {
		hint = "there is " + someNames(names)
	}
	return &failure{op: "find " + what, object: shorten(name), err: errors.New("no such " + what), hint: hint}
}

// someNames lists names, at most ten.
func someNames(names []string) string {
	const most = 10
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// findSourceNetwork finds a network by name, else by UUID.
func findSourceNetwork(name string, networks []libvirtnet.Network) *libvirtnet.Network {
	for i := range networks {
		if networks[i].Name == name {
			return &networks[i]
		}
	}
	if uuid, err := xml.ParseUUID(name); err == nil {
		for i := range networks {
			if networks[i].UUID == uuid {
				return &networks[i]
			}
		}
	}
	return nil
}

func networkNames(networks []libvirtnet.Network) []string {
	var names []string
	for _, n := range networks {
		names = append(names, n.Name)
	}
	return names
}

func bridgeNames(kernel bridge.State) []string {
	var names []string
	for _, b := range kernel.Bridges {
		names = append(names, b.Name)
	}
	return names
}

func linkNames(kernel bridge.State) []string {
	var names []string
	for _, l := range kernel.Links {
		if !l.Loopback {
			names = append(names, l.Name)
		}
	}
	return names
}
