package verify

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func leaseChecks() []Check {
	return []Check{
		{
			ID: "dhcp-pool-exhausted", Title: "a network has hardly an address left to give", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests},
			Doc: Doc{
				Symptom:  "New guests get no address, or one of 169.254.0.0/16; dnsmasq's log says: no address available.",
				Cause:    "The DHCP ranges are small or leases are long; leases of guests that are gone count until they run out, and reservations outside of the ranges count against the server's limit, which libvirt sets to the size of the ranges.",
				Evidence: "Leases that have not run out, and reservations within the ranges, against the size of the IPv4 ranges: a warning from 90 %, an error when a running guest has no lease and none is left. An error, too, when there are as many leases as the ranges have addresses, and a running guest with a reservation has none. Else nothing is said where only reservations are used.",
				Cure:     "Widen the range; that takes a restart of the network.",
			},
			run: poolExhausted,
		},
		{
			ID: "dhcp-lease-stale", Title: "a lease is nobody's, or its guest uses another address", Severity: Info, Class: Manual,
			Needs: []Need{Networks, EveryGuest}, After: []string{"guest-ip-dup"},
			Doc: Doc{
				Symptom:  "virsh domifaddr and net-dhcp-leases show an address that does not answer, and tools wait for it.",
				Cause:    "A guest was removed, got a new MAC, or was given a static address; a lease stays until it runs out.",
				Evidence: "A lease that has not run out whose MAC belongs to no guest and is not in the bridge's forwarding table; or a running guest that was just seen in its subnet by another address only. Guests of other hypervisors that are heard on the bridge are none of it.",
				Cure:     "Wait until it runs out, or release it.",
			},
			run: leaseStale,
		},
	}
}

// liveLeases are those of a network that have not run out when the snapshot was
// taken.
func (p *pass) liveLeases(n *libvirtnet.Network) []*libvirtnet.Lease {
	var list []*libvirtnet.Lease
	for i := range n.Leases {
		if l := &n.Leases[i]; l.IP.IsValid() && (l.Expires.IsZero() || l.Expires.After(p.snap.Taken)) {
			list = append(list, l)
		}
	}
	return list
}

// pool is what a network has to give by IPv4 DHCP.
type pool struct {
	size     uint64 // of the ranges; dnsmasq's limit of leases, too
	dynamic  uint64 // leases that are no reservation
	leases   uint64 // all
	taken    uint64 // addresses of the ranges that no new guest gets
	reserved map[string]bool
	leased   map[string]bool // by MAC
}

func (p *pass) poolOf(n *libvirtnet.Network, def xml.Network) pool {
	o := pool{reserved: map[string]bool{}, leased: map[string]bool{}}
	var ranges []xml.Range
	gone := map[netip.Addr]bool{}
	for _, ip := range def.IPs {
		if !ip.Address.IsValid() || !ip.Address.Addr().Unmap().Is4() {
			continue
		}
		ranges = append(ranges, ip.Ranges...)
		gone[ip.Address.Addr().Unmap()] = true
		for _, h := range ip.Hosts {
			o.reserved[strings.ToLower(h.MAC)] = true
			gone[h.IP.Unmap()] = true
		}
	}
	for _, l := range p.liveLeases(n) {
		if !l.IP.Is4() {
			continue
		}
		o.leases++
		gone[l.IP], o.leased[strings.ToLower(l.MAC)] = true, true
		if !o.reserved[strings.ToLower(l.MAC)] {
			o.dynamic++
		}
	}
	for _, r := range ranges {
		o.size += sizeOf(r)
	}
	for a := range gone {
		for _, r := range ranges {
			if inRange(r, a) {
				o.taken++
				break
			}
		}
	}
	return o
}

// sizeOf is the number of addresses of an IPv4 range; 0 for what is none.
func sizeOf(r xml.Range) uint64 {
	start, end := r.Start.Unmap(), r.End.Unmap()
	if !start.Is4() || !end.Is4() || end.Less(start) {
		return 0
	}
	a, b := start.As4(), end.As4()
	return uint64(binary.BigEndian.Uint32(b[:])) - uint64(binary.BigEndian.Uint32(a[:])) + 1
}

// inRange says whether a range has an address.
func inRange(r xml.Range, a netip.Addr) bool {
	return r.Start.Unmap().Compare(a) <= 0 && a.Compare(r.End.Unmap()) <= 0
}

func poolExhausted(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		def := n.Def()
		s := scope{kind: aNetwork, network: n.Name, bridge: name}
		if why := p.gaps.leases[n.Name]; why != "" {
			p.cannot("libvirt leases of "+show(n.Name), why)
			continue
		}
		if !n.LeasesKnown {
			continue
		}
		o := p.poolOf(n, def)
		if o.size == 0 || !p.on(s) {
			continue
		}
		if list := p.unserved(n, def, o); len(list) > 0 {
			p.found(s, Finding{
				Message:  fmt.Sprintf("network %s gives no more leases than its range has addresses (%d), those for reservations included, and guest %s has none", show(n.Name), o.size, someNames(guestNames(list))),
				Evidence: "leases of network " + show(n.Name), Want: fmt.Sprintf("less than %d leases", o.size), Have: fmt.Sprintf("%d leases", o.leases),
				Fix: p.wider(n, def),
			})
			continue
		}
		if o.dynamic == 0 {
			continue
		}
		most := max(o.taken, o.leases)
		if float64(most) < 0.9*float64(o.size) {
			continue
		}
		f := Finding{
			Severity: Warning,
			Message:  fmt.Sprintf("network %s has given %d of %d addresses: soon new guests get none", show(n.Name), most, o.size),
			Evidence: "leases of network " + show(n.Name), Want: fmt.Sprintf("less than 90 %% of %d addresses", o.size), Have: fmt.Sprintf("%d in use", most),
			Fix: p.wider(n, def),
		}
		if waiting := p.waiting(n, o); most >= o.size {
			f.Message = fmt.Sprintf("network %s has given every address of its range (%d): a new guest gets none", show(n.Name), o.size)
			if len(waiting) > 0 {
				f.Severity = Error
				f.Message = fmt.Sprintf("network %s has given every address of its range (%d), and guest %s has none", show(n.Name), o.size, someNames(guestNames(waiting)))
			}
		}
		p.found(s, f)
	}
}

// waiting are the running guests of a network that have neither a lease nor a
// reservation.
func (p *pass) waiting(n *libvirtnet.Network, o pool) []*nic {
	var list []*nic
	for _, one := range p.usersOf(n).active {
		if mac := strings.ToLower(one.iface.MAC); one.running() && !o.leased[mac] && !o.reserved[mac] && one.iface.Link != "down" {
			list = append(list, one)
		}
	}
	return list
}

// unserved are the running guests of a network that have a reservation and get no
// lease for it: the server has given as many as libvirt lets it. Guests that were
// seen with an address of their own do not ask. IPv6 ranges raise the limit.
func (p *pass) unserved(n *libvirtnet.Network, def xml.Network, o pool) []*nic {
	raised := slices.ContainsFunc(def.IPs, func(ip xml.IP) bool { return len(ip.Ranges) > 0 && !ip.Address.Addr().Unmap().Is4() }) ||
		slices.ContainsFunc(options(def), func(line string) bool { return strings.HasPrefix(line, "dhcp-lease-max=") })
	if o.leases < o.size || raised || len(p.gaps.lacks[Neighbours]) > 0 {
		return nil
	}
	seen := map[string]bool{}
	for _, at := range p.neighboursOn(def.Bridge) {
		seen[strings.ToLower(at.MAC)] = seen[strings.ToLower(at.MAC)] || at.IP.Is4()
	}
	var list []*nic
	for _, one := range p.usersOf(n).active {
		if mac := strings.ToLower(one.iface.MAC); one.running() && o.reserved[mac] && !o.leased[mac] && !seen[mac] && one.iface.Link != "down" {
			list = append(list, one)
		}
	}
	return list
}

// wider is the cure of a small pool: the longest run of addresses in the subnet
// beside the host's own.
func (p *pass) wider(n *libvirtnet.Network, def xml.Network) Fix {
	fix := Fix{Class: Manual, Say: "give network " + show(n.Name) + " a larger subnet: kvnet net-define " + show(n.Name) + " --subnet CIDR, then restart it"}
	for _, ip := range def.IPs {
		own, subnet := ip.Address.Addr().Unmap(), plainPrefix(ip.Address)
		if !subnet.IsValid() || !own.Is4() || len(ip.Ranges) == 0 || subnet.Bits() > 30 {
			continue
		}
		first, last := subnet.Addr().Next(), lastOf(subnet).Prev()
		below, above := xml.Range{Start: first, End: own.Prev()}, xml.Range{Start: own.Next(), End: last}
		widest := above
		if sizeOf(below) > sizeOf(above) {
			widest = below
		}
		if sizeOf(widest) > sumOf(ip.Ranges) {
			fix.Say = "widen the range and restart network " + show(n.Name) + "; or have leases run out sooner"
			fix.Steps = []Step{
				{Do: NetDefine, On: n.Name, Args: []string{"--dhcp-range", widest.Start.String() + "-" + widest.End.String()}},
				{Do: NetRestart, On: n.Name},
			}
		}
		break
	}
	return fix
}

func sumOf(ranges []xml.Range) (sum uint64) {
	for _, r := range ranges {
		sum += sizeOf(r)
	}
	return sum
}

func leaseStale(p *pass) {
	macs := p.guestMACs()
	for _, name := range p.ownBridges {
		n := p.owners[name]
		if why := p.gaps.leases[n.Name]; why != "" {
			p.cannot("libvirt leases of "+show(n.Name), why)
			continue
		}
		s := scope{kind: aNetwork, network: n.Name, bridge: name}
		if !n.LeasesKnown || !p.on(s) {
			continue
		}
		p.nobodys(s, n, macs)
		p.otherAddress(n)
	}
}

// guestMACs are the MACs of all guests, on and off.
func (h *host) guestMACs() map[string]bool {
	macs := make(map[string]bool, len(h.nics))
	for i := range h.nics {
		macs[strings.ToLower(h.nics[i].iface.MAC)] = true
	}
	return macs
}

// nobodys reports the leases of a network whose MAC is no guest's and was not
// heard on the bridge.
func (p *pass) nobodys(s scope, n *libvirtnet.Network, macs map[string]bool) {
	var who []string
	for _, l := range p.liveLeases(n) {
		mac := strings.ToLower(l.MAC)
		if mac != "" && !macs[mac] && !p.heardBehind(s.bridge, mac) {
			who = append(who, l.IP.String()+" ("+show(mac)+")")
		}
	}
	if len(who) == 0 {
		return
	}
	p.found(s, Finding{
		Message:  fmt.Sprintf("%d leases of network %s belong to no guest: %s", len(who), show(n.Name), someTexts(who)),
		Evidence: "leases of network " + show(n.Name) + "; forwarding table of " + show(s.bridge),
		Want:     "leases of guests only", Have: someTexts(who),
		Fix: Fix{Class: Manual, Say: "wait until they run out, or release them: dhcp_release " + show(s.bridge) + " ADDRESS MAC"},
	})
}

// heardBehind says whether a MAC is in the bridge's forwarding table behind a port.
func (h *host) heardBehind(bridgeName, mac string) bool {
	for i := range h.snap.Kernel.FDB {
		if e := &h.snap.Kernel.FDB[i]; e.Bridge == bridgeName && !e.Self && strings.EqualFold(e.MAC, mac) {
			return true
		}
	}
	return false
}
