package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
)

// leftovers are the steps that take away what libvirt left of these bridges when
// it died; none where the kernel is not known.
func (w world) leftovers(bridges []string) []verify.Step {
	if !w.here || len(bridges) == 0 {
		return nil
	}
	return verify.Leftovers(w.Snapshot, bridges)
}

// without is the world as it is behind these steps.
func (w world) without(steps []verify.Step) world {
	deleted := func(link string) bool {
		return slices.ContainsFunc(steps, func(s verify.Step) bool { return s.Do == verify.LinkDel && s.On == link })
	}
	w.Kernel.Links = slices.DeleteFunc(slices.Clone(w.Kernel.Links), func(l bridge.Link) bool { return deleted(l.Name) })
	for i := range w.Kernel.Links {
		if l := &w.Kernel.Links[i]; deleted(l.Master) {
			l.Master = ""
		}
	}
	w.Kernel.Ports = slices.DeleteFunc(slices.Clone(w.Kernel.Ports), func(p bridge.Port) bool { return deleted(p.Bridge) })
	return w
}

// leftovers are what stands in the change's way.
func (c change) leftovers() []verify.Step {
	return c.world.leftovers(append(c.bridges(libvirtnet.Start, libvirtnet.Create), c.inWay...))
}

// clearing are the steps as a plan prints them.
func (e *env) clearing(steps []verify.Step) libvirtnet.Plan {
	k := e.deedsOf(steps, 0)
	shown := k.shown("kernel")
	for i := range shown {
		shown[i].Why = "libvirt left it behind"
	}
	return libvirtnet.Plan{Steps: shown}
}

// sweep takes away what libvirt left of the bridges of networks that the change
// stopped: once it has updated a running network in place, libvirt 11.3 does not
// know its rules of nftables any more (seen), and nobody else would ever delete
// them. What cannot be deleted is told.
func (e *env) sweep(ctx context.Context, c change, o changeOptions) {
	stopped := append(c.stoppedBridges(), c.inWay...)
	if len(stopped) == 0 {
		return
	}
	g := gather(ctx, e.uri)
	if err := e.deedsOf(verify.Leftovers(g.Snapshot, stopped), o.timeout).take(ctx); err != nil {
		e.note("what libvirt left behind: %s", oneLine(err))
	}
}

// stoppedBridges are the bridges of the networks that the plan stops, by name
// and, as rules of nftables are bound to it, by the number that they had.
func (c change) stoppedBridges() []string {
	if !c.plan.Does(libvirtnet.Stop) {
		return nil
	}
	list := c.bridges(libvirtnet.Stop)
	for _, l := range c.world.kernel().Links {
		if slices.Contains(list, l.Name) {
			list = append(list, fmt.Sprintf("link number %d", l.Index))
		}
	}
	return list
}
