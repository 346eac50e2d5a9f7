package lint

import (
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

var guestRules = []Rule{
	{"guest-type-unknown", "An interface of a type that libvirt does not have", Error, AtDefine,
		"https://libvirt.org/formatdomain.html#network-interfaces."},
	{"guest-source-missing", "An interface says not what it hangs on", Error, AtDefine,
		"A network, a bridge, a device, a path, an address and port, as its type wants (virDomainNetDefParseXML)."},
	{"guest-setting-invalid", "An interface has a setting that libvirt refuses", Error, AtDefine,
		"Link state, model, macvtap mode, a tap that is not managed, the driver and its queues, a ROM that is off, half a team, a socket that is to connect again, an MTU or <coalesce> of a type that has none, a vhostuser or half a team that is no virtio (virDomainNetDefParseXML, virDomainNetSetModelString, qemuValidateDomainDeviceDefNetwork)."},
	{"virtualport-invalid", "A virtual port whose parameters do not fit its type", Error, AtDefine,
		"Each type has its own; what a guest's interface leaves out, only a network could add (virNetDevVPortProfileParse)."},
	{"guest-isolation", "Isolation of an interface that is no port of a Linux bridge", Error, AtDefine,
		"Type network or bridge, without a <virtualport> (virDomainNetDefValidatePortOptions)."},
	{"guest-floor", "A floor that libvirt cannot keep", Error, AtDefine,
		"floor is for <inbound> of an interface on a network (virNetDevBandwidthParse)."},
	{"guest-vlan-unsupported", "A VLAN on an interface that cannot have one", Error, AtStart,
		"Before libvirt 11.0 only Open vSwitch, SR-IOV devices and macvtap in mode passthrough (virDomainActualNetDefValidate)."},
}

// guest is what a domain document says of others.
type guest struct {
	Spot
	object, name, uuid string
	nameAt, uuidAt     xml.Place
	nics               []nic
}

type nic struct {
	macAt, targetAt, sourceAt               xml.Place
	mac, target, network, bridge, portgroup string
	dev, virtualPort                        string // dev is that of type direct
	filter                                  string // where libvirt puts it to work
	filterAt                                xml.Place
	floor, vlan                             xml.Place // zero where there is none
}

// netTypes are the types of interface with the attributes of <source> that
// they need.
var netTypes = map[string][]string{
	"user": nil, "ethernet": nil, "null": nil, "hostdev": nil, "vds": {"switchid"}, "vdpa": {"dev"},
	"vhostuser": {"path", "type", "mode"}, "server": {"port"}, "client": {"address", "port"}, "mcast": {"address", "port"}, "udp": {"address", "port"},
	"network": {"network"}, "bridge": {"bridge"}, "internal": {"name"}, "direct": {"dev"},
}

func (p *pass) guest(root *xml.Node) *guest {
	g := &guest{Spot: Spot{p.name, root.Place}}
	if name := root.Child("name"); name != nil && name.Text != "" {
		p.object = "guest " + show(name.Text)
	}
	g.object = p.object
	g.name, g.nameAt = p.title(root, "guest")
	if g.uuid = p.uuid(root); g.uuid != "" {
		g.uuidAt = root.Child("uuid").Place
	}
	for _, devices := range root.All("devices") {
		for _, i := range devices.All("interface") {
			p.within(i, "interface", "")
			g.nics = append(g.nics, p.nic(i))
		}
	}
	p.qemu(root)
	p.bootOrder(root)
	return g
}

func (p *pass) nic(i *xml.Node) nic {
	source, target := i.Child("source"), i.Child("target")
	n := nic{mac: p.mac(i.Child("mac"), "address"), macAt: i.Child("mac").At("address"), sourceAt: i.Place}
	kind := kindOf(i)
	if _, known := netTypes[kind]; !known {
		p.at("guest-type-unknown", i.At("type"), "type %s is none that libvirt has", show(kind))
	}
	n.sourceAt = p.source(i, kind)
	switch kind {
	case "bridge":
		n.bridge, n.virtualPort = p.link(source, "bridge", "bridge"), i.Child("virtualport").Attr("type")
	case "direct":
		n.dev = source.Attr("dev")
	case "network":
		n.network, n.portgroup, n.virtualPort = source.Attr("network"), source.Attr("portgroup"), i.Child("virtualport").Attr("type")
	}
	if slices.Contains(withTap, kind) {
		f := i.Child("filterref")
		n.filter, n.filterAt = f.Attr("filter"), f.At("filter")
	}
	if !generated(target.Attr("dev")) {
		n.target, n.targetAt = p.link(target, "dev", "tap"), target.At("dev")
	}
	p.nicSettings(i, kind)
	p.nicDriver(i, kind)
	p.nicAddresses(i)
	p.virtualPort(i.Child("virtualport"), kind)
	p.nicBandwidth(i, kind, &n)
	p.nicVLAN(i, kind, &n)
	return n
}

// source says where an interface names what it hangs on.
func (p *pass) source(i *xml.Node, kind string) xml.Place {
	source := i.Child("source")
	at := i.Place
	for n, key := range netTypes[kind] {
		switch {
		case kind == "vhostuser" && i.Child("backend").Attr("type") == "passt": // makes its own, from 11.1 on
		case !source.Has(key):
			p.at("guest-source-missing", i.Place, "an interface of type %s needs <source %s='...'>", kind, key)
			return i.Place
		case n == 0:
			at = source.At(key)
		}
	}
	if kind == "udp" && source.Child("local") == nil {
		p.at("guest-source-missing", i.Place, "an interface of type udp needs a <local> in its <source>")
	}
	if a := source.Child("address"); kind == "hostdev" && a.Attr("type") == "" && source.Child("vendor") == nil {
		p.at("guest-source-missing", i.Place, "an interface of type hostdev needs <source> with an <address type='...'>")
	}
	return at
}

// generated says whether libvirt replaces a tap's name by its own choice
// (VIR_NET_GENERATED_*_PREFIX in src/util/virnetdev.h).
func generated(tap string) bool {
	return strings.HasPrefix(tap, "vnet") || strings.HasPrefix(tap, "macvtap") || strings.HasPrefix(tap, "macvlan")
}

func (p *pass) nicSettings(i *xml.Node, kind string) {
	fail := func(n *xml.Node, key, format string, args ...any) {
		p.at("guest-setting-invalid", n.At(key), format, args...)
	}
	if l := i.Child("link"); !slices.Contains([]string{"", "up", "down"}, l.Attr("state")) {
		fail(l, "state", "link state %s: want up or down", show(l.Attr("state")))
	}
	if m := i.Child("model"); strings.Trim(m.Attr("type"), letters+"-_") != "" {
		fail(m, "type", "model %s: want letters, digits, - and _", show(m.Attr("type")))
	}
	modes := []string{"", "bridge", "private", "vepa", "passthrough"}
	if s := i.Child("source"); kind == "direct" && !slices.Contains(modes, s.Attr("mode")) {
		fail(s, "mode", "macvtap mode %s: want one of bridge, private, vepa, passthrough", show(s.Attr("mode")))
	}
	if s := i.Child("source"); kind == "vhostuser" && !slices.Contains([]string{"", "server", "client"}, s.Attr("mode")) {
		fail(s, "mode", "mode %s of a vhostuser socket: want server or client", show(s.Attr("mode")))
	}
	if t := i.Child("teaming"); t.Attr("type") == "transient" && t.Attr("persistent") == "" {
		fail(t, "type", "a transient half of a team names the persistent one")
	}
	if t := i.Child("target"); t.Attr("managed") == "no" && kind != "ethernet" {
		fail(t, "managed", "managed='no' is for type ethernet")
	}
	if port := i.Child("port"); port.Attr("isolated") == "yes" {
		switch v := i.Child("virtualport"); {
		case kind != "network" && kind != "bridge":
			p.at("guest-isolation", port.Place, "an interface of type %s is no port of a bridge", show(kind))
		case v.Attr("type") != "":
			p.at("guest-isolation", port.Place, "a virtual port %s cannot be isolated", show(v.Attr("type")))
		}
	}
}

func (p *pass) nicBandwidth(i *xml.Node, kind string, n *nic) {
	b := i.Child("bandwidth")
	p.bandwidth(b, true, nil)
	in, out := b.Child("inbound"), b.Child("outbound")
	if in.Attr("floor") != "" {
		if n.floor = in.At("floor"); kind != "network" {
			p.at("guest-floor", in.At("floor"), "floor is for an interface on a network, not for type %s", show(kind))
		}
	}
	if out.Attr("floor") != "" {
		p.at("guest-floor", out.At("floor"), "floor is for <inbound> only")
	}
}

func (p *pass) nicVLAN(i *xml.Node, kind string, n *nic) {
	v := i.Child("vlan")
	if v == nil {
		return
	}
	p.vlan(v)
	n.vlan = v.Place
	port, mode := i.Child("virtualport").Attr("type"), i.Child("source").Attr("mode")
	can := kind == "network" || kind == "hostdev" || kind == "direct" && mode == "passthrough" || kind == "bridge" && (port == "openvswitch" || p.version >= vlansOnBridges)
	if _, known := netTypes[kind]; known && !can {
		p.at("guest-vlan-unsupported", v.Place, "a VLAN on type %s, which libvirt takes from 11.0 on only, and on bridges only", kind)
	}
}
