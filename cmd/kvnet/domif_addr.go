package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

// addressRow is an address that a guest is known by, and who says so.
type addressRow struct {
	Interface string     `json:"interface"` // the tap; the guest's own name where no tap has the MAC
	MAC       string     `json:"mac"`
	Protocol  string     `json:"protocol"` // ipv4 or ipv6
	IP        netip.Addr `json:"ip"`
	Prefix    int        `json:"prefix"`
	Source    string     `json:"source"`  // lease, agent or neighbour
	Age       *int64     `json:"age_ms"`  // since somebody answered from it; null for a lease
	Expires   *time.Time `json:"expires"` // of a lease; null: never, or not told
	State     string     `json:"state"`   // of a neighbour: reachable, stale, ...
}

func domifAddrCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:  guests,
		Usage:     "the addresses of a guest, each with who says so",
		ArgsUsage: "GUEST",
		Description: describe(`
Lists every address that is known of a running guest: from the leases of its
networks, from the agent inside it, and from the neighbour table of the kernel.
The columns are virsh's, with source and age behind: how long ago somebody
answered from the address, or when the lease ends. When nothing is known, the
error says what was tried.`,
			"kvnet domif-addr centos -o json", 0, 1, 2, 5),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "GUEST")
			if err != nil {
				return err
			}
			return runDomifAddr(c.Context, e, args[0])
		},
	}
}

func runDomifAddr(ctx context.Context, e *env, name string) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	guest, err := conn.Guest(ctx, name)
	if err != nil {
		return err
	}
	if !guest.Active() {
		return &failure{op: "read addresses of guest", object: guest.Name, err: errors.New("it is " + guest.State), hint: "an address is known of a running guest only: virsh start " + clean(guest.Name)}
	}
	s := newAddressSearch(guest)
	s.search(ctx, e, conn)
	if err := ctx.Err(); err != nil {
		return &failure{op: "read addresses of guest", object: guest.Name, err: err}
	}
	rows := s.rows()
	if len(rows) > 0 || e.format != "table" {
		if err := e.print(rows, func(w io.Writer) { printAddresses(w, rows, e.quiet) }); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return &failure{op: "read addresses of guest", object: guest.Name, err: errors.New("none is known"), hint: "tried " + strings.Join(s.tried, "; ")}
	}
	return nil
}

func printAddresses(w io.Writer, rows []addressRow, quiet bool) {
	if !quiet {
		// virsh's columns have fixed widths; the last two are added.
		fmt.Fprintf(w, " %-10s %-20s %-8s     %-20s %-10s %s\n%s\n", "Name", "MAC address", "Protocol", "Address", "Source", "Age", strings.Repeat("-", 79))
	}
	for _, r := range rows {
		fmt.Fprintf(w, " %-10s %-20s %-8s     %-20s %-10s %s\n", clean(r.Interface), clean(r.MAC), r.Protocol, r.IP.String()+"/"+strconv.Itoa(r.Prefix), r.Source, r.ageWords(time.Now()))
	}
}

// ageWords says how fresh the knowledge is at the time now.
func (r addressRow) ageWords(now time.Time) string {
	switch {
	case r.Expires != nil && r.Expires.Before(now):
		return "expired"
	case r.Expires != nil:
		return "ends in " + r.Expires.Sub(now).Truncate(time.Second).String()
	case r.Age != nil && r.State != "":
		return ago(time.Duration(*r.Age)*time.Millisecond) + " " + r.State
	case r.Age != nil:
		return ago(time.Duration(*r.Age) * time.Millisecond)
	}
	return "-"
}

// guestMACs maps the MAC addresses of a guest's interfaces to their taps.
func guestMACs(g libvirtnet.Guest) map[string]string {
	taps := map[string]string{}
	for _, i := range g.Interfaces {
		if i.MAC != "" {
			taps[i.MAC] = i.Target
		}
	}
	return taps
}
