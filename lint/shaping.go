package lint

import (
	"math"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// vlansOnBridges is the first libvirt that takes VLANs on bridges of the kernel:
// in mode bridge, and in no mode in which it makes the bridge (networkValidate).
const vlansOnBridges = 11_000_000

// noVLAN says what libvirt does not take.
func noVLAN(m xml.Mode) string {
	if m == xml.HostBridge {
		return "a VLAN on a plain bridge, which libvirt takes from 11.0 on only"
	}
	return "a VLAN in mode " + show(string(m)) + ", which has none"
}

// shaping judges what limits and parts the traffic: bandwidth, VLANs and port
// groups.
func (p *pass) shaping(root *xml.Node, n *network) {
	limits := managed(n.mode) || n.mode == xml.HostBridge && n.bridge != ""
	p.bandwidth(root.Child("bandwidth"), limits, n)
	n.inbound = root.Child("bandwidth").Child("inbound").Attr("average") != ""
	onBridge := func(port *xml.Node) bool {
		return n.mode == xml.HostBridge && (port.Attr("type") == "openvswitch" || p.version >= vlansOnBridges)
	}
	n.vlans = n.mode == xml.HostDev || n.mode == xml.Passthrough || onBridge(root.Child("virtualport"))
	vlan := root.Child("vlan")
	p.vlan(vlan)
	for _, g := range root.All("portgroup") {
		n.groups = append(n.groups, g.Attr("name"))
		p.bandwidth(g.Child("bandwidth"), limits, n)
		p.virtualPort(g.Child("virtualport"), "")
		p.vlan(g.Child("vlan"))
		if vlan == nil && g.Child("vlan") == nil {
			continue
		}
		can := n.vlans
		if v := g.Child("virtualport"); v != nil {
			can = onBridge(v)
		}
		if !can {
			p.at("vlan-unsupported", g.Place, "port group %s: guests get %s", show(g.Attr("name")), noVLAN(n.mode))
		}
	}
	if hasDefault := p.portGroups(root); vlan != nil && !n.vlans && !hasDefault {
		p.at("vlan-unsupported", vlan.Place, "%s", noVLAN(n.mode))
	}
}

// portGroups judges names and the default; it is true where there is one.
func (p *pass) portGroups(root *xml.Node) bool {
	var standard *xml.Node
	seen := map[string]xml.Place{}
	for _, g := range root.All("portgroup") {
		name := g.Attr("name")
		if before, again := seen[name]; again {
			p.note("portgroup-invalid", Spot{p.name, g.At("name")}, p.object, &Spot{p.name, before}, "a second port group "+show(name))
		} else if name == "" {
			p.at("portgroup-invalid", g.Place, "a port group needs a name")
		}
		seen[name] = g.At("name")
		if !strings.EqualFold(g.Attr("default"), "yes") {
			continue
		}
		if standard != nil {
			p.note("portgroup-invalid", Spot{p.name, g.At("default")}, p.object, &Spot{p.name, standard.At("default")}, "a second default port group")
		}
		standard = g
	}
	return standard != nil
}

// bandwidth judges a <bandwidth> of a network; for that of a guest n is nil.
func (p *pass) bandwidth(b *xml.Node, limits bool, n *network) {
	if b == nil {
		return
	}
	if !limits && len(b.Children) > 0 && slices.Contains(xml.Modes, n.mode) {
		p.at("bandwidth-unsupported", b.Place, "mode %s without a bridge has no bandwidth", n.mode)
	}
	for _, direction := range []string{"inbound", "outbound"} {
		d := b.Child(direction)
		if d == nil {
			continue
		}
		average, _ := p.number(d, "average", math.MaxUint64)
		peak, hasPeak := p.number(d, "peak", math.MaxUint64)
		floor := d.Attr("floor") != ""
		switch {
		case floor && n != nil:
			p.at("bandwidth-invalid", d.At("floor"), "%s: floor is for a guest's interface on a network, not for the network", direction)
		case d.Attr("average") == "" && !floor:
			p.at("bandwidth-invalid", d.Place, "%s has no average", direction)
		case d.Attr("average") == "" && (hasPeak || d.Attr("burst") != ""):
			p.at("bandwidth-invalid", d.Place, "%s: peak and burst need an average", direction)
		case hasPeak && peak < average:
			p.at("bandwidth-peak-below-average", d.At("peak"), "%s: peak %d is below average %d", direction, peak, average)
		}
	}
}

func (p *pass) vlan(v *xml.Node) {
	if v == nil {
		return
	}
	tags := v.All("tag")
	if len(tags) == 0 {
		p.at("vlan-invalid", v.Place, "<vlan> has no <tag>")
	}
	natives := 0
	for _, t := range tags {
		if id, ok := p.number(t, "id", math.MaxUint32); ok && id > 4095 {
			p.at("vlan-invalid", t.At("id"), "VLAN %d: want at most 4095", id)
		} else if !ok && t.Attr("id") == "" {
			p.at("vlan-invalid", t.Place, "<tag> has no id")
		}
		if t.Attr("nativeMode") != "" {
			if natives++; natives == 2 {
				p.at("vlan-invalid", t.At("nativeMode"), "a second native VLAN")
			}
		}
	}
}
