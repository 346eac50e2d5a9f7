package main

import (
	"context"
	"flag"
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
)

// env is what a command may touch of the world: its streams and the flags
// that every command has.
type env struct {
	in       io.Reader
	out, err io.Writer

	uri    string // never empty
	format string // table, json or yaml; verify has junit, too, and lint sarif
	quiet  bool
	colour bool // standard output is a terminal that wants colour
	notes  []string

	args    []string         // the command line, without the program
	journal *journal.Journal // locked, once the program changes the host
	turn    *journal.Turn    // the host's
	// borrowed: the turn is that of a command which runs this one.
	borrowed bool
}

// run is the whole program: it parses args (args[0] is the program), runs the
// command and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{in: stdin, out: stdout, err: stderr, colour: wantsColour(stdout), args: args[min(1, len(args)):]}
	defer e.endTurn()
	return e.run(ctx, args)
}

func (e *env) run(ctx context.Context, args []string) int {
	app := newApp(e, args...)
	line, err := parseLine(app, args)
	if err != nil || line.help || line.cmd == nil { // others may be meant
		app = newApp(e)
		line, err = parseLine(app, args)
	}
	e.format = line.output
	switch {
	case err != nil:
	case line.help:
		err = printHelp(e.out, app, line.cmd)
	default:
		err = e.act(ctx, app, line)
	}
	return e.finish(err)
}

// act runs the command of a line. urfave/cli's own Run may print help, by
// text/template, which calls methods by name: the linker then keeps every
// method of every type, a sixth of the program.
func (e *env) act(ctx context.Context, app *cli.App, line commandLine) error {
	root := &cli.Command{Name: app.Name, Flags: app.Flags}
	c, err := readFlags(app, root, &cli.Context{Context: ctx}, line.args)
	if err != nil {
		return err
	}
	if err := e.configure(c); err != nil {
		return err
	}
	if line.cmd == nil {
		return usage("", "missing command", "kvnet --help lists the commands")
	}
	if c, err = readFlags(app, line.cmd, c, c.Args().Slice()); err != nil {
		return err
	}
	return line.cmd.Action(c)
}

// readFlags reads the flags of cmd behind words[0].
func readFlags(app *cli.App, cmd *cli.Command, parent *cli.Context, words []string) (*cli.Context, error) {
	set := flag.NewFlagSet(cmd.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	c := cli.NewContext(app, set, parent)
	c.Command = cmd
	for _, f := range cmd.Flags {
		if err := f.Apply(set); err != nil {
			return c, err
		}
	}
	if err := set.Parse(words[1:]); err != nil {
		return c, wrongValue(c, err)
	}
	return c, nil
}

// newApp has the commands that the words name, or all without words.
func newApp(e *env, words ...string) *cli.App {
	return &cli.App{
		Name:     "kvnet",
		Usage:    "networks of a KVM host, as libvirt declares them and as the kernel has them",
		Flags:    globalFlags(),
		Commands: commands(e, words),
	}
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "connect", Aliases: []string{"c"}, Usage: "libvirt connection `URI` (default: $LIBVIRT_DEFAULT_URI, else qemu:///system)"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "print `FORMAT`: table, json or yaml"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print data only: no headings, no remarks"},
	}
}

// configure takes the flags that every command has into the env.
func (e *env) configure(c *cli.Context) error {
	e.uri = libvirtnet.DefaultURI(c.String("connect"))
	e.quiet = c.Bool("quiet")
	switch e.format = c.String("output"); e.format {
	case "":
		e.format = "table"
	case "table", "json", "yaml":
	case "junit", "sarif":
		of := map[string]string{"junit": "verify", "sarif": "lint"}[e.format]
		if name := c.Args().First(); name != of {
			return usage(name, "output format "+e.format+" is for "+of+" only", "one of table, json, yaml")
		}
	default:
		return usage("", "unknown output format "+quote(e.format), "one of table, json, yaml"+
			suggestion(e.format, []string{"table", "json", "yaml", "junit", "sarif"}))
	}
	return nil
}

// arguments returns the positional arguments, or a usage error unless there
// are as many as names; a name in brackets is optional, one that ends in
// "..." takes any number, and [TEXT...] may be empty.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	args, rest := c.Args().Slice(), false
	for i, name := range names {
		optional := name[0] == '['
		rest = rest || len(name) > 3 && (name[len(name)-3:] == "..." || name[len(name)-4:] == "...]")
		if !optional && i >= len(args) {
			return nil, usage(c.Command.Name, "missing argument "+name, "usage: kvnet "+synopsis(c.Command))
		}
		if i < len(args) && args[i] == "" && name != "[TEXT...]" {
			return nil, usage(c.Command.Name, "empty argument "+name, "usage: kvnet "+synopsis(c.Command))
		}
	}
	if len(args) > len(names) && !rest {
		return nil, usage(c.Command.Name, "unexpected argument "+quote(args[len(names)]), "usage: kvnet "+synopsis(c.Command))
	}
	return args, nil
}

// wantsColour says whether w is a terminal whose owner did not ask for plain
// text (https://no-color.org: set and not empty).
func wantsColour(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
