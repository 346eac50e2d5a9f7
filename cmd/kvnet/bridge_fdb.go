package main

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// fdbRow is an entry of a forwarding table with the owner of its address.
type fdbRow struct {
	MAC   string   `json:"mac"`
	Port  string   `json:"port"`
	VLAN  int      `json:"vlan"`
	State string   `json:"state"`
	Age   int64    `json:"age_ms"` // since last use; 0 for entries that do not age
	Owner macOwner `json:"owner"`
}

// macOwner says whose an address is. Kind is guest (a guest's interface), tap
// (the host's end of it), bridge, link, lease (known to a DHCP server only),
// neighbour (known by its IP address only) or "" when nobody knows it.
type macOwner struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
	IP     string `json:"ip"`
}

func bridgeFDBCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:  bridges,
		Usage:     "the forwarding table of a bridge with the owner of each address",
		ArgsUsage: "BRIDGE",
		Description: describe(`
Lists which MAC address the bridge reaches through which port, and whose the
address is: a guest's interface, the tap in front of it, the bridge itself, a
NIC of this host, the holder of a DHCP lease, or a neighbour by its IP address.
Entries of the devices' own filters (NTF_SELF) are left out.`,
			"kvnet bridge-fdb virbr0", 0, 1, 2),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "BRIDGE")
			if err != nil {
				return err
			}
			return runBridgeFDB(c.Context, e, args[0])
		},
	}
}

func runBridgeFDB(ctx context.Context, e *env, name string) error {
	state, err := readKernel(ctx)
	if err != nil {
		return err
	}
	b, err := findBridge(state, name)
	if err != nil {
		return err
	}
	guests, leases := e.guestsHere(ctx, state, b.Name)
	owners := macOwners(state, guests, leases)
	rows := []fdbRow{}
	for _, f := range state.FDB {
		if f.Bridge == b.Name && !f.Self {
			rows = append(rows, fdbRow{MAC: f.MAC, Port: f.Port, VLAN: f.VLAN, State: f.State, Age: f.Age, Owner: owners[f.MAC]})
		}
	}
	return e.print(rows, func(w io.Writer) { printFDB(w, rows, e.quiet) })
}

// macOwners knows every address that the sources name; where two name one
// address, the nearer to the wire wins: a guest's interface over a lease.
func macOwners(state bridge.State, guests []libvirtnet.Guest, leases []libvirtnet.Lease) map[string]macOwner {
	owners := map[string]macOwner{}
	taps := ownersOf(guests)
	ips := map[string]string{}
	for _, n := range state.Neighbours {
		if n.MAC != "" && n.State != "failed" {
			if ips[n.MAC] == "" {
				ips[n.MAC] = n.IP.String()
			}
			owners[n.MAC] = macOwner{Kind: "neighbour", Name: n.IP.String(), IP: n.IP.String()}
		}
	}
	for _, l := range leases {
		ips[l.MAC] = l.IP.String()
		owners[l.MAC] = macOwner{Kind: "lease", Name: l.Hostname, IP: l.IP.String()}
	}
	for _, l := range state.Links {
		if l.MAC == "" {
			continue
		}
		o := macOwner{Kind: "link", Name: l.Name}
		if t, ok := taps[l.Name]; ok {
			o = macOwner{Kind: "tap", Name: l.Name, Domain: t.domain}
		}
		if prior, taken := owners[l.MAC]; taken && prior.Kind == "bridge" {
			continue // a bridge has the address of one of its ports; the bridge answers on it
		}
		if l.Kind == "bridge" {
			o.Kind = "bridge"
		}
		owners[l.MAC] = o
	}
	for _, g := range guests {
		for _, i := range g.Interfaces {
			if i.MAC != "" && g.Active() {
				owners[i.MAC] = macOwner{Kind: "guest", Name: i.Target, Domain: g.Name, IP: ips[i.MAC]}
			}
		}
	}
	return owners
}

func printFDB(w io.Writer, rows []fdbRow, quiet bool) {
	t := table{headings: []string{"MAC", "Port", "VLAN", "State", "Age", "Owner"}}
	for _, r := range rows {
		vlan, age := "-", "-"
		if r.VLAN != 0 {
			vlan = strconv.Itoa(r.VLAN)
		}
		if r.State != "permanent" && r.State != "static" {
			age = ago(time.Duration(r.Age) * time.Millisecond)
		}
		t.add(r.MAC, r.Port, vlan, r.State, age, r.Owner.words())
	}
	t.write(w, quiet)
}

func (o macOwner) words() string {
	name := o.Name
	if o.Kind == "guest" {
		name = o.Domain // its tap stands in the Port column
	}
	words := strings.TrimSpace(o.Kind + " " + name)
	if o.IP != "" && o.IP != name {
		words += " " + o.IP
	}
	if o.Kind == "tap" {
		words += " of guest " + o.Domain
	}
	return dash(words)
}

// ago prints an age in whole seconds, the way people read it.
func ago(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return d.Truncate(time.Second).String()
}
