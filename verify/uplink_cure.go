package verify

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

// noCarrierFix is what to do about a link that is up and has no carrier: what
// it stands on, the other end of a veth, a cable.
func (h *host) noCarrierFix(l *bridge.Link) Fix {
	for _, lower := range h.below(l)[1:] {
		if !lower.Up {
			return Fix{
				Class: Safe, Say: "set " + show(lower.Name) + " up, on which " + show(l.Name) + " stands",
				Steps: []Step{{Do: LinkUp, On: lower.Name}},
			}
		}
	}
	if l.Kind == "veth" {
		peer := h.links[l.Parent]
		switch {
		case l.Parent != "" && peer != nil && !peer.Up:
			return Fix{
				Class: Safe, Say: "set " + show(peer.Name) + " up, the other end of " + show(l.Name),
				Steps: []Step{{Do: LinkUp, On: peer.Name}},
			}
		case l.ParentElsewhere:
			return Fix{Class: Manual, Say: "set the other end of " + show(l.Name) + " up in the container or namespace that has it: lsns -t net lists them, nsenter -t PID -n ip link set dev NAME up does it"}
		}
		return Fix{Class: Manual, Say: "set the other end of " + show(l.Name) + " up"}
	}
	say := "see whether the cable of " + show(l.Name) + " is plugged in and its switch port is on"
	if l.Kind == "" {
		say += " (ethtool " + shellQuote(l.Name) + " shows what the NIC detects, ethtool --identify " + shellQuote(l.Name) + " blinks at its socket)"
	}
	f := Fix{Class: Manual, Say: say}
	if spare := h.spareWithCarrier(); l.Master != "" && len(spare) == 1 {
		f.Say += "; or the cable is in " + show(spare[0].Name) + ", which is free and has a carrier: then put that into " + show(l.Master)
		f.Steps = []Step{{Do: SetMaster, On: spare[0].Name, With: l.Master}}
	}
	return f
}

// spareWithCarrier are the spare NICs of the machine that are up with a carrier.
func (h *host) spareWithCarrier() []*bridge.Link {
	return slices.DeleteFunc(h.spareHardware(), func(l *bridge.Link) bool { return !l.Up || !l.Carrier })
}

// defaultRouteFix is what to do about a host without a default route. The
// gateway is guessed only where the kernel still knows one.
func (h *host) defaultRouteFix() Fix {
	nics := h.outerLinks(netip.Addr.Is4)
	f := Fix{Class: Manual, Say: "give the host a default route in its network configuration, and now: ip route add default via GATEWAY dev NIC"}
	switch len(nics) {
	case 0:
		f.Say = "no NIC that leads out has an address: bring the host's network up (networkctl renew, nmcli connection up or ifup), which brings the default route along"
		return f
	case 1:
		f.Say = "give the host a default route over " + show(nics[0]) + " in its network configuration"
	}
	for _, name := range nics {
		if gateway := h.gatewayOn(name); gateway.IsValid() {
			f.Say = "put the default route back if " + gateway.String() + " on " + show(name) + " is the router, and keep it in the host's network configuration"
			f.Steps = []Step{{Do: RouteDefault, On: name, With: gateway.String()}}
			return f
		}
	}
	f.Say += "; a NIC that gets its address by DHCP gets the route with it: networkctl renew " + shellQuote(nics[0]) + ", or nmcli device reapply " + shellQuote(nics[0])
	return f
}

// outerLinks are the links that lead out of this host and have such an address:
// no bridge of libvirt's, no tap, no container's end.
func (h *host) outerLinks(such func(netip.Addr) bool) []string {
	var list []string
	for i := range h.snap.Kernel.Links {
		l := &h.snap.Kernel.Links[i]
		inner := l.Loopback || l.Kind == "tun" || h.owners[l.Name] != nil || l.Kind == "veth" && l.Parent != ""
		if l.Kind == "bridge" {
			inner = h.owners[l.Name] != nil || len(h.uplinks(l.Name)) == 0
		}
		if inner || !l.Up || strings.HasPrefix(l.Name, "docker") {
			continue
		}
		for _, a := range h.globalAddresses(l.Name) {
			if such(a.Addr().Unmap()) {
				list = append(list, l.Name)
				break
			}
		}
	}
	return list
}

// gatewayOn is the router on a link as far as the kernel knows one: the gateway
// of another route, or the neighbour that has the first or last address of a
// subnet there.
func (h *host) gatewayOn(link string) netip.Addr {
	for i := range h.snap.Kernel.Routes {
		r := &h.snap.Kernel.Routes[i]
		if r.Link == link && r.Gateway.IsValid() && r.Gateway.Is4() && !r.Gateway.IsUnspecified() {
			return r.Gateway
		}
	}
	for i := range h.snap.Kernel.Neighbours {
		n := &h.snap.Kernel.Neighbours[i]
		if n.Link != link || n.MAC == "" || n.State == "failed" {
			continue
		}
		for _, a := range h.globalAddresses(link) {
			if a.Contains(n.IP) && n.IP.Is4() && (n.IP == a.Masked().Addr().Next() || n.IP == broadcastOf(a).Prev()) {
				return n.IP
			}
		}
	}
	return netip.Addr{}
}

// broadcastOf is the broadcast address of an IPv4 subnet.
func broadcastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}
