package xml

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/beevik/etree"
)

// Parse reads a network document. It is as tolerant as libvirt: unknown
// elements and a mode that this package does not know are no error (for that,
// see [Check]). Errors name the line of malformed XML, another root element
// than <network>, a missing name, and each number or address that is none.
//
// Bytes that are not UTF-8 are read as ISO-8859-1 where the document declares
// it. A document type is refused, and so is more than [MaxDocument].
func Parse(doc string) (Network, error) {
	tree, err := load(doc, "network")
	if err != nil {
		return Network{}, fmt.Errorf("read network: %w", err)
	}
	n, err := network(tree.Root())
	if err != nil {
		return Network{}, fmt.Errorf("read network: %w", err)
	}
	return n, nil
}

func network(root *etree.Element) (Network, error) {
	r := &reader{}
	n := Network{
		Name:        text(child(root, "name")),
		Title:       text(child(root, "title")),
		IPv6:        r.yes(root, "ipv6"),
		Connections: r.number(root, "connections"),
	}
	if n.Name == "" {
		r.errs = append(r.errs, errors.New("no <name>"))
	}
	if e := child(root, "uuid"); strings.TrimSpace(text(e)) != "" {
		n.UUID = r.uuid(e)
	}
	r.forward(&n, child(root, "forward"))
	r.bridge(&n, root)
	if e := child(root, "domain"); e != nil {
		n.Domain = attr(e, "name")
		n.DomainLocal = r.yes(e, "localOnly")
	}
	n.DNS = r.dns(child(root, "dns"))
	for _, e := range children(root, "ip") {
		n.IPs = append(n.IPs, r.ip(e))
	}
	for _, e := range children(root, "route") {
		n.Routes = append(n.Routes, r.route(e))
	}
	for _, e := range children(root, "portgroup") {
		n.PortGroups = append(n.PortGroups, attr(e, "name"))
	}
	n.PortsIsolated = r.flag(child(root, "port"), "isolated", "yes", "no")
	n.VirtualPort = attr(child(root, "virtualport"), "type")
	for _, e := range children(child(root, "vlan"), "tag") {
		n.VLANs = append(n.VLANs, r.number(e, "id"))
	}
	n.Bandwidth = r.bandwidth(child(root, "bandwidth"))
	n.Other = others(root)
	return n, several(r.errs)
}

func (r *reader) forward(n *Network, e *etree.Element) {
	if e == nil {
		n.Mode = Isolated
		return
	}
	n.Mode = Mode(attr(e, "mode"))
	switch n.Mode {
	case "":
		n.Mode = NAT
	case "none": // libvirt reads it, and never writes it
		n.Mode = Isolated
	}
	n.PF = attr(child(e, "pf"), "dev")
	add := func(dev string) {
		for _, have := range n.ForwardDevs {
			if have == dev {
				return
			}
		}
		if dev != "" {
			n.ForwardDevs = append(n.ForwardDevs, dev)
		}
	}
	add(attr(e, "dev"))
	for _, i := range children(e, "interface") {
		add(attr(i, "dev"))
	}
	nat := child(e, "nat")
	if nat == nil {
		return
	}
	n.NAT = &NATSpec{IPv6: r.yes(nat, "ipv6")}
	if port := child(nat, "port"); port != nil {
		n.NAT.FirstPort, n.NAT.LastPort = r.number(port, "start"), r.number(port, "end")
	}
	if address := child(nat, "address"); address != nil {
		n.NAT.Start, n.NAT.End = r.addr(address, "start"), r.addr(address, "end")
	}
}

func (r *reader) bridge(n *Network, root *etree.Element) {
	if e := child(root, "bridge"); e != nil {
		n.Bridge = attr(e, "name")
		n.STP = r.flag(e, "stp", "on", "off")
		if attr(e, "delay") != "" {
			delay := r.number(e, "delay")
			n.Delay = &delay
		}
		n.MACTable = attr(e, "macTableManager")
		n.Zone = attr(e, "zone")
	}
	if e := child(root, "mtu"); e != nil {
		n.MTU = r.number(e, "size")
	}
	if e := child(root, "mac"); e != nil {
		n.MAC = r.mac(e, "address")
	}
}

func (r *reader) dns(e *etree.Element) *DNS {
	if e == nil {
		return nil
	}
	d := &DNS{Enabled: r.flag(e, "enable", "yes", "no")}
	for _, f := range children(e, "forwarder") {
		if plainForwarder(f) {
			d.Forwarders = append(d.Forwarders, r.addr(f, "addr"))
		}
	}
	for _, h := range children(e, "host") {
		host := DNSHost{IP: r.addr(h, "ip"), Names: []string{}}
		for _, name := range children(h, "hostname") {
			host.Names = append(host.Names, strings.TrimSpace(text(name)))
		}
		d.Hosts = append(d.Hosts, host)
	}
	return d
}

// plainForwarder says whether a <forwarder> sends every name to one address;
// one with a domain or a port is more than a [DNS] holds.
func plainForwarder(e *etree.Element) bool {
	return attr(e, "addr") != "" && attr(e, "domain") == "" && attr(e, "port") == ""
}

func (r *reader) ip(e *etree.Element) IP {
	ip := IP{TFTP: attr(child(e, "tftp"), "root")}
	if address := r.addr(e, "address"); address.IsValid() {
		ip.Address = netip.PrefixFrom(address, r.prefixLength(e, address))
	}
	dhcp := child(e, "dhcp")
	for _, c := range children(dhcp, "range") {
		ip.Ranges = append(ip.Ranges, Range{Start: r.addr(c, "start"), End: r.addr(c, "end")})
	}
	for _, c := range children(dhcp, "host") {
		ip.Hosts = append(ip.Hosts, r.host(c))
	}
	return ip
}

func (r *reader) host(e *etree.Element) Host {
	h := Host{ID: attr(e, "id"), IP: r.addr(e, "ip"), Name: attr(e, "name")}
	if attr(e, "mac") != "" {
		h.MAC = r.mac(e, "mac")
	}
	return h
}

// prefixLength is the length of an address's subnet: the netmask, else the
// prefix, else libvirt's class rule (virSocketAddrGetIPPrefix in
// src/util/virsocketaddr.c): the address class of IPv4, 64 for IPv6. A prefix
// of 0 counts as none, as in libvirt.
func (r *reader) prefixLength(e *etree.Element, address netip.Addr) int {
	if mask := attr(e, "netmask"); mask != "" {
		if bits, ok := MaskLength(mask); ok && address.Is4() {
			return bits
		}
		r.fail(e, "netmask", mask, "an IPv4 netmask such as 255.255.255.0")
		return address.BitLen()
	}
	bits := r.number(e, "prefix")
	if bits > address.BitLen() {
		r.fail(e, "prefix", attr(e, "prefix"), fmt.Sprintf("0 to %d", address.BitLen()))
		return address.BitLen()
	}
	if bits == 0 {
		return ClassLength(address)
	}
	return bits
}

// ClassLength is the length of the subnet that libvirt takes for an address
// without netmask and prefix (virSocketAddrGetIPPrefix): the class of IPv4, 64
// for IPv6.
func ClassLength(address netip.Addr) int {
	if !address.Is4() {
		return 64
	}
	switch first := address.As4()[0]; {
	case address.IsUnspecified():
		return 0 // the default route
	case first < 128:
		return 8
	case first < 192:
		return 16
	case first < 224:
		return 24
	}
	return 32
}

// MaskLength is the length of an IPv4 netmask; false for what is none.
func MaskLength(mask string) (int, bool) {
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return 0, false
	}
	bits, ended := 0, false
	for _, b := range a.As4() {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && ended {
				return 0, false
			}
			if one {
				bits++
			}
			ended = !one
		}
	}
	return bits, true
}

func (r *reader) route(e *etree.Element) Gateway {
	g := Gateway{Via: r.addr(e, "gateway"), Metric: r.number(e, "metric")}
	if to := r.addr(e, "address"); to.IsValid() {
		g.To = netip.PrefixFrom(to, r.prefixLength(e, to))
	}
	return g
}

func (r *reader) bandwidth(e *etree.Element) Bandwidth {
	return Bandwidth{Inbound: r.rate(child(e, "inbound")), Outbound: r.rate(child(e, "outbound"))}
}

func (r *reader) rate(e *etree.Element) Rate {
	if e == nil {
		return Rate{}
	}
	return Rate{Average: r.number(e, "average"), Peak: r.number(e, "peak"), Burst: r.number(e, "burst")}
}
