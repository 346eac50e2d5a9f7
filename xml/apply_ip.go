package xml

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/beevik/etree"
)

// applyIPs makes the <ip> elements those that are wished. One of the same
// address, else of the same subnet, else of the same family is edited, so that
// what is unknown about it stays; the others go.
func applyIPs(root *etree.Element, want []IP) {
	r := &reader{}
	spare := children(root, "ip")
	have := make(map[*etree.Element]IP, len(spare))
	for _, e := range spare {
		have[e] = r.ip(e)
	}
	paired := make([]*etree.Element, len(want))
	for _, alike := range []func(a, b netip.Prefix) bool{
		func(a, b netip.Prefix) bool { return a == b },
		func(a, b netip.Prefix) bool { return a.Masked() == b.Masked() },
		func(a, b netip.Prefix) bool { return a.Addr().Is4() == b.Addr().Is4() },
	} {
		for i, ip := range want {
			at := slices.IndexFunc(spare, func(e *etree.Element) bool { return alike(have[e].Address, ip.Address) })
			if paired[i] == nil && at >= 0 {
				paired[i] = spare[at]
				spare = slices.Delete(spare, at, at+1)
			}
		}
	}
	remove(spare...)
	for i, ip := range want {
		e := paired[i]
		if e == nil {
			e = insert(root, "ip")
		}
		applyIP(e, have[e], ip)
	}
}

func applyIP(e *etree.Element, have, want IP) {
	if have.Address != want.Address {
		setAddress(e, want.Address)
		// Ranges and reservations of the former subnet make no sense in
		// another.
		dhcp := child(e, "dhcp")
		former := append(children(dhcp, "range"), children(dhcp, "host")...)
		remove(slices.DeleteFunc(former, func(c *etree.Element) bool {
			return inside(want.Address, attr(c, "start"), attr(c, "end"), attr(c, "ip"))
		})...)
	}
	if want.TFTP != "" && want.TFTP != have.TFTP {
		setAttr(ensure(e, "tftp"), "root", want.TFTP)
	}
	if want.Ranges != nil {
		applyRanges(e, want.Ranges)
	}
	if want.Hosts != nil {
		applyHosts(e, want.Hosts)
	}
	if dhcp := child(e, "dhcp"); dhcp != nil && len(dhcp.ChildElements()) == 0 {
		remove(dhcp)
	}
}

// setAddress writes an address, with its netmask where the element has one.
func setAddress(e *etree.Element, p netip.Prefix) {
	family := "ipv6"
	if p.Addr().Is4() {
		family = "ipv4"
	}
	if family == "ipv6" || attr(e, "family") != "" {
		setAttr(e, "family", family)
	}
	setAttr(e, "address", p.Addr().String())
	if family == "ipv4" && attr(e, "prefix") == "" {
		setAttr(e, "netmask", netmask(p.Bits()))
		return
	}
	dropAttrs(e, "netmask")
	setAttr(e, "prefix", strconv.Itoa(p.Bits()))
}

func netmask(bits int) string {
	mask := ^uint32(0) << (32 - bits)
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

func inside(p netip.Prefix, addresses ...string) bool {
	for _, a := range addresses {
		if address, err := netip.ParseAddr(a); a != "" && (err != nil || !p.Contains(address)) {
			return false
		}
	}
	return true
}

func applyRanges(ip *etree.Element, want []Range) {
	r := &reader{}
	missing := slices.Clone(want)
	for _, e := range children(child(ip, "dhcp"), "range") {
		have := Range{Start: r.addr(e, "start"), End: r.addr(e, "end")}
		if i := slices.Index(missing, have); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		} else {
			remove(e)
		}
	}
	for _, w := range missing {
		e := insert(ensure(ip, "dhcp"), "range")
		setAttr(e, "start", w.Start.String())
		setAttr(e, "end", w.End.String())
	}
}

// applyHosts makes the reservations those that are wished. The one for the
// same guest is edited, so that its lease time stays.
func applyHosts(ip *etree.Element, want []Host) {
	r := &reader{}
	spare := children(child(ip, "dhcp"), "host")
	byKey := make(map[string][]*etree.Element, len(spare))
	for _, e := range spare {
		key := r.host(e).key()
		byKey[key] = append(byKey[key], e)
	}
	taken := make(map[*etree.Element]bool, len(want))
	for _, w := range want {
		same := byKey[w.key()]
		if len(same) == 0 {
			setHost(insert(ensure(ip, "dhcp"), "host"), w)
			continue
		}
		byKey[w.key()] = same[1:]
		taken[same[0]] = true
		if r.host(same[0]) != w {
			setHost(same[0], w)
		}
	}
	remove(slices.DeleteFunc(spare, func(e *etree.Element) bool { return taken[e] })...)
}

func setHost(e *etree.Element, h Host) {
	for _, v := range []struct{ key, value string }{
		{"mac", h.MAC}, {"id", h.ID}, {"name", h.Name}, {"ip", h.IP.String()},
	} {
		if v.value == "" {
			dropAttrs(e, v.key)
		} else {
			setAttr(e, v.key, v.value)
		}
	}
}

func applyRoutes(root *etree.Element, want []Gateway) {
	r := &reader{}
	missing := slices.Clone(want)
	for _, e := range children(root, "route") {
		have := r.route(e)
		same := func(w Gateway) bool {
			return have.To.Masked() == w.To.Masked() && have.Via == w.Via && have.Metric == w.Metric
		}
		if i := slices.IndexFunc(missing, same); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		} else {
			remove(e)
		}
	}
	for _, w := range missing {
		e := insert(root, "route")
		if w.To.Addr().Is6() {
			setAttr(e, "family", "ipv6")
		}
		setAttr(e, "address", w.To.Masked().Addr().String())
		setAttr(e, "prefix", strconv.Itoa(w.To.Bits()))
		setAttr(e, "gateway", w.Via.String())
		if w.Metric != 0 {
			setAttr(e, "metric", strconv.Itoa(w.Metric))
		}
	}
}
