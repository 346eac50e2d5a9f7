package lint

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

var poolRules = []Rule{
	{"bridge-and-device", "A bridge and devices in one network", Error, AtDefine,
		"Mode bridge is a bridge of the host or a pool of devices, not both (virNetworkDefParseXML)."},
	{"forward-device", "Forward devices that do not go with the mode or each other", Error, AtDefine,
		"Modes nat and route have at most one, mode open none; the dev of <forward> is the first <interface>; it goes with no <address> and no <pf>; PCI addresses are of mode hostdev, names of the others (virNetworkForwardDefParseXML, networkValidate)."},
	{"forward-pool-mixed", "A pool of several kinds of devices", Error, Never,
		"libvirt reads <interface>, else <address>, else <pf>, and passes over the others (virNetworkForwardDefParseXML)."},
	{"nat-elsewhere", "<nat> in another mode than nat", Error, AtDefine, "virNetworkForwardNatDefParseXML."},
	{"nat-range", "A range of NAT addresses or ports that is none", Error, AtDefine,
		"Both ends, IPv4, the first not above the last (virNetworkForwardNatDefParseXML)."},
}

// forward judges <forward>.
func (p *pass) forward(root *xml.Node, n *network) {
	f := root.Child("forward")
	if f == nil {
		return
	}
	if !slices.Contains(xml.Modes, n.mode) {
		p.at("mode-unknown", f.At("mode"), "mode %s is none that libvirt has", show(string(n.mode)))
		return
	}
	p.devices(f, n)
	p.nat(f, n)
}

func (p *pass) devices(f *xml.Node, n *network) {
	dev, addresses, pfs := f.Attr("dev"), f.All("address"), f.All("pf")
	devs := p.names(f)
	p.addresses(addresses)
	for _, e := range append([]*xml.Node{f}, append(f.All("interface"), pfs...)...) {
		if name := e.Attr("dev"); name != "" && len(n.devs) < mostCompared && !slices.ContainsFunc(n.devs, func(d device) bool { return d.name == name }) {
			n.devs = append(n.devs, device{name, e.At("dev")})
		}
	}
	fail := func(place xml.Place, format string, args ...any) { p.at("forward-device", place, format, args...) }
	switch {
	case dev != "" && len(addresses)+len(pfs) > 0:
		fail(f.At("dev"), "the dev of <forward> goes with no <address> and no <pf>")
	case len(devs) > 0 && len(addresses)+len(pfs) > 0, len(addresses) > 0 && len(pfs) > 0:
		p.at("forward-pool-mixed", f.Place, "<interface>, <address> and <pf> do not mix: libvirt reads the first kind of these only")
	case n.mode == xml.Open && len(devs) > 0:
		fail(f.At("dev"), "mode open has no forward device: it forwards everywhere")
	case (n.mode == xml.NAT || n.mode == xml.Route) && len(devs) > 1:
		fail(f.Place, "mode %s has at most one forward device, not %d", n.mode, len(devs))
	case n.mode == xml.HostDev && len(devs) > 0:
		fail(f.Place, "mode hostdev wants PCI addresses or a <pf>, not device names")
	case n.mode != xml.HostDev && len(addresses) > 0:
		fail(addresses[0].Place, "PCI addresses are of mode hostdev")
	}
	if n.mode == xml.HostBridge && n.bridge != "" && len(devs)+len(pfs) > 0 {
		p.at("bridge-and-device", n.bridgeAt, "mode bridge has bridge %s or devices, not both", show(n.bridge))
	}
}

// names are the devices that are named, each once.
func (p *pass) names(f *xml.Node) []string {
	var devs []string
	dev := p.link(f, "dev", "forward device")
	if dev != "" {
		devs = []string{dev}
	}
	seen := map[string]bool{dev: true}
	for i, e := range f.All("interface") {
		name := p.link(e, "dev", "forward device")
		switch {
		case name == "":
			p.at("forward-device", e.Place, "<interface> has no dev")
		case i == 0 && dev != "" && name != dev:
			p.at("forward-device", e.At("dev"), "the first <interface> is %s, and <forward> has dev %s: libvirt wants them alike", show(name), show(dev))
		case i == 0 && dev != "":
		case seen[name]:
			p.at("forward-device", e.At("dev"), "device %s: there twice", show(name))
		default:
			devs = append(devs, name)
		}
		seen[name] = true
	}
	return devs
}

func (p *pass) addresses(list []*xml.Node) {
	seen := map[string]bool{}
	for _, e := range list {
		key := ""
		for _, part := range []string{"domain", "bus", "slot", "function"} {
			v, _ := strconv.ParseUint(strings.TrimSpace(e.Attr(part)), 0, 32) // absent is 0
			key += " " + strconv.FormatUint(v, 16)
		}
		if seen[key] {
			p.at("forward-device", e.Place, "a PCI device stands there twice")
		}
		seen[key] = true
	}
}

func (p *pass) nat(f *xml.Node, n *network) {
	nat := f.Child("nat")
	if nat == nil {
		return
	}
	if n.mode != xml.NAT {
		p.at("nat-elsewhere", nat.Place, "<nat> in mode %s: only mode nat has one", n.mode)
		return
	}
	if a := nat.Child("address"); a != nil {
		start, end := p.address(a, "start"), p.address(a, "end")
		switch {
		case a.Attr("start") == "" || a.Attr("end") == "":
			p.at("nat-range", a.Place, "NAT addresses: want a start and an end")
		case !start.IsValid() || !end.IsValid():
		case !start.Is4() || !end.Is4():
			p.at("nat-range", a.Place, "NAT addresses %s-%s: want IPv4", start, end)
		case end.Less(start):
			p.at("nat-range", a.Place, "NAT addresses %s-%s: the range ends before it starts", start, end)
		case netip.PrefixFrom(start, 16).Masked() != netip.PrefixFrom(end, 16).Masked():
			p.at("nat-range", a.Place, "NAT addresses %s-%s: libvirt wants the first two bytes alike", start, end)
		default:
			n.nat, n.natAt = &xml.NATSpec{Start: start, End: end}, a.Place
		}
	}
	if e := nat.Child("port"); e != nil {
		start, ok1 := p.number(e, "start", 65535)
		end, ok2 := p.number(e, "end", 65535)
		switch {
		case e.Attr("start") == "" || e.Attr("end") == "":
			p.at("nat-range", e.Place, "NAT ports: want a start and an end")
		case ok1 && ok2 && end < start:
			p.at("nat-range", e.Place, "NAT ports %d-%d: the range ends before it starts", start, end)
		}
	}
}
