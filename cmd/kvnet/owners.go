package main

import (
	"context"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// tapOwners says which guest's interface a link is, by the link's name.
type tapOwners map[string]tapOwner

type tapOwner struct{ domain, mac string }

func ownersOf(guests []libvirtnet.Guest) tapOwners {
	owners := tapOwners{}
	for _, g := range guests {
		if !g.Active() {
			continue
		}
		for _, i := range g.Interfaces {
			if i.Target != "" {
				owners[i.Target] = tapOwner{domain: g.Name, mac: i.MAC}
			}
		}
	}
	return owners
}

// tapOwners asks libvirt whose the links of state are. Bridges can be shown
// without libvirt, so its silence is a note and no error.
func (e *env) tapOwners(ctx context.Context, state bridge.State) tapOwners {
	guests, _ := e.guestsHere(ctx, state, "")
	return ownersOf(guests)
}

// guestsHere lists the guests on the kernel that was read, and the leases of
// the networks on the bridge (of none when bridge is empty).
func (e *env) guestsHere(ctx context.Context, state bridge.State, bridgeName string) ([]libvirtnet.Guest, []libvirtnet.Lease) {
	conn, err := e.connect(ctx)
	if err != nil {
		e.note("guests are not named: %v", err)
		return nil, nil
	}
	defer conn.Close()
	if why := elsewhere(ctx, conn, state); why != "" {
		e.note("guests are not named: %s", why)
		return nil, nil
	}
	guests, err := conn.Guests(ctx)
	if err != nil {
		e.note("not told: %v", err)
	}
	if bridgeName == "" {
		return guests, nil
	}
	nets, err := conn.NetworksFull(ctx)
	if err != nil {
		e.note("not told: %v", err)
	}
	var leases []libvirtnet.Lease
	for _, n := range nets {
		if n.Active && n.Def().Bridge == bridgeName {
			leases = append(leases, e.leases(ctx, conn, n)...)
		}
	}
	return guests, leases
}

// leases asks for a network's leases where they only complete an answer.
func (e *env) leases(ctx context.Context, conn *libvirtnet.Conn, n libvirtnet.Network) []libvirtnet.Lease {
	if !servesDHCP(n) {
		return nil
	}
	leases, err := conn.Leases(ctx, n.Name)
	if err != nil {
		e.note("not told: %v", err)
	}
	return leases
}

func servesDHCP(n libvirtnet.Network) bool {
	for _, ip := range n.Def().IPs {
		if n.Active && ip.DHCP() {
			return true
		}
	}
	return false
}
