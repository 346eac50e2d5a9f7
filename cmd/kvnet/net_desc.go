package main

import (
	"cmp"
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
	var title, none, edit bool
	return &cli.Command{
		Category:  networks,
		Usage:     "a network's description or title; with TEXT sets it",
		ArgsUsage: "NETWORK [TEXT ...]",
		Description: describe(`
Prints the description of a network, or with --title its title: of the running
network, or of the definition with --config and for one that is not active. With
TEXT it becomes that, in the running network and in the definition, unless --live
or --config narrows it; an empty TEXT or --clear removes it, and --edit opens it in
$VISUAL or $EDITOR (vi). Setting takes libvirt 9.7 or newer; before that libvirt
keeps neither.`,
			"kvnet net-desc default where the build machines live", 0, 1, 2, 4, 5),
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "title", Usage: "the title, which has one line", Destination: &title},
			&cli.BoolFlag{Name: "clear", Usage: "remove it", Destination: &none},
			&cli.BoolFlag{Name: "edit", Usage: "edit it, or TEXT", Destination: &edit},
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
			case none && (edit || len(args) > 1):
				return usage("net-desc", "--clear excludes a text and --edit", "")
			case !none && !edit && len(args) == 1:
				return runNetDesc(c.Context, e, o)
			}
			o.text = lineFeeds(strings.Join(args[1:], " "))
			if err := xml.CheckNote(o.text, title); err != nil {
				return usage("net-desc", "no text for a "+string(o.kind)+": "+err.Error(), "")
			}
			if edit {
				return runEditDesc(c.Context, e, o)
			}
			return runSetMetadata(c.Context, e, o)
		},
	}
}

// lineFeeds has lines end as XML has them.
func lineFeeds(text string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
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

// runEditDesc has a person edit the text, and sets what comes back.
func runEditDesc(ctx context.Context, e *env, o metadataOptions) error {
	former, err := e.formerNote(ctx, o)
	if err != nil {
		return err
	}
	o.former = &former
	text, err := editText(ctx, e, "kvnet-*.txt", cmp.Or(o.text, former))
	kept := func(err error) error { return text.keptIn("text", err) }
	object := "network " + clean(shorten(o.name))
	if err != nil {
		return kept(&failure{op: "edit " + o.what() + " of", object: object, err: err})
	}
	// Editors end a text with a line feed of their own.
	if o.text = lineFeeds(text.edited); o.text != former {
		o.text = strings.TrimSuffix(o.text, "\n")
	}
	if err := xml.CheckNote(o.text, o.kind == libvirtnet.Title); err != nil {
		return kept(&failure{op: "edit " + o.what() + " of", object: object, err: err})
	}
	if err := runSetMetadata(ctx, e, o); err != nil {
		return kept(err)
	}
	text.remove(e)
	return nil
}

// formerNote is the text as it is, where it can be set.
func (e *env) formerNote(ctx context.Context, o metadataOptions) (string, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	n, err := conn.Network(ctx, o.name)
	if err != nil {
		return "", err
	}
	t := netTarget{conn: conn, have: n}
	live, _, err := t.settable(ctx, o)
	if err != nil {
		return "", err
	}
	_, m, err := t.metadata(ctx, live)
	return o.of(m).Text, err
}
