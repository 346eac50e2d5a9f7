package xml

import (
	"slices"
	"strconv"

	"github.com/beevik/etree"
)

// order is the order of libvirt's own documents (virNetworkDefFormatBuf in
// src/conf/network_conf.c); a new element goes to its place.
var order = map[string][]string{
	"network": {
		"name", "uuid", "title", "description", "metadata", "forward", "bridge", "mtu", "mac", "domain", "dns",
		"vlan", "bandwidth", "port", "ip", "route", "virtualport", "portgroup",
	},
	"forward":   {"driver", "pf", "nat", "interface", "address"},
	"nat":       {"address", "port"},
	"dns":       {"forwarder", "txt", "srv", "host"},
	"ip":        {"tftp", "dhcp"},
	"dhcp":      {"range", "host", "bootp"},
	"bandwidth": {"inbound", "outbound"},
}

// apply writes the wishes of want that have, the same tree parsed, does not
// fulfil. Whatever it has no reason to touch stays.
func apply(root *etree.Element, have, want Network) {
	if want.Mode != "" && want.Mode != have.Mode {
		changeMode(root, have, want.Mode)
		have, _ = network(root) // a missing name is no matter here
	}
	applyHead(root, have, want)
	applyForward(root, have, want)
	applyBridge(root, have, want)
	if want.DNS != nil {
		applyDNS(root, have.DNS, *want.DNS)
	}
	if want.VLANs != nil && !slices.Equal(have.VLANs, want.VLANs) {
		applyVLANs(root, want.VLANs)
	}
	applyRate(root, "inbound", have.Bandwidth.Inbound, want.Bandwidth.Inbound)
	applyRate(root, "outbound", have.Bandwidth.Outbound, want.Bandwidth.Outbound)
	if want.PortsIsolated != nil && (have.PortsIsolated == nil || *have.PortsIsolated != *want.PortsIsolated) {
		setAttr(ensure(root, "port"), "isolated", yesNo(*want.PortsIsolated))
	}
	if want.IPs != nil {
		applyIPs(root, want.IPs)
	}
	if want.Routes != nil {
		applyRoutes(root, want.Routes)
	}
	if want.VirtualPort != "" && want.VirtualPort != have.VirtualPort {
		remove(child(root, "virtualport")) // the parameters belong to the type
		setAttr(ensure(root, "virtualport"), "type", want.VirtualPort)
	}
	if want.PortGroups != nil {
		wanted := slices.Clone(want.PortGroups)
		for _, e := range children(root, "portgroup") {
			if i := slices.Index(wanted, attr(e, "name")); i >= 0 {
				wanted = slices.Delete(wanted, i, i+1)
			} else {
				remove(e)
			}
		}
		for _, name := range wanted {
			setAttr(insert(root, "portgroup"), "name", name)
		}
	}
}

func applyHead(root *etree.Element, have, want Network) {
	for _, w := range []struct{ tag, have, want string }{
		{"name", have.Name, want.Name},
		{"uuid", have.UUID, want.UUID},
		{"title", have.Title, want.Title},
	} {
		if w.want != "" && w.want != w.have {
			setText(ensure(root, w.tag), w.want)
		}
	}
	if want.IPv6 && !have.IPv6 {
		setAttr(root, "ipv6", "yes")
	}
}

func applyForward(root *etree.Element, have, want Network) {
	if want.ForwardDevs != nil && !sameWords(have.ForwardDevs, want.ForwardDevs) {
		applyForwardDevs(root, have.Mode, want.ForwardDevs)
	}
	if have.Mode == HostBridge { // libvirt takes a bridge or devices, never both
		if want.Bridge != "" {
			dropForwardDevs(child(root, "forward"))
		} else if len(want.ForwardDevs) > 0 {
			dropAttrs(child(root, "bridge"), "name")
		}
	}
	if want.PF != "" && want.PF != have.PF {
		setAttr(ensure(ensure(root, "forward"), "pf"), "dev", want.PF)
	}
	if want.NAT == nil {
		return
	}
	spec := NATSpec{}
	if have.NAT != nil {
		spec = *have.NAT
	}
	nat := func() *etree.Element { return ensure(ensure(root, "forward"), "nat") }
	if want.NAT.IPv6 && !spec.IPv6 {
		setAttr(nat(), "ipv6", "yes")
	}
	if want.NAT.Start.IsValid() && (want.NAT.Start != spec.Start || want.NAT.End != spec.End) {
		address := ensure(nat(), "address")
		setAttr(address, "start", want.NAT.Start.String())
		setAttr(address, "end", want.NAT.End.String())
	}
	if want.NAT.FirstPort != 0 && (want.NAT.FirstPort != spec.FirstPort || want.NAT.LastPort != spec.LastPort) {
		port := ensure(nat(), "port")
		setAttr(port, "start", strconv.Itoa(want.NAT.FirstPort))
		setAttr(port, "end", strconv.Itoa(want.NAT.LastPort))
	}
}

// changeMode takes out what the new mode cannot have, so that libvirt accepts
// the rest: a bridge belongs to the host in one mode and to libvirt in the
// other, and a pool of devices has none.
func changeMode(root *etree.Element, have Network, mode Mode) {
	forward := child(root, "forward")
	if mode == Isolated {
		remove(forward)
	} else {
		forward = ensure(root, "forward")
		setAttr(forward, "mode", string(mode))
		if mode != NAT {
			remove(child(forward, "nat"))
		}
		if mode == Open || mode == HostDev {
			dropForwardDevs(forward)
		}
	}
	is := Network{Mode: mode}.Managed()
	if was := have.Managed(); was && !is {
		for _, tag := range []string{"mtu", "mac", "domain", "dns", "ip", "route"} {
			for _, e := range children(root, tag) {
				remove(e)
			}
		}
		dropAttrs(child(root, "bridge"), "name", "stp", "delay", "zone")
	} else if is && !was {
		dropForwardDevs(forward)
		dropAttrs(child(root, "bridge"), "name")
		remove(child(forward, "pf"))
		remove(child(forward, "driver"))
	}
	if !is && mode != HostBridge {
		remove(child(root, "bridge"))
		remove(child(root, "bandwidth"))
		for _, e := range children(root, "portgroup") {
			remove(child(e, "bandwidth"))
		}
	}
}

func dropForwardDevs(forward *etree.Element) {
	dropAttrs(forward, "dev")
	for _, tag := range []string{"interface", "address"} {
		for _, e := range children(forward, tag) {
			remove(e)
		}
	}
}

func applyForwardDevs(root *etree.Element, mode Mode, devs []string) {
	if len(devs) == 0 {
		dropForwardDevs(child(root, "forward"))
		return
	}
	forward := ensure(root, "forward")
	setAttr(forward, "dev", devs[0])
	missing := slices.Clone(devs)
	for _, e := range children(forward, "interface") {
		if i := slices.Index(missing, attr(e, "dev")); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		} else {
			remove(e)
		}
	}
	if (Network{Mode: mode}).Managed() {
		return // one device, which the attribute names
	}
	for _, dev := range missing {
		setAttr(insert(forward, "interface"), "dev", dev)
	}
}

func applyBridge(root *etree.Element, have, want Network) {
	bridge := func() *etree.Element { return ensure(root, "bridge") }
	if want.Bridge != "" && want.Bridge != attr(child(root, "bridge"), "name") {
		setAttr(bridge(), "name", want.Bridge)
	}
	if want.Zone != "" && want.Zone != have.Zone {
		setAttr(bridge(), "zone", want.Zone)
	}
	if want.STP != nil && (have.STP == nil || *have.STP != *want.STP) {
		setAttr(bridge(), "stp", onOff(*want.STP))
	}
	if want.Delay != nil && (have.Delay == nil || *have.Delay != *want.Delay) {
		setAttr(bridge(), "delay", strconv.Itoa(*want.Delay))
	}
	if want.MACTable != "" && want.MACTable != have.MACTable {
		setAttr(bridge(), "macTableManager", want.MACTable)
	}
	if want.MTU != 0 && want.MTU != have.MTU {
		setAttr(ensure(root, "mtu"), "size", strconv.Itoa(want.MTU))
	}
	if want.MAC != "" && want.MAC != have.MAC {
		setAttr(ensure(root, "mac"), "address", want.MAC)
	}
	if want.Domain != "" && want.Domain != have.Domain {
		setAttr(ensure(root, "domain"), "name", want.Domain)
	}
	if want.DomainLocal && !have.DomainLocal {
		setAttr(ensure(root, "domain"), "localOnly", "yes")
	}
}

func applyVLANs(root *etree.Element, ids []int) {
	vlan := child(root, "vlan")
	if len(ids) == 0 {
		remove(vlan)
		return
	}
	vlan = ensure(root, "vlan")
	missing := slices.Clone(ids)
	for _, e := range children(vlan, "tag") {
		id, _ := strconv.Atoi(attr(e, "id"))
		if i := slices.Index(missing, id); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		} else {
			remove(e)
		}
	}
	for _, id := range missing {
		setAttr(insert(vlan, "tag"), "id", strconv.Itoa(id))
	}
	if len(ids) > 1 { // libvirt takes several tags only as a trunk
		setAttr(vlan, "trunk", "yes")
	}
}

// applyRate writes one direction. A rate that is wished is whole: a peak of 0
// is none.
func applyRate(root *etree.Element, direction string, have, want Rate) {
	if want == (Rate{}) || want == have {
		return
	}
	e := ensure(ensure(root, "bandwidth"), direction)
	for _, v := range []struct {
		key   string
		value int
	}{{"average", want.Average}, {"peak", want.Peak}, {"burst", want.Burst}} {
		if v.value == 0 {
			dropAttrs(e, v.key)
		} else {
			setAttr(e, v.key, strconv.Itoa(v.value))
		}
	}
}

func sameWords(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
