package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/kvnet/kvnet/libvirtnet"
)

// netChange is what a command did to a network.
type netChange struct {
	Network string `json:"network"`
	UUID    string `json:"uuid"`
	// Result is what became of it: defined, redefined, unchanged, started,
	// stopped, undefined, already active, ...
	Result    string              `json:"result"`
	Started   bool                `json:"started"` // by this command
	Changes   []libvirtnet.Change `json:"changes"`
	Later     []libvirtnet.Change `json:"later"` // what only a restart brings into the running network
	Disturbs  []string            `json:"disturbs"`
	Outages   []outage            `json:"outages,omitempty"` // by --restart
	Active    bool                `json:"active"`
	Autostart bool                `json:"autostart"`
	Bridge    string              `json:"bridge"`
	Subnets   []netip.Prefix      `json:"subnets"`
	lines     []string            // results behind the first, in words
}

// printNetChange reads the network once more and prints what was done to it.
func (e *env) printNetChange(ctx context.Context, conn *libvirtnet.Conn, r netChange) error {
	n, err := lookBack(ctx, e, conn, func(ctx context.Context, conn *libvirtnet.Conn) (libvirtnet.Network, error) {
		return conn.Network(ctx, r.Network)
	})
	if err == nil {
		r.Network, r.UUID, r.Active, r.Autostart, r.Bridge = n.Name, n.UUID, n.Active, n.Autostart, n.Def().Bridge
		r.Subnets = subnets(n.Def())
	} else if !errors.Is(err, libvirtnet.ErrNotFound) {
		return err
	}
	r.Changes, r.Later, r.Disturbs, r.Subnets = list(r.Changes), list(r.Later), list(r.Disturbs), list(r.Subnets)
	if len(r.lines) == 0 {
		r.lines = []string{r.Result}
	}
	return e.print(r, func(w io.Writer) {
		if e.quiet {
			return
		}
		for _, line := range r.lines {
			fmt.Fprintf(w, "network %s: %s\n", clean(r.Network), clean(line))
		}
	})
}
