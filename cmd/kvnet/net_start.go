package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

func netStartCommand(e *env) *cli.Command {
	var o changeOptions
	return &cli.Command{
		Category:  networks,
		Usage:     "starts a network",
		ArgsUsage: "NETWORK",
		Description: describe(`
Starts a network that is defined, and looks whether the kernel has what it
declares: libvirt starts a network whose host bridge does not exist, or whose
subnet is somebody else's, without a word. Both are refused here. A bridge, a
server and rules that libvirt left of it when it died are deleted before.`,
			"kvnet net-start default", 0, 1, 2, 4, 5),
		Flags: changeFlags(&o, "start it although it overlaps, or its bridge is taken or missing"),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if err := o.check("net-start"); err != nil {
				return err
			}
			return runNetStart(c.Context, e, args[0], o)
		},
	}
}

func runNetStart(ctx context.Context, e *env, name string, o changeOptions) error {
	t, err := e.target(ctx, name, o)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	plan := libvirtnet.PlanStart(t.have)
	leftovers := t.world.leftovers([]string{t.have.Def().Bridge})
	if !plan.Empty() {
		if err := e.refuseConflicts("start", t.object(), startConflicts(t.world.without(leftovers), t.have), o); err != nil {
			return err
		}
	}
	if o.stops() {
		return e.printPlan(e.clearing(leftovers).With(plan), o)
	}
	if plan.Empty() {
		return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "already active"})
	}
	err = e.carryOut(ctx, t.conn, change{
		op: "start", object: t.object(), plan: plan, world: t.world, subjects: []string{t.have.Name},
		own: networkOwn(t.have.Def()),
		settle: func(ctx context.Context) error {
			return t.expect(ctx, func(n libvirtnet.Network) error {
				if !n.Active {
					return errors.New("it was started and is not active")
				}
				return nil
			})
		},
	}, o)
	if err != nil {
		return err
	}
	return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "started", Started: true, Disturbs: plan.Disturbs})
}
