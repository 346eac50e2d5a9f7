package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/integration/host"
)

const description = `A host is a private network, mount and PID namespace with a real libvirtd inside
and an outside world behind its eth0. The machine's own network and libvirt are
never touched. Options may stand anywhere before "--". Inside of a host, "." names
that host.

EXIT STATUS
   0 done, 1 could not do it, 2 wrong command line. exec, run and guest exec
   return the command's own, 128+N when signal N ended it, 127 when there is no
   such command.

EXAMPLE
   kvlab up demo
   kvlab exec demo -- virsh net-list --all
   kvlab guest demo web start
   kvlab down demo`

// program is one run of kvlab.
type program struct {
	stdout, stderr io.Writer
	command        []string // what stands behind "--"
}

// usageError is a wrong command line; nothing was done.
type usageError struct{ error }

// codeError is the exit code of a command that ran inside a host.
type codeError int

func (c codeError) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	app := p.app()
	own := args
	if i := slices.Index(args, "--"); i >= 0 {
		own, p.command = args[:i], args[i+1:]
	}
	own, err := flagsFirst(app, own)
	if err == nil {
		err = app.RunContext(ctx, own)
	}
	var code codeError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "kvlab: %v\nhint: kvlab --help\n", err)
		return 2
	default:
		_, _ = fmt.Fprintf(stderr, "kvlab: %v\n", err)
		return 1
	}
}

func (p *program) app() *cli.App {
	app := &cli.App{
		Name: "kvlab", Usage: "a disposable libvirt host in half a second",
		Description: description, HideVersion: true, HideHelpCommand: true,
		Writer: p.stdout, ErrWriter: p.stderr,
		// Exit codes are decided in run, never by the library.
		ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{
			p.upCommand(), p.execCommand(), p.runCommand(), p.guestCommand(),
			p.listCommand(), p.downCommand(), p.setupCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError{fmt.Errorf("no such command: %s", c.Args().First())}
			}
			return cli.ShowAppHelp(c)
		},
		OnUsageError: onUsage,
	}
	for _, c := range app.Commands {
		c.OnUsageError = onUsage
		c.HideHelpCommand = true
	}
	return app
}

func onUsage(_ *cli.Context, err error, _ bool) error { return usageError{err} }

// flagsFirst moves the flags of a command before its arguments: the library
// takes a flag behind an argument for an argument, without a word.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 {
		return args, nil
	}
	at := slices.IndexFunc(args[1:], func(a string) bool { return !strings.HasPrefix(a, "-") }) + 1
	cmd := app.Command(args[max(at, 1)])
	if at == 0 || cmd == nil {
		return args, nil
	}
	var flags, rest []string
	for i := at + 1; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" {
			rest = append(rest, args[i])
			continue
		}
		flags = append(flags, args[i])
		if takesValue(cmd, strings.TrimLeft(args[i], "-")) {
			if i++; i == len(args) {
				return nil, usageError{fmt.Errorf("%s: %s needs a value", cmd.Name, args[i-1])}
			}
			flags = append(flags, args[i])
		}
	}
	return slices.Concat(args[:at+1], flags, rest), nil
}

// takesValue tells whether the word behind a flag belongs to it.
func takesValue(cmd *cli.Command, flag string) bool {
	for _, f := range cmd.Flags {
		if slices.Contains(f.Names(), flag) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}

// arguments checks their number and returns them.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	want := strings.Join(names, " ")
	if want == "" {
		want = "no arguments"
	}
	if c.NArg() != len(names) {
		return nil, usageError{fmt.Errorf("%s: want %s, have %d arguments", c.Command.Name, want, c.NArg())}
	}
	return c.Args().Slice(), notEmpty(c, names...)
}

// notEmpty refuses arguments that are there and say nothing: an empty variable
// of a script must not become a host with a name of kvlab's choice.
func notEmpty(c *cli.Context, names ...string) error {
	for i, name := range names {
		if c.Args().Get(i) == "" {
			return usageError{fmt.Errorf("%s: %s is empty", c.Command.Name, name)}
		}
	}
	return nil
}

// inside insists on a command behind "--".
func (p *program) inside(c *cli.Context) ([]string, error) {
	if len(p.command) == 0 {
		return nil, usageError{fmt.Errorf("%s: want a command behind --", c.Command.Name)}
	}
	return p.command, nil
}

// hand runs a prepared command on this program's own input and output and
// passes signals on to it.
func (p *program) hand(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, p.stdout, p.stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	done := make(chan struct{})
	go host.Relay(signals, cmd.Process, done)
	err := cmd.Wait()
	close(done)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return codeError(exit.ExitCode())
	}
	return err
}
