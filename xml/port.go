package xml

import (
	"fmt"
	"strconv"

	"github.com/beevik/etree"
)

// Port is a network's side of a guest interface, see
// https://libvirt.org/formatnetworkport.html.
type Port struct {
	// UUID is the guest interface's PortID.
	UUID      string `json:"uuid"`
	OwnerName string `json:"owner_name"` // the guest's
	OwnerUUID string `json:"owner_uuid"`
	MAC       string `json:"mac"` // the guest's
	Group     string `json:"group,omitempty"`
	// Isolated is <port isolated>; nil: as the network says.
	Isolated  *bool     `json:"isolated,omitempty"`
	VLANs     []int     `json:"vlans,omitempty"`
	Bandwidth Bandwidth `json:"bandwidth,omitzero"`
	// The rest as [Interface] has it.
	Floor          int  `json:"floor,omitempty"`
	Trunk          bool `json:"vlan_trunk,omitempty"`
	NativeVLAN     int  `json:"native_vlan,omitempty"`
	NativeTagged   bool `json:"native_tagged,omitempty"`
	TrustRxFilters bool `json:"trust_rx_filters,omitempty"`
	// Plug is what libvirt reports of a port in use; see [BuildPort].
	Plug *Plug `json:"plug,omitempty"`
}

// Plug is how a port reaches the host.
type Plug struct {
	Type   string `json:"type"`             // network, bridge, direct, hostdev-pci
	Bridge string `json:"bridge,omitempty"` // of network and bridge
	Dev    string `json:"dev,omitempty"`    // of direct
	Mode   string `json:"mode,omitempty"`   // of direct
}

// PortFor is the port that a guest's interface says it has, as a port that has
// been lost is made again: the same UUID, owner and MAC, and no plug.
func PortFor(g Guest, i Interface) Port {
	return Port{
		UUID: i.PortID, OwnerName: g.Name, OwnerUUID: g.UUID, MAC: i.MAC,
		Group: i.PortGroup, Isolated: i.Isolated, VLANs: i.VLANs, Bandwidth: i.Bandwidth, Floor: i.Floor,
		Trunk: i.Trunk, NativeVLAN: i.NativeVLAN, NativeTagged: i.NativeTagged, TrustRxFilters: i.TrustRxFilters,
	}
}

// BuildPort writes the document of a port, to make one that was lost again.
// The plug is never written: libvirt works it out, and refuses one that it is
// given without its "reclaim" flag.
func BuildPort(p Port) (string, error) {
	if err := checkPort(p); err != nil {
		return "", fmt.Errorf("build port: %w", err)
	}
	uuid, _ := ParseUUID(p.UUID)
	owner, _ := ParseUUID(p.OwnerUUID)
	mac, _ := ParseMAC(p.MAC)
	tree := etree.NewDocument()
	root := tree.CreateElement("networkport")
	setText(insert(root, "uuid"), uuid)
	who := insert(root, "owner")
	setText(insert(who, "name"), p.OwnerName)
	setText(insert(who, "uuid"), owner)
	setAttr(insert(root, "mac"), "address", mac)
	if p.Group != "" {
		setText(insert(root, "group"), p.Group)
	}
	if p.TrustRxFilters {
		setAttr(insert(root, "rxfilters"), "trustGuest", "yes")
	}
	applyRate(root, "inbound", Rate{}, p.Bandwidth.Inbound)
	if p.Floor > 0 {
		setAttr(ensure(ensure(root, "bandwidth"), "inbound"), "floor", strconv.Itoa(p.Floor))
	}
	applyRate(root, "outbound", Rate{}, p.Bandwidth.Outbound)
	if len(p.VLANs) > 0 {
		applyVLANs(root, p.VLANs)
		p.native(child(root, "vlan"))
	}
	if p.Isolated != nil {
		setAttr(insert(root, "port"), "isolated", yesNo(*p.Isolated))
	}
	tree.CreateText("\n")
	return write(tree)
}

// native says of the tags of a port which one is for frames without a tag.
func (p Port) native(vlan *etree.Element) {
	if p.Trunk {
		setAttr(vlan, "trunk", "yes")
	}
	for _, e := range children(vlan, "tag") {
		if p.NativeVLAN != 0 && attr(e, "id") == strconv.Itoa(p.NativeVLAN) {
			setAttr(e, "nativeMode", map[bool]string{true: "tagged", false: "untagged"}[p.NativeTagged])
		}
	}
}

// Unplugged is a port's document without its plug, which libvirt works out
// when the port is made again; all else stays.
func Unplugged(doc string) (string, error) {
	tree, err := load(doc, "networkport")
	if err != nil {
		return "", fmt.Errorf("read port: %w", err)
	}
	root := tree.Root()
	for _, plug := range root.SelectElements("plug") {
		root.RemoveChild(plug)
	}
	return write(tree)
}

func checkPort(p Port) error {
	c := &checker{}
	_, err := ParseUUID(p.UUID)
	c.must(err)
	if _, err := ParseUUID(p.OwnerUUID); err != nil {
		c.fail("owner: %w", err)
	}
	if p.OwnerName == "" {
		c.fail("owner: has no name")
	}
	c.must(checkText("owner", p.OwnerName))
	c.must(CheckMAC(p.MAC))
	c.must(checkText("group", p.Group))
	for _, id := range p.VLANs {
		if id < 0 || id > 4095 {
			c.fail("VLAN %d: want 0 to 4095", id)
		}
	}
	for direction, r := range map[string]Rate{"inbound": p.Bandwidth.Inbound, "outbound": p.Bandwidth.Outbound} {
		r.Peak = max(r.Peak, min(r.Peak, 1)*r.Average) // libvirt takes a peak below the average
		c.rate(direction, r)
	}
	return several(c.errs)
}

// ParsePort reads the document of a port.
func ParsePort(doc string) (Port, error) {
	tree, err := load(doc, "networkport")
	if err != nil {
		return Port{}, fmt.Errorf("read port: %w", err)
	}
	root := tree.Root()
	r := &reader{}
	owner := child(root, "owner")
	p := Port{
		UUID:      r.uuid(child(root, "uuid")),
		OwnerName: text(child(owner, "name")),
		OwnerUUID: r.uuid(child(owner, "uuid")),
		MAC:       r.mac(child(root, "mac"), "address"),
		Group:     text(child(root, "group")),
		Isolated:  r.flag(child(root, "port"), "isolated", "yes", "no"),
		Bandwidth: r.bandwidth(child(root, "bandwidth")),
	}
	if in := child(child(root, "bandwidth"), "inbound"); attr(in, "floor") != "" {
		p.Floor = r.number(in, "floor")
	}
	p.TrustRxFilters = r.yes(child(root, "rxfilters"), "trustGuest")
	p.Trunk = r.yes(child(root, "vlan"), "trunk")
	for _, e := range children(child(root, "vlan"), "tag") {
		p.VLANs = append(p.VLANs, r.number(e, "id"))
		if mode := attr(e, "nativeMode"); mode != "" {
			p.NativeVLAN, p.NativeTagged = r.number(e, "id"), mode == "tagged"
		}
	}
	if plug := child(root, "plug"); plug != nil {
		p.Plug = &Plug{Type: attr(plug, "type"), Bridge: attr(plug, "bridge"), Dev: attr(plug, "dev"), Mode: attr(plug, "mode")}
	}
	if err := several(r.errs); err != nil {
		return Port{}, fmt.Errorf("read port: %w", err)
	}
	return p, nil
}
