package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/xml"
)

func netEditCommand(e *env) *cli.Command {
	var o netDefineOptions
	return &cli.Command{
		Category:  networks,
		Usage:     "edits a network's definition",
		ArgsUsage: "NETWORK",
		Description: describe(`
Opens the definition in $VISUAL or $EDITOR (vi), checks what comes back, says what
changed, and makes it the definition. What is refused stays in its file, whose name
is printed. --restart brings it into force at once, guests kept plugged in.`,
			"EDITOR=nano kvnet net-edit default --restart", 0, 1, 2, 4, 5),
		Flags: append(changeFlags(&o.changeOptions, "define it although it overlaps, or names a bridge that is taken or missing"),
			&cli.BoolFlag{Name: "restart", Usage: "restart a running network whose definition changed, its guests kept plugged in", Destination: &o.restart},
			&cli.BoolFlag{Name: "no-validate", Usage: "leave libvirt's schema out: it then drops what it does not know", Destination: &o.noValidate}),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if err := o.check("net-edit"); err != nil {
				return err
			}
			return runNetEdit(c.Context, e, args[0], o)
		},
	}
}

func runNetEdit(ctx context.Context, e *env, name string, o netDefineOptions) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	n, err := conn.Network(ctx, name)
	if err != nil {
		return err
	}
	o.name = n.Name
	object := "network " + clean(shorten(n.Name))
	former, err := conn.NetworkXML(ctx, n.UUID, true)
	if err != nil {
		return err
	}
	text, err := editText(ctx, e, "kvnet-*.xml", former)
	kept := func(err error) error { return text.keptIn("document", err) }
	if err != nil {
		return kept(&failure{op: "edit", object: object, err: err})
	}
	edited := text.edited
	def, err := xml.Parse(edited)
	if err == nil {
		err = xml.Check(def)
	}
	if err != nil {
		return kept(&failure{op: "edit", object: object, err: errors.New(oneLine(err))})
	}
	// Nobody else waits while somebody thinks: the turn begins here.
	if err := e.takeTurn(ctx, conn, o.changeOptions); err != nil {
		return kept(err)
	}
	if now, err := conn.NetworkXML(ctx, n.UUID, true); err != nil || now != former {
		return kept(cmp.Or(err, refuse("edit", object, errors.New("its definition was changed in the meantime"), "")))
	}
	w, err := e.lookAround(ctx)
	if err != nil {
		return kept(err)
	}
	if err := e.defineDocument(ctx, conn, w, edited, o); err != nil {
		return kept(err)
	}
	text.remove(e)
	return nil
}
