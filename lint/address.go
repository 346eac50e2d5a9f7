package lint

import (
	"math"
	"net/netip"
	"strconv"

	"github.com/kvnet/kvnet/xml"
)

var addressRules = []Rule{
	{"ip-invalid", "An <ip> or <route> whose address, family, netmask and prefix do not go together", Error, AtDefine,
		"IPv6 wants family='ipv6' and a prefix; IPv4 a netmask or a prefix; TFTP is of IPv4 (virNetworkIPDefParseXML, virNetDevIPRouteCreate)."},
	{"netmask-invalid", "A netmask with holes, or none at all", Error, AtStart,
		"libvirt takes any IPv4 address for a netmask, and cannot set the bridge's address with it (virNetworkIPDefPrefix)."},
	{"gateway-unusable", "The host's address is one that no host can have", Error, Never,
		"The address of the network itself, its broadcast address, or one of 0.0.0.0/8, which the kernel gives no route: libvirt sets it, and no guest reaches it."},
	{"subnet-overlap", "Two subnets overlap", Error, Never,
		"Two routes to one address: the kernel takes one, and the guests of the other are cut off. libvirt compares routes of equal length only, and at start (networkCheckRouteCollision)."},
	{"local-ptr-prefix", "A subnet for which libvirt cannot answer reverse queries", Error, AtStart,
		"localPtr wants an IPv4 prefix of whole bytes, /24 at most, or an IPv6 one of half bytes, /124 at most (virSocketAddrPTRDomain)."},
	{"dhcp-twice", "DHCP on two subnets of one family", Error, AtDefine,
		"libvirt serves DHCP on one IPv4 and one IPv6 address of a network (networkValidate)."},
	{"dhcp6-prefix", "DHCP in an IPv6 subnet that is wider than a /64", Error, AtStart,
		"dnsmasq does not start: it serves DHCPv6 in a /64 or less only (one_opt in its src/option.c)."},
	{"range-invalid", "A DHCP range that is not one of its subnet", Error, AtDefine,
		"Both ends within the subnet, in order, not the network's or the broadcast address, and alike but for the last two bytes (virSocketAddrGetRange)."},
	{"range-overlap", "Two DHCP ranges overlap", Warning, Never,
		"The addresses in both are given away once only: the pool is smaller than it looks."},
	{"lease-too-short", "A DHCP lease of less than two minutes", Error, AtDefine,
		"dnsmasq's least is two minutes; 0 is for ever (virNetworkDHCPLeaseTimeDefParseXML)."},
	{"host-incomplete", "A reservation that says not for whom, or not what", Error, AtDefine,
		"IPv4 goes by MAC or name, IPv6 by id or name; both need an address (virNetworkDHCPHostDefParseXML)."},
	{"host-outside-subnet", "A reservation for an address outside of its subnet", Error, Never,
		"libvirt takes it, and dnsmasq never gives the address out."},
	{"host-address-unusable", "A reservation for an address that is taken", Error, Never,
		"The host's own address, or the subnet's first or last."},
	{"host-twice", "Two reservations for one MAC, id, name or address", Error, Never,
		"dnsmasq heeds one of them. libvirt checks this for net-update only."},
	{"route-invalid", "A route that cannot be", Error, AtDefine,
		"It needs the address of a network, and a gateway in a subnet of this network (virNetworkDefParseXML)."},
}

// mostCompared bounds what is compared in pairs: a hostile document has a
// hundred thousand subnets.
const mostCompared = 1000

func (p *pass) ips(root *xml.Node, n *network) {
	served := map[bool]bool{}
	for _, e := range root.All("ip") {
		if e.Attr("address") == "" {
			p.at("ip-invalid", e.Place, "<ip> has no address")
			continue
		}
		prefix, ok := p.prefix(e)
		if !ok {
			continue
		}
		p.gateway(e, prefix)
		for _, before := range n.subnets {
			if before.Masked().Overlaps(prefix.Masked()) {
				p.note("subnet-overlap", Spot{p.name, e.At("address")}, p.object, &Spot{p.name, before.at},
					"subnet "+prefix.Masked().String()+" overlaps "+before.Masked().String()+" of the same network")
				break
			}
		}
		if len(n.subnets) < mostCompared {
			n.subnets = append(n.subnets, subnet{prefix, e.At("address")})
		}
		p.localPtr(root, e, prefix)
		four, dhcp := prefix.Addr().Is4(), e.Child("dhcp")
		if len(dhcp.All("range"))+len(dhcp.All("host")) > 0 {
			if served[four] {
				p.at("dhcp-twice", dhcp.Place, "DHCP on a second subnet of the family: libvirt serves one")
			}
			served[four] = true
		}
		if !four {
			p.six(e, prefix, n)
		}
		if t := e.Child("tftp"); t != nil && !four {
			p.at("ip-invalid", t.Place, "TFTP over IPv6: libvirt serves it over IPv4 only")
		} else if t.Attr("root") != "" {
			n.tftp = append(n.tftp, device{t.Attr("root"), t.At("root")})
		}
		p.ranges(dhcp, prefix)
		p.hosts(dhcp, prefix)
	}
	for _, e := range root.All("route") {
		p.route(e, n)
	}
}

// localPtr judges a subnet whose reverse queries are not to leave the host: its
// zone ends at a dot.
func (p *pass) localPtr(root, e *xml.Node, prefix netip.Prefix) {
	if e.Attr("localPtr") != "yes" || root.Child("dns").Attr("enable") == "no" {
		return
	}
	unit, most := 8, 24
	if prefix.Addr().Is6() {
		unit, most = 4, 124
	}
	if prefix.Bits()%unit != 0 || prefix.Bits() > most {
		p.at("local-ptr-prefix", e.At("localPtr"), "localPtr in %s: want a prefix that is a multiple of %d, at most %d", prefix.Masked(), unit, most)
	}
}

// six judges what IPv6 wants of its subnet and link.
func (p *pass) six(e *xml.Node, prefix netip.Prefix, n *network) {
	dhcp := e.Child("dhcp")
	if managed(n.mode) && prefix.Bits() < xml.LeastDHCP6 && len(dhcp.All("range"))+len(dhcp.All("host")) > 0 {
		p.at("dhcp6-prefix", dhcp.Place, "DHCP in %s: dnsmasq serves IPv6 in a /%d or less only", prefix.Masked(), xml.LeastDHCP6)
	}
	if n.mtu > 0 && n.mtu < xml.MinMTU6 {
		p.note("mtu-below-ipv6", Spot{p.name, n.mtuAt}, p.object, &Spot{p.name, e.At("address")},
			"MTU "+strconv.FormatUint(n.mtu, 10)+": IPv6 needs "+strconv.Itoa(xml.MinMTU6)+", and the network has subnet "+prefix.Masked().String())
		n.mtu = 0 // told once
	}
}

// prefix reads address, family, netmask and prefix of an <ip> or <route>.
func (p *pass) prefix(e *xml.Node) (netip.Prefix, bool) {
	bad := func(key, format string, args ...any) (netip.Prefix, bool) {
		p.at("ip-invalid", e.At(key), format, args...)
		return netip.Prefix{}, false
	}
	address, family, netmask := p.address(e, "address"), e.Attr("family"), e.Attr("netmask")
	bits, hasPrefix := p.number(e, "prefix", math.MaxUint32)
	hasPrefix = hasPrefix && (bits > 0 || e.Name == "route")
	switch {
	case !address.IsValid():
		return netip.Prefix{}, false
	case family != "" && family != "ipv4" && family != "ipv6":
		return bad("family", "family %s: want ipv4 or ipv6", show(family))
	case address.Is4() && family == "ipv6", address.Is6() && family == "ipv4":
		return bad("family", "family %s does not fit address %s", family, address)
	case address.Is6() && family == "":
		return bad("address", "address %s is IPv6, which needs family='ipv6'", address)
	case netmask != "" && address.Is6():
		return bad("netmask", "IPv6 has a prefix, not a netmask")
	case netmask != "" && hasPrefix:
		return bad("prefix", "a netmask and a prefix: libvirt takes one of them")
	case bits > uint64(address.BitLen()):
		return bad("prefix", "prefix %d is longer than the %d bits of %s", bits, address.BitLen(), address)
	case netmask != "":
		length, ok := xml.MaskLength(netmask)
		if !ok && isIPv4(netmask) {
			p.at("netmask-invalid", e.At("netmask"), "netmask %s: want one such as 255.255.255.0", show(netmask))
		}
		return netip.PrefixFrom(address, length), ok
	case hasPrefix:
		return netip.PrefixFrom(address, int(bits)), true
	case e.Name == "route": // a route has no class: no length is everything
		return netip.PrefixFrom(address, 0), true
	}
	return netip.PrefixFrom(address, xml.ClassLength(address)), true
}

func (p *pass) gateway(e *xml.Node, prefix netip.Prefix) {
	a := prefix.Addr()
	switch {
	case a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a.Is4In6() || xml.ZeroNet.Contains(a):
		p.at("gateway-unusable", e.At("address"), "no host can have %s on a bridge", a)
	case a.Is4() && prefix.Bits() < 31 && (a == prefix.Masked().Addr() || a == last(prefix)):
		p.at("gateway-unusable", e.At("address"), "%s is the network's own or the broadcast address of %s", a, prefix.Masked())
	}
}

// last is the last address of a subnet.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (p *pass) route(e *xml.Node, n *network) {
	to, via, ok := p.way(e)
	if !ok {
		return
	}
	if len(n.ways) < mostCompared {
		n.ways = append(n.ways, way{to, e.At("address")})
	}
	for _, s := range n.subnets {
		if s.Contains(via) {
			return
		}
	}
	p.at("route-invalid", e.At("gateway"), "route to %s: gateway %s is in no subnet of the network", to, via)
}

// way reads a route, of a network or of a guest.
func (p *pass) way(e *xml.Node) (to netip.Prefix, via netip.Addr, ok bool) {
	if e.Attr("address") == "" || e.Attr("gateway") == "" {
		p.at("route-invalid", e.Place, "a route needs an address and a gateway")
		return to, via, false
	}
	to, ok = p.prefix(e)
	via = p.address(e, "gateway")
	switch {
	case !ok || !via.IsValid():
	case to.Addr().Is4() != via.Is4():
		p.at("route-invalid", e.At("gateway"), "route to %s via %s: mixes families", to, via)
	case to.Addr() != to.Masked().Addr():
		p.at("route-invalid", e.At("address"), "route to %s: want the address of the network, %s", to, to.Masked())
	default:
		return to, via, true
	}
	return to, via, false
}
