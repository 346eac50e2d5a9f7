package lint

import (
	"net"
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

// The readers below note a value that is none, and say then that there is
// none. An attribute that is absent or empty says nothing.

func (p *pass) wrong(n *xml.Node, key, want string) {
	value := n.Attr(key)
	if len(value) > shown {
		value = strings.ToValidUTF8(value[:shown], "") + "..."
	}
	p.at("value-invalid", n.At(key), "<%s %s=%s>: want %s", n.Name, key, strconv.Quote(value), want)
}

// number reads a count of at most most.
func (p *pass) number(n *xml.Node, key string, most uint64) (uint64, bool) {
	value := strings.TrimSpace(n.Attr(key))
	if value == "" {
		return 0, false
	}
	v, err := strconv.ParseUint(value, 10, 64)
	if err != nil || v > most {
		p.wrong(n, key, "a number from 0 to "+strconv.FormatUint(most, 10))
		return 0, false
	}
	return v, true
}

func (p *pass) address(n *xml.Node, key string) netip.Addr {
	value := n.Attr(key)
	if value == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		p.wrong(n, key, "an IP address")
		return netip.Addr{}
	}
	return a
}

// isMAC says whether s is six bytes with colons between, one of the forms that
// package net reads.
func isMAC(s string) bool {
	_, err := net.ParseMAC(s)
	return err == nil && len(s) == len("52:54:00:e4:75:83") && s[2] == ':'
}

// mac reads an address of one station, lower case.
func (p *pass) mac(n *xml.Node, key string) string {
	value := n.Attr(key)
	switch {
	case value == "":
		return ""
	case !isMAC(value):
		p.wrong(n, key, "a MAC address such as 52:54:00:e4:75:83")
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
	value := n.Attr(key)
	if value == "" || slices.Contains(words, value) {
		return value
	}
	p.wrong(n, key, strings.Join(words, " or "))
	return ""
}

func (p *pass) yes(n *xml.Node, key string) bool { return p.word(n, key, "yes", "no") == "yes" }

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

// uuid reads the text of <uuid>.
func (p *pass) uuid(root *xml.Node) string {
	n := root.Child("uuid")
	if n == nil || strings.TrimSpace(n.Text) == "" {
		return ""
	}
	uuid, err := xml.ParseUUID(strings.TrimSpace(n.Text))
	if err != nil {
		p.at("value-invalid", n.Place, "<uuid> %s: want 32 hexadecimal digits", show(strings.TrimSpace(n.Text)))
	}
	return uuid
}

// title reads the text of <name>.
func (p *pass) title(root *xml.Node, kind string) (string, xml.Place) {
	n := root.Child("name")
	if n == nil || n.Text == "" {
		p.at("name-missing", root.Place, "the %s has no <name>", kind)
		return "", root.Place
	}
	if i := strings.IndexAny(n.Text, "/\n"); i >= 0 {
		p.at("name-invalid", n.Place, "name %s: holds a %s", show(n.Text), map[byte]string{'/': "/", '\n': "line break"}[n.Text[i]])
	}
	return n.Text, n.Place
}
