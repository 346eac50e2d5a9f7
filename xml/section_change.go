package xml

import (
	"errors"
	"slices"
	"sort"

	"github.com/beevik/etree"
)

// EntryChange is one step from a document's sections to another's: an entry is
// added (Have is nil), deleted (Want is nil), or says something else.
type EntryChange struct {
	Section    Section
	Have, Want *Entry // their Parent is the index of the <ip> in the have document
}

// sectionOrder is that of changes: where a name is served from follows what it
// stands for.
var sectionOrder = []Section{DHCPRanges, DHCPHosts, DNSHosts, DNSTexts, DNSServices, PortGroups, ForwardInterfaces}

// Modifies says whether libvirt can make an entry of the section another where it
// stands; it can add and delete in all of them (virNetworkDefUpdateSection in
// src/conf/network_conf.c). It looks for a DHCP host by MAC, address and name, not by
// its DHCPv6 id.
func (s Section) Modifies(have, want Entry) bool {
	return s == PortGroups || s == DHCPHosts && slices.ContainsFunc([]string{"mac", "ip", "name"}, func(key string) bool {
		return have.Value(key) != "" && have.Value(key) == want.Value(key)
	})
}

// SameOwner says whether two entries of a section are for the same guest,
// address or name, whatever else they say.
func (s Section) SameOwner(a, b Entry) bool {
	keys := map[Section][]string{DNSHosts: {"ip"}, DNSTexts: {"name"}, PortGroups: {"name"}, ForwardInterfaces: {"dev"}}[s]
	switch s {
	case DHCPHosts:
		for _, key := range []string{"mac", "id"} {
			if v := a.Value(key); v != "" && v == b.Value(key) {
				return true
			}
		}
		if a.Value("mac") != "" || a.Value("id") != "" {
			return false
		}
		keys = []string{"name"}
	case DHCPRanges:
		return s.Clash(a, b) != ""
	case DNSServices:
		return a.Value("service") != "" && a.Value("service") == b.Value("service") &&
			a.Value("protocol") == b.Value("protocol") && a.Value("domain") == b.Value("domain")
	}
	return slices.ContainsFunc(keys, func(key string) bool { return a.Value(key) != "" && a.Value(key) == b.Value(key) })
}

// Owned are the entries of a list, by index, that one with other values can be meant
// to change. Of a DHCP host the first identity that is known tells. With partial, what
// the other leaves open may be anything.
func (s Section) Owned(list []Entry, wanted Entry, partial bool) []int {
	find := func(fits func(have Entry) bool) (found []int) {
		for i, have := range list {
			if fits(have) {
				found = append(found, i)
			}
		}
		return found
	}
	has := func(have Entry, key string) bool {
		return wanted.Value(key) != "" && have.Value(key) == wanted.Value(key)
	}
	owned := find(func(have Entry) bool { return s.SameOwner(have, wanted) })
	switch s {
	case DHCPHosts:
		for _, key := range identities[s] {
			owned = find(func(have Entry) bool { return has(have, key) && !otherFamily(have, wanted) })
			if owned != nil {
				break
			}
		}
	case DNSServices:
		if owned == nil && partial && wanted.Value("domain") == "" {
			owned = find(func(have Entry) bool { return has(have, "service") && has(have, "protocol") })
		}
		if one := slices.DeleteFunc(slices.Clone(owned), func(i int) bool { return !has(list[i], "target") }); len(one) > 0 {
			return one // else it gets another target
		}
	}
	return owned
}

// SectionChanges are the steps that make the sections of one document those of
// another, and the differences that are left when they are made. Entries of
// which the order says nothing are compared as sets. In each section what goes
// comes first, so that no two entries meet that libvirt would not take together.
func SectionChanges(have, want string) ([]EntryChange, []Change, error) {
	h, errH := Parse(have)
	w, errW := Parse(want)
	if err := errors.Join(errH, errW); err != nil {
		return nil, nil, err
	}
	parents := sameSubnets(h.IPs, w.IPs)
	var list []EntryChange
	for _, s := range sectionOrder {
		if s == ForwardInterfaces {
			continue
		}
		a, errA := Entries(have, s)
		b, errB := Entries(want, s)
		if err := errors.Join(errA, errB); err != nil {
			return nil, nil, err
		}
		list = append(list, s.changes(a, b, parents)...)
	}
	rest, err := withSections(have, want, parents)
	if err != nil {
		return nil, nil, err
	}
	left, err := Parse(rest)
	if err != nil {
		return nil, nil, err
	}
	if h.Mode == w.Mode && h.PF == "" && w.PF == "" {
		list = append(list, deviceChanges(h.ForwardDevs, w.ForwardDevs)...)
		left.ForwardDevs = w.ForwardDevs
	}
	return list, Drift(left, w), nil
}

// sameSubnets are, by the index of an <ip> in want, the index of the one of the
// same address in have.
func sameSubnets(have, want []IP) map[int]int {
	same := map[int]int{}
	for i, w := range want {
		if at := slices.IndexFunc(have, func(h IP) bool { return h.Address == w.Address }); at >= 0 {
			same[i] = at
		}
	}
	return same
}

// changes compares the entries of a section. Those of subnets that only one
// document has come and go with their subnet.
func (s Section) changes(have, want []Entry, parents map[int]int) []EntryChange {
	below := sectionPlaces[s][0] == "ip"
	kept := map[int]bool{}
	for _, at := range parents {
		kept[at] = true
	}
	have = slices.DeleteFunc(slices.Clone(have), func(e Entry) bool { return below && !kept[e.Parent] })
	var fresh []Entry
	for _, w := range want {
		if below {
			at, known := parents[w.Parent]
			if !known {
				continue
			}
			w.Parent = at
		}
		if i := slices.IndexFunc(have, func(h Entry) bool { return h.same(w) }); i >= 0 {
			have = slices.Delete(have, i, i+1)
			continue
		}
		fresh = append(fresh, w)
	}
	return s.steps(have, fresh)
}

// same says whether two entries of a document say the same.
func (e Entry) same(other Entry) bool {
	return e.Parent == other.Parent && e.Says(other) && other.Says(e) && e.Inside == other.Inside
}

// steps turns entries that are too many into those that are missing.
func (s Section) steps(gone, fresh []Entry) []EntryChange {
	var deleted, modified, added []EntryChange
	for i := range fresh {
		w := &fresh[i]
		at := slices.IndexFunc(gone, func(h Entry) bool { return h.Parent == w.Parent && s.SameOwner(h, *w) && s.Modifies(h, *w) })
		// One that would meet another that is still there waits until that is gone.
		if at < 0 || slices.ContainsFunc(gone, func(h Entry) bool { return !h.same(gone[at]) && s.Clash(h, *w) != "" }) {
			added = append(added, EntryChange{Section: s, Want: w})
			continue
		}
		h := gone[at]
		modified = append(modified, EntryChange{Section: s, Have: &h, Want: w})
		gone = slices.Delete(slices.Clone(gone), at, at+1)
	}
	if s == PortGroups { // one is the default, and libvirt takes no second
		sort.SliceStable(modified, func(i, j int) bool { return modified[i].noDefault() && !modified[j].noDefault() })
	}
	for i := range gone {
		deleted = append(deleted, EntryChange{Section: s, Have: &gone[i]})
	}
	return slices.Concat(deleted, modified, added)
}

// noDefault says whether a port group is no default when the change is made.
func (c EntryChange) noDefault() bool { return c.Want.Value("default") != "yes" }

// deviceChanges compares the NICs that traffic may leave by, which documents
// spell as an attribute, as elements, or as both.
func deviceChanges(have, want []string) []EntryChange {
	var list []EntryChange
	entry := func(dev string) *Entry {
		e, err := NewEntry(ForwardInterfaces, [][2]string{{"dev", dev}})
		if err != nil {
			return nil // a document that was read holds nothing that cannot be written
		}
		return &e
	}
	for _, dev := range have {
		if !slices.Contains(want, dev) {
			list = append(list, EntryChange{Section: ForwardInterfaces, Have: entry(dev)})
		}
	}
	for _, dev := range want {
		if !slices.Contains(have, dev) {
			list = append(list, EntryChange{Section: ForwardInterfaces, Want: entry(dev)})
		}
	}
	return list
}

// withSections is the have document with the sections of the other.
func withSections(have, want string, parents map[int]int) (string, error) {
	tree, err := load(have, "network")
	if err != nil {
		return "", err
	}
	other, err := load(want, "network")
	if err != nil {
		return "", err
	}
	h, w := tree.Root(), other.Root()
	replace(h, w, "portgroup")
	if child(w, "dns") != nil || child(h, "dns") != nil {
		for _, tag := range []string{"host", "txt", "srv"} {
			replace(ensure(h, "dns"), child(w, "dns"), tag)
		}
	}
	ips := children(h, "ip")
	for i, ip := range children(w, "ip") {
		at, known := parents[i]
		if !known || at >= len(ips) {
			continue
		}
		for _, tag := range []string{"range", "host"} {
			replace(ensure(ips[at], "dhcp"), child(ip, "dhcp"), tag)
		}
	}
	return write(tree)
}

// replace makes the children of that name copies of another element's.
func replace(e, other *etree.Element, tag string) {
	for _, c := range children(e, tag) {
		remove(c)
	}
	for _, c := range children(other, tag) {
		e.AddChild(c.Copy())
	}
}
