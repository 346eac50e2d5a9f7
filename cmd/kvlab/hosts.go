package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/integration/host"
)

// startFlags are the options of every command that starts a host.
func startFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "root", Usage: "run libvirt from the root folder `DIR` (not written to)"},
		&cli.StringSliceFlag{Name: "bind", Usage: "with --root: show the machine's `PATH` inside too (repeatable)"},
		&cli.StringFlag{Name: "firewall", Usage: "let libvirt make its rules with `BACKEND` iptables or nftables (libvirt 10.4 and newer)"},
	}
}

// options are what startFlags say.
func options(c *cli.Context) host.Options {
	return host.Options{Root: c.String("root"), Bind: c.StringSlice("bind"), Firewall: c.String("firewall")}
}

func (p *program) upCommand() *cli.Command {
	return &cli.Command{
		Name: "up", Usage: "start a host that stays until it is taken down", ArgsUsage: "NAME",
		Flags: startFlags(),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NAME")
			if err != nil {
				return err
			}
			opt := options(c)
			opt.Name = args[0]
			h, err := host.Start(c.Context, opt)
			if err != nil {
				return err
			}
			if err := h.Keep(); err != nil {
				return errors.Join(err, h.Close())
			}
			_, err = fmt.Fprintf(p.stdout, "host %s: up, first process %d\n", h.Name(), h.Info().PID)
			return err
		},
	}
}

func (p *program) downCommand() *cli.Command {
	return &cli.Command{
		Name: "down", Usage: "end a host and everything in it", ArgsUsage: "NAME",
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NAME")
			if err != nil {
				return err
			}
			h, err := host.Open(args[0])
			if err != nil {
				return err
			}
			if err := h.Close(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "host %s: down\n", args[0])
			return err
		},
	}
}

func (p *program) listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "show the hosts that run",
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			hosts, err := host.List()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
			_, _ = fmt.Fprintln(w, "NAME\tPID\tKEPT\tAGE\tROOT")
			for _, h := range hosts {
				root, kept := h.Root, "no"
				if root == "" {
					root = "/"
				}
				if h.Kept {
					kept = "yes"
				}
				_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", h.Name, h.PID, kept,
					time.Since(h.Started).Round(time.Second), root)
			}
			return w.Flush()
		},
	}
}

func (p *program) execCommand() *cli.Command {
	return &cli.Command{
		Name: "exec", Usage: "run a command inside a host", ArgsUsage: "NAME -- CMD...",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "outside", Usage: "in the network namespace behind the host's eth0"}},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NAME")
			if err != nil {
				return err
			}
			argv, err := p.inside(c)
			if err != nil {
				return err
			}
			h, err := host.Open(args[0])
			if err != nil {
				return err
			}
			return h.Become(c.Bool("outside"), argv...)
		},
	}
}

func (p *program) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "start a host, run a command in it, end the host", ArgsUsage: "-- CMD...",
		Flags: startFlags(),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			argv, err := p.inside(c)
			if err != nil {
				return err
			}
			h, err := host.Start(c.Context, options(c))
			if err != nil {
				return err
			}
			err = p.hand(h.Command(c.Context, argv...))
			if closeErr := h.Close(); closeErr != nil {
				return errors.Join(closeErr, err)
			}
			return err
		},
	}
}

func (p *program) setupCommand() *cli.Command {
	return &cli.Command{
		Name: "setup", Usage: "fetch and build what guests boot from, and let libvirt learn about QEMU",
		Flags: startFlags()[:1],
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			if err := host.Prepare(c.Context, c.String("root")); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.stdout, "guest kernel and initramfs are in %s\n", host.CacheDir())
			return err
		},
	}
}
