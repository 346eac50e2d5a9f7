package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func netMetadataCommand(e *env) *cli.Command {
	var o metadataOptions
	var set, key string
	var remove bool
	return &cli.Command{
		Category:  networks,
		Usage:     "what a program keeps in a network's document, by its namespace",
		ArgsUsage: "NETWORK URI",
		Description: describe(`
Prints the element of a network's <metadata> whose namespace is URI: of the running
network, or of the definition with --config and for one that is not active. --set
with --key puts an element there, in the running network and in the definition,
unless --live or --config narrows it; --remove takes it away. Setting takes
libvirt 9.7 or newer.`,
			"kvnet net-metadata default urn:backup --key b --set <policy/>", 0, 1, 2, 5),
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "set", Usage: "the element as `XML`, or a file that holds it", Destination: &set},
			&cli.StringFlag{Name: "key", Usage: "the `PREFIX` that the document has for the namespace", Destination: &key},
			&cli.BoolFlag{Name: "remove", Usage: "take the element away", Destination: &remove},
			&cli.BoolFlag{Name: "live", Usage: "the running network only", Destination: &o.live},
			&cli.BoolFlag{Name: "config", Usage: "the definition only", Destination: &o.config},
		}, changeFlags(&o.changeOptions, "")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK", "URI")
			if err != nil {
				return err
			}
			if err := o.check("net-metadata"); err != nil {
				return err
			}
			o.name, o.uri, o.kind, o.key = args[0], args[1], libvirtnet.Element, key
			if err := xml.CheckMetadataURI(o.uri); err != nil {
				return usage("net-metadata", err.Error(), "such as urn:example:backup")
			}
			switch {
			case remove && c.IsSet("set"):
				return usage("net-metadata", "--set and --remove exclude each other", "")
			case c.IsSet("key") != c.IsSet("set"):
				return usage("net-metadata", "--set and --key go together", "")
			case remove:
				return runSetMetadata(c.Context, e, o)
			case !c.IsSet("set"):
				return runNetMetadata(c.Context, e, o)
			}
			text, err := xmlText(c.Context, e, set)
			if err != nil {
				return err
			}
			element, err := xml.NewMetadataElement(o.uri, o.key, text)
			if err != nil {
				return usage("net-metadata", "flag --set: "+oneLine(err), "")
			}
			o.text = element.Text
			return runSetMetadata(c.Context, e, o)
		},
	}
}

type netMetadata struct {
	Network string `json:"network"`
	UUID    string `json:"uuid"`
	URI     string `json:"uri"`
	Key     string `json:"key"`
	XML     string `json:"xml"`
}

func runNetMetadata(ctx context.Context, e *env, o metadataOptions) error {
	n, m, err := e.metadata(ctx, "net-metadata", o)
	if err != nil {
		return err
	}
	element := m.Element(o.uri)
	if element.Text == "" {
		e.note("no metadata of %s for network %s", o.uri, n.Name)
	}
	return e.print(netMetadata{n.Name, n.UUID, o.uri, element.Key, element.Text}, func(w io.Writer) {
		if element.Text != "" {
			fmt.Fprintln(w, element.Text)
		}
	})
}
