package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// lostLeases are the guests that would lose the address that the network leased
// them: wanted, it would not lease it to them.
func (t netTarget) lostLeases(ctx context.Context, want xml.Network) ([]string, error) {
	leases, err := t.conn.Leases(ctx, t.have.Name)
	if errors.Is(err, libvirtnet.ErrNotSupported) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	have := t.have.Def()
	var lost []string
	for _, l := range leases {
		if serves(have, l.IP, l.MAC) && !serves(want, l.IP, l.MAC) {
			lost = append(lost, fmt.Sprintf("%s of %s", l.IP, t.world.holder(l)))
		}
	}
	if len(lost) == 0 {
		return nil, nil
	}
	return []string{"live leases lie outside of what the network is to lease: " + strings.Join(lost, ", ")}, nil
}

// keepTheirs says of a reservation which guest has a lease for another address: it
// keeps that one.
func (w world) keepTheirs(leases []libvirtnet.Lease, mac string, ip netip.Addr) []string {
	var words []string
	for _, l := range leases {
		if mac != "" && l.MAC == mac && l.IP != ip && l.IP.Is4() == ip.Is4() {
			words = append(words, fmt.Sprintf("%s has a lease for %s and keeps that address until it asks anew", w.holder(l), l.IP))
		}
	}
	return words
}

// serves says whether a network leases an address to a MAC.
func serves(def xml.Network, ip netip.Addr, mac string) bool {
	for _, n := range def.IPs {
		for _, r := range n.Ranges {
			if !ip.Less(r.Start) && !r.End.Less(ip) {
				return true
			}
		}
		for _, h := range n.Hosts {
			if h.IP == ip && (h.MAC == mac || h.MAC == "") {
				return true
			}
		}
	}
	return false
}

// holder names who has a lease.
func (w world) holder(l libvirtnet.Lease) string {
	for _, g := range w.Libvirt.Guests {
		if _, has := byMAC(g.Interfaces, l.MAC); has {
			return "guest " + clean(g.Name)
		}
	}
	return l.MAC
}
