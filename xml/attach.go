package xml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// NewInterface is a wish for a guest interface. An unset field is left to
// libvirt.
type NewInterface struct {
	// Type is "network", "bridge" or "direct" (macvtap).
	Type string `json:"type"`
	// Source is the network, the host bridge, or the NIC of a direct one.
	Source string `json:"source"`
	// Mode of a direct interface: bridge, private, vepa or passthrough;
	// libvirt's default is vepa.
	Mode string `json:"mode,omitempty"`
	// PortGroup of the network.
	PortGroup string `json:"port_group,omitempty"`
	MAC       string `json:"mac,omitempty"`
	Model     string `json:"model,omitempty"`
	// Target is the name of the tap. libvirt replaces names that it gives
	// itself, such as vnet7.
	Target string `json:"target,omitempty"`
	MTU    int    `json:"mtu,omitempty"` // bytes
	VLANs  []int  `json:"vlans,omitempty"`
	// Link is the link state: "up" or "down".
	Link   string `json:"link,omitempty"`
	Filter string `json:"filter,omitempty"` // an nwfilter's name
	// Alias begins with "ua-": libvirt drops any other.
	Alias     string    `json:"alias,omitempty"`
	Isolated  bool      `json:"isolated,omitempty"`
	Bandwidth Bandwidth `json:"bandwidth,omitzero"`
}

// BuildInterface writes the <interface> element for a wish, as
// virDomainAttachDevice takes it.
func BuildInterface(i NewInterface) (string, error) {
	if err := CheckInterface(i); err != nil {
		return "", fmt.Errorf("build interface: %w", err)
	}
	tree := etree.NewDocument()
	root := tree.CreateElement("interface")
	setAttr(root, "type", i.Type)
	if mac, err := ParseMAC(i.MAC); err == nil {
		setAttr(insert(root, "mac"), "address", mac)
	}
	source := insert(root, "source")
	key := map[string]string{"network": "network", "bridge": "bridge", "direct": "dev"}[i.Type]
	setAttr(source, key, i.Source)
	setWords(source, "portgroup", i.PortGroup)
	setWords(source, "mode", i.Mode)
	for _, e := range []struct{ tag, key, value string }{
		{"target", "dev", i.Target},
		{"model", "type", i.Model},
		{"filterref", "filter", i.Filter},
		{"link", "state", i.Link},
		{"mtu", "size", number(i.MTU)},
		{"alias", "name", i.Alias},
	} {
		if e.value != "" {
			setAttr(insert(root, e.tag), e.key, e.value)
		}
	}
	if i.Isolated {
		setAttr(insert(root, "port"), "isolated", "yes")
	}
	applyRate(root, "inbound", Rate{}, i.Bandwidth.Inbound)
	applyRate(root, "outbound", Rate{}, i.Bandwidth.Outbound)
	if len(i.VLANs) > 0 {
		applyVLANs(root, i.VLANs)
	}
	tree.CreateText("\n")
	return write(tree)
}

func setWords(e *etree.Element, key, value string) {
	if value != "" {
		setAttr(e, key, value)
	}
}

// CheckInterface says what is wrong with a wish for an interface, every fault
// at once, joined.
func CheckInterface(i NewInterface) error {
	c := &checker{}
	switch i.Type {
	case "network":
		c.must(CheckName(i.Source))
	case "bridge", "direct":
		c.must(CheckLinkName(i.Source))
	default:
		c.fail("interface type %q: want network, bridge or direct", clip(i.Type))
	}
	if i.Mode != "" {
		if i.Type != "direct" {
			c.fail("mode %s: only a direct interface has one", clip(i.Mode))
		}
		if !slices.Contains([]string{"bridge", "private", "vepa", "passthrough"}, i.Mode) {
			c.fail("mode %q: want bridge, private, vepa or passthrough", clip(i.Mode))
		}
	}
	if i.PortGroup != "" {
		c.must(checkText("port group", i.PortGroup))
		if i.Type != "network" {
			c.fail("port group %q: only a network has port groups", clip(i.PortGroup))
		}
	}
	if i.MAC != "" {
		c.must(checkGuestMAC(i.MAC))
	}
	c.must(CheckModel(i.Model))
	c.must(CheckTarget(i.Target))
	if i.MTU != 0 {
		c.must(CheckMTU(i.MTU))
		if i.Type == "direct" {
			c.fail("MTU: a direct interface has that of its NIC")
		}
	}
	for n, id := range i.VLANs {
		c.must(CheckVLAN(id))
		if slices.Contains(i.VLANs[:n], id) {
			c.fail("VLAN %d: there twice", id)
		}
	}
	if i.Link != "" && i.Link != "up" && i.Link != "down" {
		c.fail("link %q: want up or down", clip(i.Link))
	}
	c.must(checkText("filter", i.Filter))
	c.must(CheckAlias(i.Alias))
	if i.Isolated && i.Type == "direct" {
		c.fail("isolation: a direct interface is no port of a bridge")
	}
	c.rate("inbound", i.Bandwidth.Inbound)
	c.rate("outbound", i.Bandwidth.Outbound)
	return several(c.errs)
}

// checkGuestMAC also refuses what libvirt refuses for guests: the tap of a
// guest begins with fe, so that its bridge never takes that address for its
// own.
func checkGuestMAC(s string) error {
	if err := CheckMAC(s); err != nil {
		return err
	}
	if mac, _ := ParseMAC(s); strings.HasPrefix(mac, "fe:") {
		return fmt.Errorf("MAC %s: fe is the first byte of taps, not of guests", mac)
	}
	return nil
}

// CheckModel says whether a network card can have the name: libvirt takes
// letters, digits, - and _ (NET_MODEL_CHARS in src/conf/domain_conf.c).
func CheckModel(model string) error {
	if strings.ContainsFunc(model, func(r rune) bool { return !plainRune(r) }) {
		return fmt.Errorf("model %q: want one such as virtio, e1000e or rtl8139", clip(model))
	}
	return nil
}

// CheckTarget says whether a tap can be given the name. libvirt keeps names
// that begin with vnet, macvtap or macvlan to itself and quietly chooses
// another (VIR_NET_GENERATED_*_PREFIX in src/util/virnetdev.h).
func CheckTarget(name string) error {
	if name == "" {
		return nil
	}
	for _, prefix := range []string{"vnet", "macvtap", "macvlan"} {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("device name %q: libvirt gives names that begin with %s itself", clip(name), prefix)
		}
	}
	if strings.Contains(name, "%") {
		return fmt.Errorf("device name %q: libvirt takes %% for a number to fill in", clip(name))
	}
	return CheckLinkName(name)
}

// CheckAlias says whether a device can be given the alias: "ua-", then
// letters, digits, - and _ (virDomainDeviceAliasIsUserAlias in
// src/conf/domain_conf.c).
func CheckAlias(alias string) error {
	if alias == "" {
		return nil
	}
	own, ok := strings.CutPrefix(alias, "ua-")
	if !ok || own == "" || strings.ContainsFunc(own, func(r rune) bool { return !plainRune(r) }) {
		return fmt.Errorf("alias %q: want ua- and then letters, digits, - and _", clip(alias))
	}
	return nil
}

func plainRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// String is the wish in a few words: network default, 52:54:00:e4:75:83.
func (i NewInterface) String() string {
	s := i.Type + " " + i.Source
	if i.MAC != "" {
		s += ", " + i.MAC
	}
	if len(i.VLANs) > 0 {
		ids := make([]string, len(i.VLANs))
		for n, id := range i.VLANs {
			ids[n] = strconv.Itoa(id)
		}
		s += ", VLAN " + strings.Join(ids, "+")
	}
	return s
}
