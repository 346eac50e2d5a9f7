package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

type netListOptions struct {
	all, inactive, name, uuid, wide bool
}

// netRow is a network as net-list prints it.
type netRow struct {
	Name       string `json:"name"`
	UUID       string `json:"uuid"`
	Active     bool   `json:"active"`
	Autostart  bool   `json:"autostart"`
	Persistent bool   `json:"persistent"`
	*netWide
}

// netWide is what net-list adds in JSON, YAML and with --wide: it takes the
// networks' documents and the guests.
type netWide struct {
	Mode    xml.Mode       `json:"mode"`
	Bridge  string         `json:"bridge"`
	Subnets []netip.Prefix `json:"subnets"` // the host's addresses with their lengths
	Guests  []string       `json:"guests"`  // active ones with an interface on the network
}

func netListCommand(e *env) *cli.Command {
	var o netListOptions
	return &cli.Command{
		Category: networks,
		Usage:    "libvirt's networks",
		Description: describe(`
Lists the active networks in virsh's columns. --wide adds mode, bridge, subnets
and the running guests on each network; JSON and YAML always have them.`,
			"kvnet net-list --all --wide", 0, 1, 2, 5),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "inactive networks, too", Destination: &o.all},
			&cli.BoolFlag{Name: "inactive", Usage: "inactive networks only", Destination: &o.inactive},
			&cli.BoolFlag{Name: "name", Usage: "names only, one a line", Destination: &o.name},
			&cli.BoolFlag{Name: "uuid", Usage: "UUIDs only, one a line", Destination: &o.uuid},
			&cli.BoolFlag{Name: "wide", Usage: "mode, bridge, subnets and guests, too", Destination: &o.wide},
		},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			if o.name && o.uuid {
				return usage("net-list", "--name and --uuid exclude each other", "")
			}
			return runNetList(c.Context, e, o)
		},
	}
}

func runNetList(ctx context.Context, e *env, o netListOptions) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := netRows(ctx, e, conn, o)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r netRow) bool {
		return !o.all && r.Active == o.inactive // --all is all, as with virsh
	})
	return e.print(rows, func(w io.Writer) { printNetList(w, rows, o, e.quiet) })
}

// netRows lists networks in virsh's order, with no more calls than the wanted
// ones take: only wide rows take the documents.
func netRows(ctx context.Context, e *env, conn *libvirtnet.Conn, o netListOptions) ([]netRow, error) {
	var guests []libvirtnet.Guest
	var err error
	list := conn.ActiveNetworks
	if o.all || o.inactive {
		list = conn.Networks
	}
	wide := o.wide || e.format != "table"
	if wide {
		list = conn.NetworksFull
		if guests, err = conn.Guests(ctx); e.partly(err) != nil {
			return nil, err
		}
	}
	nets, err := list(ctx)
	if e.partly(err) != nil || len(nets) == 0 && err != nil {
		return nil, err
	}
	rows := make([]netRow, 0, len(nets))
	for _, n := range nets {
		row := netRow{Name: n.Name, UUID: n.UUID, Active: n.Active, Autostart: n.Autostart, Persistent: n.Persistent}
		if wide {
			def := n.Def()
			row.netWide = &netWide{Mode: def.Mode, Bridge: def.Bridge, Subnets: subnets(def), Guests: guestsOn(n, guests)}
		}
		rows = append(rows, row)
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := &rows[i], &rows[j]
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Name, b.Name)) < 0
	})
	return rows, nil
}

func printNetList(w io.Writer, rows []netRow, o netListOptions, quiet bool) {
	if o.name || o.uuid {
		for _, r := range rows {
			if o.uuid {
				fmt.Fprintln(w, r.UUID)
			} else {
				fmt.Fprintln(w, clean(r.Name))
			}
		}
		return
	}
	t := table{headings: []string{"Name", "State", "Autostart", "Persistent"}}
	if o.wide {
		t.headings = append(t.headings, "Mode", "Bridge", "Subnets", "Guests")
	}
	for _, r := range rows {
		cells := []string{r.Name, activeWord(r.Active), yesNo(r.Autostart), yesNo(r.Persistent)}
		if o.wide {
			cells = append(cells, string(r.Mode), dash(r.Bridge), dash(joinPrefixes(r.Subnets)), strconv.Itoa(len(r.Guests)))
		}
		t.add(cells...)
	}
	t.write(w, quiet)
}

func activeWord(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

// subnets are the addresses that the host has on the network, with their
// lengths.
func subnets(def xml.Network) []netip.Prefix {
	out := []netip.Prefix{}
	for _, ip := range def.IPs {
		out = append(out, ip.Address)
	}
	return out
}

func joinPrefixes(prefixes []netip.Prefix) string {
	var words []string
	for _, p := range prefixes {
		words = append(words, p.String())
	}
	return strings.Join(words, ",")
}

// guestsOn names the active guests with an interface on the network, sorted,
// each once.
func guestsOn(n libvirtnet.Network, guests []libvirtnet.Guest) []string {
	names := []string{}
	for _, a := range libvirtnet.Attached(n, guests) {
		names = append(names, a.Guest)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
