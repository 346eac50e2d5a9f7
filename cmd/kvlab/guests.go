package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/integration/host"
)

const guestHelp = `ACTION is one of
   define           define the guest, shut off
   start            start it (defined first when it does not exist)
   stop             pull its plug
   state            print what virsh domstate says ("undefined" without a guest)
   console          print what it has printed so far
   exec -- CMD...   run a command in it, waiting for it to boot
   ping ADDRESS     send three echo requests from it, once it has a route there
   address SUBNET   wait for an IPv4 address within SUBNET and print it
The options of define and start are used when the guest is defined.`

func (p *program) guestCommand() *cli.Command {
	return &cli.Command{
		Name: "guest", Usage: "define, start, stop and ask a guest",
		ArgsUsage: "NAME GUEST ACTION [ADDRESS | -- CMD...]", Description: guestHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mac", Usage: "hardware address `MAC` (default: made from the guest's name)"},
			&cli.StringFlag{Name: "network", Usage: "libvirt network `NET`", DefaultText: "default"},
			&cli.StringFlag{Name: "bridge", Usage: "host bridge `BR` instead of a network"},
			&cli.BoolFlag{Name: "none", Usage: "no link"},
			&cli.IntFlag{Name: "memory", Usage: "`MIB` of memory", DefaultText: "256, 8 with --empty"},
			&cli.BoolFlag{Name: "empty", Usage: "nothing to boot: cheap, with real taps"},
			&cli.BoolFlag{Name: "paused", Usage: "start with processors stopped"},
			&cli.DurationFlag{Name: "timeout", Usage: "for exec, ping and address", Value: time.Minute},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() < 3 {
				return usageError{fmt.Errorf("guest: want NAME GUEST ACTION, have %d arguments", c.NArg())}
			}
			if err := notEmpty(c, "NAME", "GUEST", "ACTION"); err != nil {
				return err
			}
			h, err := host.Open(c.Args().Get(0))
			if err != nil {
				return err
			}
			return p.runGuest(c, h.Guest(c.Args().Get(1)))
		},
	}
}

func (p *program) runGuest(c *cli.Context, g *host.Guest) error {
	action, rest := c.Args().Get(2), c.Args().Slice()[3:]
	want := map[string]int{"ping": 1, "address": 1}[action]
	if len(rest) != want {
		return usageError{fmt.Errorf("guest %s: want %d arguments, have %d", action, want, len(rest))}
	}
	spec := host.GuestSpec{
		MAC: c.String("mac"), Network: c.String("network"), Bridge: c.String("bridge"),
		NoLink: c.Bool("none"), MemoryMiB: c.Int("memory"), Empty: c.Bool("empty"),
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	switch action {
	case "define":
		return g.Define(c.Context, spec)
	case "start":
		return startGuest(c, g, spec)
	case "stop":
		return g.Stop(c.Context)
	case "state":
		state, err := g.State(c.Context)
		if state == "" {
			state = "undefined"
		}
		return p.print(state+"\n", err)
	case "console":
		return p.print(g.Console())
	case "exec":
		argv, err := p.inside(c)
		if err != nil {
			return err
		}
		return p.answer(g.Exec(ctx, argv...))
	case "ping":
		return p.answer(g.Ping(ctx, rest[0]))
	case "address":
		subnet, err := netip.ParsePrefix(rest[0])
		if err != nil {
			return usageError{fmt.Errorf("guest address: %w", err)}
		}
		addr, err := g.WaitAddress(ctx, subnet)
		return p.print(addr.String()+"\n", err)
	}
	return usageError{fmt.Errorf("guest: no such action: %s", action)}
}

// startGuest defines the guest when there is none, and starts it.
func startGuest(c *cli.Context, g *host.Guest, spec host.GuestSpec) error {
	state, err := g.State(c.Context)
	if err != nil {
		return err
	}
	if state == "" {
		if err := g.Define(c.Context, spec); err != nil {
			return err
		}
	}
	if c.Bool("paused") {
		return g.StartPaused(c.Context)
	}
	return g.Start(c.Context)
}

func (p *program) print(text string, err error) error {
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

// answer shows what a command in a guest left and takes over its exit code.
func (p *program) answer(r host.Result, err error) error {
	if err != nil {
		return err
	}
	_, _ = io.WriteString(p.stdout, r.Stdout)
	_, _ = io.WriteString(p.stderr, r.Stderr)
	if r.Code != 0 {
		return codeError(r.Code)
	}
	return nil
}
