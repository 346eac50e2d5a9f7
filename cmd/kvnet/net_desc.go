package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func netDescCommand(e *env) *cli.Command {
	var o metadataOptions
	var title, none bool
	return command(&cli.Command{
		Name:      "net-desc",
		Category:  networks,
		Usage:     "a network's description or title; with TEXT sets it",
		ArgsUsage: "NETWORK [TEXT ...]",
		Description: describe(`
Prints the description of a network, or with --title its title: of the running
network, or of the definition with --config and for one that is not active. With
TEXT it becomes that, in the running network and in the definition, unless --live
or --config narrows it; an empty TEXT or --clear removes it. Setting takes
libvirt 9.7 or newer; before that libvirt keeps neither.`,
			"kvnet net-desc default where the build machines live", 0, 1, 2, 5),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "title", Usage: "the title, which has one line", Destination: &title},
			&cli.BoolFlag{Name: "clear", Usage: "remove it", Destination: &none},
			&cli.BoolFlag{Name: "live", Usage: "the running network only", Destination: &o.live},
			&cli.BoolFlag{Name: "config", Usage: "the definition only", Destination: &o.config},
		}, changeFlags(&o.changeOptions, "")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK", "[TEXT...]")
			if err != nil {
				return err
			}
			if err := o.check("net-desc"); err != nil {
				return err
			}
			o.name, o.kind = args[0], libvirtnet.Description
			if title {
				o.kind = libvirtnet.Title
			}
			switch {
			case none && len(args) > 1:
				return usage("net-desc", "--clear and a text exclude each other", "")
			case !none && len(args) == 1:
				return runNetDesc(c.Context, e, o)
			}
			o.text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.Join(args[1:], " "))
			if err := xml.CheckNote(o.text, title); err != nil {
				return usage("net-desc", "no text for a "+string(o.kind)+": "+err.Error(), "")
			}
			return runSetMetadata(c.Context, e, o)
		},
	})
}

type netDescription struct {
	Network     string `json:"network"`
	UUID        string `json:"uuid"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

func runNetDesc(ctx context.Context, e *env, o metadataOptions) error {
	n, m, err := e.metadata(ctx, "net-desc", o)
	if err != nil {
		return err
	}
	text := m.Description
	if o.kind == libvirtnet.Title {
		text = m.Title
	}
	if text == "" {
		e.note("no %s for network %s", o.kind, n.Name)
	}
	return e.print(netDescription{n.Name, n.UUID, m.Title, m.Description}, func(w io.Writer) {
		if text == "" {
			return
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			fmt.Fprintln(w, clean(strings.ReplaceAll(line, "\t", "    ")))
		}
	})
}
