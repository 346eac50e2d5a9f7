package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

func netDestroyCommand(e *env) *cli.Command {
	var o changeOptions
	return &cli.Command{
		Category:  networks,
		Usage:     "stops a network",
		ArgsUsage: "NETWORK",
		Description: describe(`
Stops a network; its definition stays. While running guests are attached that
is refused, because libvirt would cut them off and not plug them in again at
the next start.`,
			"kvnet net-destroy lab", 0, 1, 2, 4, 5),
		Flags: changeFlags(&o, "stop it although running guests are attached"),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if err := o.check("net-destroy"); err != nil {
				return err
			}
			return runNetDestroy(c.Context, e, args[0], o)
		},
	}
}

func runNetDestroy(ctx context.Context, e *env, name string, o changeOptions) error {
	t, err := e.target(ctx, name, o)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	plan := libvirtnet.PlanStop(t.have, t.world.Libvirt.Guests)
	if !plan.Empty() {
		if err := t.refuseGuests("stop", o.force); err != nil {
			return err
		}
	}
	if o.stops() {
		return e.printPlan(plan, o)
	}
	if plan.Empty() {
		return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "already inactive"})
	}
	err = e.carryOut(ctx, t.conn, change{
		op: "stop", object: t.object(), plan: plan, world: t.world,
		settle: func(ctx context.Context) error { return t.stopped(ctx) },
	}, o)
	if err != nil {
		return err
	}
	return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "stopped", Disturbs: plan.Disturbs})
}

// stopped waits until libvirt has no such active network and the kernel no
// bridge of it.
func (t netTarget) stopped(ctx context.Context) error {
	err := t.expect(ctx, func(n libvirtnet.Network) error {
		if n.Active {
			return errors.New("it was stopped and is active")
		}
		return nil
	})
	if err != nil && !errors.Is(err, libvirtnet.ErrNotFound) { // a transient network is gone
		return err
	}
	def := t.have.Def()
	if !def.Managed() || def.Bridge == "" || !t.world.here {
		return nil
	}
	err = bridge.WaitGone(ctx, def.Bridge)
	if err != nil && ctx.Err() != nil {
		return &failure{op: "verify", object: t.object(), err: &waited{"the kernel has its bridge " + def.Bridge + " still", err}}
	}
	return err
}
