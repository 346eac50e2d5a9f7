package xml

import (
	"cmp"
	"sort"
	"strings"

	"github.com/beevik/etree"
)

// Setting is something a document says that [Network] has no field for: the
// path of an attribute or text, such as "dns/txt@value", and its value.
type Setting struct {
	Path  string `json:"path"`
	Value string `json:"value"`
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

// spelledOut are defaults: to say them is to say nothing. libvirt adds the
// first by itself.
var spelledOut = map[Setting]bool{
	{"forward@managed", "no"}:        true,
	{"@trustGuestRxFilters", "no"}:   true,
	{"ip@localPtr", "no"}:            true,
	{"dns@forwardPlainNames", "yes"}: true,
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
	walk(root, "", &found)
	sort.Slice(found, func(i, j int) bool {
		return cmp.Or(cmp.Compare(found[i].Path, found[j].Path), cmp.Compare(found[i].Value, found[j].Value)) < 0
	})
	return found
}

func walk(e *etree.Element, path string, found *[]Setting) {
	note := func(at, value string) {
		if !understood[at] && !liveOnly[at] && !spelledOut[Setting{at, value}] {
			*found = append(*found, Setting{at, value})
		}
	}
	for _, a := range e.Attr {
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" {
			continue
		}
		if path == "dns/forwarder" && a.Key == "addr" && plainForwarder(e) {
			continue
		}
		note(path+"@"+a.FullKey(), a.Value)
	}
	if words := strings.TrimSpace(text(e)); words != "" && path != "" {
		note(path, words)
	}
	for _, c := range e.ChildElements() {
		at := c.FullTag()
		if path != "" {
			at = path + "/" + at
		}
		if at == "metadata" {
			continue
		}
		if len(c.Attr) == 0 && len(c.Child) == 0 && !containers[at] {
			note(at, "")
			continue
		}
		walk(c, at, found)
	}
}
