package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
)

// bridgeView is all of one bridge.
type bridgeView struct {
	bridge.Bridge
	STP       bool             `json:"stp"` // as in bridge-list, and not the kernel's number
	Up        bool             `json:"up"`
	Carrier   bool             `json:"carrier"`
	Oper      string           `json:"oper"`
	MAC       string           `json:"mac"`
	MTU       int              `json:"mtu"`
	Addresses []bridge.Address `json:"addresses"`
	Routes    []bridge.Route   `json:"routes"`
	Ports     []portView       `json:"ports"`
}

// portView is all of one port.
type portView struct {
	bridge.Port
	Up      bool   `json:"up"`
	Carrier bool   `json:"carrier"`
	MAC     string `json:"mac"` // the link's own
	MTU     int    `json:"mtu"`
	Kind    string `json:"kind"`
	Domain  string `json:"domain"`
}

func bridgeShowCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:  bridges,
		Usage:     "all of one bridge",
		ArgsUsage: "BRIDGE",
		Description: describe(`
Shows what the kernel has of one bridge: its link, spanning tree, addresses,
routes and ports, with the guest behind each port where libvirt tells.`,
			"kvnet bridge-show virbr0", 0, 1, 2),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "BRIDGE")
			if err != nil {
				return err
			}
			return runBridgeShow(c.Context, e, args[0])
		},
	}
}

func runBridgeShow(ctx context.Context, e *env, name string) error {
	state, err := readKernel(ctx)
	if err != nil {
		return err
	}
	b, err := findBridge(state, name)
	if err != nil {
		return err
	}
	view := viewBridge(state, b, e.tapOwners(ctx, state))
	return e.print(view, func(w io.Writer) { printBridge(w, view, e.quiet) })
}

// findLink finds a link by its name, or by an alternative one, which the kernel
// takes as well; nil when there is none.
func findLink(state bridge.State, name string) *bridge.Link {
	for i, l := range state.Links {
		if l.Name == name || slices.Contains(l.AltNames, name) {
			return &state.Links[i]
		}
	}
	return nil
}

// findBridge looks a bridge up by its name, and says what else there is.
func findBridge(state bridge.State, name string) (bridge.Bridge, error) {
	link := findLink(state, name)
	var names []string
	for _, b := range state.Bridges {
		if b.Name == name || link != nil && b.Name == link.Name {
			return b, nil
		}
		names = append(names, b.Name)
	}
	cause, hint := errors.New("no such bridge"), meant(name, names, "kvnet bridge-list lists the bridges")
	if link != nil {
		cause, hint = errors.New("is not a bridge"), "kvnet bridge-list lists the bridges"
		if link.Master != "" {
			hint = "it is a port of " + link.Master
		}
	}
	return bridge.Bridge{}, &failure{op: "find bridge", object: shorten(name), err: cause, hint: hint}
}

func viewBridge(state bridge.State, b bridge.Bridge, owners tapOwners) bridgeView {
	links := linksByName(state)
	link := links[b.Name]
	v := bridgeView{
		Bridge: b, STP: b.STP != 0, Up: link.Up, Carrier: link.Carrier, Oper: link.Oper, MAC: link.MAC, MTU: link.MTU,
		Addresses: []bridge.Address{}, Routes: []bridge.Route{}, Ports: []portView{},
	}
	for _, a := range state.Addresses {
		if a.Link == b.Name {
			v.Addresses = append(v.Addresses, a)
		}
	}
	for _, r := range state.Routes {
		if r.Link == b.Name {
			v.Routes = append(v.Routes, r)
		}
	}
	for _, p := range state.Ports {
		if p.Bridge == b.Name {
			l := links[p.Name]
			v.Ports = append(v.Ports, portView{Port: p, Up: l.Up, Carrier: l.Carrier, MAC: l.MAC, MTU: l.MTU, Kind: l.Kind, Domain: owners[p.Name].domain})
		}
	}
	return v
}

func printBridge(w io.Writer, v bridgeView, quiet bool) {
	var p pairs
	p.add("Name", v.Name)
	p.add("State", upDown(v.Up)+", "+carrierWord(v.Carrier))
	p.add("MAC", v.MAC)
	p.add("MTU", strconv.Itoa(v.MTU))
	p.add("Bridge ID", v.ID)
	p.add("Root ID", v.RootID)
	p.add("STP", yesNo(v.STP))
	p.add("Forward delay", seconds(v.ForwardDelay))
	p.add("Hello time", seconds(v.HelloTime))
	p.add("Max age", seconds(v.MaxAge))
	p.add("Ageing time", seconds(v.AgeingTime))
	p.add("Priority", strconv.Itoa(v.Priority))
	p.add("VLAN filtering", yesNo(v.VLANFiltering))
	p.add("Multicast snooping", yesNo(v.MulticastSnooping))
	p.add("Calls iptables", yesNo(v.NFCallIPTables))
	for _, a := range v.Addresses {
		p.add("Address", a.Prefix.String()+" "+a.Scope)
	}
	for _, r := range v.Routes {
		p.add("Route", routeText(r))
	}
	p.write(w)
	if len(v.Ports) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := table{headings: []string{"Port", "State", "Link", "MAC", "MTU", "Cost", "Flags", "Guest"}}
	for _, port := range v.Ports {
		t.add(port.Name, port.State, upDown(port.Up), port.MAC, strconv.Itoa(port.MTU), strconv.Itoa(port.Cost), portFlags(port.Port), dash(port.Domain))
	}
	t.write(w, quiet)
}

// portFlags names what differs from a port as the kernel makes it.
func portFlags(p bridge.Port) string {
	var out []string
	for _, f := range []struct {
		on   bool
		name string
	}{
		{p.Isolated, "isolated"}, {p.Hairpin, "hairpin"}, {p.Guard, "guard"}, {p.RootBlock, "root-block"},
		{p.FastLeave, "fast-leave"}, {p.NeighSuppress, "neigh-suppress"}, {p.Locked, "locked"},
		{!p.Learning, "no-learning"}, {!p.Flood, "no-flood"}, {!p.MulticastFlood, "no-mcast-flood"}, {!p.BroadcastFlood, "no-bcast-flood"},
	} {
		if f.on {
			out = append(out, f.name)
		}
	}
	return dash(strings.Join(out, ","))
}

func routeText(r bridge.Route) string {
	words := r.Dst.String()
	if r.Type != "" && r.Type != "unicast" {
		words = r.Type + " " + words
	}
	if r.Gateway != (netip.Addr{}) {
		words += " via " + r.Gateway.String()
	}
	if r.Metric != 0 {
		words += " metric " + strconv.Itoa(r.Metric)
	}
	if r.Down {
		words += " down"
	}
	return words
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func carrierWord(carrier bool) string {
	if carrier {
		return "carrier"
	}
	return "no carrier"
}

// seconds prints milliseconds.
func seconds(ms int) string {
	return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) + " s"
}
