package main

import (
	"context"
	"errors"
	"strings"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
)

// isBack looks whether libvirt has what it had, and waits for guests to let go of
// what they had not. A network that was started runs with its definition, whatever
// it ran with before.
func isBack(ctx context.Context, conn *libvirtnet.Conn, u undoing) error {
	for _, s := range u.back.Plan.Steps {
		if s.Do != libvirtnet.Detach || !s.Live {
			continue
		}
		if err := conn.WaitDetached(ctx, s.Object, s.MAC); err != nil {
			return keptBy(ctx, conn, s, err)
		}
	}
	for _, want := range u.want.Networks {
		have, err := captureNetwork(ctx, conn, want.Name)
		if err != nil {
			return err
		}
		if journal.Same(want.Config, have.Config) {
			want.Config = have.Config // libvirt writes it in its own way
		}
		if want.Active && have.Active && want.Persistent && !u.ran(want.Name) {
			want.Live = have.Live
		}
		rest := journal.Way(journal.Image{Networks: []journal.Network{want}}, journal.Image{Networks: []journal.Network{have}})
		if rest, err = possible(ctx, conn, rest); err != nil {
			return err
		}
		if !rest.Plan.Empty() {
			return &failure{op: "verify", object: "network " + clean(want.Name), err: errors.New("it is not as it was: " + strings.TrimSpace(rest.Plan.Steps[0].Say) + " has not happened")}
		}
	}
	return nil
}

// keptBy is the failure of a guest that has not let go of an interface.
func keptBy(ctx context.Context, conn *libvirtnet.Conn, s libvirtnet.PlanStep, err error) error {
	if ctx.Err() == nil {
		return err
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	g, _ := conn.Guest(ctx, s.Object) // for the hint alone
	return &failure{op: "detach", object: "interface " + s.MAC + " from guest " + clean(s.Object), err: &waited{keeps, err}, hint: keepsHint(g)}
}
