package xml

import "net/netip"

// Classic is the NAT network that libvirt ships as "default", under any name.
// Only "default" brings its subnet, 192.168.122.0/24, and its bridge, virbr0:
// for another name the caller chooses a subnet, and libvirt the bridge.
func Classic(name string) Network { return Network{Name: name}.Default() }

// Default fills what a wish for a new network leaves open: mode nat, STP on
// with delay 0 for a bridge of libvirt's, a DHCP range for the first subnet of
// each family unless the wish has Ranges (an empty list is "no DHCP"), and for
// the name "default" the bridge and subnet of libvirt's own.
func (n Network) Default() Network {
	if n.Mode == "" {
		n.Mode = NAT
	}
	if !n.Managed() {
		return n
	}
	if n.STP == nil {
		on := true
		n.STP = &on
	}
	if n.Delay == nil {
		n.Delay = new(int)
	}
	if n.Name == "default" {
		if n.Bridge == "" {
			n.Bridge = "virbr0"
		}
		if n.IPs == nil && n.Mode != Isolated {
			n.IPs = []IP{{Address: netip.MustParsePrefix("192.168.122.1/24")}}
		}
	}
	n.IPs = withRanges(n.IPs)
	return n
}

// withRanges gives the first subnet of each family a range, unless another
// subnet of the family serves addresses: libvirt allows one.
func withRanges(ips []IP) []IP {
	if ips == nil {
		return nil
	}
	served := map[bool]bool{}
	for _, ip := range ips {
		served[ip.Address.Addr().Is4()] = served[ip.Address.Addr().Is4()] || ip.DHCP()
	}
	filled := make([]IP, len(ips))
	for i, ip := range ips {
		family := ip.Address.Addr().Is4()
		first := !served[family] || ip.DHCP()
		if r := DefaultRange(ip.Address, ip.Address.Addr()); ip.Ranges == nil && first && r.Start.IsValid() {
			ip.Ranges = []Range{r}
			served[family] = true
		}
		filled[i] = ip
	}
	return filled
}

// maxRange is how many addresses libvirt takes in one range
// (virSocketAddrGetRange: "too large (> 65535)").
const maxRange = 65535

// DefaultRange is the DHCP range of a subnet whose gateway is given: for IPv4
// every address but those of the network, the broadcast and the gateway, on
// the larger side of the gateway (.2-.254 for .1 in a /24), at most 65,535;
// for IPv6 ::100-::1ff, or the same in small where the subnet is longer than
// /119. It is the zero Range where a subnet has no room (/31, /32, /127, /128)
// and where dnsmasq would not start (IPv6 shorter than /64).
func DefaultRange(prefix netip.Prefix, gateway netip.Addr) Range {
	prefix = prefix.Masked()
	host := prefix.Addr().BitLen() - prefix.Bits()
	if !prefix.IsValid() || host < 2 || host > LeastDHCP6 && prefix.Addr().Is6() {
		return Range{}
	}
	first, last := prefix.Addr().Next(), broadcast(prefix)
	if prefix.Addr().Is4() {
		last = last.Prev()
	} else if host >= 9 {
		first, last = offset(prefix.Addr(), 0x100), offset(prefix.Addr(), 0x1ff)
	}
	r := Range{first, last}
	if gateway.Compare(first) >= 0 && gateway.Compare(last) <= 0 {
		below, above := Range{first, gateway.Prev()}, Range{gateway.Next(), last}
		if r = above; below.size() > above.size() {
			r = below
		}
	}
	if r.size() > maxRange {
		r.End = offset(r.Start, maxRange-1)
	}
	return r
}

// size is how many addresses the range has: 0 where it ends before it starts,
// and at most 1<<32.
func (r Range) size() uint64 {
	if !r.Start.IsValid() || r.End.Less(r.Start) {
		return 0
	}
	a, b := r.Start.As16(), r.End.As16()
	for i := range 12 {
		if a[i] != b[i] {
			return 1 << 32
		}
	}
	return uint64(low(b)) - uint64(low(a)) + 1
}

// low is the last 32 bits of an address.
func low(a [16]byte) uint32 {
	return uint32(a[12])<<24 | uint32(a[13])<<16 | uint32(a[14])<<8 | uint32(a[15])
}

// offset is the address that is so many further, within the last 32 bits.
func offset(a netip.Addr, by uint32) netip.Addr {
	b := a.As16()
	v := low(b) + by
	b[12], b[13], b[14], b[15] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	if a.Is4() {
		return netip.AddrFrom16(b).Unmap()
	}
	return netip.AddrFrom16(b)
}

// broadcast is the last address of a subnet.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}
