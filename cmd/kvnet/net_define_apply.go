package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

// definition is a plan of net-define, ready to be carried out.
type definition struct {
	conn  *libvirtnet.Conn
	world world
	plan  libvirtnet.Plan    // of the definition alone
	live  libvirtnet.Plan    // of the running network
	want  string             // the document that is wished
	have  libvirtnet.Network // with nothing but a name when it is new
	o     netDefineOptions
}

// run adds what is to follow the definition, carries all of it out, and prints
// what became of the network.
func (d definition) run(ctx context.Context, e *env) error {
	r := netChange{Network: d.have.Name, Changes: d.plan.Changes}
	r.Result, r.lines = d.result()
	if d.o.start {
		if start := libvirtnet.PlanStart(d.have); !start.Empty() {
			d.plan = d.plan.With(start)
			r.Started, r.lines = true, append(r.lines, "started")
		}
	}
	if d.o.autostart {
		if auto := libvirtnet.PlanAutostart(d.have, true); !auto.Empty() {
			d.plan = d.plan.With(auto)
			r.lines = append(r.lines, "autostart on")
		}
	}
	d.plan = d.plan.With(d.live)
	keeps, err := d.leaseWords(ctx)
	if err := errors.Join(err, d.refuseRestart()); err != nil {
		return err
	}
	d.plan.Disturbs = slices.Concat(d.plan.Disturbs, d.restartWords(), keeps)
	r.Later, r.Disturbs = d.plan.Later, d.plan.Disturbs
	if d.o.stops() {
		return e.printPlan(d.plan, d.o.changeOptions)
	}
	if !d.plan.Empty() {
		err := e.carryOut(ctx, d.conn, change{
			op: "define", object: "network " + clean(shorten(d.have.Name)), plan: d.plan, world: d.world,
			subjects: []string{d.have.Name}, own: d.own(), settle: d.settled,
		}, d.o.changeOptions)
		if err != nil {
			return err
		}
	}
	if d.o.restart {
		again, err := e.restartIfStale(ctx, d.have.Name, restartOptions{changeOptions: d.o.changeOptions})
		if err != nil {
			e.note("network %s keeps its new definition: kvnet net-restart brings it into force, kvnet undo takes it back", d.have.Name)
			return err
		}
		if again != nil {
			r.Later, r.Outages = nil, again.outages()
			r.lines = append(r.lines, "restarted")
			for _, u := range again.outages() {
				r.lines = append(r.lines, u.String())
			}
		}
	}
	return e.printNetChange(ctx, d.conn, r)
}

// refuseRestart refuses --restart, where it is going to restart, before anything has
// changed.
func (d definition) refuseRestart() error {
	if !d.o.restart || len(d.live.Later) == 0 {
		return nil
	}
	next, err := xml.Parse(d.want)
	if err != nil {
		return err
	}
	return checkRestart(netTarget{d.conn, d.have, d.world}, next, d.o.changeOptions)
}

// result says what becomes of the definition, in a word and in a line.
func (d definition) result() (string, []string) {
	switch {
	case d.plan.Does(libvirtnet.Define):
		return "defined", []string{"defined"}
	case !d.plan.Does(libvirtnet.Redefine) && d.live.Empty():
		return "unchanged", []string{"unchanged"}
	case !d.plan.Does(libvirtnet.Redefine):
		return "updated", []string{"updated (running network: " + entries(d.live) + ")"}
	}
	var words []string
	for _, c := range d.plan.Changes {
		words = append(words, changeWords(c))
	}
	lines := []string{"redefined (" + strings.Join(words, "; ") + ")"}
	if !d.live.Empty() {
		lines = append(lines, "updated (running network: "+entries(d.live)+")")
	}
	return "redefined", lines
}

// own are the findings that net-define answers for. A definition alone changes
// nothing that runs: a network that is not started is not active.
func (d definition) own() func(verify.Finding) bool {
	def := d.have.Def()
	for _, s := range d.plan.Steps {
		if made, err := xml.Parse(s.Document); err == nil {
			def = made
		}
	}
	own := networkOwn(def)
	return func(f verify.Finding) bool {
		return own(f) && (d.plan.Does(libvirtnet.Start) || f.Check != "net-inactive")
	}
}

// settled reads libvirt's answer to the plan: what it was told, and no less.
func (d definition) settled(ctx context.Context) error {
	if d.oneDefinition() {
		return nil
	}
	n, err := d.conn.Network(ctx, d.have.Name)
	if err != nil {
		return err
	}
	fail := func(what string) error {
		return &failure{op: "verify", object: "network " + clean(shorten(n.Name)), err: errors.New(what)}
	}
	for _, s := range d.plan.Steps {
		switch s.Do {
		case libvirtnet.Define, libvirtnet.Redefine:
			want, err := xml.Parse(s.Document)
			if err != nil || n.Config == nil {
				return fail("libvirt has no definition of it")
			}
			if rest := xml.Changes(*n.Config, want); len(rest) > 0 {
				return fail("libvirt took the definition without this: " + rest[0].String())
			}
		case libvirtnet.Start:
			if !n.Active {
				return fail("it was started and is not active")
			}
		case libvirtnet.Autostart:
			if !n.Autostart {
				return fail("autostart was switched on and is off")
			}
		}
	}
	return d.settledLive(ctx, fail)
}
