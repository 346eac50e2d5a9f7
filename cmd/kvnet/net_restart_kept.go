package main

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// keptByHand is what somebody gave a bridge of libvirt's besides its guests: a
// bridge that is made anew has none of it.
type keptByHand struct {
	ports   []otherPort
	filter  *bridge.KeptFilter // of VLANs; nil: there is none
	given   []string           // addresses and routes, in words
	restore func(link string) error
}

// otherPort is a port of the bridge that is no guest's.
type otherPort struct {
	name string
	kept *bridge.KeptPort
}

// keepByHand reads it.
func (r *restart) keepByHand(kernel bridge.State) (*keptByHand, error) {
	k := &keptByHand{}
	var err error
	if k.filter, err = bridge.KeepFilter(r.bridge); err != nil {
		return nil, err
	}
	for _, p := range kernel.Ports {
		guests := slices.ContainsFunc(r.ports, func(g *keptPort) bool { return g.iface.Target == p.Name })
		// libvirt before 7.0 makes a port of its own for the bridge's MAC.
		if p.Bridge != r.bridge || guests || p.Name == r.bridge+"-nic" {
			continue
		}
		kept, err := bridge.KeepPort(p.Name)
		if err != nil {
			return nil, err
		}
		k.ports = append(k.ports, otherPort{p.Name, kept})
	}
	address, route := byHand(r.t.have.Def(), r.bridge)
	for _, a := range kernel.Addresses {
		if address(a) {
			k.given = append(k.given, "add address "+a.Prefix.String()+" to %s again")
		}
	}
	for _, n := range kernel.Routes {
		if route(n) {
			k.given = append(k.given, "add the route to "+n.Dst.String()+" through %s again")
		}
	}
	if len(k.given) == 0 {
		return k, nil
	}
	k.restore, err = bridge.KeepAddresses(r.bridge, address, route)
	return k, err
}

// byHand says of addresses and routes whether somebody gave them to the bridge,
// and neither libvirt nor the kernel.
func byHand(def xml.Network, link string) (func(bridge.Address) bool, func(bridge.Route) bool) {
	address := func(a bridge.Address) bool {
		declared := slices.ContainsFunc(def.IPs, func(ip xml.IP) bool { return ip.Address == a.Prefix })
		kernels := a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast()
		return a.Link == link && !declared && !kernels
	}
	route := func(n bridge.Route) bool {
		declared := slices.ContainsFunc(def.Routes, func(g xml.Gateway) bool { return sameRoute(g, n) })
		return n.Link == link && !declared && n.Protocol != "kernel" && !n.Autoconf
	}
	return address, route
}

func sameRoute(g xml.Gateway, n bridge.Route) bool {
	return g.To.Masked() == n.Dst && g.Via == n.Gateway
}

// shown are the steps as a plan prints them.
func (k *keptByHand) shown(link string) []libvirtnet.PlanStep {
	var list []libvirtnet.PlanStep
	add := func(say string) {
		list = append(list, libvirtnet.PlanStep{Do: "kernel", Object: link, Say: say, Why: "somebody put it there, and the bridge is made anew"})
	}
	if k.filter != nil {
		add("have " + link + " filter VLANs again")
	}
	for _, p := range k.ports {
		add("put " + p.name + " back into " + link)
	}
	for _, say := range k.given {
		add(fmt.Sprintf(say, link))
	}
	return list
}

// putBack gives it to the new bridge. What the bridge will not have any more, as
// its subnet is another, is told: the guests' network does not fail for it.
func (k *keptByHand) putBack(e *env, link string) {
	for _, p := range k.ports {
		if err := p.kept.PutBack(link); err != nil {
			e.note("%s", oneLine(err))
		}
	}
	if k.restore == nil {
		return
	}
	if err := k.restore(link); err != nil {
		e.note("%s", oneLine(err))
	}
}

// isolates says whether the definition that is in force isolates an interface.
func (r *restart) isolates(p *keptPort) bool {
	def := r.next()
	if r.failed {
		def = r.t.have.Def()
	}
	return p.iface.PortIsolated(&def)
}

// plugIn gives a tap what it had lost before.
func (r *restart) plugIn(p *keptPort) error {
	if p.down {
		if _, err := bridge.SetUp(p.iface.Target); err != nil {
			return err
		}
	}
	if !p.lost || !r.isolates(p) {
		return nil
	}
	_, err := bridge.SetIsolated(p.iface.Target, true)
	return err
}
