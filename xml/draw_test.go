package xml

import (
	"fmt"
	"net/netip"

	"pgregory.net/rapid"
)

var (
	words   = rapid.StringMatching(`[a-z][a-z0-9-]{0,8}[a-z0-9]`)
	names   = rapid.StringMatching(`[a-zA-Z0-9_.'"<>&é-][a-zA-Z0-9_.'"<>&é -]{0,20}[a-z0-9]`)
	links   = rapid.StringMatching(`[a-z][a-z0-9._-]{0,14}`)
	macs    = rapid.StringMatching(`[0-9a-f][02468ac](:[0-9a-f]{2}){4}:[0-9a-f][1-9a-f]`)
	uuids   = rapid.StringMatching(`[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}`)
	toggles = rapid.Ptr(rapid.Bool(), true)
)

// maybe draws a value, or none half of the time.
func maybe[T any](t *rapid.T, g *rapid.Generator[T], label string) T {
	var none T
	if rapid.Bool().Draw(t, label+"?") {
		return g.Draw(t, label)
	}
	return none
}

// drawIPs draws subnets that do not overlap, the first of a family with DHCP.
func drawIPs(t *rapid.T) []IP {
	if rapid.Bool().Draw(t, "silent about subnets") {
		return nil
	}
	ips := []IP{}
	for i := range rapid.IntRange(0, 3).Draw(t, "v4") {
		bits := rapid.IntRange(17, 29).Draw(t, "bits")
		a := netip.AddrFrom4([4]byte{10, byte(i + 1), 0, byte(rapid.IntRange(1, 6).Draw(t, "gateway"))})
		ips = append(ips, drawIP(t, netip.PrefixFrom(a, bits), i == 0))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "v6") {
		a := netip.MustParseAddr(fmt.Sprintf("fd00:%d::%x", i, rapid.IntRange(1, 6).Draw(t, "gateway")))
		p := netip.PrefixFrom(a, rapid.IntRange(48, 124).Draw(t, "bits"))
		ips = append(ips, drawIP(t, p, i == 0 && p.Bits() >= 64))
	}
	return ips
}

func drawIP(t *rapid.T, p netip.Prefix, served bool) IP {
	ip := IP{Address: p}
	if p.Addr().Is4() {
		ip.TFTP = maybe(t, names, "tftp")
	}
	if !served {
		return ip
	}
	if rapid.Bool().Draw(t, "ranges") {
		ip.Ranges = []Range{}
		if rapid.Bool().Draw(t, "range") {
			ip.Ranges = append(ip.Ranges, DefaultRange(p, p.Addr()))
		}
	}
	if rapid.Bool().Draw(t, "hosts") {
		ip.Hosts = []Host{}
		for a := range rapid.SliceOfNDistinct(rapid.IntRange(7, 14), 0, 4, rapid.ID[int]).Draw(t, "host addresses") {
			h := Host{IP: offset(p.Masked().Addr(), uint32(a+7)), Name: fmt.Sprintf("h%d", a)}
			if !p.Contains(h.IP) || p.Addr().Is4() && h.IP == broadcast(p) || h.IP == p.Addr() {
				continue
			}
			switch {
			case !p.Addr().Is4():
				h.ID = fmt.Sprintf("00:03:00:01:52:54:00:00:00:%02x", a)
			case rapid.Bool().Draw(t, "by MAC"):
				h.MAC = fmt.Sprintf("52:54:00:00:00:%02x", a)
			}
			ip.Hosts = append(ip.Hosts, h)
		}
	}
	return ip
}

// drawWish draws a wish that Check accepts.
func drawWish(t *rapid.T, mode Mode) Network {
	n := Network{
		Name: names.Draw(t, "name"), UUID: maybe(t, uuids, "uuid"), Title: maybe(t, names, "title"), Mode: mode,
		IPv6: rapid.Bool().Draw(t, "ipv6"), PortsIsolated: nil, VirtualPort: maybe(t, rapid.SampledFrom([]string{"openvswitch"}), "virtualport"),
		VLANs:      maybe(t, rapid.SliceOfNDistinct(rapid.IntRange(1, 4094), 0, 3, rapid.ID[int]), "vlans"),
		PortGroups: maybe(t, rapid.SliceOfNDistinct(words, 0, 3, rapid.ID[string]), "portgroups"),
	}
	if !n.Managed() {
		if mode == HostBridge && rapid.Bool().Draw(t, "bridge?") {
			n.Bridge = links.Draw(t, "bridge")
		} else {
			if mode != HostDev {
				n.ForwardDevs = maybe(t, rapid.SliceOfNDistinct(links, 0, 3, rapid.ID[string]), "devs")
			}
		}
		return n
	}
	n.Bridge, n.STP, n.Zone = maybe(t, links, "bridge"), toggles.Draw(t, "stp"), maybe(t, words, "zone")
	n.Delay = maybe(t, rapid.Ptr(rapid.IntRange(0, MaxDelay), true), "delay")
	n.MACTable = rapid.SampledFrom([]string{"", "kernel", "libvirt"}).Draw(t, "mac table")
	n.MTU = maybe(t, rapid.IntRange(MinMTU, MaxMTU), "mtu")
	n.MAC = maybe(t, macs, "mac")
	if n.Domain = maybe(t, words, "domain"); n.Domain != "" {
		n.DomainLocal = rapid.Bool().Draw(t, "local")
	}
	n.PortsIsolated = toggles.Draw(t, "isolated")
	n.Bandwidth.Inbound.Average = maybe(t, rapid.IntRange(1, 1000), "inbound")
	if n.Bandwidth.Outbound.Average = maybe(t, rapid.IntRange(1, 1000), "outbound"); n.Bandwidth.Outbound.Average != 0 {
		n.Bandwidth.Outbound.Burst = maybe(t, rapid.IntRange(1, 1000), "burst")
	}
	n.IPs = drawIPs(t)
	if mode != Isolated && len(n.IPs) == 0 {
		n.IPs = []IP{{Address: netip.MustParsePrefix("10.1.0.1/24")}}
	}
	for i, ip := range n.IPs {
		if ip.Address.Addr().Is6() && n.MTU != 0 {
			n.MTU = max(n.MTU, MinMTU6)
		}
		if rapid.Bool().Draw(t, "route?") {
			to := netip.MustParsePrefix(fmt.Sprintf("172.%d.0.0/16", 16+i))
			if ip.Address.Addr().Is6() {
				to = netip.MustParsePrefix(fmt.Sprintf("fc00:%d::/32", i))
			}
			n.Routes = append(n.Routes, Gateway{To: to, Via: ip.Address.Addr().Next(), Metric: rapid.IntRange(0, 9).Draw(t, "metric")})
		}
	}
	drawServices(t, &n)
	if mode != Open && mode != Isolated {
		n.ForwardDevs = maybe(t, rapid.SliceOfNDistinct(links, 0, 1, rapid.ID[string]), "devs")
	}
	return n
}

func drawServices(t *rapid.T, n *Network) {
	if rapid.Bool().Draw(t, "dns") {
		n.DNS = &DNS{Enabled: toggles.Draw(t, "enabled")}
	}
	if n.DNS != nil && (n.DNS.Enabled == nil || *n.DNS.Enabled) {
		if rapid.Bool().Draw(t, "forwarders") {
			n.DNS.Forwarders = []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}
		}
		if rapid.Bool().Draw(t, "dns hosts") {
			n.DNS.Hosts = []DNSHost{{IP: netip.MustParseAddr("10.1.0.9"), Names: rapid.SliceOfNDistinct(words, 1, 3, rapid.ID[string]).Draw(t, "names")}}
		}
	}
	if n.Mode == NAT && rapid.Bool().Draw(t, "nat") {
		n.NAT = &NATSpec{IPv6: rapid.Bool().Draw(t, "nat6")}
		if rapid.Bool().Draw(t, "ports") {
			n.NAT.FirstPort, n.NAT.LastPort = rapid.IntRange(1, 99).Draw(t, "first"), rapid.IntRange(99, 65535).Draw(t, "last")
		}
		if rapid.Bool().Draw(t, "addresses") {
			n.NAT.Start, n.NAT.End = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")
		}
	}
}
