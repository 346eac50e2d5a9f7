package xml

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// What libvirt reads and never writes again, or writes in other words. A document
// that has it and one of libvirt's say the same (virNetworkDefFormatBuf in
// src/conf/network_conf.c; each tried with libvirt 9.0 and 11.3).

// absent are values that say no more than the attribute's absence.
var absent = map[string]string{
	"srv@priority": "0", "srv@weight": "0", "portgroup@default": "no", "lease@unit": "minutes",
	"inbound@peak": "0", "inbound@burst": "0", "inbound@floor": "0",
	"outbound@peak": "0", "outbound@burst": "0", "outbound@floor": "0",
}

// numbers are attributes that libvirt reads as numbers, with the form in which
// it writes them; those of PCI addresses and virtual ports may be hexadecimal.
var numbers = map[string]string{
	"srv@port": "%d", "srv@priority": "%d", "srv@weight": "%d", "lease@expiry": "%d", "tag@id": "%d",
	"inbound@average": "%d", "inbound@peak": "%d", "inbound@burst": "%d", "inbound@floor": "%d",
	"outbound@average": "%d", "outbound@peak": "%d", "outbound@burst": "%d", "outbound@floor": "%d",
	"parameters@managerid": "%d", "parameters@typeid": "%d", "parameters@typeidversion": "%d",
	"address@domain": "0x%04x", "address@bus": "0x%02x", "address@slot": "0x%02x", "address@function": "0x%x",
}

// said is an attribute in libvirt's spelling; false where it says nothing.
func said(e *etree.Element, a etree.Attr) (string, bool) {
	key, value := e.Tag+"@"+a.FullKey(), a.Value
	if form, number := numbers[key]; number {
		base := 10
		if e.Tag == "address" || e.Tag == "parameters" {
			base = 0
		}
		if n, err := strconv.ParseUint(strings.TrimPrefix(value, "+"), base, 64); err == nil {
			value = fmt.Sprintf(form, n)
		}
	}
	switch key {
	case "parameters@instanceid", "parameters@interfaceid":
		if id, err := ParseUUID(value); err == nil {
			value = id
		}
	case "forwarder@addr":
		if ip, err := netip.ParseAddr(value); err == nil {
			value = ip.String()
		}
	case "vlan@trunk": // several tags are one
		return value, value != "no" && len(children(e, "tag")) < 2
	case "forward@managed": // of PCI devices only
		return value, attr(e, "mode") == string(HostDev) && value != "no"
	case "lease@unit": // an endless lease has none
		if n, err := strconv.Atoi(attr(e, "expiry")); err == nil && n == 0 {
			return value, false
		}
	}
	nothing, known := absent[key]
	return value, !known || value != nothing
}

// silent says whether an element says nothing: it is there to hold others, and
// holds none, or is a boot file for nobody.
func silent(e *etree.Element) bool {
	switch e.Tag {
	case "bandwidth", "virtualport", "parameters":
		for _, c := range e.ChildElements() {
			if !silent(c) {
				return false
			}
		}
		return len(e.Attr) == 0
	case "options":
		return len(e.ChildElements()) == 0 && namespace(e, e.Space) == DnsmasqNamespace
	case "bootp":
		dhcp := e.Parent()
		return dhcp != nil && dhcp.Tag == "dhcp" && child(dhcp, "range") == nil && child(dhcp, "host") == nil
	}
	return false
}
