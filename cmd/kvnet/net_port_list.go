package main

import (
	"context"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

func netPortListCommand(e *env) *cli.Command {
	var uuids, wide bool
	return &cli.Command{
		Category:  networks,
		Usage:     "the ports of a network, as libvirt counts them",
		ArgsUsage: "NETWORK",
		Description: describe(`
Lists the UUIDs of a network's ports, as virsh does. --wide adds the guest's
interface that has the port; JSON and YAML always have it. A port without an
interface is one that libvirt forgot to take away; an interface without a port
is found by kvnet verify.`,
			"kvnet net-port-list default --wide", 0, 1, 2, 5),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "uuid", Usage: "print bare UUIDs, one a line", Destination: &uuids},
			&cli.BoolFlag{Name: "wide", Usage: "the guest's interface that has the port, too", Destination: &wide},
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			return runNetPortList(c.Context, e, args[0], uuids, wide)
		},
	}
}

// netPort is a port with the interface that has it; without one the rest is
// "".
type netPort struct {
	UUID      string `json:"uuid"`
	Domain    string `json:"domain"`
	Interface string `json:"interface"`
	MAC       string `json:"mac"`
}

func runNetPortList(ctx context.Context, e *env, name string, uuids, wide bool) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	n, err := conn.Network(ctx, name)
	if err != nil {
		return err
	}
	if n.Active && !n.PortsKnown {
		return &failure{op: "list ports of", object: "network " + n.Name, err: libvirtnet.ErrNotSupported}
	}
	var guests []libvirtnet.Guest
	if wide || e.format != "table" {
		if guests, err = conn.Guests(ctx); e.partly(err) != nil {
			return err
		}
	}
	ports := portsOf(n, guests)
	return e.print(ports, func(w io.Writer) {
		if uuids {
			for _, p := range ports {
				_, _ = io.WriteString(w, p.UUID+"\n")
			}
			return
		}
		t := table{headings: []string{"UUID"}}
		if wide {
			t.headings = append(t.headings, "Guest", "Interface", "MAC")
		}
		for _, p := range ports {
			t.add([]string{p.UUID, dash(p.Domain), dash(p.Interface), dash(p.MAC)}[:len(t.headings)]...)
		}
		t.write(w, e.quiet)
	})
}

// portsOf are a network's ports in the order of their UUIDs.
func portsOf(n libvirtnet.Network, guests []libvirtnet.Guest) []netPort {
	ports := []netPort{}
	for _, uuid := range slices.Sorted(slices.Values(n.Ports)) {
		p := netPort{UUID: uuid}
		for _, g := range guests {
			for _, i := range g.Interfaces {
				if i.PortID == uuid {
					p.Domain, p.Interface, p.MAC = g.Name, i.Target, i.MAC
				}
			}
		}
		ports = append(ports, p)
	}
	return ports
}
