package main

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

type domifListOptions struct {
	guest                string
	all, inactive, wide  bool
	withFacts, withGuest bool // of wide output; a column for the guest
}

// interfaceRow is one interface of a guest. What is not known is empty.
type interfaceRow struct {
	Domain    string `json:"domain"`
	Interface string `json:"interface"`
	Type      string `json:"type"`
	Source    string `json:"source"`
	Model     string `json:"model"`
	MAC       string `json:"mac"`
	Network   string `json:"network"`
	Alias     string `json:"alias"`
	// Bridge is the kernel's, and the document's where the kernel is not
	// this host's.
	Bridge    string       `json:"bridge"`
	Link      string       `json:"link"`       // of the guest's cable: up or down
	PortState string       `json:"port_state"` // of the tap in its bridge
	Addresses []netip.Addr `json:"addresses"`
	running   bool         // the interface is that of a running guest
}

func domifListCommand(e *env) *cli.Command {
	var o domifListOptions
	return &cli.Command{
		Category:  guests,
		Usage:     "the interfaces of a guest",
		ArgsUsage: "GUEST | --all",
		Description: describe(`
Lists a guest's interfaces in virsh's columns; the name is "-" where there is no
tap, as for a guest that is shut off. GUEST is a name, an id or a UUID. --wide
adds the bridge that the kernel has the tap in, the guest's link, the state of
the port and the addresses known from leases and the neighbour table; JSON and
YAML always have them.`,
			"kvnet domif-list centos --wide", 0, 1, 2, 5),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "of every guest", Destination: &o.all},
			&cli.BoolFlag{Name: "inactive", Usage: "of the configuration, not of the running guest", Destination: &o.inactive},
			&cli.BoolFlag{Name: "wide", Usage: "bridge, link, port state and addresses, too", Destination: &o.wide},
		},
		Action: func(c *cli.Context) error {
			names := []string{"GUEST"}
			if o.all {
				names = nil
			}
			args, err := arguments(c, names...)
			if err != nil {
				return err
			}
			if !o.all {
				o.guest = args[0]
			}
			o.withGuest, o.withFacts = o.all, o.wide || e.format != "table"
			return runDomifList(c.Context, e, o)
		},
	}
}

func runDomifList(ctx context.Context, e *env, o domifListOptions) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	list, err := listedGuests(ctx, e, conn, o)
	if err != nil {
		return err
	}
	rows := interfaceRows(list, o.inactive)
	if o.withFacts {
		if err := addFacts(ctx, e, conn, rows); err != nil {
			return err
		}
	}
	return e.print(rows, func(w io.Writer) { printInterfaces(w, rows, o, e.quiet) })
}

// listedGuests reads the guests with the interfaces to list.
func listedGuests(ctx context.Context, e *env, conn *libvirtnet.Conn, o domifListOptions) ([]libvirtnet.Guest, error) {
	var list []libvirtnet.Guest
	if o.all {
		all, err := conn.Guests(ctx)
		if e.partly(err) != nil || len(all) == 0 && err != nil {
			return nil, err
		}
		list = all
	} else {
		g, err := conn.Guest(ctx, o.guest)
		if err != nil {
			return nil, err
		}
		list = []libvirtnet.Guest{g}
	}
	if !o.inactive {
		return list, nil
	}
	for i, g := range list {
		if !g.Active() {
			continue // its interfaces are the configuration's already
		}
		config, err := conn.GuestConfig(ctx, g.Name)
		if o.all && e.partly(err) == nil {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		list[i].Interfaces = config
	}
	return list, nil
}

// interfaceRows makes a row of each interface; stored says that they are those
// of configurations.
func interfaceRows(guests []libvirtnet.Guest, stored bool) []interfaceRow {
	rows := []interfaceRow{}
	for _, g := range guests {
		for _, i := range g.Interfaces {
			rows = append(rows, interfaceRow{
				Domain: g.Name, Interface: i.Target, Type: i.Type, Source: i.Source, Model: i.Model, MAC: i.MAC,
				Network: i.Network, Alias: i.Alias, Bridge: i.Bridge, Link: linkWord(i.Link), Addresses: []netip.Addr{},
				running: g.Active() && !stored,
			})
		}
	}
	return rows
}

// linkWord: a document that says nothing of the link means up.
func linkWord(link string) string {
	if link == "" {
		return "up"
	}
	return link
}

// addFacts completes the rows from the kernel, where it is libvirt's, and from
// the leases.
func addFacts(ctx context.Context, e *env, conn *libvirtnet.Conn, rows []interfaceRow) error {
	kernel, err := readKernel(ctx)
	if err != nil {
		return err
	}
	if why := elsewhere(ctx, conn, kernel); why == "" {
		addKernelFacts(rows, kernel)
	} else {
		e.note("the kernel is not looked at: %s", why)
	}
	nets, err := conn.NetworksFull(ctx)
	if e.partly(err) != nil {
		return err
	}
	known := map[string][]netip.Addr{}
	for _, n := range nets {
		for _, l := range e.leases(ctx, conn, n) {
			known[l.MAC] = append(known[l.MAC], l.IP)
		}
	}
	for i := range rows {
		for _, ip := range known[rows[i].MAC] {
			rows[i].addAddress(ip)
		}
	}
	return nil
}

func addKernelFacts(rows []interfaceRow, kernel bridge.State) {
	ports := map[string]bridge.Port{}
	for _, p := range kernel.Ports {
		ports[p.Name] = p
	}
	links := linksByName(kernel)
	known := map[string][]netip.Addr{}
	for _, n := range kernel.Neighbours {
		if usable(n) {
			known[n.MAC] = append(known[n.MAC], n.IP)
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.Interface == "" || !r.running {
			continue // a name in a configuration: the device of that name, if any, is another's
		}
		r.Bridge, r.PortState = links[r.Interface].Master, ports[r.Interface].State
		for _, ip := range known[r.MAC] {
			r.addAddress(ip)
		}
	}
}

// usable says whether a neighbour entry tells an address that somebody
// answered from.
func usable(n bridge.Neighbour) bool {
	return n.MAC != "" && n.State != "failed" && n.State != "incomplete" && !n.IP.IsMulticast() && !n.IP.IsUnspecified()
}

// addAddress keeps the addresses in their order, IPv4 first.
func (r *interfaceRow) addAddress(ip netip.Addr) {
	if i, found := slices.BinarySearchFunc(r.Addresses, ip, netip.Addr.Compare); !found {
		r.Addresses = slices.Insert(r.Addresses, i, ip)
	}
}

func printInterfaces(w io.Writer, rows []interfaceRow, o domifListOptions, quiet bool) {
	t := table{headings: []string{"Interface", "Type", "Source", "Model", "MAC"}}
	if o.withGuest {
		t.headings = append([]string{"Guest"}, t.headings...)
	}
	if o.wide {
		t.headings = append(t.headings, "Bridge", "Link", "Port", "Address")
	}
	for _, r := range rows {
		cells := []string{dash(r.Interface), r.Type, dash(r.Source), dash(r.Model), dash(r.MAC)}
		if o.withGuest {
			cells = append([]string{r.Domain}, cells...)
		}
		if o.wide {
			words := make([]string, 0, len(r.Addresses))
			for _, a := range r.Addresses {
				words = append(words, a.String())
			}
			cells = append(cells, dash(r.Bridge), r.Link, dash(r.PortState), dash(strings.Join(words, ",")))
		}
		t.add(cells...)
	}
	t.write(w, quiet)
}
