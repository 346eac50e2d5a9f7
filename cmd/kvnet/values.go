package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// Readers of flag values. Their errors say what a value should look like; they
// judge no value that package xml judges.

// parseSubnet reads a CIDR. Bits behind the length name the host's address.
func parseSubnet(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Zone() != "" {
		return p, fmt.Errorf("%s is no subnet: want one such as 192.168.100.0/24 or fd00:1::/64, or auto", quote(text))
	}
	return p, nil
}

// parseIP reads an address.
func parseIP(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%s is no IP address", quote(text))
	}
	return a, nil
}

// parseRange reads A-B.
func parseRange(text string) (xml.Range, error) {
	from, to, found := strings.Cut(text, "-")
	a, err1 := parseIP(from)
	b, err2 := parseIP(to)
	switch {
	case !found || err1 != nil || err2 != nil || a.Is4() != b.Is4():
		return xml.Range{}, fmt.Errorf("%s is no range: want one such as 192.168.100.2-192.168.100.99", quote(text))
	case b.Less(a):
		return xml.Range{}, fmt.Errorf("%s ends before it starts", quote(text))
	}
	return xml.Range{Start: a, End: b}, nil
}

// parseVLAN reads the id of a VLAN.
func parseVLAN(text string) (int, error) {
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s is no id of a VLAN", quote(text))
	}
	return id, nil
}

// parsePorts reads A-B as TCP and UDP ports.
func parsePorts(text string) (first, last int, err error) {
	from, to, _ := strings.Cut(text, "-")
	a, err1 := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || a == 0 || b < a {
		return 0, 0, fmt.Errorf("%s is no range of ports: want one such as 1024-65535", quote(text))
	}
	return int(a), int(b), nil
}

// parseRate reads AVG[,PEAK[,BURST]]; an empty part is none.
func parseRate(text string) (xml.Rate, error) {
	var r xml.Rate
	into := []*int{&r.Average, &r.Peak, &r.Burst}
	parts := strings.Split(text, ",")
	wrong := fmt.Errorf("%s is no rate: want AVERAGE[,PEAK[,BURST]] in KiB/s and KiB, such as 1024,2048,512", quote(text))
	if len(parts) > len(into) {
		return r, wrong
	}
	for i, part := range parts {
		if part == "" && i > 0 {
			continue
		}
		v, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return r, wrong
		}
		*into[i] = int(v)
	}
	if r.Average == 0 {
		return r, wrong
	}
	return r, nil
}

// parsePairs reads KEY=VALUE,... of the keys given; each value in the order of
// its coming.
func parsePairs(text string, keys ...string) (map[string][]string, error) {
	values := map[string][]string{}
	for part := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(strings.TrimSpace(part), "=")
		known := false
		for _, k := range keys {
			known = known || k == key
		}
		if !found || !known || value == "" {
			return nil, fmt.Errorf("%s: want %s=.. in %s", quote(text), strings.Join(keys, "=..,"), quote(part))
		}
		values[key] = append(values[key], value)
	}
	return values, nil
}

// parseHost reads mac=..,ip=..,name=.. of a DHCP reservation.
func parseHost(text string) (xml.Host, error) {
	v, err := parsePairs(text, "mac", "ip", "name", "id")
	if err != nil {
		return xml.Host{}, err
	}
	for key, values := range v {
		if len(values) > 1 {
			return xml.Host{}, fmt.Errorf("%s: %s is there twice", quote(text), key)
		}
	}
	one := func(key string) string { return strings.Join(v[key], "") }
	h := xml.Host{ID: one("id"), Name: one("name")}
	if one("ip") == "" {
		return h, fmt.Errorf("%s: no ip=.. in it", quote(text))
	}
	if h.IP, err = parseIP(one("ip")); err != nil {
		return h, err
	}
	if one("mac") != "" {
		h.MAC, err = xml.ParseMAC(one("mac"))
	}
	return h, err
}

// parseDNSHost reads ip=..,name=..[,name=..].
func parseDNSHost(text string) (xml.DNSHost, error) {
	v, err := parsePairs(text, "ip", "name")
	if err != nil {
		return xml.DNSHost{}, err
	}
	if len(v["ip"]) != 1 || len(v["name"]) == 0 {
		return xml.DNSHost{}, fmt.Errorf("%s: want one such as ip=192.168.100.9,name=web", quote(text))
	}
	ip, err := parseIP(v["ip"][0])
	return xml.DNSHost{IP: ip, Names: v["name"]}, err
}
