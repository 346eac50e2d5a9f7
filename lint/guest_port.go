package lint

import (
	"math/bits"
	"slices"

	"github.com/kvnet/kvnet/xml"
)

// nicDriver judges what QEMU is to do with an interface.
func (p *pass) nicDriver(i *xml.Node, kind string) {
	fail := func(n *xml.Node, key, format string, args ...any) {
		p.at("guest-setting-invalid", n.At(key), format, args...)
	}
	d := i.Child("driver")
	if name := d.Attr("name"); kind != "hostdev" && slices.Contains([]string{"kvm", "vfio", "xen"}, name) {
		fail(d, "name", "driver %s is for type hostdev", name)
	}
	for _, key := range []string{"rx_queue_size", "tx_queue_size"} {
		if v, ok := p.number(d, key, 1<<32-1); ok && bits.OnesCount64(v) > 1 {
			fail(d, key, "%s %d: want a power of two", key, v)
		}
	}
	if r := i.Child("rom"); r.Attr("enabled") == "no" && (r.Has("bar") || r.Has("file")) {
		fail(r, "enabled", "a ROM that is off has no bar and no file")
	}
	if r := i.Child("source").Child("reconnect"); r.Attr("enabled") == "yes" && !r.Has("timeout") {
		fail(r, "enabled", "to connect again takes a timeout")
	}
}

// nicAddresses judges the addresses and routes that a guest or its host is to
// have for an interface.
func (p *pass) nicAddresses(i *xml.Node) {
	for _, side := range []*xml.Node{i, i.Child("source")} {
		for _, e := range side.All("ip") {
			p.nicAddress(e)
		}
		for _, e := range side.All("route") {
			p.way(e)
		}
	}
}

func (p *pass) nicAddress(e *xml.Node) {
	family := e.Attr("family")
	for _, key := range []string{"address", "peer"} {
		a := p.address(e, key)
		if a.IsValid() && family == map[bool]string{true: "ipv6", false: "ipv4"}[a.Unmap().Is4()] {
			p.at("ip-invalid", e.At("family"), "family %s does not fit %s %s", family, key, a)
		}
	}
	a := p.address(e, "address")
	if v, ok := p.number(e, "prefix", 128); ok && a.IsValid() && v > uint64(a.BitLen()) {
		p.at("ip-invalid", e.At("prefix"), "prefix %d is longer than the %d bits of %s", v, a.BitLen(), a)
	}
}

// portParameters are the parameters of a virtual port by its type; the first of
// them are those that a guest's interface cannot do without.
var portParameters = map[string]struct {
	needed int
	names  []string
}{
	"802.1Qbg":    {3, []string{"managerid", "typeid", "typeidversion", "instanceid"}},
	"802.1Qbh":    {1, []string{"profileid"}},
	"openvswitch": {0, []string{"profileid", "interfaceid"}},
	"midonet":     {1, []string{"interfaceid"}},
}

// virtualPort judges a <virtualport>; kind is the type of the interface that
// has it, "" for a network's or a port group's.
func (p *pass) virtualPort(v *xml.Node, kind string) {
	if v == nil {
		return
	}
	fail := func(place xml.Place, format string, args ...any) { p.at("virtualport-invalid", place, format, args...) }
	alone := kind != "" && kind != "network" // nothing is added from a network
	switch _, known := netTypes[kind]; {
	case alone && known && !slices.Contains([]string{"bridge", "direct", "hostdev"}, kind):
		fail(v.Place, "an interface of type %s has no virtual port", kind)
		return
	case alone && known && !v.Has("type"):
		fail(v.Place, "an interface of type %s says which type its virtual port has", kind)
		return
	}
	want, known := portParameters[v.Attr("type")]
	if !known {
		return
	}
	parameters := v.Child("parameters")
	if parameters == nil {
		parameters = &xml.Node{}
	}
	for _, a := range parameters.Attrs {
		if a.Prefix == "" && knownParameter(a.Name) && !slices.Contains(want.names, a.Name) {
			fail(a.Place, "a virtual port %s has no %s", v.Attr("type"), a.Name)
		}
	}
	for _, name := range want.names[:want.needed] {
		if alone && !parameters.Has(name) {
			fail(v.Place, "a virtual port %s needs a %s", v.Attr("type"), name)
		}
	}
}

func knownParameter(name string) bool {
	_, ok := known()["parameters"].attrs[name]
	return ok
}
