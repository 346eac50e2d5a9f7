package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

func netAutostartCommand(e *env) *cli.Command {
	var o changeOptions
	var disable bool
	return &cli.Command{
		Category:  networks,
		Usage:     "has a network start with the daemon, or not",
		ArgsUsage: "NETWORK",
		Description: describe(`
Marks a network to be started with libvirt's daemon, or with --disable takes
the mark away. What is active now stays as it is.`,
			"kvnet net-autostart lab", 0, 1, 2, 5),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "disable", Usage: "do not start it with the daemon", Destination: &disable},
		}, changeFlags(&o, "")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if err := o.check("net-autostart"); err != nil {
				return err
			}
			return runNetAutostart(c.Context, e, args[0], !disable, o)
		},
	}
}

func runNetAutostart(ctx context.Context, e *env, name string, on bool, o changeOptions) error {
	t, err := e.target(ctx, name, o)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	if !t.have.Persistent && on {
		return &failure{op: "set autostart of", object: t.object(), err: errors.New("it is transient and has no definition to start"),
			hint: "kvnet net-define gives it one"}
	}
	plan := libvirtnet.PlanAutostart(t.have, on)
	if o.stops() {
		return e.printPlan(plan, o)
	}
	word := map[bool]string{true: "on", false: "off"}[on]
	if plan.Empty() {
		return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "autostart already " + word})
	}
	err = e.carryOut(ctx, t.conn, change{
		op: "set autostart of", object: t.object(), plan: plan, world: t.world,
		settle: func(ctx context.Context) error {
			return t.expect(ctx, func(n libvirtnet.Network) error {
				if n.Autostart != on {
					return errors.New("autostart was switched " + word + " and is not")
				}
				return nil
			})
		},
	}, o)
	if err != nil {
		return err
	}
	return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "autostart " + word})
}
