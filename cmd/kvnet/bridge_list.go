package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
)

// bridgeRow is one bridge as bridge-list prints it.
type bridgeRow struct {
	Name         string         `json:"name"`
	ID           string         `json:"id"`
	STP          bool           `json:"stp"`
	Up           bool           `json:"up"`
	MAC          string         `json:"mac"`
	MTU          int            `json:"mtu"`
	Addresses    []netip.Prefix `json:"addresses"`
	ForwardDelay int            `json:"forward_delay_ms"`
	Ports        []portRow      `json:"ports"`
}

// portRow is one port of a bridge.
type portRow struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	MAC    string `json:"mac"`    // the guest's where the port is a guest's tap, else the link's own
	Domain string `json:"domain"` // "" when it is no guest's, or libvirt does not tell
}

func bridgeListCommand(e *env) *cli.Command {
	var bare bool
	return &cli.Command{
		Category:  bridges,
		Usage:     "the host's bridges and their ports, as brctl show prints them",
		ArgsUsage: "[BRIDGE ...]",
		Description: describe(`
Lists the bridges of this network namespace in brctl's columns: name, id, STP,
ports. JSON and YAML add addresses, MTU, the state of each port and the guest
behind it; only for the latter is libvirt asked, and the rest is printed all the
same when it does not answer.`,
			"kvnet bridge-list -o json", 0, 1, 2),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "name", Usage: "names only, one a line", Destination: &bare},
		},
		Action: func(c *cli.Context) error {
			names, err := arguments(c, "[BRIDGE ...]")
			if err != nil {
				return err
			}
			return runBridgeList(c.Context, e, names, bare)
		},
	}
}

func runBridgeList(ctx context.Context, e *env, names []string, bare bool) error {
	state, err := readKernel(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		var chosen []bridge.Bridge
		for _, name := range names {
			b, err := findBridge(state, name)
			if err != nil {
				return err
			}
			chosen = append(chosen, b)
		}
		state.Bridges = chosen
	}
	var owners tapOwners
	if e.format != "table" { // brctl's columns name no guest
		owners = e.tapOwners(ctx, state)
	}
	rows := bridgeRows(state, owners)
	return e.print(rows, func(w io.Writer) {
		if !bare {
			printBridgeList(w, rows, e.quiet)
			return
		}
		for _, r := range rows {
			fmt.Fprintln(w, clean(r.Name))
		}
	})
}

func bridgeRows(state bridge.State, owners tapOwners) []bridgeRow {
	rows := make([]bridgeRow, 0, len(state.Bridges))
	links := linksByName(state)
	for _, b := range state.Bridges {
		link := links[b.Name]
		rows = append(rows, bridgeRow{
			Name: b.Name, ID: b.ID, STP: b.STP != 0, Up: link.Up, MAC: link.MAC, MTU: link.MTU,
			Addresses: addressesOf(state, b.Name), ForwardDelay: b.ForwardDelay,
			Ports: portRows(state, links, b.Name, owners),
		})
	}
	return rows
}

func portRows(state bridge.State, links map[string]bridge.Link, name string, owners tapOwners) []portRow {
	rows := []portRow{}
	for _, p := range state.Ports {
		if p.Bridge != name {
			continue
		}
		row := portRow{Name: p.Name, State: p.State, MAC: links[p.Name].MAC}
		if owner, ok := owners[p.Name]; ok {
			row.Domain = owner.domain
			if owner.mac != "" {
				row.MAC = owner.mac
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// printBridgeList writes what brctl show writes, tab for tab.
func printBridgeList(w io.Writer, rows []bridgeRow, quiet bool) {
	if !quiet {
		fmt.Fprint(w, "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n")
	}
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t\t%s\t%s\t\t", clean(r.Name), r.ID, yesNo(r.STP))
		for i, p := range r.Ports {
			if i > 0 {
				fmt.Fprint(w, "\n\t\t\t\t\t\t\t")
			}
			fmt.Fprint(w, clean(p.Name))
		}
		fmt.Fprintln(w)
	}
}

func linksByName(state bridge.State) map[string]bridge.Link {
	links := make(map[string]bridge.Link, len(state.Links))
	for _, l := range state.Links {
		links[l.Name] = l
	}
	return links
}

func addressesOf(state bridge.State, link string) []netip.Prefix {
	out := []netip.Prefix{}
	for _, a := range state.Addresses {
		if a.Link == link {
			out = append(out, a.Prefix)
		}
	}
	return out
}
