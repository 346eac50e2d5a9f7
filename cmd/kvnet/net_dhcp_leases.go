package main

import (
	"cmp"
	"context"
	"io"
	"net/netip"
	"sort"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// leaseRow is a lease with the guest that holds it.
type leaseRow struct {
	Expires  *time.Time `json:"expires"` // null: never
	MAC      string     `json:"mac"`
	IP       netip.Addr `json:"ip"`
	Prefix   int        `json:"prefix"`
	Hostname string     `json:"hostname"`
	ClientID string     `json:"client_id"`
	Domain   string     `json:"domain"`
}

func netDHCPLeasesCommand(e *env) *cli.Command {
	var mac string
	return &cli.Command{
		Category:  networks,
		Usage:     "the addresses that a network's DHCP server has given away",
		ArgsUsage: "NETWORK",
		Description: describe(`
Lists a network's leases in virsh's columns, by MAC address and then by IP
address. JSON and YAML add the guest that has the MAC address.`,
			"kvnet net-dhcp-leases default --mac 52:54:00:e4:75:83", 0, 1, 2, 5),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mac", Usage: "leases of this `MAC` address only", Destination: &mac},
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			if mac != "" {
				if mac, err = xml.ParseMAC(mac); err != nil {
					return usage("net-dhcp-leases", "flag --mac: "+err.Error(), "")
				}
			}
			return runNetDHCPLeases(c.Context, e, args[0], mac)
		},
	}
}

func runNetDHCPLeases(ctx context.Context, e *env, name, mac string) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	leases, err := conn.Leases(ctx, name)
	if err != nil {
		return err
	}
	var guests []libvirtnet.Guest
	if e.format != "table" {
		if guests, err = conn.Guests(ctx); e.partly(err) != nil {
			return err
		}
	}
	rows := leaseRows(leases, guests, mac)
	return e.print(rows, func(w io.Writer) { printLeases(w, rows, e.quiet) })
}

func leaseRows(leases []libvirtnet.Lease, guests []libvirtnet.Guest, mac string) []leaseRow {
	domains := map[string]string{}
	for _, g := range guests {
		for _, i := range g.Interfaces {
			domains[i.MAC] = g.Name
		}
	}
	rows := []leaseRow{}
	for _, l := range leases {
		if mac != "" && l.MAC != mac {
			continue
		}
		row := leaseRow{MAC: l.MAC, IP: l.IP, Prefix: l.Prefix, Hostname: l.Hostname, ClientID: l.ClientID, Domain: domains[l.MAC]}
		if !l.Expires.IsZero() {
			row.Expires = &l.Expires
		}
		rows = append(rows, row)
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := &rows[i], &rows[j]
		return cmp.Or(cmp.Compare(a.MAC, b.MAC), a.IP.Compare(b.IP)) < 0
	})
	return rows
}

func printLeases(w io.Writer, rows []leaseRow, quiet bool) {
	t := table{headings: []string{"Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"}}
	for _, r := range rows {
		expires := "never"
		if r.Expires != nil {
			expires = r.Expires.Local().Format(time.DateTime)
		}
		t.add(expires, r.MAC, protocol(r.IP), r.IP.String()+"/"+strconv.Itoa(r.Prefix), dash(r.Hostname), dash(r.ClientID))
	}
	t.write(w, quiet)
}

// protocol is virsh's word for an address's family.
func protocol(a netip.Addr) string {
	if a.Is4() {
		return "ipv4"
	}
	return "ipv6"
}
