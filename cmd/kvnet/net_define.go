package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

type netDefineOptions struct {
	changeOptions
	command    string // net-define or net-create
	name       string
	file       string
	wish       networkWish
	start      bool
	autostart  bool
	restart    bool
	config     bool
	noValidate bool
}

func netDefineCommand(e *env) *cli.Command {
	var o netDefineOptions
	flags := append([]cli.Flag{
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "take the definition from `FILE` (- is standard input)", Destination: &o.file},
	}, networkFlags()...)
	flags = append(flags,
		&cli.BoolFlag{Name: "start", Usage: "start the network, too", Destination: &o.start},
		&cli.BoolFlag{Name: "autostart", Usage: "start it with the daemon from now on, too", Destination: &o.autostart},
		&cli.BoolFlag{Name: "restart", Usage: "restart a running network whose definition changed, its guests kept plugged in", Destination: &o.restart},
		&cli.BoolFlag{Name: "config", Usage: "the definition only: leave the running network as it is", Destination: &o.config},
		&cli.BoolFlag{Name: "no-validate", Usage: "leave libvirt's schema out: it then drops what it does not know", Destination: &o.noValidate})
	return &cli.Command{
		Category:  networks,
		Usage:     "makes a network's definition so",
		ArgsUsage: "[NETWORK]",
		Description: describe(`
Defines the network NETWORK as the flags say, or as the document in --file
does. A network that exists is edited: what the flags do not speak of stays, its
UUID and the MAC of its bridge always do, and a list that is given (subnets,
ranges, reservations) takes the place of the list that was. "net-define default"
without flags is libvirt's classic NAT network: virbr0, 192.168.122.1/24, DHCP.
What libvirt can change in place is changed in the running network, too, entry by
entry: DHCP ranges and reservations, DNS records, port groups, NICs of a pool.
The rest comes into force when the network is restarted, as --restart does it at
once with the guests kept plugged in; --config leaves the running network alone.
What guests will feel is said before. A DHCP range is not taken from under live
leases.

A subnet that overlaps a route of the host or another network, a bridge that
somebody else has, and a host bridge that does not exist are refused; --force
defines them all the same. A UUID that another network has is refused with it,
too. --subnet auto finds a free subnet.`,
			"kvnet net-define lab --subnet auto --start --autostart", 0, 1, 2, 4, 5),
		Flags: append(flags, changeFlags(&o.changeOptions, "define it although it overlaps, names a bridge that is taken or missing, or takes addresses from live leases")...),
		Action: func(c *cli.Context) error {
			if err := o.read(c); err != nil {
				return err
			}
			return runNetDefine(c.Context, e, o)
		},
	}
}

// checkNewName refuses names that work here and hurt elsewhere: in libvirt's
// files, in a shell, in documents that other programs paste together.
func (o netDefineOptions) checkNewName() error {
	err := xml.CheckName(o.name)
	if i := strings.IndexAny(o.name, `"'<>&`); err == nil && i >= 0 {
		err = fmt.Errorf("network name %s: holds a %c", quote(o.name), o.name[i])
	}
	switch {
	case err == nil:
		return nil
	case o.file != "":
		return &failure{op: "read definition", object: o.file, err: err}
	}
	return usage(o.command, err.Error(), fileHint(o.name, ""))
}

// fileHint is what to do about a name that virsh would take for a file, or hint.
func fileHint(name, hint string) string {
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".xml") {
		return "--file " + clean(shorten(name)) + " takes name and definition from a file"
	}
	return hint
}

// read takes the command line: a name with the flags that describe a network,
// or a file with both.
func (o *netDefineOptions) read(c *cli.Context) error {
	command := c.Command.Name
	o.command = command
	args, err := arguments(c, "[NETWORK]")
	if err != nil {
		return err
	}
	if err := o.check(command); err != nil {
		return err
	}
	if o.wish, err = readWish(c); err != nil {
		return err
	}
	switch {
	case o.file != "" && (len(args) > 0 || o.wish.anything):
		return usage(command, "--file brings name and definition: no NETWORK and no flag that describes one goes with it", "")
	case o.config && (o.start || o.restart):
		return usage(command, "--config leaves the running network alone: --start and --restart do not go with it", "")
	case o.file == "" && len(args) == 0:
		return usage(command, "missing argument NETWORK, or --file", "kvnet net-define default is the classic NAT network")
	case o.file == "":
		o.name = args[0]
	}
	return nil
}

func runNetDefine(ctx context.Context, e *env, o netDefineOptions) error {
	var document string
	if o.file != "" {
		var err error
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
	have := w.network(o.name)
	if o.file == "" {
		if have = findSourceNetwork(o.name, w.Libvirt.Networks); have != nil {
			o.name = have.Name // the command line may have its UUID
		}
	}
	if have == nil {
		if err := o.checkNewName(); err != nil {
			return err
		}
	}
	if document == "" {
		if document, err = wishedDocument(ctx, conn, w, have, o); err != nil {
			return err
		}
	}
	return e.defineDocument(ctx, conn, w, document, o)
}

// defineDocument makes a document a network's definition.
func (e *env) defineDocument(ctx context.Context, conn *libvirtnet.Conn, w world, document string, o netDefineOptions) error {
	if err := refuseUUID("define", w, o.name, document); err != nil {
		return err
	}
	have := w.network(o.name)
	more, err := metadataDrift(ctx, conn, w, have, document)
	if err != nil {
		return err
	}
	plan, err := libvirtnet.NewPlan(have, document, more...)
	if err != nil {
		return &failure{op: "define", object: "network " + o.name, err: bareError(err)}
	}
	plan.NoValidate = o.noValidate
	d := definition{conn: conn, world: w, plan: plan, have: libvirtnet.Network{Name: o.name}, o: o}
	if have != nil {
		d.have = *have
	}
	if err := d.planLive(ctx, document); err != nil {
		return err
	}
	object := "network " + clean(shorten(o.name))
	conflicts, err := d.leaseConflicts(ctx)
	if err != nil {
		return err
	}
	conflicts = append(conflicts, defineConflicts(w, have, plan, o)...)
	if err := e.refuseConflicts("define", object, conflicts, o.changeOptions); err != nil {
		return err
	}
	e.noteRefusals(plan, document, w.Libvirt.Version, o)
	return d.run(ctx, e)
}

// metadataDrift is what a document tells people and programs otherwise than the
// definition does. That changes nothing of the network, and is not to be lost.
func metadataDrift(ctx context.Context, conn *libvirtnet.Conn, w world, have *libvirtnet.Network, document string) ([]xml.Change, error) {
	var was xml.Metadata
	if have != nil && have.Persistent {
		former, err := conn.NetworkXML(ctx, have.UUID, true)
		if err != nil {
			return nil, err
		}
		if was, err = xml.ParseMetadata(former); err != nil {
			return nil, &failure{op: "define", object: "network " + have.Name, err: bareError(err)}
		}
	}
	want, err := xml.ParseMetadata(document)
	if err != nil {
		return nil, &failure{op: "define", object: "network", err: bareError(err)}
	}
	return was.Drift(want, w.Libvirt.Version >= libvirtnet.KeepsNotes), nil
}

// readDocument reads a definition and the name in it.
func readDocument(ctx context.Context, e *env, path string) (text, name string, err error) {
	text, err = reading(ctx, e, path, document)
	var def xml.Network
	if err == nil {
		def, err = xml.Parse(text)
	}
	if err == nil {
		err = xml.Check(def)
	}
	if err != nil {
		return "", "", &failure{op: "read definition", object: path, err: bareCause(err)}
	}
	return text, def.Name, nil
}

// wishedDocument is the document that the flags ask for: the one that is,
// edited, or a new one.
func wishedDocument(ctx context.Context, conn *libvirtnet.Conn, w world, have *libvirtnet.Network, o netDefineOptions) (string, error) {
	wrong := func(err error) error { return usage(o.command, oneLine(err), "") }
	var def *xml.Network
	switch {
	case have != nil && have.Config != nil:
		def = have.Config
	case have != nil && !have.Persistent:
		def = have.Live // a transient network gets a definition: what it is
	}
	want, err := o.wish.complete(o.name, def, w.host().Claims(o.name))
	switch {
	case errors.Is(err, errNoSubnet):
		return "", usage(o.command, err.Error(), fileHint(o.name, noSubnetHint(want.Mode)))
	case errors.Is(err, errNoneFree):
		return "", &failure{op: strings.TrimPrefix(o.command, "net-"), object: "network " + clean(shorten(o.name)), err: err, hint: "--subnet CIDR names one"}
	case err != nil:
		return "", wrong(err)
	case def == nil:
		document, err := xml.Build(want)
		if err == nil {
			err = refusedByRelease("", document, w.Libvirt.Version, o)
		}
		if err != nil {
			return "", wrong(err)
		}
		return document, nil
	}
	former, err := conn.NetworkXML(ctx, o.name, true)
	if err != nil {
		return "", err
	}
	document, err := xml.Edit(former, want)
	if err == nil {
		err = refusedByRelease(former, document, w.Libvirt.Version, o)
	}
	if err != nil {
		return "", wrong(err)
	}
	return document, nil
}

func noSubnetHint(mode xml.Mode) string {
	if mode == xml.Isolated {
		return "--subnet none makes a network on which the host has no address"
	}
	return "--mode bridge --bridge BRIDGE needs none: guests are on the network of a host bridge"
}

// defineConflicts are those of the definition that is going to be, and, with
// --start, those of a network that is started.
func defineConflicts(w world, have *libvirtnet.Network, plan libvirtnet.Plan, o netDefineOptions) []string {
	var former *xml.Network
	if have != nil {
		former = have.Config
	}
	starting := o.start && (have == nil || !have.Active)
	for _, s := range plan.Steps {
		if def, err := xml.Parse(s.Document); err == nil {
			if starting {
				former = nil
			}
			return networkConflicts(w, def, former)
		}
	}
	if starting && have != nil {
		return startConflicts(w, *have)
	}
	return nil
}

// oneLine joins the lines of a joined error.
func oneLine(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// bareError takes verb and object out of an error that stands behind its own.
func bareError(err error) error {
	if e := (*libvirtnet.Error)(nil); errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return err
}
