package xml

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Section is a list in a network document that libvirt changes in place, by
// virsh's name (virNetworkUpdateSection in libvirt-network.h).
type Section string

// The sections that libvirt can update.
const (
	DHCPHosts         Section = "ip-dhcp-host"
	DHCPRanges        Section = "ip-dhcp-range"
	ForwardInterfaces Section = "forward-interface"
	PortGroups        Section = "portgroup"
	DNSHosts          Section = "dns-host"
	DNSTexts          Section = "dns-txt"
	DNSServices       Section = "dns-srv"
)

// place of a section's elements: the parents below the root, and the tag.
var sectionPlaces = map[Section][]string{
	DHCPHosts:         {"ip", "dhcp", "host"},
	DHCPRanges:        {"ip", "dhcp", "range"},
	ForwardInterfaces: {"forward", "interface"},
	PortGroups:        {"portgroup"},
	DNSHosts:          {"dns", "host"},
	DNSTexts:          {"dns", "txt"},
	DNSServices:       {"dns", "srv"},
}

// Entry is one element of a section.
type Entry struct {
	Text string // the element
	// Parent is the index of the <ip> that it belongs to; -1 in sections that
	// are not below one.
	Parent int
	// Values are what it says: the attributes by name, and "hostname" for each
	// name of a DNS host.
	Values map[string][]string
	// Inside is what stands below the element, names apart, in a form of its
	// own: a lease time, a port group's bandwidth.
	Inside string
}

// Entries are the elements of a section, in the document's order.
func Entries(doc string, s Section) ([]Entry, error) {
	tree, err := load(doc, "network")
	if err != nil {
		return nil, fmt.Errorf("read network: %w", err)
	}
	path := sectionPlaces[s]
	found := []Entry{}
	for i, e := range children(tree.Root(), path[0]) {
		parent := -1
		if path[0] == "ip" {
			parent = i
		}
		level := []*etree.Element{e}
		for _, tag := range path[1:] {
			var next []*etree.Element
			for _, e := range level {
				next = append(next, children(e, tag)...)
			}
			level = next
		}
		for _, e := range level {
			entry, err := entryOf(e, parent)
			if err != nil {
				return nil, err
			}
			found = append(found, entry)
		}
	}
	return found, nil
}

// ParseEntry reads an element of a section that stands alone.
func ParseEntry(text string, s Section) (Entry, error) {
	path := sectionPlaces[s]
	tree, err := load(text, path[len(path)-1])
	if err != nil {
		return Entry{}, fmt.Errorf("read %s: %w", s, err)
	}
	return entryOf(tree.Root(), -1)
}

// NewEntry writes an element from attributes, in the order given, and names.
func NewEntry(s Section, attrs [][2]string, names ...string) (Entry, error) {
	path := sectionPlaces[s]
	e := etree.NewElement(path[len(path)-1])
	for _, a := range attrs {
		if a[1] != "" {
			setAttr(e, a[0], a[1])
		}
	}
	for _, name := range names {
		setText(e.CreateElement("hostname"), name)
	}
	return entryOf(e, -1)
}

// Over is have with what e says in its place: attributes, and the names where e has
// any. What e leaves open stays, also what stands inside. The attributes without go.
func (e Entry) Over(have Entry, s Section, without ...string) (Entry, error) {
	path := sectionPlaces[s]
	former, err1 := load(have.Text, path[len(path)-1])
	wish, err2 := load(e.Text, path[len(path)-1])
	if err := errors.Join(err1, err2); err != nil {
		return e, fmt.Errorf("read %s: %w", s, err)
	}
	root := former.Root()
	for _, a := range wish.Root().Attr {
		setAttr(root, a.FullKey(), a.Value)
	}
	for _, key := range without {
		root.RemoveAttr(key)
	}
	if names := children(wish.Root(), "hostname"); len(names) > 0 {
		for _, c := range children(root, "hostname") {
			remove(c)
		}
		for _, c := range names {
			root.AddChild(c.Copy())
		}
	}
	return entryOf(root, have.Parent)
}

// DNSHostOf is an entry of a DNS host by its address alone, or the entry itself
// where it has none.
func DNSHostOf(text string) string {
	entry, err := ParseEntry(text, DNSHosts)
	if err != nil || entry.Value("ip") == "" {
		return text
	}
	short, err := NewEntry(DNSHosts, [][2]string{{"ip", entry.Value("ip")}})
	if err != nil {
		return text
	}
	return short.Text
}

func entryOf(e *etree.Element, parent int) (Entry, error) {
	tree := etree.NewDocument()
	tree.SetRoot(e.Copy())
	written, err := write(tree)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Text: strings.TrimSpace(written), Parent: parent, Values: map[string][]string{}}
	for _, a := range e.Attr {
		if a.Space == "" {
			value, _ := said(e, a) // what it says in vain, Says leaves out
			entry.Values[a.Key] = []string{spelledValue(a.Key, value)}
		}
	}
	for _, h := range children(e, "hostname") {
		entry.Values["hostname"] = append(entry.Values["hostname"], strings.TrimSpace(text(h)))
	}
	slices.Sort(entry.Values["hostname"])
	for _, c := range e.ChildElements() {
		if c.Tag != "hostname" && !silent(c) {
			entry.Inside += outline(c)
		}
	}
	return entry, nil
}

// outline writes an element without the accidents of its spelling.
func outline(e *etree.Element) string {
	var parts []string
	for _, a := range e.Attr {
		if value, says := said(e, a); says {
			parts = append(parts, a.FullKey()+"="+value)
		}
	}
	slices.Sort(parts)
	for _, c := range e.ChildElements() {
		if !silent(c) {
			parts = append(parts, outline(c))
		}
	}
	return named(e, e.Space, e.Tag) + "(" + strings.Join(append(parts, strings.TrimSpace(text(e))), " ") + ")"
}

// spelledValue makes two spellings of an address one.
func spelledValue(key, value string) string {
	if mac, err := ParseMAC(value); key == "mac" && err == nil {
		return mac
	}
	if ip, err := netip.ParseAddr(value); err == nil && (key == "ip" || key == "start" || key == "end") {
		return ip.String()
	}
	return value
}

// Value is the value of an attribute, or "".
func (e Entry) Value(key string) string { return strings.Join(e.Values[key], ",") }

// unsaid are the values that an entry's silence stands for: libvirt's documents
// leave them out.
var unsaid = map[string]string{"priority": absent["srv@priority"], "weight": absent["srv@weight"], "default": absent["portgroup@default"]}

// Says is true when e says all that other says.
func (e Entry) Says(other Entry) bool {
	for key, values := range other.Values {
		have := e.Values[key]
		if silence, known := unsaid[key]; known && len(have) == 0 {
			have = []string{silence}
		}
		if !slices.Equal(have, values) {
			return false
		}
	}
	return true
}

// SameInside is true when other says nothing inside, or the same.
func (e Entry) SameInside(other Entry) bool { return other.Inside == "" || other.Inside == e.Inside }

// identities are the values of which libvirt, or the guests, take one only.
var identities = map[Section][]string{
	DHCPHosts: {"mac", "id", "name", "ip"}, ForwardInterfaces: {"dev"}, PortGroups: {"name"},
	DNSHosts: {"ip", "hostname"}, DNSTexts: {"name"},
}

// Clash is the value, such as "mac 52:54:00:00:00:01", that two entries of a
// section cannot both have; "" when they go together.
func (s Section) Clash(a, b Entry) string {
	switch s {
	case DHCPRanges:
		if first, last := addressOf(a, "start"), addressOf(a, "end"); first.IsValid() && last.IsValid() &&
			!last.Less(addressOf(b, "start")) && !addressOf(b, "end").Less(first) {
			return "range " + b.Value("start") + "-" + b.Value("end")
		}
		return ""
	case DNSServices:
		if a.Says(b) && b.Says(a) {
			return "service " + a.Value("service")
		}
		return ""
	}
	for _, key := range identities[s] {
		if (s == DNSHosts && key == "hostname" || s == DHCPHosts && key == "name") && otherFamily(a, b) {
			continue // a name has an address of each family
		}
		for _, v := range a.Values[key] {
			if slices.ContainsFunc(b.Values[key], func(o string) bool { return strings.EqualFold(v, o) }) {
				return key + " " + v
			}
		}
	}
	return ""
}

func otherFamily(a, b Entry) bool {
	ip, other := addressOf(a, "ip"), addressOf(b, "ip")
	return ip.IsValid() && other.IsValid() && ip.Is4() != other.Is4()
}

// Fits is true for the entry that another names: all the identities that the
// other has are this one's. An entry that names nothing fits nothing.
func (s Section) Fits(have, wanted Entry) bool {
	keys := identities[s]
	if keys == nil {
		return have.Says(wanted) && len(wanted.Values) > 0
	}
	fits := false
	for _, key := range keys {
		if len(wanted.Values[key]) == 0 {
			continue
		}
		if fits = slices.Equal(have.Values[key], wanted.Values[key]); !fits {
			return false
		}
	}
	return fits
}

func addressOf(e Entry, key string) netip.Addr {
	a, err := netip.ParseAddr(e.Value(key))
	if err != nil {
		return netip.Addr{}
	}
	return a
}
