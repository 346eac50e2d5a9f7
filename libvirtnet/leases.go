//go:build cgo

package libvirtnet

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/kvnet/kvnet/xml"
)

// Leases lists the DHCP leases of a network, by address. ErrNotSupported says
// that the driver has none to tell.
func (c *Conn) Leases(ctx context.Context, key string) ([]Lease, error) {
	return ask(ctx, c, func() ([]Lease, error) {
		list := []Lease{}
		h, err := c.findNetwork(key)
		if err != nil {
			return list, err
		}
		defer h.Free()
		list, err = leases(h)
		if err != nil {
			return list, toError(opLeases, "network "+show(key), err)
		}
		return list, nil
	})
}

// leases asks for the leases of a network, by address. The error is libvirt's.
func leases(h *libvirt.Network) ([]Lease, error) {
	list := []Lease{}
	raw, err := h.GetDHCPLeases()
	if err != nil {
		return list, err
	}
	for _, l := range raw {
		one := Lease{MAC: strings.ToLower(l.Mac), IP: parseAddr(l.IPaddr), Prefix: int(l.Prefix),
			Hostname: l.Hostname, ClientID: l.Clientid, IAID: l.Iaid, Interface: l.Iface}
		if l.ExpiryTime.Unix() > 0 {
			one.Expires = l.ExpiryTime.UTC()
		}
		list = append(list, one)
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(a.IP.Compare(b.IP), cmp.Compare(a.MAC, b.MAC), cmp.Compare(a.ClientID, b.ClientID)) < 0
	})
	return list, nil
}

// fillLeases reads the leases of a network that is active and serves
// addresses.
func fillLeases(h *libvirt.Network, n *Network, g *gaps) {
	if n.Live == nil || !n.Live.Managed() || !slices.ContainsFunc(n.Live.IPs, xml.IP.DHCP) {
		return
	}
	list, err := leases(h)
	switch {
	case err == nil:
		n.Leases, n.LeasesKnown = list, true
	case isCode(err, codeNoSupport), isCode(err, codeNoNetwork), isCode(err, codeOpInvalid):
		// No leases in this driver, or the network went since it was listed.
	default:
		g.add("leases of "+show(n.Name), toError(opLeases, "network "+show(n.Name), err))
	}
}

// Addresses lists the addresses of an active guest from one source,
// [SourceLease] or [SourceAgent]. The error is an ErrNotActive for a guest
// that is shut off and an ErrNoAgent when no agent answers; asking the agent
// waits for the guest for some seconds.
func (c *Conn) Addresses(ctx context.Context, key, source string) ([]Address, error) {
	from, ok := map[string]libvirt.DomainInterfaceAddressesSource{
		SourceLease: libvirt.DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
		SourceAgent: libvirt.DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
	}[source]
	if !ok {
		return []Address{}, &Error{Op: opAddresses, Object: "guest " + show(key), Message: "no source " + show(source), Kind: ErrInvalid}
	}
	return ask(ctx, c, func() ([]Address, error) {
		list := []Address{}
		h, err := c.findGuest(key)
		if err != nil {
			return list, err
		}
		defer h.Free()
		raw, err := h.ListAllInterfaceAddresses(from)
		if err != nil {
			return list, toError(opAddresses, "guest "+show(key), err)
		}
		for _, i := range raw {
			for _, a := range i.Addrs {
				list = append(list, Address{Interface: i.Name, MAC: strings.ToLower(i.Hwaddr),
					IP: parseAddr(a.Addr), Prefix: int(a.Prefix), Source: source})
			}
		}
		return list, nil
	})
}

// parseAddr reads an address; the zero one for what is none.
func parseAddr(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}
