package lint

import (
	"math"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// span is a DHCP range with its place.
type span struct {
	start, end netip.Addr
	at         xml.Place
}

func (s span) String() string { return s.start.String() + "-" + s.end.String() }

func (p *pass) ranges(dhcp *xml.Node, prefix netip.Prefix) {
	var spans []span
	for _, e := range dhcp.All("range") {
		p.lease(e.Child("lease"))
		s := span{p.address(e, "start"), p.address(e, "end"), e.Place}
		if e.Attr("start") == "" || e.Attr("end") == "" {
			p.at("range-invalid", e.Place, "DHCP range: wants a start and an end")
		}
		if !s.start.IsValid() || !s.end.IsValid() {
			continue
		}
		if why := outside(prefix, s); why != "" {
			p.at("range-invalid", e.Place, "DHCP range %s: %s", s, why)
			continue
		}
		for _, before := range spans {
			if !s.end.Less(before.start) && !before.end.Less(s.start) {
				p.note("range-overlap", Spot{p.name, e.Place}, p.object, &Spot{p.name, before.at},
					"DHCP range "+s.String()+" overlaps "+before.String())
				break
			}
		}
		if len(spans) < mostCompared {
			spans = append(spans, s)
		}
	}
}

// outside says why libvirt does not take a range for a subnet's.
func outside(prefix netip.Prefix, s span) string {
	bits := s.start.BitLen() - 16
	switch {
	case !prefix.Contains(s.start) || !prefix.Contains(s.end):
		return "is not within " + prefix.Masked().String()
	case s.end.Less(s.start):
		return "ends before it starts"
	case s.start.Is4() && s.start == prefix.Masked().Addr():
		return "starts at the address of the network"
	case s.start.Is4() && s.end == last(prefix):
		return "ends at the broadcast address"
	case netip.PrefixFrom(s.start, bits).Masked() != netip.PrefixFrom(s.end, bits).Masked():
		return "goes over the last two bytes, further than libvirt counts"
	}
	return ""
}

func (p *pass) lease(e *xml.Node) {
	expiry, ok := p.number(e, "expiry", math.MaxUint64)
	unit := p.word(e, "unit", "seconds", "minutes", "hours")
	if ok && expiry > 0 && (unit == "seconds" && expiry < 120 || unit == "" && expiry < 2 || unit == "minutes" && expiry < 2) {
		p.at("lease-too-short", e.At("expiry"), "a lease has at least two minutes")
	}
}

func (p *pass) hosts(dhcp *xml.Node, prefix netip.Prefix) {
	seen := map[string]xml.Place{}
	twice := func(kind, value string, place xml.Place) {
		if value == "" {
			return
		}
		if before, again := seen[kind+" "+value]; again {
			p.note("host-twice", Spot{p.name, place}, p.object, &Spot{p.name, before},
				"a second reservation for "+kind+" "+show(value))
			return
		}
		seen[kind+" "+value] = place
	}
	for _, e := range dhcp.All("host") {
		p.lease(e.Child("lease"))
		mac, ip := p.host(e, prefix)
		twice("MAC", mac, e.At("mac"))
		twice("id", strings.ToLower(e.Attr("id")), e.At("id"))
		twice("name", strings.ToLower(e.Attr("name")), e.At("name"))
		if ip.IsValid() {
			twice("address", ip.String(), e.At("ip"))
		}
	}
}

// host judges a reservation by itself.
func (p *pass) host(e *xml.Node, prefix netip.Prefix) (mac string, ip netip.Addr) {
	mac, ip = p.mac(e, "mac"), p.address(e, "ip")
	id, name := e.Attr("id"), e.Attr("name")
	six := prefix.Addr().Is6()
	switch {
	case e.Attr("ip") == "":
		p.at("host-incomplete", e.Place, "the reservation has no address")
	case six && e.Attr("mac") != "":
		p.at("host-incomplete", e.At("mac"), "IPv6 goes by id or name, not by MAC")
	case six && id == "" && name == "":
		p.at("host-incomplete", e.Place, "the reservation is for nobody: IPv6 goes by id or name")
	case !six && e.Attr("mac") == "" && name == "":
		p.at("host-incomplete", e.Place, "the reservation is for nobody: IPv4 goes by MAC or name")
	}
	switch {
	case !ip.IsValid():
	case !prefix.Contains(ip):
		p.at("host-outside-subnet", e.At("ip"), "%s is not within %s", ip, prefix.Masked())
	case ip == prefix.Addr():
		p.at("host-address-unusable", e.At("ip"), "%s is the address of the host", ip)
	case !six && prefix.Bits() < 31 && (ip == prefix.Masked().Addr() || ip == last(prefix)):
		p.at("host-address-unusable", e.At("ip"), "%s is the network's own or the broadcast address", ip)
	}
	return mac, ip
}
