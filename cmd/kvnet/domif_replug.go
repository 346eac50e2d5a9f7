package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

func domifReplugCommand(e *env) *cli.Command {
	var o changeOptions
	return &cli.Command{
		Category:  guests,
		Usage:     "plugs the tap of a running guest back into its bridge",
		ArgsUsage: "GUEST INTERFACE",
		Description: describe(`
Puts right what a network that was restarted under a running guest, or a hand on
the bridge, has left behind: makes the guest's network port again, gives the tap
its MTU, puts it into its bridge, up, isolated or not as declared, and waits
until it forwards. The guest itself notices nothing. What is right already stays.
INTERFACE is a tap, a MAC or an alias.`,
			"kvnet domif-replug centos vnet0", 0, 1, 2, 5),
		Flags: changeFlags(&o, ""),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "GUEST", "INTERFACE")
			if err != nil {
				return err
			}
			if err := o.check("domif-replug"); err != nil {
				return err
			}
			return runDomifReplug(c.Context, e, args[0], args[1], o)
		},
	}
}

func runDomifReplug(ctx context.Context, e *env, guest, name string, o changeOptions) error {
	t, err := e.guestTarget(ctx, guest, o)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	if !t.have.Active() {
		return &failure{op: "replug", object: "guest " + clean(t.have.Name), err: errors.New("it is " + t.have.State + ": there is no tap to plug in")}
	}
	f, err := t.findInterface("domif-replug", name, true, false)
	if err != nil {
		return err
	}
	i := *f.live
	plan, want, err := t.replugPlan(i)
	if err != nil {
		return err
	}
	k, err := want.steps(t.world.kernel())
	if err != nil {
		return err
	}
	shown := plan.With(libvirtnet.Plan{Guest: t.have.Name, Steps: k.shown(t.have.Name)})
	if o.stops() {
		return e.printPlan(shown, o)
	}
	r := guestChange{
		Domain: t.have.Name, Result: "already plugged", MAC: i.MAC, Interface: i.Target,
		Model: i.Model, Bridge: want.bridge,
	}
	r.Type, r.Source = hangsOn(i)
	if !shown.Empty() {
		r.Result = "replugged"
		r.Layers = layerNames(true, false)
		err = e.carryOut(ctx, t.conn, change{
			op: "replug", object: interfaceWords(i), plan: plan, world: t.world, subjects: []string{t.have.Name},
			own: func(f verify.Finding) bool { return f.Subject == i.Target },
			act: k.take, takeBack: k.takeBack, links: []string{i.Target},
			settle: func(ctx context.Context) error {
				if want.bridge == "" {
					return nil
				}
				return waitPort(ctx, i.Target, want.bridge)
			},
		}, o)
		if err != nil {
			return err
		}
	}
	r.PortState, r.Bridge = portNow(t.world, i.Target, want.bridge)
	return e.printGuestChange(r)
}

// plugWish is how a tap ought to hang in its bridge.
type plugWish struct {
	tap, bridge string
	mtu         int // 0: the bridge's
	isolated    bool
}

// replugPlan is what libvirt has forgotten, and what the kernel should have.
func (t guestTarget) replugPlan(i libvirtnet.Interface) (libvirtnet.Plan, plugWish, error) {
	want := plugWish{tap: i.Target, bridge: i.Bridge, mtu: i.MTU, isolated: i.PortIsolated(&xml.Network{})}
	fail := func(what, hint string) (libvirtnet.Plan, plugWish, error) {
		return libvirtnet.Plan{}, want, &failure{op: "replug", object: interfaceWords(i), err: errors.New(what), hint: hint}
	}
	plan := libvirtnet.Plan{}
	if i.Network != "" {
		n := t.world.network(i.Network)
		switch {
		case n == nil:
			return fail("its network "+clean(i.Network)+" is not defined", "")
		case !n.Active:
			return fail("its network "+clean(i.Network)+" is not active", "kvnet net-start "+clean(i.Network))
		}
		def := n.Def()
		want.bridge = linuxBridge(def)
		want.isolated = i.PortIsolated(&def)
		if n.PortsKnown && i.PortID != "" && !slices.Contains(n.Ports, i.PortID) {
			document, err := xml.BuildPort(xml.PortFor(xml.Guest{Name: t.have.Name, UUID: t.have.UUID}, i))
			if err != nil {
				return fail(oneLine(err), "")
			}
			plan = libvirtnet.PlanPort(*n, document, false)
		}
	}
	switch {
	case i.VirtualPort != "" && i.Network == "":
		return fail("it hangs in a switch of type "+clean(i.VirtualPort)+", not in a bridge of the kernel", "")
	case want.bridge == "" && plan.Empty() && i.Network == "":
		return fail("it is of type "+i.Type+" and hangs in no bridge", "")
	case want.bridge != "" && i.Target == "":
		return fail("libvirt knows no tap of it", "kvnet verify "+clean(t.have.Name))
	case want.bridge != "" && !t.world.here:
		return fail("the kernel of this namespace is not the one that libvirt works on", "run kvnet on the host of "+t.world.URI)
	}
	return plan, want, nil
}

// steps are the changes that make the kernel have what is wished.
func (want plugWish) steps(kernel bridge.State) (*deeds, error) {
	k := &deeds{}
	if want.bridge == "" {
		return k, nil
	}
	fail := func(what string) (*deeds, error) {
		return k, &failure{op: "replug", object: clean(want.tap), err: errors.New(what), hint: "kvnet verify says more"}
	}
	at := func(name string) int {
		return slices.IndexFunc(kernel.Links, func(l bridge.Link) bool { return l.Name == name })
	}
	t, b := at(want.tap), at(want.bridge)
	switch {
	case t < 0:
		return fail("the kernel has no device " + clean(want.tap))
	case b < 0:
		return fail("the kernel has no bridge " + clean(want.bridge))
	case kernel.Links[b].Kind != "bridge":
		return fail(clean(want.bridge) + " is no bridge" + kindWords(kernel.Links[b]))
	}
	tap := kernel.Links[t]
	add := func(say string, do func() (bridge.Undo, error)) {
		k.list = append(k.list, deed{say: say, do: func(context.Context) (bridge.Undo, error) { return do() }})
	}
	// The MTU comes first: a bridge follows its smallest port.
	mtu := want.mtu
	if mtu == 0 {
		mtu = kernel.Links[b].MTU
	}
	if tap.MTU != mtu {
		add(fmt.Sprintf("set MTU of %s to %d", tap.Name, mtu), func() (bridge.Undo, error) { return bridge.SetMTU(want.tap, mtu) })
	}
	if tap.Master != want.bridge {
		add("put "+tap.Name+" into bridge "+want.bridge, func() (bridge.Undo, error) { return bridge.SetMaster(want.tap, want.bridge) })
	}
	if !tap.Up {
		add("set "+tap.Name+" up", func() (bridge.Undo, error) { return bridge.SetUp(want.tap) })
	}
	isolated := slices.ContainsFunc(kernel.Ports, func(p bridge.Port) bool {
		return p.Name == tap.Name && p.Bridge == want.bridge && p.Isolated
	})
	if isolated != want.isolated {
		add(fmt.Sprintf("set isolation of %s %s", tap.Name, onOff(want.isolated)), func() (bridge.Undo, error) { return bridge.SetIsolated(want.tap, want.isolated) })
	}
	return k, nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
