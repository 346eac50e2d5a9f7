package verify

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

func neighbourWrong(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		byHand := slices.DeleteFunc(slices.Clone(p.neighboursOn(name)), func(at *bridge.Neighbour) bool {
			return at.State != "permanent" || at.MAC == "" || virtualMAC(at.MAC)
		})
		// Without leases, only an entry that is there can be judged.
		if !n.LeasesKnown && len(byHand) == 0 || !p.on(scope{kind: aNetwork, network: n.Name, bridge: name}) {
			continue
		}
		running := p.runningOn(name)
		for _, at := range byHand {
			mac, why := p.holderOf(n, at.IP, running)
			holder := running[mac]
			if holder == nil || strings.EqualFold(mac, at.MAC) || ownedBy(holder, running[strings.ToLower(at.MAC)]) {
				continue
			}
			p.found(holder.subject, Finding{
				Message:  fmt.Sprintf("the host has %s, the address of guest %s, at %s by hand: what it sends to the guest goes astray", at.IP, show(holder.guest.Name), show(at.MAC)),
				Evidence: "permanent neighbour " + at.IP.String() + " on " + show(name) + "; " + why + " of " + show(mac),
				Want:     at.IP.String() + " at " + show(mac), Have: "at " + show(at.MAC),
				Fix: Fix{Class: Guarded, Say: "delete the entry: the host asks again", Steps: []Step{{Do: NeighbourDel, On: name, With: at.IP.String()}}},
			})
		}
	}
}

// holderOf is the MAC, lower case, of the running guest that has an address, and how
// that is known: by a lease, by the network's definition, or because the address was
// made of the MAC.
func (p *pass) holderOf(n *libvirtnet.Network, addr netip.Addr, running map[string]*nic) (mac, why string) {
	if n.LeasesKnown {
		for _, l := range p.liveLeases(n) {
			if mac := strings.ToLower(l.MAC); l.IP == addr && running[mac] != nil {
				return mac, "lease"
			}
		}
	}
	for _, ip := range n.Def().IPs {
		for _, h := range ip.Hosts {
			if mac := strings.ToLower(h.MAC); mac != "" && h.IP == addr && running[mac] != nil {
				return mac, "reservation"
			}
		}
	}
	return madeOf(addr), "address"
}

// madeOf is the MAC that an IPv6 address was made of (RFC 4291, appendix A); "" when
// it was not.
func madeOf(addr netip.Addr) string {
	b := addr.As16()
	if !addr.Is6() || b[11] != 0xff || b[12] != 0xfe {
		return ""
	}
	mac := append(slices.Clone(b[8:11]), b[13:]...)
	mac[0] ^= 2
	text := make([]string, 0, len(mac))
	for _, one := range mac {
		text = append(text, hex.EncodeToString([]byte{one}))
	}
	return strings.Join(text, ":")
}

// ownedBy says whether another interface is of the same guest.
func ownedBy(n, other *nic) bool { return other != nil && other.guest == n.guest }

// neighbourByHand: an entry of the neighbour table that the kernel does not correct,
// for the gateway that guests leave by, or for an address of a network at a MAC that
// was not heard there.
func neighbourByHand(p *pass) (message, probe string) {
	if p.toldBy("neighbour-wrong") || !p.kernelKnown() {
		return "", ""
	}
	tell := func(what string, at *bridge.Neighbour) (string, string) {
		probe := []string{"arping", "-c", "3", "-I", at.Link, at.IP.String()}
		if at.IP.Is6() {
			probe = []string{"ndisc6", at.IP.String(), at.Link}
		}
		return fmt.Sprintf("%s %s on %s is at %s by hand, for good: whether it has that MAC is not seen from here", what, at.IP, show(at.Link), show(at.MAC)), shellJoin(probe)
	}
	for _, n := range p.bridgeNets() {
		if !p.asked(key{aNetwork, n.net.Name}) {
			continue
		}
		for _, r := range p.gatewaysOf(n) {
			if at := p.neighbour(r.Link, r.Gateway); at != nil && at.State == "permanent" && at.MAC != "" {
				return tell("the gateway", at)
			}
		}
		running := p.runningOn(n.bridge.Name)
		for _, at := range p.neighboursOn(n.bridge.Name) {
			mac := strings.ToLower(at.MAC)
			if at.State == "permanent" && mac != "" && !virtualMAC(mac) && running[mac] == nil && p.belongs(n.net, at.IP) && !p.heardIn(n.bridge.Name, mac) {
				return tell("of network "+show(n.net.Name)+", the address", at)
			}
		}
	}
	return "", ""
}

// heardIn says whether a bridge has an entry for a MAC.
func (h *host) heardIn(name, mac string) bool {
	return slices.ContainsFunc(h.inside().fdb[name], func(e *bridge.FDBEntry) bool { return strings.EqualFold(e.MAC, mac) })
}

// gatewaysOf are the routes by which a network's guests leave the host.
func (h *host) gatewaysOf(n flowNet) []*bridge.Route {
	var routes []*bridge.Route
	for _, v6 := range []bool{false, true} {
		if subnets := n.prefixes(v6); len(subnets) > 0 && routed(*n.def) {
			way := h.routing().lookup(flow{dst: h.outside(v6).Addr().Next(), src: subnets[0].Addr().Next(), iif: n.bridge.Name}).plain
			if way.kind == toLink {
				routes = append(routes, way.routes...)
			}
		}
	}
	return routes
}
