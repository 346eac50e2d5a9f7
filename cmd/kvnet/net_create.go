package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func netCreateCommand(e *env) *cli.Command {
	var o netDefineOptions
	flags := append([]cli.Flag{
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "take the document from `FILE` (- is standard input)", Destination: &o.file},
	}, networkFlags()...)
	flags = append(flags,
		&cli.BoolFlag{Name: "no-validate", Usage: "leave libvirt's schema out: it then drops what it does not know", Destination: &o.noValidate})
	return &cli.Command{
		Category:  networks,
		Usage:     "starts a transient network",
		ArgsUsage: "[NETWORK]",
		Description: describe(`
Starts the network NETWORK as the flags of net-define, or the document in --file,
describe it, and stores no definition: when it stops, it is gone.`,
			"kvnet net-create lab --subnet auto", 0, 1, 2, 4, 5),
		Flags: append(flags, changeFlags(&o.changeOptions, "create it although it overlaps, or names a bridge that is taken or missing")...),
		Action: func(c *cli.Context) error {
			if err := o.read(c); err != nil {
				return err
			}
			o.start = true
			return runNetCreate(c.Context, e, o)
		},
	}
}

func runNetCreate(ctx context.Context, e *env, o netDefineOptions) error {
	var document string
	var err error
	if o.file != "" {
		if document, o.name, err = readDocument(ctx, e, o.file); err != nil {
			return err
		}
	}
	conn, err := e.connectToChange(ctx, o.changeOptions)
	if err != nil {
		return err
	}
	defer conn.Close()
	w, err := e.lookAround(ctx)
	if err != nil {
		return err
	}
	object := "network " + clean(shorten(o.name))
	have := w.network(o.name)
	if have == nil {
		if err := o.checkNewName(); err != nil {
			return err
		}
	}
	if have != nil && have.Persistent {
		return refuse("create", object, errors.New("it is defined"), "kvnet net-start "+clean(o.name))
	}
	if document == "" {
		if document, err = wishedDocument(ctx, conn, w, nil, o); err != nil {
			return err
		}
	}
	if err := refuseUUID("create", w, o.name, document); err != nil {
		return err
	}
	def, err := xml.Parse(document)
	if err != nil {
		return &failure{op: "create", object: object, err: errors.New(oneLine(err))}
	}
	plan := libvirtnet.Plan{Network: o.name}
	switch {
	case have == nil:
		plan = libvirtnet.Plan{Network: o.name, NoValidate: o.noValidate, Changes: xml.Statements(def), Steps: []libvirtnet.PlanStep{{
			Do: libvirtnet.Create, Object: o.name, Document: document, Say: "create " + object, Why: "it is not active",
		}}}
	case have.Live != nil && len(xml.Changes(*have.Live, def)) > 0 && (o.file != "" || o.wish.anything):
		return refuse("create", object, errors.New("it is active and another one: "+changeWords(xml.Changes(*have.Live, def)[0])), "kvnet net-destroy "+clean(o.name)+" ends it")
	}
	if err := e.refuseConflicts("create", object, defineConflicts(w, have, plan, o), o.changeOptions); err != nil {
		return err
	}
	e.noteRefusals(plan, document, w.Libvirt.Version, o)
	if o.stops() {
		return e.printPlan(plan, o.changeOptions)
	}
	return e.create(ctx, definition{conn: conn, world: w, plan: plan, o: o}, def)
}

// create starts a transient network, if that is what is planned.
func (e *env) create(ctx context.Context, d definition, def xml.Network) error {
	o, conn, plan := d.o, d.conn, d.plan
	r := netChange{Network: o.name, Result: "already active"}
	if !plan.Empty() {
		r.Result, r.Started = "created", true
		object := "network " + clean(shorten(o.name))
		t := netTarget{conn: conn, have: libvirtnet.Network{Name: o.name}}
		err := e.carryOut(ctx, conn, change{
			op: "create", object: object, plan: plan, world: d.world, subjects: []string{o.name}, own: networkOwn(def),
			settle: func(ctx context.Context) error {
				return t.expect(ctx, func(n libvirtnet.Network) error {
					if !n.Active {
						return errors.New("it was created and is not active")
					}
					return nil
				})
			},
		}, o.changeOptions)
		if err != nil {
			return err
		}
	}
	return e.printNetChange(ctx, conn, r)
}
