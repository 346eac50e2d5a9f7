package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
)

// sweep deletes the firewall rules that libvirt left behind for the bridges of
// networks that the change stopped: once it has updated a running network in
// place, libvirt 11.3 does not know its rules of nftables any more (seen), and
// nobody else would ever delete them. What it cannot delete is told.
func (e *env) sweep(ctx context.Context, c change, o changeOptions) {
	stopped := c.stoppedBridges()
	if len(stopped) == 0 {
		return
	}
	g := gather(ctx, e.uri)
	for _, f := range g.judge(verify.Options{Checks: []string{"fw-backend-mixed"}}).Findings {
		if !slices.Contains(stopped, f.Subject) || len(f.Fix.Steps) == 0 {
			continue
		}
		if err := e.deedsOf(f.Fix.Steps, o.timeout).take(ctx); err != nil {
			e.note("%s: %s", f.Message, oneLine(err))
		}
	}
}

// stoppedBridges are the bridges of the networks that the plan stops, by name
// and, as rules of nftables are bound to it, by the number that they had.
func (c change) stoppedBridges() []string {
	var list []string
	for _, s := range c.plan.Steps {
		n := c.world.network(s.Object)
		if s.Do != libvirtnet.Stop || n == nil || !n.Def().Managed() {
			continue
		}
		bridge := n.Def().Bridge
		list = append(list, bridge)
		for _, l := range c.world.kernel().Links {
			if l.Name == bridge {
				list = append(list, fmt.Sprintf("link number %d", l.Index))
			}
		}
	}
	return list
}
