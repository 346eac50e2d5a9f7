package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func addressChecks() []Check {
	return []Check{
		{
			ID: "guest-ip-dup", Title: "two guests, or a guest and the host, use one address", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests}, After: []string{"guest-mac-dup"},
			Doc: Doc{
				Symptom:  "Connections to a guest break, or its SSH key seems to change.",
				Cause:    "Cloned guests with one /etc/machine-id ask for one lease, or a static address lies within the DHCP range.",
				Evidence: "A running guest has the lease of an address that the host just had from another MAC; or of an address that the host itself has, which is an error. Old entries of the neighbour table do not count, nor other interfaces of the same guest, nor the MACs of VRRP.",
				Cure:     "Give clones machine ids of their own (truncate /etc/machine-id), or move the static address out of the range.",
			},
			run: guestIPDup,
		},
		{
			ID: "guest-ip-off-subnet", Title: "a guest has an address of another subnet", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, Guests, Routes, Rules}, After: append([]string{"route-shadow", "policy-route-steals"}, homeless...),
			Doc: Doc{
				Symptom:  "A guest with a static address reaches nothing beyond the host.",
				Cause:    "The address was set by hand for another network; libvirt refuses packets whose source is not of the network's subnet.",
				Evidence: "A neighbour on the bridge of a network of mode nat or route with the MAC of a running guest, IPv4, in none of the network's subnets and not routed to that bridge. A guest that was also seen with a right address within the last ten minutes has both and is left alone.",
				Cure:     "Correct the address inside the guest.",
			},
			run: guestOffSubnet,
		},
		{
			ID: "guest-neigh-failed", Title: "a guest does not answer for its address", Severity: Info, Class: Manual,
			Needs: []Need{Networks, Guests}, After: append([]string{"guest-ip-dup", "guest-ip-off-subnet", "dhcp-lease-stale", "guest-link-down", "port-not-forwarding", "tap-not-enslaved", "tap-wrong-bridge", "tap-admin-down", "tap-no-carrier", "bridge-mac-lost"}, homeless...),
			Doc: Doc{
				Symptom:  "The host does not reach a guest that runs and has a lease.",
				Cause:    "The guest gave up its address, is still starting, or frames to it are lost while those from it arrive.",
				Evidence: "ARP for the leased address of a running guest failed although the guest sent frames during or after that. A guest that was silent may sleep or start again, and nothing is said.",
				Cure:     "Ask again (ping the guest); then look inside it, and at filters on its port.",
			},
			run: guestNeighFailed,
		},
	}
}

const (
	// justSeen is how long a confirmed neighbour counts as seen just now, in
	// milliseconds; the kernel itself believes one for 15 to 45 s.
	justSeen = 60_000
	// excused is for how long a right address excuses another one.
	excused = 600_000
	// arpGivesUp is how long ARP asks before it gives up: three times a second
	// (mcast_probes and retrans_time of neigh/default).
	arpGivesUp = 3_000
)

// wasSeen says whether a neighbour was confirmed, or told us its MAC, within
// some milliseconds. An entry that was made of its own question has never been
// confirmed.
func wasSeen(n *bridge.Neighbour, within int64) bool {
	switch n.State {
	case "reachable", "delay", "probe":
		return n.MAC != ""
	case "stale":
		return n.MAC != "" && (n.Age <= within || n.Updated > 0 && n.Updated <= within)
	}
	return false
}

// virtualMAC says whether a MAC is of VRRP or HSRP: an address that moves.
func virtualMAC(mac string) bool {
	mac = strings.ToLower(mac)
	return strings.HasPrefix(mac, "00:00:5e:00:01:") || strings.HasPrefix(mac, "00:00:5e:00:02:") || strings.HasPrefix(mac, "00:00:0c:07:ac:")
}

// runningOn are the interfaces of running guests on a bridge, by MAC.
func (h *host) runningOn(bridgeName string) map[string]*nic {
	if found, ok := h.runningIn[bridgeName]; ok {
		return found
	}
	found := map[string]*nic{}
	for _, n := range h.byBridge[bridgeName] {
		if mac := strings.ToLower(n.iface.MAC); mac != "" && n.running() {
			setFirst(found, mac, n)
		}
	}
	h.runningIn[bridgeName] = found
	return found
}

func guestIPDup(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aNetwork, network: n.Name, bridge: name}
		if !n.LeasesKnown || !p.on(s) {
			continue
		}
		running := p.runningOn(name)
		for _, l := range p.liveLeases(n) {
			holder := running[strings.ToLower(l.MAC)]
			if holder == nil {
				continue
			}
			if link := p.bearerOf(l.IP); link != "" {
				p.takenByHost(holder, l, link)
				continue
			}
			p.rivalOf(name, holder, l, running)
		}
	}
}

// rivalOf reports another MAC that answers on the bridge for a leased address.
func (p *pass) rivalOf(name string, holder *nic, l *libvirtnet.Lease, running map[string]*nic) {
	for _, at := range p.neighboursOn(name) {
		if at.IP != l.IP || !wasSeen(at, justSeen) || strings.EqualFold(at.MAC, l.MAC) || virtualMAC(at.MAC) || virtualMAC(l.MAC) {
			continue
		}
		other := running[strings.ToLower(at.MAC)]
		if other != nil && other.guest == holder.guest {
			continue
		}
		who := show(at.MAC) + " answers for it"
		if other != nil {
			who = "guest " + show(other.guest.Name) + " (" + show(at.MAC) + ") answers for it"
		}
		p.twoClaims(holder, l, who, "neighbour "+l.IP.String()+" on "+show(name))
	}
}

// takenByHost reports an address of the host's that a guest has leased: the host
// answers itself, and sends the guest nothing.
func (p *pass) takenByHost(n *nic, l *libvirtnet.Lease, link string) {
	f := Finding{
		Severity: Error,
		Message:  fmt.Sprintf("guest %s has the lease of %s, and the host has that address on %s: what is for the guest ends in the host", show(n.guest.Name), l.IP, show(link)),
		Evidence: "address of " + show(link) + "; lease of " + show(l.MAC), Want: l.IP.String() + " at " + show(l.MAC), Have: "the host has it on " + show(link),
		Fix: Fix{Class: Manual, Say: "take the address from the host, also in its network configuration, or out of the DHCP range"},
	}
	for i := range p.snap.Kernel.Addresses {
		if a := &p.snap.Kernel.Addresses[i]; a.Link == link && a.Prefix.Addr().WithZone("").Unmap() == l.IP {
			f.Fix.Steps = []Step{{Do: AddressDel, On: link, With: a.Prefix.String()}}
		}
	}
	p.found(n.subject, f)
}

// bearerOf is a link of the host with the address.
func (h *host) bearerOf(addr netip.Addr) string {
	for i := range h.snap.Kernel.Addresses {
		if a := &h.snap.Kernel.Addresses[i]; a.Prefix.Addr().WithZone("").Unmap() == addr {
			return a.Link
		}
	}
	return ""
}

func (p *pass) twoClaims(n *nic, l *libvirtnet.Lease, who, evidence string) {
	p.found(n.subject, Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("guest %s has the lease of %s, and %s", show(n.guest.Name), l.IP, who),
		Evidence: evidence + "; lease of " + show(l.MAC), Want: l.IP.String() + " at " + show(l.MAC), Have: who,
		Fix: Fix{Class: Manual, Say: "give clones a machine id of their own (truncate -s 0 /etc/machine-id, and start again), or take static addresses out of the DHCP range"},
	})
}

func guestOffSubnet(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		def := n.Def()
		s := scope{kind: aNetwork, network: n.Name, bridge: name}
		if def.Mode != xml.NAT && def.Mode != xml.Route || !hasIPv4(def) || !p.on(s) {
			continue
		}
		running := p.runningOn(name)
		right, wrong := map[string]bool{}, map[string]*bridge.Neighbour{}
		for _, at := range p.neighboursOn(name) {
			mac := strings.ToLower(at.MAC)
			switch {
			case running[mac] == nil || !at.IP.Is4() || at.IP.IsUnspecified() || at.IP.IsLinkLocalUnicast() || at.IP.IsMulticast():
			case p.belongs(n, at.IP) || p.routing().lookup(flow{dst: at.IP}).plain.over(name):
				right[mac] = right[mac] || wasSeen(at, excused)
			case wasSeen(at, justSeen):
				wrong[mac] = at
			}
		}
		for mac, at := range wrong {
			if !right[mac] {
				p.offSubnet(running[mac], at, def)
			}
		}
	}
}

// belongs says whether an address is in a subnet of the network.
func (h *host) belongs(n *libvirtnet.Network, addr netip.Addr) bool {
	return slices.ContainsFunc(spansOf(n), func(s span) bool { return s.prefix.Contains(addr) })
}

func (p *pass) offSubnet(n *nic, at *bridge.Neighbour, def xml.Network) {
	var subnets []string
	for _, ip := range def.IPs {
		if ip.Address.Addr().Unmap().Is4() {
			subnets = append(subnets, plainPrefix(ip.Address).String())
		}
	}
	p.found(n.subject, Finding{
		Message:  fmt.Sprintf("guest %s uses %s, which is not of network %s: what it sends is not routed", show(n.guest.Name), at.IP, show(def.Name)),
		Evidence: "neighbour " + at.IP.String() + " lladdr " + show(at.MAC) + " on " + show(at.Link), Want: "an address of " + someTexts(subnets), Have: at.IP.String(),
		Fix: Fix{Class: Manual, Say: "correct the address inside guest " + show(n.guest.Name) + ", or let it ask by DHCP"},
	})
}

func guestNeighFailed(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aNetwork, network: n.Name, bridge: name}
		if !n.LeasesKnown || !p.on(s) {
			continue
		}
		failed := map[netip.Addr]*bridge.Neighbour{}
		for _, at := range p.neighboursOn(name) {
			if at.State == "failed" && at.Updated > 0 {
				failed[at.IP] = at
			}
		}
		if len(failed) == 0 {
			continue
		}
		running := p.runningOn(name)
		for _, l := range p.liveLeases(n) {
			one, at := running[strings.ToLower(l.MAC)], failed[l.IP]
			if one == nil || at == nil || !p.spoke(name, l.MAC, at.Updated+arpGivesUp) {
				continue
			}
			p.found(one.subject, Finding{
				Message:  fmt.Sprintf("guest %s has the lease of %s and sends frames, but does not answer for the address; it may be starting", show(one.guest.Name), l.IP),
				Evidence: "neighbour " + l.IP.String() + " on " + show(name) + "; forwarding entry of " + show(l.MAC), Want: l.IP.String() + " answered", Have: "failed",
				Fix: Fix{Class: Manual, Say: "ping " + l.IP.String() + "; if that fails look at the address inside guest " + show(one.guest.Name) + " and at filters on " + show(one.id())},
			})
		}
	}
}

// spoke says whether a frame of a MAC came in within some milliseconds.
func (h *host) spoke(bridgeName, mac string, within int64) bool {
	for i := range h.snap.Kernel.FDB {
		e := &h.snap.Kernel.FDB[i]
		if e.Bridge == bridgeName && e.State == "learned" && strings.EqualFold(e.MAC, mac) && e.Age <= within {
			return true
		}
	}
	return false
}

// otherAddress reports the running guests of a network that were just seen with
// another address than the leased one, and not with that.
func (p *pass) otherAddress(n *libvirtnet.Network) {
	name := n.Def().Bridge
	running := p.runningOn(name)
	leased, uses := map[string][]netip.Addr{}, map[string]*bridge.Neighbour{}
	given := map[netip.Addr]bool{}
	for _, l := range p.liveLeases(n) {
		if l.IP.Is4() {
			mac := strings.ToLower(l.MAC)
			leased[mac] = append(leased[mac], l.IP)
			given[l.IP] = true
		}
	}
	for _, at := range p.neighboursOn(name) {
		mac := strings.ToLower(at.MAC)
		if at.IP.Is4() && len(leased[mac]) > 0 && p.belongs(n, at.IP) && !given[at.IP] && wasSeen(at, justSeen) {
			uses[mac] = at
		}
	}
	for _, at := range p.neighboursOn(name) {
		if mac := strings.ToLower(at.MAC); slices.Contains(leased[mac], at.IP) && wasSeen(at, excused) {
			delete(uses, mac)
		}
	}
	for mac, at := range uses {
		one := running[mac]
		if one == nil || !p.on(one.subject) {
			continue
		}
		p.found(one.subject, Finding{
			Message:  fmt.Sprintf("guest %s uses %s and has the lease of %s: virsh domifaddr shows what does not answer", show(one.guest.Name), at.IP, leased[mac][0]),
			Evidence: "neighbour " + at.IP.String() + " on " + show(name) + "; lease of " + show(mac), Want: leased[mac][0].String(), Have: at.IP.String(),
			Fix: Fix{Class: Manual, Say: "reserve the address that guest " + show(one.guest.Name) + " uses, or let it ask by DHCP again"},
		})
	}
}
