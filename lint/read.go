package lint

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// show makes a name from outside fit for a message.
func show(name string) string { return xml.Show(name) }

// shown is how many bytes of a wrong value stand in a message.
const shown = 80

// The readers below say that there is no value where it is none: what is wrong
// with it, the table of elements tells. An attribute that is absent or empty
// says nothing.

// number reads a count of at most most.
func (p *pass) number(n *xml.Node, key string, most uint64) (uint64, bool) {
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimLeft(n.Attr(key), blanks), "+"), 10, 64)
	return v, err == nil && v <= most
}

func (p *pass) address(n *xml.Node, key string) netip.Addr {
	a, err := netip.ParseAddr(n.Attr(key))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a
}

var isMAC = pattern(`([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}`)

// mac reads an address of one station, lower case.
func (p *pass) mac(n *xml.Node, key string) string {
	value := n.Attr(key)
	if !isMAC(value) {
		return ""
	}
	if first, _ := strconv.ParseUint(value[:2], 16, 8); first&1 == 1 {
		p.at("mac-multicast", n.At(key), "MAC %s is a multicast address: no interface can have it", value)
		return ""
	}
	return strings.ToLower(value)
}

// word reads one of a few words.
func (p *pass) word(n *xml.Node, key string, words ...string) string {
	if value := n.Attr(key); slices.Contains(words, value) {
		return value
	}
	return ""
}

// link reads the name of a device. what says which: "bridge", "tap".
func (p *pass) link(n *xml.Node, key, what string) string {
	name := n.Attr(key)
	if name == "" || strings.Contains(name, "%d") { // libvirt fills in a number
		return name
	}
	if len(name) > xml.MaxLinkName {
		p.at("device-name-too-long", n.At(key), "%s %s has %d bytes: the kernel takes at most %d", what, show(name), len(name), xml.MaxLinkName)
	} else if err := xml.CheckLinkName(name); err != nil {
		p.at("device-name-invalid", n.At(key), "%s: %s", what, err)
	}
	return name
}

// uuid reads the text of <uuid>; that of a guest is judged here, as the rest of
// a guest's document is not.
func (p *pass) uuid(root *xml.Node) string {
	n := root.Child("uuid")
	if n == nil || strings.TrimSpace(n.Text) == "" {
		return ""
	}
	uuid, err := xml.ParseUUID(strings.TrimSpace(n.Text))
	if err != nil && root.Name == "domain" {
		p.at("value-invalid", n.Place, "<uuid> %s: want %s", quoted(n.Text), values()["uuid"].want)
	}
	return uuid
}

// mostName is the longest name of which libvirt can write NAME.xml.new.
const mostName = 255 - len(".xml.new")

// title reads the text of <name>.
func (p *pass) title(root *xml.Node, kind string) (string, xml.Place) {
	n := root.Child("name")
	if n == nil || n.Text == "" {
		p.at("name-missing", root.Place, "the %s has no <name>", kind)
		return "", root.Place
	}
	if len(n.Text) > mostName {
		p.at("name-too-long", n.Place, "name %s: libvirt takes at most %d bytes", show(n.Text), mostName)
	}
	if i := strings.IndexAny(n.Text, "/\n"); i >= 0 {
		p.at("name-invalid", n.Place, "name %s: holds a %s", show(n.Text), map[byte]string{'/': "/", '\n': "line break"}[n.Text[i]])
	}
	return n.Text, n.Place
}
