package main

import (
	"context"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func netDumpXMLCommand(e *env) *cli.Command {
	var inactive bool
	return &cli.Command{
		Category:  networks,
		Usage:     "the document of a network",
		ArgsUsage: "NETWORK",
		Description: describe(`
Prints libvirt's document of a network: of the active network, or of its
configuration with --inactive and for an inactive network. JSON and YAML wrap
the document into name, uuid and xml.`,
			"kvnet net-dumpxml default --inactive", 0, 1, 2, 5),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "inactive", Usage: "the configuration, not the active network", Destination: &inactive},
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			return runNetDumpXML(c.Context, e, args[0], inactive)
		},
	}
}

type netDocument struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
	XML  string `json:"xml"`
}

func runNetDumpXML(ctx context.Context, e *env, name string, inactive bool) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	doc, err := conn.NetworkXML(ctx, name, inactive)
	if err != nil {
		return err
	}
	out := netDocument{XML: doc}
	if e.format != "table" { // two calls more, for whoever wants the names
		n, err := conn.Network(ctx, name)
		if err != nil {
			return err
		}
		out.Name, out.UUID = n.Name, n.UUID
	}
	return e.print(out, func(w io.Writer) {
		_, _ = io.WriteString(w, strings.TrimRight(doc, "\n")+"\n")
	})
}
