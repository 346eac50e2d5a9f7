package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

type domifDetachOptions struct {
	changeOptions
	guest, name  string
	live, config bool
}

func domifDetachCommand(e *env) *cli.Command {
	var o domifDetachOptions
	return &cli.Command{
		Category:  guests,
		Usage:     "unplugs a network interface from a guest",
		ArgsUsage: "GUEST INTERFACE",
		Description: describe(`
Takes an interface, named by its tap, MAC or alias, out of the running guest and
then out of its configuration. libvirt only asks a running guest to let go: the
command waits until the device is gone from libvirt and from the kernel, and
until then the configuration stays as it is.`,
			"kvnet domif-detach centos vnet1", 0, 1, 2, 5),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "live", Usage: "the running guest only", Destination: &o.live},
			&cli.BoolFlag{Name: "config", Usage: "the configuration only", Destination: &o.config},
		}, changeFlags(&o.changeOptions, "")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "GUEST", "INTERFACE")
			if err != nil {
				return err
			}
			if err := o.check("domif-detach"); err != nil {
				return err
			}
			o.guest, o.name = args[0], args[1]
			return runDomifDetach(c.Context, e, o)
		},
	}
}

func runDomifDetach(ctx context.Context, e *env, o domifDetachOptions) error {
	t, err := e.guestTarget(ctx, o.guest, o.changeOptions)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	live, config, err := t.layers("detach from", o.live, o.config)
	if err != nil {
		return err
	}
	f, err := t.findInterface("domif-detach", o.name, live, config)
	if err != nil {
		return err
	}
	i := f.interfaceNow()
	var first, second libvirtnet.Plan
	if f.live != nil {
		first, err = libvirtnet.PlanDetach(t.have, detachDocument(*f.live), true, false)
	}
	if f.config != nil && err == nil {
		second, err = libvirtnet.PlanDetach(t.have, detachDocument(*f.config), false, true)
	}
	if err != nil {
		return err
	}
	if o.stops() {
		return e.printPlan(first.With(second), o.changeOptions)
	}
	r := guestChange{
		Domain: t.have.Name, Result: "detached", MAC: i.MAC, Interface: i.Target, Model: i.Model,
		Bridge: i.Bridge, Layers: layerNames(f.live != nil, f.config != nil), Disturbs: first.Disturbs,
	}
	r.Type, r.Source = hangsOn(i)
	// The configuration follows when the guest has let go: a guest that keeps
	// the device would else lose it at its next start only.
	plan, rest := second, func(context.Context) error { return t.forgotten(ctx, f) }
	if f.live != nil {
		plan, rest = first, func(ctx context.Context) error { return t.letGo(ctx, f, second, o.changeOptions) }
	}
	err = e.carryOut(ctx, t.conn, change{
		op: "detach from", object: "guest " + clean(t.have.Name), plan: plan, world: t.world, act: within(o.timeout, rest),
	}, o.changeOptions)
	if err != nil {
		return err
	}
	return e.printGuestChange(r)
}

// foundInterface is an interface in each layer of a guest; nil where it is not.
type foundInterface struct{ live, config *libvirtnet.Interface }

// interfaceNow is the interface of the running guest, else of the
// configuration.
func (f foundInterface) interfaceNow() libvirtnet.Interface {
	if f.live != nil {
		return *f.live
	}
	return *f.config
}

// findInterface finds an interface by tap, MAC or alias. The MAC says which
// one in the configuration is the one that runs.
func (t guestTarget) findInterface(command, name string, live, config bool) (foundInterface, error) {
	var found []foundInterface
	var all, twins []string
	mac, _ := xml.ParseMAC(name)
	matches := func(i libvirtnet.Interface) bool {
		return i.Target == name || i.Alias == name || i.MAC == mac && mac != ""
	}
	seen := map[string]int{}
	running := t.have.Interfaces
	if !t.have.Active() {
		running = nil
	}
	for n := range running {
		i := running[n]
		all = append(all, interfaceWords(i))
		if seen[i.MAC]++; matches(i) {
			found = append(found, foundInterface{live: &running[n]})
		}
	}
	for n := range t.config {
		i := t.config[n]
		at := slices.IndexFunc(running, func(r libvirtnet.Interface) bool { return r.MAC == i.MAC })
		if at < 0 {
			all = append(all, interfaceWords(i))
			if matches(i) {
				found = append(found, foundInterface{config: &t.config[n]})
			}
			continue
		}
		known := slices.ContainsFunc(found, func(f foundInterface) bool { return f.live != nil && f.live.MAC == i.MAC })
		if !known && matches(i) { // by a name that it gets at the guest's next start
			found = append(found, foundInterface{live: &running[at]})
		}
		for k := range found {
			if found[k].live != nil && found[k].live.MAC == i.MAC {
				found[k].config = &t.config[n]
			}
		}
	}
	for _, f := range found {
		twins = append(twins, interfaceWords(f.interfaceNow()))
	}
	guest := "guest " + clean(t.have.Name)
	switch {
	case len(found) == 0:
		return foundInterface{}, t.noInterface(name, all)
	case len(found) > 1:
		return foundInterface{}, usage(command, quote(name)+" is more than one interface of "+guest+": "+strings.Join(twins, "; "), t.twinsHint(found))
	case seen[found[0].interfaceNow().MAC] > 1:
		return foundInterface{}, &failure{op: "find interface", object: name, err: fmt.Errorf("%s has several with MAC %s, and it is found again by its MAC", guest, found[0].interfaceNow().MAC),
			hint: t.twinsHint(found)}
	}
	return found[0].narrow(guest, live, config)
}

// twinsHint says how interfaces are told apart: those of one MAC by kvnet not at all.
func (t guestTarget) twinsHint(found []foundInterface) string {
	mac := found[0].interfaceNow().MAC
	if slices.ContainsFunc(found, func(f foundInterface) bool { return f.interfaceNow().MAC != mac }) {
		return "name the tap"
	}
	var ways []string
	for _, i := range t.have.Interfaces {
		if t.have.Active() && i.MAC == mac && i.Alias != "" {
			ways = append(ways, "virsh detach-device-alias "+clean(t.have.Name)+" "+clean(i.Alias)+" --live takes out "+dash(clean(i.Target)))
		}
	}
	return strings.Join(append(ways, "virsh edit "+clean(t.have.Name)+" changes the configuration"), "; ")
}

// narrow drops the layers that are not asked for.
func (f foundInterface) narrow(guest string, live, config bool) (foundInterface, error) {
	i := f.interfaceNow()
	if !live {
		f.live = nil
	}
	if !config {
		f.config = nil
	}
	if f.live == nil && f.config == nil {
		return f, &failure{op: "find interface", object: i.MAC, err: fmt.Errorf("%s has it in its %s only", guest, map[bool]string{true: "configuration", false: "running state"}[live])}
	}
	return f, nil
}

// noInterface is the error for a name that no interface of the guest has.
func (t guestTarget) noInterface(name string, all []string) error {
	hint := "guest " + clean(t.have.Name) + " has no interface"
	if len(all) > 0 {
		hint = "guest " + clean(t.have.Name) + " has " + strings.Join(all, "; ")
	}
	var names []string
	for _, i := range append(append([]libvirtnet.Interface{}, t.have.Interfaces...), t.config...) {
		names = append(names, i.Target, i.MAC, i.Alias)
	}
	if near := nearest(name, names); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return &failure{op: "find interface", object: clean(shorten(name)), err: errors.New("guest " + clean(t.have.Name) + " has no such interface"), hint: hint}
}

func interfaceWords(i libvirtnet.Interface) string {
	kind, name := hangsOn(i)
	return dash(clean(i.Target)) + " " + i.MAC + " on " + strings.TrimSpace(kind+" "+clean(name))
}

// hangsOn is what an interface was attached to. A live interface of a network
// whose bridge or NIC is the host's is of another type than network.
func hangsOn(i libvirtnet.Interface) (kind, name string) {
	if i.Network != "" {
		return sourceNetwork, i.Network
	}
	return i.Type, i.Source
}

// detachDocument describes an interface as far as detaching needs: libvirtnet
// takes the whole of it from the guest's own document.
func detachDocument(i libvirtnet.Interface) string {
	kind, name := hangsOn(i)
	if doc, err := xml.BuildInterface(xml.NewInterface{Type: kind, Source: name, MAC: i.MAC}); err == nil {
		return doc
	}
	return "<interface type='user'><mac address='" + i.MAC + "'/></interface>"
}

// letGo waits until the running guest has let go of the interface, and then
// takes it out of the configuration.
func (t guestTarget) letGo(ctx context.Context, f foundInterface, config libvirtnet.Plan, o changeOptions) error {
	if !o.noVerify {
		if err := t.waitGone(ctx, f); err != nil {
			return err
		}
	}
	if f.config == nil {
		return nil
	}
	return t.conn.Apply(ctx, config, func(ctx context.Context) error { return t.forgotten(ctx, f) })
}

// keeps is what a guest does that the wait for it was too short for.
const keeps = "the guest was asked and has not let go of it: it has it still"

func keepsHint(g libvirtnet.Guest) string {
	if g.State == libvirtnet.Paused {
		return "a paused guest lets go of nothing: virsh resume " + clean(g.Name)
	}
	return "a guest lets go only once its system runs (ACPI or PCIe hot-plug); --timeout waits longer"
}

// waitGone waits until neither libvirt nor the kernel has the device.
func (t guestTarget) waitGone(ctx context.Context, f foundInterface) error {
	stays := "; its configuration is unchanged"
	if f.config == nil {
		stays = ""
	}
	late := func(words string, err error) error {
		if ctx.Err() == nil {
			return err
		}
		return &failure{op: "detach", object: interfaceWords(*f.live), err: &waited{words + stays, err}, hint: keepsHint(t.have)}
	}
	if err := t.conn.WaitDetached(ctx, t.have.UUID, f.live.MAC); err != nil {
		return late(keeps, err)
	}
	if f.live.Target == "" || !t.world.here {
		return nil
	}
	if err := bridge.WaitGone(ctx, f.live.Target); err != nil {
		return late("the guest has let go of it, and the kernel has the device still", err)
	}
	return nil
}

// forgotten looks whether the configuration has the interface no more.
func (t guestTarget) forgotten(ctx context.Context, f foundInterface) error {
	if f.config == nil {
		return nil
	}
	list, err := t.conn.GuestConfig(ctx, t.have.UUID)
	if err != nil {
		return err
	}
	before, after := 0, 0
	for _, i := range t.config {
		if i.MAC == f.config.MAC {
			before++
		}
	}
	for _, i := range list {
		if i.MAC == f.config.MAC {
			after++
		}
	}
	if after >= before {
		return &failure{op: "verify", object: "guest " + clean(t.have.Name), err: errors.New("its configuration has interface " + f.config.MAC + " still")}
	}
	return nil
}
