package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

func netUndefineCommand(e *env) *cli.Command {
	var o changeOptions
	var stop bool
	return &cli.Command{
		Category:  networks,
		Usage:     "takes a network's definition away",
		ArgsUsage: "NETWORK",
		Description: describe(`
Takes the definition of a network away. A network that is active stays so until
it is stopped, and is gone then; --stop stops it, too. While running guests are
attached both is refused.`,
			"kvnet net-undefine lab --stop", 0, 1, 2, 4, 5),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "stop", Usage: "stop the network first", Destination: &stop},
		}, changeFlags(&o, "do it although running guests are attached")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if err := o.check("net-undefine"); err != nil {
				return err
			}
			return runNetUndefine(c.Context, e, args[0], stop, o)
		},
	}
}

func runNetUndefine(ctx context.Context, e *env, name string, stop bool, o changeOptions) error {
	t, err := e.target(ctx, name, o)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	have, plan := t.have, libvirtnet.Plan{Network: t.have.Name}
	if stop {
		if plan = libvirtnet.PlanStop(have, t.world.Libvirt.Guests); !plan.Empty() {
			have.Active = false
		}
	}
	plan = plan.With(libvirtnet.PlanUndefine(have))
	if !plan.Empty() {
		if err := t.refuseGuests("undefine", o.force); err != nil {
			return err
		}
	}
	if o.stops() {
		return e.printPlan(plan, o)
	}
	if plan.Empty() {
		return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "already undefined"})
	}
	err = e.carryOut(ctx, t.conn, change{
		op: "undefine", object: t.object(), plan: plan, world: t.world,
		settle: func(ctx context.Context) error { return t.undefined(ctx, plan) },
	}, o)
	if err != nil {
		return err
	}
	r := netChange{Network: t.have.Name, UUID: t.have.UUID, Result: "undefined", Disturbs: plan.Disturbs}
	if plan.Does(libvirtnet.Stop) {
		r.lines = append(r.lines, "stopped")
	}
	if plan.Does(libvirtnet.Undefine) {
		r.lines = append(r.lines, "undefined")
	}
	return e.printNetChange(ctx, t.conn, r)
}

// undefined looks whether libvirt has forgotten the definition, and the kernel
// the bridge of a network that was stopped.
func (t netTarget) undefined(ctx context.Context, plan libvirtnet.Plan) error {
	if plan.Does(libvirtnet.Stop) {
		if err := t.stopped(ctx); err != nil {
			return err
		}
	}
	err := t.expect(ctx, func(n libvirtnet.Network) error {
		if n.Persistent && plan.Does(libvirtnet.Undefine) {
			return errors.New("it was undefined and has a definition")
		}
		return nil
	})
	if errors.Is(err, libvirtnet.ErrNotFound) {
		return nil
	}
	return err
}
