package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// sourceNeighbour is the kernel's neighbour table, beside the sources that
// libvirtnet names.
const sourceNeighbour = "neighbour"

// agentPatience bounds the wait for the agent in the guest: libvirt waits
// five seconds for it, or as long as another call holds the guest.
const agentPatience = 6 * time.Second

// addressSearch collects what is known of a guest's addresses, and what was
// tried in vain.
type addressSearch struct {
	guest libvirtnet.Guest
	taps  map[string]string // by MAC
	found []addressRow
	tried []string
}

func newAddressSearch(g libvirtnet.Guest) *addressSearch {
	return &addressSearch{guest: g, taps: guestMACs(g)}
}

// search asks every source; one that fails is a word in tried.
func (s *addressSearch) search(ctx context.Context, e *env, conn *libvirtnet.Conn) {
	type answer struct {
		list []libvirtnet.Address
		err  error
	}
	agent := make(chan answer, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, agentPatience)
		defer cancel()
		list, err := conn.Addresses(ctx, s.guest.Name, libvirtnet.SourceAgent)
		agent <- answer{list, err}
	}()
	kernel, here := bridge.State{}, false
	if state, err := bridge.Read(ctx); err != nil {
		s.try("neighbour table: " + err.Error())
	} else if why := elsewhere(ctx, conn, state); why != "" {
		s.try("neighbour table: " + why)
	} else {
		kernel, here = state, true
	}
	s.leases(ctx, e, conn, kernel)
	a := <-agent
	s.agent(a.list, a.err)
	if here {
		s.neighbours(kernel)
	}
}

func (s *addressSearch) try(what string) { s.tried = append(s.tried, what) }

// leases asks the networks whose bridges the guest is on, by whatever way, and
// then libvirt by the guest's name, as virsh does: drivers without leases of
// networks answer that.
func (s *addressSearch) leases(ctx context.Context, e *env, conn *libvirtnet.Conn, kernel bridge.State) {
	before := len(s.found)
	nets, err := conn.NetworksFull(ctx)
	if err != nil {
		e.note("not told: %v", err)
	}
	var asked []string
	for _, n := range s.networks(nets, kernel) {
		leases, err := conn.Leases(ctx, n.Name)
		if err == nil {
			asked = append(asked, clean(n.Name))
		}
		for _, l := range leases {
			if _, ok := s.taps[l.MAC]; ok {
				row := addressRow{MAC: l.MAC, IP: l.IP, Prefix: l.Prefix, Source: libvirtnet.SourceLease}
				if !l.Expires.IsZero() {
					row.Expires = &l.Expires
				}
				s.add(row)
			}
		}
	}
	list, err := conn.Addresses(ctx, s.guest.Name, libvirtnet.SourceLease)
	for _, a := range list {
		s.add(addressRow{Interface: a.Interface, MAC: a.MAC, IP: a.IP, Prefix: a.Prefix, Source: libvirtnet.SourceLease})
	}
	switch {
	case len(s.found) > before:
	case err != nil:
		s.try("leases: " + explain(err).message())
	case len(asked) == 0:
		s.try("leases: none of its networks serves DHCP")
	default:
		slices.Sort(asked)
		s.try("leases of " + strings.Join(asked, ", ") + ": none for its MAC addresses")
	}
}

// networks are the active DHCP networks that the guest is on: by name, or by
// the bridge that its document or the kernel has its tap in.
func (s *addressSearch) networks(nets []libvirtnet.Network, kernel bridge.State) []libvirtnet.Network {
	links := linksByName(kernel)
	var out []libvirtnet.Network
	for _, n := range nets {
		name := n.Def().Bridge
		on := slices.ContainsFunc(s.guest.Interfaces, func(i libvirtnet.Interface) bool {
			return i.Network == n.Name || name != "" && (i.Bridge == name || links[i.Target].Master == name)
		})
		if on && servesDHCP(n) {
			out = append(out, n)
		}
	}
	return out
}

func (s *addressSearch) agent(list []libvirtnet.Address, err error) {
	if err != nil {
		why := explain(err).message()
		if errors.Is(err, context.DeadlineExceeded) {
			why = "no answer in " + agentPatience.String()
		}
		s.try("agent: " + why)
		return
	}
	now := int64(0)
	for _, a := range list {
		if !a.IP.IsLoopback() {
			s.add(addressRow{Interface: a.Interface, MAC: a.MAC, IP: a.IP, Prefix: a.Prefix, Source: libvirtnet.SourceAgent, Age: &now})
		}
	}
}

// neighbours takes the guest's entries of the kernel's neighbour table. The
// prefix is that of the host's address on the same link.
func (s *addressSearch) neighbours(kernel bridge.State) {
	before := len(s.found)
	for _, n := range kernel.Neighbours {
		if _, ok := s.taps[n.MAC]; ok && usable(n) {
			s.add(addressRow{MAC: n.MAC, IP: n.IP, Prefix: prefixOf(kernel, n), Source: sourceNeighbour, Age: &n.Age, State: n.State})
		}
	}
	if len(s.found) == before {
		s.try("neighbour table: no entry with its MAC addresses")
	}
}

// prefixOf is the length of the subnet that a neighbour is in, as the host's
// own addresses tell; all bits when they do not.
func prefixOf(kernel bridge.State, n bridge.Neighbour) int {
	for _, a := range kernel.Addresses {
		if a.Link == n.Link && a.Prefix.Masked().Contains(n.IP) {
			return a.Prefix.Bits()
		}
	}
	return n.IP.BitLen()
}

// add keeps an address once for each source.
func (s *addressSearch) add(r addressRow) {
	if !r.IP.IsValid() {
		return
	}
	for _, have := range s.found {
		if have.MAC == r.MAC && have.IP == r.IP && have.Source == r.Source {
			return
		}
	}
	r.Protocol = protocol(r.IP)
	if tap := s.taps[r.MAC]; tap != "" {
		r.Interface = tap
	}
	s.found = append(s.found, r)
}

// rows are the addresses in the order of the guest's interfaces, then by
// source, the surest first, then by address.
func (s *addressSearch) rows() []addressRow {
	place := map[string]int{}
	for i, iface := range s.guest.Interfaces {
		place[iface.MAC] = i - len(s.guest.Interfaces) // before those of no interface
	}
	rank := []string{libvirtnet.SourceLease, libvirtnet.SourceAgent, sourceNeighbour}
	rows := append([]addressRow{}, s.found...)
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := &rows[i], &rows[j]
		return cmp.Or(
			cmp.Compare(place[a.MAC], place[b.MAC]), cmp.Compare(a.Interface, b.Interface),
			cmp.Compare(slices.Index(rank, a.Source), slices.Index(rank, b.Source)), a.IP.Compare(b.IP)) < 0
	})
	return rows
}
