package xml

import (
	"net/netip"
	"strings"
)

// addresses judges subnets, what they serve, and routes.
func (c *checker) addresses(n Network) {
	serves := map[bool]bool{}
	for i, ip := range n.IPs {
		if !c.subnet(ip.Address) {
			continue
		}
		for _, before := range n.IPs[:i] {
			if before.Address.IsValid() && before.Address.Masked().Overlaps(ip.Address.Masked()) {
				c.fail("subnets %s and %s overlap", before.Address, ip.Address)
			}
		}
		four := ip.Address.Addr().Is4()
		if ip.DHCP() && serves[four] {
			c.fail("subnet %s: libvirt serves DHCP on one subnet of a family only", ip.Address)
		}
		if ip.DHCP() && !four && ip.Address.Bits() < LeastDHCP6 {
			c.fail("subnet %s: dnsmasq serves DHCP in an IPv6 subnet of /%d or longer only", ip.Address, LeastDHCP6)
		}
		if n.MTU >= MinMTU && n.MTU < MinMTU6 && !four {
			c.fail("MTU %d: IPv6 needs %d, and the network has subnet %s", n.MTU, MinMTU6, ip.Address)
		}
		serves[four] = serves[four] || ip.DHCP()
		c.served(ip)
	}
	for _, r := range n.Routes {
		c.route(n, r)
	}
}

// served judges what a subnet offers: TFTP, ranges, reservations.
func (c *checker) served(ip IP) {
	c.must(checkText("TFTP root", ip.TFTP))
	if ip.TFTP != "" && !ip.Address.Addr().Is4() {
		c.fail("subnet %s: libvirt serves TFTP over IPv4 only", ip.Address)
	}
	for i, r := range ip.Ranges {
		c.dhcpRange(ip.Address, r)
		for _, before := range ip.Ranges[:i] {
			if !r.End.Less(before.Start) && !before.End.Less(r.Start) {
				c.fail("DHCP ranges %s and %s overlap", before, r)
			}
		}
	}
	c.hosts(ip)
}

// LeastDHCP6 is the shortest prefix in which dnsmasq serves DHCPv6: with a
// shorter one it does not start (one_opt in its src/option.c).
const LeastDHCP6 = 64

// ZeroNet is "this network" (RFC 1122 §3.2.1.3): the kernel takes an address
// in it, and gives the subnet no route.
var ZeroNet = netip.MustParsePrefix("0.0.0.0/8")

// subnet judges the host's address and the subnet around it.
func (c *checker) subnet(p netip.Prefix) bool {
	switch a := p.Addr(); {
	case !p.IsValid():
		c.fail("subnet: has no valid address")
		return false
	case p.Bits() == 0:
		c.fail("subnet %s: is the whole internet", p)
		return false
	case a.Is4In6() || a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		ZeroNet.Contains(a):
		c.fail("subnet %s: no host can have %s", p, a)
		return false
	case a.Is4() && p.Bits() < 31 && a == p.Masked().Addr():
		c.fail("gateway %s: is the address of the network %s", a, p.Masked())
	case a.Is4() && p.Bits() < 31 && a == broadcast(p):
		c.fail("gateway %s: is the broadcast address of %s", a, p.Masked())
	}
	return true
}

// dhcpRange has the rules of virSocketAddrGetRange
// (src/util/virsocketaddr.c): within the subnet, without its first and, for
// IPv4, last address, not reversed, at most 65,535 addresses. A range may hold
// the gateway: libvirt takes it, and dnsmasq leaves its own address out.
func (c *checker) dhcpRange(subnet netip.Prefix, r Range) {
	switch first := subnet.Masked().Addr(); {
	case !subnet.Contains(r.Start) || !subnet.Contains(r.End):
		c.fail("DHCP range %s: is not within %s", r, subnet.Masked())
	case r.End.Less(r.Start):
		c.fail("DHCP range %s: ends before it starts", r)
	case first.Is4() && r.Start == first:
		c.fail("DHCP range %s: starts at the address of the network", r)
	case first.Is4() && r.End == broadcast(subnet):
		c.fail("DHCP range %s: ends at the broadcast address", r)
	case r.size() > maxRange:
		c.fail("DHCP range %s: has more than %d addresses", r, maxRange)
	}
}

func (c *checker) hosts(ip IP) {
	seen := map[string]string{}
	twice := func(kind, value string, h Host) {
		if value == "" {
			return
		}
		if before, taken := seen[kind+value]; taken {
			c.fail("reservation %s: %s %s is also that of %s", clip(h.String()), kind, clip(value), clip(before))
		}
		seen[kind+value] = h.String()
	}
	for _, h := range ip.Hosts {
		c.host(ip.Address, h)
		mac, _ := ParseMAC(h.MAC)
		twice("mac", mac, h)
		twice("id", strings.ToLower(h.ID), h)
		twice("name", strings.ToLower(h.Name), h)
		twice("ip", h.IP.String(), h)
	}
}

func (c *checker) host(subnet netip.Prefix, h Host) {
	say, a := clip(h.String()), h.IP
	if h.MAC == "" && h.ID == "" && h.Name == "" {
		c.fail("reservation %s: is for nobody: wants a MAC, an id or a name", say)
	}
	if h.MAC != "" && h.ID != "" {
		c.fail("reservation %s: has a MAC or an id, not both", say)
	}
	if h.MAC != "" {
		c.must(CheckMAC(h.MAC))
	}
	if h.Name != "" {
		c.must(checkDomain("reserved name", h.Name))
	}
	if h.ID != "" && !isDUID(h.ID) {
		c.fail("reservation %s: an id is hexadecimal bytes with colons", say)
	}
	if h.MAC == "" && h.Name == "" && a.Is4() || h.MAC != "" && a.Is6() {
		c.fail("reservation %s: IPv4 goes by MAC or name, IPv6 by id or name", say)
	}
	switch {
	case !subnet.Contains(a):
		c.fail("reservation %s: is not within %s", say, subnet.Masked())
	case a == subnet.Addr():
		c.fail("reservation %s: is the address of the host", say)
	case a.Is4() && subnet.Bits() < 31 && (a == subnet.Masked().Addr() || a == broadcast(subnet)):
		c.fail("reservation %s: is the network's or the broadcast address", say)
	}
}

// isDUID says whether an id is one of DHCPv6 (RFC 8415 §11): bytes, as the
// schema of libvirt has them, 00:01:02.
func isDUID(id string) bool {
	if len(id) > 3*130 {
		return false
	}
	for _, b := range strings.Split(id, ":") {
		if len(b) == 0 || len(b) > 2 || strings.Trim(strings.ToLower(b), "0123456789abcdef") != "" {
			return false
		}
	}
	return true
}

// route has the rule that its gateway must be reached directly
// (networkValidate, src/network/bridge_driver.c).
func (c *checker) route(n Network, r Gateway) {
	switch {
	case !r.To.IsValid() || !r.Via.IsValid():
		c.fail("route %s via %s: wants a subnet and a gateway", r.To, r.Via)
		return
	case r.To.Addr().Is4() != r.Via.Is4():
		c.fail("route %s via %s: mixes families", r.To, r.Via)
	case r.Metric < 0:
		c.fail("route %s: metric %d is negative", r.To, r.Metric)
	}
	if n.IPs == nil {
		return
	}
	for _, ip := range n.IPs {
		if ip.Address.IsValid() && ip.Address.Contains(r.Via) {
			return
		}
	}
	c.fail("route %s: gateway %s is in no subnet of the network", r.To, r.Via)
}

func (c *checker) dns(d *DNS) {
	if d == nil {
		return
	}
	if d.Enabled != nil && !*d.Enabled && len(d.Forwarders)+len(d.Hosts) > 0 {
		c.fail("DNS: is off, and has forwarders or hosts")
	}
	for _, f := range d.Forwarders {
		if !f.IsValid() || f.Zone() != "" || f.IsUnspecified() || f.IsMulticast() {
			c.fail("DNS forwarder %s: is no address of a server", f)
		}
	}
	for _, h := range d.Hosts {
		if !h.IP.IsValid() || h.IP.Zone() != "" {
			c.fail("DNS host %s: has no valid address", h.IP)
		}
		if len(h.Names) == 0 {
			c.fail("DNS host %s: has no name", h.IP)
		}
		for _, name := range h.Names {
			c.must(checkDomain("DNS host", name))
		}
	}
}
