package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// restartOptions are the flags of net-restart.
type restartOptions struct {
	changeOptions
	fast bool
}

func netRestartCommand(e *env) *cli.Command {
	var o restartOptions
	return &cli.Command{
		Category:  networks,
		Usage:     "stops and starts a network, and keeps its guests plugged in",
		ArgsUsage: "NETWORK",
		Description: describe(`
Brings a network's definition into force under running guests: remembers their
ports and taps, stops and starts the network, makes the ports anew in libvirt, puts
the taps back into the bridge with their MTU, VLANs and settings, and waits until
they forward. What somebody gave the bridge by hand (VLAN filtering, ports, static
forwarding entries, addresses, routes) is put back, too. Prints for how long each
guest was cut off. On a bridge with STP that is twice the forward delay; --fast has
STP off until the taps are back. On one without, the bridge stays up while libvirt
deletes its rules: what goes between the guests and other networks is then let
through where its connection is established, and dropped else.`,
			"kvnet net-restart default --fast", 0, 1, 2, 4, 5),
		Flags: append(changeFlags(&o.changeOptions, "restart it although guests lose the addresses that they have leased"),
			&cli.BoolFlag{Name: "fast", Usage: "do not wait for STP: have it off until the taps forward", Destination: &o.fast}),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if err := o.check("net-restart"); err != nil {
				return err
			}
			return runNetRestart(c.Context, e, args[0], o)
		},
	}
}

// restarted is what net-restart prints.
type restarted struct {
	Network string   `json:"network"`
	Result  string   `json:"result"`
	Outages []outage `json:"outages"`
}

// outage is for how long a guest's port did not forward.
type outage struct {
	Domain       string `json:"domain"`
	Interface    string `json:"interface"`
	MAC          string `json:"mac"`
	WasOut       bool   `json:"was_out,omitempty"` // it was cut off before, in no bridge or down
	Milliseconds int64  `json:"outage_ms"`
}

func (u outage) String() string {
	if u.WasOut {
		return fmt.Sprintf("guest %s (%s): plugged in again, it was cut off before", clean(u.Domain), clean(u.Interface))
	}
	return fmt.Sprintf("guest %s (%s): cut off for %.2f s", clean(u.Domain), clean(u.Interface), float64(u.Milliseconds)/1000)
}

// restartIfStale restarts an active network that runs with another definition
// than the one it has; nil when it does not. It connects anew: the daemon may
// have been restarted since the definition was made, and may be so while it is
// asked.
func (e *env) restartIfStale(ctx context.Context, name string, o restartOptions) (*restart, error) {
	for tries := 1; ; tries++ {
		r, err := e.staleRestart(ctx, name, o)
		if r != nil {
			err = r.run(ctx)
			r.t.conn.Close()
		}
		begun := r != nil && !r.began.IsZero()
		if begun || tries == confirm || !errors.Is(err, libvirtnet.ErrDaemonDown) {
			return r, err
		}
	}
}

// staleRestart is the restart of a network that needs one, with a connection of
// its own, or nil.
func (e *env) staleRestart(ctx context.Context, name string, o restartOptions) (r *restart, err error) {
	var t netTarget
	if t.conn, err = e.reconnect(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if r == nil {
			t.conn.Close()
		}
	}()
	if t.have, err = t.conn.Network(ctx, name); err != nil {
		return nil, err
	}
	if t.have.Live == nil || t.have.Config == nil || len(xml.Drift(*t.have.Live, *t.have.Config)) == 0 {
		return nil, nil
	}
	if t.world, err = e.lookAround(ctx); err != nil {
		return nil, err
	}
	return e.newRestart(ctx, t, o)
}

func runNetRestart(ctx context.Context, e *env, name string, o restartOptions) error {
	t, err := e.target(ctx, name, o.changeOptions)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	if !t.have.Active {
		return &failure{op: "restart", object: t.object(), err: errors.New("it is not active"), hint: "kvnet net-start " + clean(t.have.Name)}
	}
	if err := t.world.needGuests("restart", t.object(), false); err != nil {
		return err
	}
	if t.have.Config != nil {
		lost, err := t.lostLeases(ctx, *t.have.Config)
		if err != nil {
			return err
		}
		if err := e.refuseConflicts("restart", t.object(), lost, o.changeOptions); err != nil {
			return err
		}
	}
	r, err := e.newRestart(ctx, t, o)
	if err != nil {
		return err
	}
	if o.stops() {
		return e.printPlan(r.shown(), o.changeOptions)
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	row := restarted{Network: t.have.Name, Result: "restarted", Outages: r.outages()}
	return e.print(row, func(w io.Writer) {
		fmt.Fprintf(w, "network %s: restarted\n", clean(t.have.Name))
		for _, u := range row.Outages {
			fmt.Fprintln(w, u)
		}
	})
}
