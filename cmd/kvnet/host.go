package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

// host is the world as definitions are held against it.
func (w world) host() lint.Host {
	h := lint.Host{Version: w.Libvirt.Version, Partial: w.partial()}
	for _, n := range w.Libvirt.Networks {
		h.Networks = append(h.Networks, lint.HostNetwork{Name: n.Name, UUID: n.UUID, Active: n.Active, Definitions: definitions(n)})
	}
	for _, g := range w.Libvirt.Guests {
		h.Guests = append(h.Guests, xml.Guest{Name: g.Name, UUID: g.UUID, Virt: g.Virt, Interfaces: g.Interfaces})
	}
	if !w.here {
		return h
	}
	h.Devices = []lint.Device{}
	for _, l := range w.Kernel.Links {
		h.Devices = append(h.Devices, lint.Device{Name: l.Name, AltNames: l.AltNames, Kind: l.Kind, Loopback: l.Loopback})
	}
	for _, r := range w.Kernel.Routes {
		h.Routes = append(h.Routes, lint.HostRoute{To: r.Dst, Device: r.Link, Main: r.Table == mainTable, Words: routeWords(r)})
	}
	h.Addresses = answeredFor(w.Kernel)
	return h
}

// answeredFor are the addresses of the kernel, and those of others that it
// answers ARP for.
func answeredFor(kernel bridge.State) []lint.HostAddress {
	proxies := map[string]bool{}
	for _, f := range kernel.Forwarding {
		proxies[f.Link] = proxies[f.Link] || f.Family == 4 && f.Proxy
	}
	var list []lint.HostAddress
	for _, a := range kernel.Addresses {
		list = append(list, lint.HostAddress{Prefix: a.Prefix, Device: a.Link, Proxy: proxies[a.Link] || proxies["all"]})
	}
	for _, n := range kernel.Neighbours {
		if n.State == "proxy" {
			list = append(list, lint.HostAddress{Prefix: netip.PrefixFrom(n.IP, n.IP.BitLen()), Device: n.Link})
		}
	}
	return list
}

// partial says that libvirt did not tell of every network.
func (w world) partial() bool {
	for _, g := range w.Libvirt.Gaps {
		if g.Source == "networks" || g.Source == "connection" {
			return true
		}
	}
	return false
}

// definitions are what a network is and what it will be at its next start.
func definitions(n libvirtnet.Network) []xml.Network {
	var list []xml.Network
	for _, def := range []*xml.Network{n.Live, n.Config} {
		if def != nil {
			list = append(list, *def)
		}
	}
	return list
}

// routeWords names a route as ip route does.
func routeWords(r bridge.Route) string {
	words := []string{"route"}
	if r.Type != "" && r.Type != "unicast" {
		words = append(words, r.Type)
	}
	words = append(words, r.Dst.String())
	if r.Gateway.IsValid() {
		words = append(words, "via", r.Gateway.String())
	}
	if r.Link != "" {
		words = append(words, "dev", clean(r.Link))
	}
	table := "main"
	if r.Table != mainTable {
		table = fmt.Sprint(r.Table)
	}
	return strings.Join(words, " ") + " (table " + table + ", proto " + r.Protocol + ")"
}
