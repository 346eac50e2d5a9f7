package xml

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Setting is something a document says that [Network] has no field for: the
// path of an attribute or text, such as "dns/txt@value", and its value. At is the
// path with the entry that it belongs to where there may be several, such as
// "dns/txt[a]@value", else it is empty.
type Setting struct {
	Path  string `json:"path"`
	Value string `json:"value"`
	At    string `json:"at,omitempty"`
}

// place is where the setting stands in a list of changes.
func (s Setting) place() string { return cmp.Or(s.At, s.Path) }

// entries are the elements that a network may have several of, with the attributes
// that tell one from another.
var entries = map[string][]string{
	"forward/interface": {"dev"}, "forward/pf": {"dev"}, "dns/forwarder": {"domain", "addr"}, "dns/txt": {"name"},
	"dns/srv": {"service", "protocol", "domain", "target"}, "dns/host": {"ip"}, "ip": {"address"},
	"ip/dhcp/range": {"start", "end"}, "ip/dhcp/host": {"mac", "id", "name", "ip"}, "route": {"address"},
	"vlan/tag": {"id"}, "portgroup": {"name"}, "portgroup/vlan/tag": {"id"},
}

// identity is what tells an element from others of its path, in brackets. A host may change its
// address and keep its MAC, and a domain its forwarder: there it is the first that
// they have.
func identity(e *etree.Element, path string) string {
	var words []string
	for _, key := range entries[path] {
		if a := e.SelectAttr(key); a != nil && a.Value != "" {
			value, _ := said(e, *a)
			words = append(words, strings.ToLower(value))
		}
		if len(words) > 0 && (path == "ip/dhcp/host" || path == "dns/forwarder") {
			break
		}
	}
	if words == nil {
		return ""
	}
	return "[" + strings.Join(words, " ") + "]"
}

// understood are the paths that Network has fields for.
var understood = set(`name uuid title @ipv6
 forward@mode forward@dev forward/interface@dev forward/pf@dev
 forward/nat@ipv6 forward/nat/port@start forward/nat/port@end forward/nat/address@start forward/nat/address@end
 bridge@name bridge@stp bridge@delay bridge@macTableManager bridge@zone
 mtu@size mac@address domain@name domain@localOnly
 dns@enable dns/host@ip dns/host/hostname
 ip@address ip@netmask ip@prefix ip@family ip/tftp@root
 ip/dhcp/range@start ip/dhcp/range@end ip/dhcp/host@mac ip/dhcp/host@id ip/dhcp/host@ip ip/dhcp/host@name
 route@address route@netmask route@prefix route@family route@gateway route@metric
 port@isolated virtualport@type vlan@trunk vlan/tag@id portgroup@name
 bandwidth/inbound@average bandwidth/inbound@peak bandwidth/inbound@burst
 bandwidth/outbound@average bandwidth/outbound@peak bandwidth/outbound@burst`)

// liveOnly are paths that libvirt writes into live documents, and people's
// notes, which change nothing.
var liveOnly = set(`@connections forward/interface@connections forward/address@connections description`)

// spelledOut are defaults: to say them is to say nothing. Others: [absent].
var spelledOut = map[Setting]bool{
	{Path: "@trustGuestRxFilters", Value: "no"}:   true,
	{Path: "ip@localPtr", Value: "no"}:            true,
	{Path: "dns@forwardPlainNames", Value: "yes"}: true,
}

// containers are the elements on the way to an understood path: empty, they
// say nothing.
var containers = func() map[string]bool {
	m := map[string]bool{}
	for path := range understood {
		for i, c := range path {
			if c == '/' || c == '@' {
				m[path[:i]] = true
			}
		}
		m[path] = true
	}
	return m
}()

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// others are the settings without a field, sorted. <metadata> is no setting.
func others(root *etree.Element) []Setting {
	var found []Setting
	walk(root, "", "", &found)
	sort.Slice(found, func(i, j int) bool {
		a, b := &found[i], &found[j]
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.At, b.At), cmp.Compare(a.Value, b.Value)) < 0
	})
	return found
}

// repeated are the elements with fields that a network may have several of; of
// others libvirt's schema takes one.
var repeated = set(`forward/interface forward/address dns/forwarder dns/txt dns/srv dns/host dns/host/hostname
 ip ip/dhcp/range ip/dhcp/host route vlan/tag portgroup`)

// walk notes the settings of an element. path is its path, place the same with the
// entries that it is part of.
func walk(e *etree.Element, path, place string, found *[]Setting) {
	note := func(below, value string) {
		s := Setting{Path: path + below, Value: value}
		if understood[s.Path] || liveOnly[s.Path] || spelledOut[s] {
			return
		}
		if place != path {
			s.At = place + below
		}
		*found = append(*found, s)
	}
	attributes(e, path, note)
	if words := strings.TrimSpace(text(e)); words != "" && path != "" {
		note("", words)
	}
	seen := map[string]int{}
	for _, c := range e.ChildElements() {
		below := named(c, c.Space, c.Tag)
		if path != "" {
			below = "/" + below
		}
		at := path + below
		if at == "metadata" || silent(c) {
			continue
		}
		if seen[at]++; seen[at] > 1 && containers[at] && !repeated[at] {
			*found = append(*found, Setting{Path: at, At: place + below + "#" + strconv.Itoa(seen[at]), Value: strings.TrimSpace(text(c))})
			continue
		}
		attributed := slices.ContainsFunc(c.Attr, func(a etree.Attr) bool { return a.Space != "xmlns" })
		if !attributed && len(c.Child) == 0 && !containers[at] {
			note(below, "")
			continue
		}
		walk(c, at, place+below+identity(c, at), found)
	}
}

// attributes notes those of an element.
func attributes(e *etree.Element, path string, note func(below, value string)) {
	for _, a := range e.Attr {
		if prefix, declaration := declares(a); declaration {
			// No element of libvirt's, and its name does not say so.
			if prefix == e.Space && (prefix == "" || path == "") && a.Value != "" && a.Value != DnsmasqNamespace {
				note("@xmlns", a.Value)
			}
			continue
		}
		if path == "dns/forwarder" && a.Key == "addr" && plainForwarder(e) {
			continue
		}
		if value, says := said(e, a); says {
			key := a.Key
			if a.Space != "" { // else it is of no namespace
				key = named(e, a.Space, a.Key)
			}
			note("@"+key, value)
		}
	}
}

// DnsmasqNamespace holds the raw options that libvirt passes on to dnsmasq.
const DnsmasqNamespace = "http://libvirt.org/schemas/network/dnsmasq/1.0"

// named is a name whatever prefix the document chose for its namespace: in libvirt's
// own it has the prefix that libvirt writes.
func named(e *etree.Element, prefix, name string) string {
	switch uri := namespace(e, prefix); {
	case uri == DnsmasqNamespace:
		return "dnsmasq:" + name
	case prefix == "":
		return name
	case uri == "":
		return prefix + ":" + name
	default:
		return "{" + uri + "}" + name
	}
}
