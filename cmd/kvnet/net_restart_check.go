package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

// checkRestart refuses a restart behind which the network would not be up, or its
// guests not in its bridge: what is cut off then stays so.
func (e *env) checkRestart(t netTarget, next xml.Network, o changeOptions) error {
	fail := func(err error, hint string) error {
		return &failure{op: "restart", object: t.object(), err: err, hint: hint}
	}
	have := t.have.Def()
	if have.Managed() {
		if !t.world.here {
			return fail(errors.New("the kernel of this namespace is not the one that libvirt works on, so no tap could be put back"),
				"run kvnet on the host of "+clean(t.world.URI))
		}
		plugged := slices.ContainsFunc(t.world.kernel().Links, func(l bridge.Link) bool { return l.Master != "" && l.Master == have.Bridge })
		if err := bridge.MayChange(); plugged && err != nil {
			return fail(fmt.Errorf("its taps could not be put back into %s: %w", clean(have.Bridge), err), "run kvnet as root")
		}
		if plugged && !next.Managed() {
			return refuse("restart", t.object(), fmt.Errorf("bridge %s goes, and with it the guests' way; the new definition makes none", clean(have.Bridge)),
				"without --restart it comes into force when the network is stopped (kvnet net-destroy) and started")
		}
	}
	return e.refuseConflicts("restart", t.object(), restartConflicts(t.world, t.have.Name, have, next), o)
}

// restartConflicts are those for which libvirt stops a network and does not start it
// again: a route to the very subnet by way of another device, which it looks
// for among those of IPv4 (networkCheckRouteCollision), and a bridge that is taken.
func restartConflicts(w world, name string, have, next xml.Network) []string {
	var found []string
	if next.Managed() {
		for _, c := range w.host().Claims(name) {
			same := func(ip xml.IP) bool { return ip.Address.Masked() == c.Prefix && c.Prefix.Addr().Is4() }
			if !c.Network && slices.ContainsFunc(next.IPs, same) {
				found = append(found, fmt.Sprintf("%s overlaps %s", c.Prefix, c.Words))
			}
		}
	}
	var taken []lint.Conflict
	if next.Bridge != have.Bridge {
		taken = w.host().BridgeConflicts(next, name)
	}
	for _, c := range taken {
		found = append(found, c.Message)
	}
	return found
}
