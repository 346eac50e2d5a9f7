package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

func netDiffCommand(e *env) *cli.Command {
	var file string
	return &cli.Command{
		Category:  networks,
		Usage:     "a network's configuration, live document and kernel, side by side",
		ArgsUsage: "NETWORK",
		Description: describe(`
Compares what is stored for a network, what runs as libvirt tells it, and what the
kernel has: the bridge, its addresses, spanning tree, MTU and MAC. With --file a
document is compared, too, as net-define would define it. Two spellings of one
thing are no difference, nor is what libvirt or the kernel fills in or rounds. A
side that cannot tell is a "?". Differences make the exit code 3.`,
			"kvnet net-diff default --file default.xml", 0, 1, 2, 3, 5),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "compare the document in `FILE`, too (- is standard input)", Destination: &file},
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			return runNetDiff(c.Context, e, args[0], file)
		},
	}
}

// netDiff is what net-diff prints.
type netDiff struct {
	Network     string              `json:"network"`
	UUID        string              `json:"uuid"`
	Sides       []string            `json:"sides"` // that could tell
	Differences []verify.Difference `json:"differences"`
}

func runNetDiff(ctx context.Context, e *env, name, file string) error {
	var document, named string
	if file != "" {
		var err error
		if document, named, err = readDocument(ctx, e, file); err != nil {
			return err
		}
	}
	w, err := e.lookAround(ctx)
	if err != nil {
		return err
	}
	n := findSourceNetwork(name, w.Libvirt.Networks)
	if n == nil {
		return missingNetwork(name, w.Libvirt.Networks)
	}
	d := netDiff{Network: n.Name, UUID: n.UUID}
	sides := verify.SidesOf(*n)
	if w.here && n.Live != nil {
		sides.Kernel = &w.Kernel
	}
	if file != "" {
		if sides.File, err = asDefined(n, document, named); err != nil {
			return &failure{op: "compare", object: file, err: err}
		}
	}
	d.Differences = sides.Differences()
	for _, s := range []struct {
		name string
		has  bool
	}{{"config", sides.Config != nil}, {"live", sides.Live != nil}, {"kernel", sides.Kernel != nil}, {"file", sides.File != nil}} {
		if s.has {
			d.Sides = append(d.Sides, s.name)
		}
	}
	d.Sides = list(d.Sides)
	if err := e.print(d, func(w io.Writer) { e.printNetDiff(w, d) }); err != nil {
		return err
	}
	if len(d.Differences) > 0 {
		return found()
	}
	return nil
}

// missingNetwork says that there is no such network, and which look like it.
func missingNetwork(name string, nets []libvirtnet.Network) error {
	var names []string
	for _, n := range nets {
		names = append(names, n.Name)
	}
	return &libvirtnet.NotFoundError{Kind: "network", Name: name, Near: libvirtnet.Near(name, names)}
}

// asDefined is a document as net-define would define it: with the UUID, the
// bridge and the MAC of the network that is there.
func asDefined(n *libvirtnet.Network, document, named string) (*xml.Network, error) {
	if named != n.Name {
		return nil, fmt.Errorf("it describes network %s, not %s", clean(shorten(named)), clean(shorten(n.Name)))
	}
	plan, err := libvirtnet.NewPlan(n, document)
	if err != nil {
		return nil, bareError(err)
	}
	for _, s := range plan.Steps {
		document = s.Document
	}
	def, err := xml.Parse(document)
	if err != nil {
		return nil, err
	}
	if len(plan.Steps) == 0 && n.Config != nil {
		def = *n.Config // says the same in other words
	}
	return &def, nil
}

func (e *env) printNetDiff(w io.Writer, d netDiff) {
	if len(d.Differences) == 0 {
		if !e.quiet {
			fmt.Fprintf(w, "network %s: %s\n", clean(d.Network), agreement(d.Sides))
		}
		return
	}
	t := table{headings: []string{"Setting"}}
	for _, s := range d.Sides {
		t.headings = append(t.headings, map[string]string{"config": "Config", "live": "Live", "kernel": "Kernel", "file": "File"}[s])
	}
	for _, diff := range d.Differences {
		row := []string{diff.Path}
		for _, s := range d.Sides {
			row = append(row, sideWord(map[string]*string{"config": diff.Config, "live": diff.Live, "kernel": diff.Kernel, "file": diff.File}[s]))
		}
		t.add(row...)
	}
	t.write(w, e.quiet)
}

func sideWord(value *string) string {
	switch {
	case value == nil:
		return "?"
	case *value == "":
		return "none"
	}
	return *value
}

// agreement says which sides agree, or that there is one only.
func agreement(sides []string) string {
	switch len(sides) {
	case 0:
		return "no side could be read"
	case 1:
		return "there is " + sides[0] + " only"
	}
	words := sides[0]
	for i, s := range sides[1:] {
		if i == len(sides)-2 {
			words += " and " + s
		} else {
			words += ", " + s
		}
	}
	return words + " agree"
}
