package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// checkRestart refuses a restart behind which the network would not be up, or its
// guests not in its bridge: what is cut off then stays so.
func checkRestart(t netTarget, next xml.Network, o changeOptions) error {
	fail := func(err error, hint string) error {
		return &failure{op: "restart", object: t.object(), err: err, hint: hint}
	}
	have := t.have.Def()
	if have.Managed() {
		if !t.world.here {
			return fail(errors.New("the kernel of this namespace is not the one that libvirt works on, so no tap could be put back"),
				"run kvnet on the host of "+clean(t.world.URI))
		}
		taps := map[string]bool{}
		for _, a := range t.attachments() {
			taps[a.Interface.Target] = true
		}
		plugged := slices.ContainsFunc(t.world.kernel().Links, func(l bridge.Link) bool {
			in := l.Master != "" && l.Master == have.Bridge && l.Name != have.Bridge+"-nic" // libvirt's own, before 7.0
			return in || l.Master == "" && taps[l.Name]                                     // to be plugged in again
		})
		if err := bridge.MayChange(); plugged && err != nil {
			return fail(fmt.Errorf("its taps could not be put back into %s: %w", clean(have.Bridge), err), "run kvnet as root")
		}
		if plugged && !next.Managed() {
			return refuse("restart", t.object(), fmt.Errorf("bridge %s goes, and with it the guests' way; the new definition makes none", clean(have.Bridge)),
				"without --restart it comes into force when the network is stopped (kvnet net-destroy) and started")
		}
	}
	if found := restartConflicts(t.world, t.have.Name, have, next); len(found) > 0 && !o.force {
		return refuse("restart", t.object(), errors.New(strings.Join(found, "; ")), "libvirt would stop the network and not start it again; --force does it all the same")
	}
	return nil
}

// restartConflicts are those for which libvirt stops a network and does not start
// it again: a route of the main table to the very subnet, or the very target of a
// <route>, by way of another device (networkCheckRouteCollision, which knows IPv4
// only), and a bridge that is taken.
func restartConflicts(w world, name string, have, next xml.Network) []string {
	var found []string
	for _, r := range w.kernel().Routes {
		if r.Table != mainTable || !r.Dst.Addr().Is4() || r.Dst.Bits() == 0 || r.Link != "" && r.Link == have.Bridge || !next.Managed() {
			continue
		}
		own := slices.ContainsFunc(next.IPs, func(ip xml.IP) bool { return ip.Address.Masked() == r.Dst }) ||
			slices.ContainsFunc(next.Routes, func(n xml.Gateway) bool { return n.To.Masked() == r.Dst })
		if own {
			found = append(found, fmt.Sprintf("the host has a route to %s by %s", r.Dst, clean(cmp.Or(r.Link, r.Type))))
		}
	}
	if next.Bridge != have.Bridge {
		for _, c := range w.host().BridgeConflicts(next, name) {
			found = append(found, c.Message)
		}
	}
	return found
}

// mainTable is RT_TABLE_MAIN of linux/rtnetlink.h.
const mainTable = 254
