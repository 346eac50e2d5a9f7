package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

// around is what stands around an entry of a section in a network's document.
var around = map[xml.Section]string{
	xml.DNSHosts: "<dns>%s</dns>", xml.DNSTexts: "<dns>%s</dns>", xml.DNSServices: "<dns>%s</dns>", xml.PortGroups: "%s",
	xml.DHCPHosts: "<ip family='%s' address='%s' prefix='%d'><dhcp>%s</dhcp></ip>",
}

// refuseEntry refuses an entry that is none: libvirt holds it against no schema
// when it takes it in place, and would refuse the definition with it later.
func (u entryChange) refuseEntry(entry xml.Entry) error {
	form, judged := around[u.o.section]
	if !judged || u.o.command == libvirtnet.UpdateDelete {
		return nil
	}
	text := fmt.Sprintf(form, entry.Text)
	if u.o.section == xml.DHCPHosts {
		subnet, ok := u.subnet(entry)
		if !ok {
			return nil // told with the subnets that there are
		}
		family := map[bool]string{true: "ipv4", false: "ipv6"}[subnet.Addr().Is4()]
		text = fmt.Sprintf(form, family, subnet.Addr(), subnet.Bits(), entry.Text)
	}
	judge := func(text string) []lint.Finding {
		return lint.CheckFor([]lint.File{{Name: "entry", Text: "<network><name>n</name>" + text + "</network>"}}, u.world.Libvirt.Version)
	}
	head, before := "", map[string]bool{}
	if u.o.section == xml.PortGroups { // what guests can be given depends on the network
		head = networkHead(u.have.Def())
		for _, f := range judge(head) {
			before[f.Message] = true
		}
	}
	for _, f := range judge(head + text) {
		if before[f.Message] {
			continue // the head is not the whole network
		}
		refused := f.Refused == lint.AtDefine || f.Refused == lint.AtStart || f.Rule == "host-address-unusable"
		if refused || f.Refused == lint.BySchema && !u.o.force {
			return &failure{op: u.op(), object: u.object(), err: errors.New(f.Message)}
		}
	}
	return nil
}

var attributeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&apos;")

// networkHead is what of a network's document says where its guests' traffic
// goes.
func networkHead(def xml.Network) string {
	head := ""
	add := func(form, value string) {
		if value != "" {
			head += fmt.Sprintf(form, attributeText.Replace(value))
		}
	}
	if def.Mode != xml.Isolated {
		add("<forward mode='%s'/>", string(def.Mode))
	}
	add("<bridge name='%s'/>", def.Bridge)
	add("<virtualport type='%s'/>", def.VirtualPort)
	return head
}

// subnet is the one that a reservation belongs to.
func (u entryChange) subnet(entry xml.Entry) (netip.Prefix, bool) {
	ips := u.have.Def().IPs
	if u.o.parent >= 0 && u.o.parent < len(ips) {
		return ips[u.o.parent].Address, true
	}
	a, err := netip.ParseAddr(entry.Value("ip"))
	i := slices.IndexFunc(ips, func(ip xml.IP) bool { return err == nil && ip.Address.Contains(a) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return ips[i].Address, true
}

// refuseDevice refuses to forward to a device that the host does not have.
func (u entryChange) refuseDevice(e *env) error {
	if u.o.section != xml.ForwardInterfaces || u.o.command != libvirtnet.UpdateAdd {
		return nil
	}
	var found []string
	for _, c := range u.world.host().MissingDevice(u.o.entry.Value("dev")) {
		found = append(found, c.Message)
	}
	return e.refuseConflicts("add forward-interface to", u.object(), found, u.o.changeOptions)
}

// find is the entry that is meant: the one that says just as much, or the only one
// that fits or, to be modified, is the same guest's, address's or name's. A range that
// overlaps none is then the only one of its subnet. It is -1 when there is none, or
// several.
func (u entryChange) find(def xml.Network, list []xml.Entry) (at int, several []xml.Entry) {
	var fit []int
	elsewhere := func(i int) bool { return u.o.parent >= 0 && list[i].Parent != u.o.parent }
	for i, have := range list {
		if elsewhere(i) || !u.o.section.Fits(have, u.o.entry) {
			continue
		}
		if u.o.entry.Says(have) {
			return i, nil
		}
		fit = append(fit, i)
	}
	// A service is known by other values than those that it is to get.
	if u.o.command == libvirtnet.UpdateModify && (fit == nil || u.o.section == xml.DNSServices) {
		fit = slices.DeleteFunc(u.o.section.Owned(list, u.o.entry, u.o.partial), func(i int) bool { return elsewhere(i) || u.anothers(list[i]) })
	}
	if len(fit) == 0 && u.o.command == libvirtnet.UpdateModify && u.o.section == xml.DHCPRanges {
		if parent, err := u.parentOf(def); err == nil {
			fit = below(list, parent)
		}
	}
	switch len(fit) {
	case 0:
		return -1, nil
	case 1:
		return fit[0], nil
	}
	for _, i := range fit {
		several = append(several, list[i])
	}
	return -1, several
}

// anothers says whether a reservation is another guest's: the MAC that is meant has one
// already, be it in the other layer, and this is found by something else.
func (u entryChange) anothers(have xml.Entry) bool {
	mac := u.o.entry.Value("mac")
	if u.o.section != xml.DHCPHosts || mac == "" || have.Value("mac") == mac {
		return false
	}
	for _, def := range []*xml.Network{u.have.Live, u.have.Config} {
		if def != nil && slices.ContainsFunc(def.IPs, func(ip xml.IP) bool {
			return slices.ContainsFunc(ip.Hosts, func(h xml.Host) bool { return strings.EqualFold(h.MAC, mac) })
		}) {
			return true
		}
	}
	return false
}

// noEntry is the error of a layer that has no such entry. Of a DNS host that is to be
// deleted by some of its names it says which others it has: libvirt deletes whole
// entries only.
func (u entryChange) noEntry(where string, list []xml.Entry) error {
	wanted := u.o.entry.Values["hostname"]
	for _, have := range list {
		names, ip := have.Values["hostname"], have.Value("ip")
		rest := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(wanted, n) })
		some := len(wanted) > 0 && len(rest) == len(names)-len(wanted) && slices.Contains([]string{"", ip}, u.o.entry.Value("ip"))
		if some && u.o.command == libvirtnet.UpdateDelete {
			return &failure{op: u.op(), object: u.object(),
				err:  fmt.Errorf("%s has one entry of %s for the names %s: libvirt deletes it whole", where, clean(ip), clean(strings.Join(names, ", "))),
				hint: fmt.Sprintf("modify --ip %s --name %s keeps the others; delete --ip %[1]s takes them all", ip, strings.Join(rest, " --name "))}
		}
	}
	return &failure{op: u.op(), object: u.object(), err: noEntryError(where + " has no such entry" + others(list))}
}

// below are the entries of one <ip>.
func below(list []xml.Entry, parent int) (at []int) {
	for i, e := range list {
		if e.Parent == parent {
			at = append(at, i)
		}
	}
	return at
}
