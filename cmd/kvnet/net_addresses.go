package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

// complete turns the flags into a wish for the network of that name: have is
// its definition, nil when there is none. taken are the addresses that a free
// subnet has to avoid.
func (w networkWish) complete(name string, have *xml.Network, taken []lint.Claim) (xml.Network, error) {
	def := w.def
	def.Name = name
	if name == "default" && !w.anything {
		return xml.Classic(name), nil
	}
	if have == nil && def.Mode == "" {
		def.Mode = xml.NAT
	}
	mode := def.Mode
	if mode == "" {
		mode = have.Mode
	}
	if err := w.fits(mode); err != nil {
		return def, err
	}
	if !(xml.Network{Mode: mode}).Managed() {
		return def, nil
	}
	var err error
	if def.IPs, err = w.addresses(name, mode, have, taken); err != nil {
		return def, err
	}
	if have == nil || !have.Managed() {
		def = def.Default() // also where a host bridge becomes one of libvirt's
	}
	return def, nil
}

// fits refuses what a mode needs and lacks, or has no place for.
func (w networkWish) fits(mode xml.Mode) error {
	subnets := w.auto > 0 || w.none || len(w.subnets) > 0 || w.onSubnets
	switch managed := (xml.Network{Mode: mode}).Managed(); {
	case !managed && subnets:
		return fmt.Errorf("mode %s has no subnet, gateway or DHCP", mode)
	case w.def.NAT != nil && mode != xml.NAT:
		return fmt.Errorf("mode %s has no NAT: leave --nat-port and --nat-ipv6 away", mode)
	case w.def.Mode == xml.HostBridge && w.def.Bridge == "" && len(w.def.ForwardDevs) == 0:
		return errors.New("mode bridge needs --bridge, a bridge of the host, or --forward-dev, a NIC for macvtap")
	case w.def.Mode != "" && !managed && mode != xml.HostBridge && len(w.def.ForwardDevs) == 0:
		return fmt.Errorf("mode %s needs --forward-dev, a NIC", mode)
	}
	return nil
}

var errNoSubnet = errors.New("a new network needs --subnet CIDR, or --subnet auto for a free one")

var errNoneFree = errors.New("no subnet is free: every /24 of 192.168.0.0/16 and 172.16.0.0/12 and every 10.N.0.0/24 is in use")

// addresses are the <ip> elements to wish for; nil leaves them as they are.
func (w networkWish) addresses(name string, mode xml.Mode, have *xml.Network, taken []lint.Claim) ([]xml.IP, error) {
	var old []xml.IP
	if have != nil && have.Managed() {
		old = have.IPs
	}
	fresh := have == nil || !have.Managed()
	switch {
	case w.none:
		return []xml.IP{}, nil
	case w.auto == 0 && len(w.subnets) == 0 && !w.onSubnets && !fresh:
		return nil, nil
	case w.auto == 0 && len(w.subnets) == 0 && fresh && name == "default" && mode != xml.Isolated:
		old = xml.Classic(name).IPs
	case w.auto == 0 && len(w.subnets) == 0 && fresh:
		return nil, errNoSubnet
	}
	ips, err := w.chosen(old, taken)
	if err != nil {
		return nil, err
	}
	if err := w.placeGateways(ips); err != nil {
		return nil, err
	}
	for i := range ips {
		if ips[i].Address.Addr() == ips[i].Address.Masked().Addr() {
			ips[i].Address = netip.PrefixFrom(firstHost(ips[i].Address), ips[i].Address.Bits())
		}
	}
	if err := w.placeDHCP(ips); err != nil {
		return nil, err
	}
	if !fresh {
		serveAgain(ips, old)
	}
	return ips, nil
}

// firstHost is the address that a host takes for itself: the first behind the
// subnet's own; that one itself where there is no other.
func firstHost(p netip.Prefix) netip.Addr {
	first := p.Masked().Addr()
	if p.Addr().BitLen()-p.Bits() < 2 {
		return first
	}
	return first.Next()
}

// chosen are the subnets that the flags name or leave to choose, without DHCP.
// One that the network has already keeps its gateway; "auto" is content with a
// subnet that the network has, as long as nobody else claims it.
func (w networkWish) chosen(old []xml.IP, taken []lint.Claim) ([]xml.IP, error) {
	var ips []xml.IP
	if w.auto == 0 && len(w.subnets) == 0 {
		for _, ip := range old {
			ips = append(ips, xml.IP{Address: ip.Address})
		}
		return ips, nil
	}
	var others []netip.Prefix
	for _, p := range w.subnets {
		for _, ip := range old {
			if p == p.Masked() && p == ip.Address.Masked() {
				p = ip.Address
			}
		}
		ips = append(ips, xml.IP{Address: p})
		others = append(others, p.Masked())
	}
	spare := slices.DeleteFunc(slices.Clone(old), func(ip xml.IP) bool {
		return !ip.Address.Addr().Is4() || slices.ContainsFunc(others, ip.Address.Masked().Overlaps) ||
			slices.ContainsFunc(taken, func(c lint.Claim) bool { return c.Prefix.Overlaps(ip.Address.Masked()) })
	})
	for i := range w.auto {
		if i < len(spare) {
			ips = append(ips, xml.IP{Address: spare[i].Address})
			continue
		}
		p, ok := freeSubnet(taken, others)
		if !ok {
			return nil, errNoneFree
		}
		ips = append(ips, xml.IP{Address: p})
		others = append(others, p)
	}
	return ips, nil
}

// subnetOf finds the subnet that holds the addresses.
func subnetOf(ips []xml.IP, addresses ...netip.Addr) int {
	return slices.IndexFunc(ips, func(ip xml.IP) bool {
		return !slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !ip.Address.Contains(a) })
	})
}

func (w networkWish) placeGateways(ips []xml.IP) error {
	used := map[int]bool{}
	for _, g := range w.gateways {
		i := subnetOf(ips, g)
		switch {
		case i < 0:
			return fmt.Errorf("gateway %s is in no subnet of the network (%s)", g, joinSubnets(ips))
		case g != firstHost(ips[i].Address) && g == ips[i].Address.Masked().Addr():
			return fmt.Errorf("gateway %s is the address of the subnet itself", g)
		case used[i]:
			return fmt.Errorf("gateway %s: its subnet has another", g)
		}
		used[i] = true
		ips[i].Address = netip.PrefixFrom(g, ips[i].Address.Bits())
	}
	return nil
}

func (w networkWish) placeDHCP(ips []xml.IP) error {
	for _, r := range w.ranges {
		i := subnetOf(ips, r.Start, r.End)
		if i < 0 {
			return fmt.Errorf("DHCP range %s is in no subnet of the network (%s)", r, joinSubnets(ips))
		}
		ips[i].Ranges = append(ips[i].Ranges, r)
	}
	for _, h := range w.reserved {
		i := subnetOf(ips, h.IP)
		if i < 0 {
			return fmt.Errorf("reservation %s is in no subnet of the network (%s)", h, joinSubnets(ips))
		}
		ips[i].Hosts = append(ips[i].Hosts, h)
	}
	for i := range ips {
		if w.noDHCP {
			ips[i].Ranges, ips[i].Hosts = []xml.Range{}, []xml.Host{}
		}
	}
	return nil
}

// serveAgain gives a range to a subnet that takes the place of one that served
// addresses: its ranges go with the former subnet.
func serveAgain(ips, old []xml.IP) {
	for i, ip := range ips {
		kept := slices.ContainsFunc(old, func(o xml.IP) bool { return o.Address.Masked() == ip.Address.Masked() })
		is4 := ip.Address.Addr().Is4()
		served := slices.ContainsFunc(old, func(o xml.IP) bool { return o.DHCP() && o.Address.Addr().Is4() == is4 })
		others := slices.ContainsFunc(ips, func(o xml.IP) bool {
			same := slices.ContainsFunc(old, func(h xml.IP) bool { return h.DHCP() && h.Address.Masked() == o.Address.Masked() })
			return o.Address.Addr().Is4() == is4 && (same || len(o.Ranges) > 0)
		})
		if r := xml.DefaultRange(ip.Address, ip.Address.Addr()); !kept && served && !others && ip.Ranges == nil && r.Start.IsValid() {
			ips[i].Ranges = []xml.Range{r}
		}
	}
}

func joinSubnets(ips []xml.IP) string {
	var list []netip.Prefix
	for _, ip := range ips {
		list = append(list, ip.Address.Masked())
	}
	if len(list) == 0 {
		return "it has none"
	}
	return joinPrefixes(list)
}
