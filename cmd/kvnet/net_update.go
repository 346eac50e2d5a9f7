package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

type netUpdateOptions struct {
	changeOptions
	name         string
	section      xml.Section
	element      string // instead of a section: what only a restart brings into force
	text         string // the element
	restart      bool
	command      libvirtnet.UpdateCommand
	entry        xml.Entry
	partial      bool // flags made the entry: what they do not name is left as it is
	noDefault    bool // --default=false
	parent       int
	live, config bool
}

func netUpdateCommand(e *env) *cli.Command {
	var o netUpdateOptions
	flags := append(entryFlags(),
		&cli.StringFlag{Name: "xml", Usage: "the entry as libvirt's `XML`, or a file that holds it, instead of flags"},
		&cli.IntFlag{Name: "parent-index", Value: -1, Usage: "the `N`th <ip>, from 0, where the entry's address does not tell", Destination: &o.parent},
		&cli.BoolFlag{Name: "live", Usage: "the running network only", Destination: &o.live},
		&cli.BoolFlag{Name: "config", Usage: "the definition only", Destination: &o.config},
		&cli.BoolFlag{Name: "restart", Usage: "bridge, domain, ip, forward: restart the network, its guests kept plugged in", Destination: &o.restart})
	return &cli.Command{
		Category:  networks,
		Usage:     "changes one entry of a network in place",
		ArgsUsage: "NETWORK SECTION add|delete|modify",
		Description: describe(`
Adds, deletes or modifies one entry of a network, without stopping it: SECTION is
dhcp-host, dhcp-range, dns-host, dns-srv, dns-txt, portgroup or forward-interface,
or virsh's name of it. The running network and its definition are changed, unless
--live or --config narrows it; what has it already is left alone. Deleting takes
the flags that name the entry, such as --mac or --ip. So does modifying, with those
for what is to change; what no flag names stays. Where libvirt can only add and
delete, an entry that is modified is deleted and added.

What the running network feels of it is said before. A second host with the same
MAC, name or address is refused, and so is a range that is taken from under live
leases, unless --force is given. The sections bridge, domain, ip and forward are ones that
libvirt cannot change in place: with --xml and --restart the definition is changed
and the network restarted under its guests.`,
			"kvnet net-update default dhcp-host add --mac 52:54:00:e4:75:83 --ip 192.168.122.50 --name web", 0, 1, 2, 4, 5),
		Flags: append(flags, changeFlags(&o.changeOptions, "take a range although live leases lie in it")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK", "SECTION", "add|delete|modify")
			if err != nil {
				return err
			}
			if err := o.check("net-update"); err != nil {
				return err
			}
			o.name = args[0]
			if slices.Contains(xml.Elements, args[1]) {
				if err := o.readElement(c, e, args[1], args[2]); err != nil {
					return err
				}
				return runElementUpdate(c.Context, e, o)
			}
			if o.section, err = parseSection(args[1]); err != nil {
				return err
			}
			if err = o.parentIndex(c, args[1]); err != nil {
				return err
			}
			if o.restart {
				return usage("net-update", "flag --restart is of the sections "+strings.Join(xml.Elements, ", "), "what this section has is changed in place")
			}
			if o.command, err = parseUpdate(o.section, args[2]); err != nil {
				return err
			}
			if o.entry, err = readEntry(e, c, o.section, o.command); err != nil {
				return err
			}
			o.partial, o.noDefault = !c.IsSet("xml"), c.IsSet("default") && !c.Bool("default")
			return runNetUpdate(c.Context, e, o)
		},
	}
}

// parentIndex judges --parent-index, which only what an <ip> holds has.
func (o *netUpdateOptions) parentIndex(c *cli.Context, section string) error {
	held := o.section == xml.DHCPHosts || o.section == xml.DHCPRanges
	switch {
	case !held && c.IsSet("parent-index"):
		return usage("net-update", "flag --parent-index is not of section "+section+", which is in no <ip>", "")
	case !held:
		o.parent = -1
	case c.IsSet("parent-index") && o.parent < 0:
		return usage("net-update", "flag --parent-index: want 0 for the first <ip>, or more", "")
	}
	return nil
}

// sections are the sections by kvnet's names and virsh's.
var sections = map[string]xml.Section{
	"dhcp-host": xml.DHCPHosts, "dhcp-range": xml.DHCPRanges, "dns-host": xml.DNSHosts, "dns-srv": xml.DNSServices,
	"dns-txt": xml.DNSTexts, "portgroup": xml.PortGroups, "forward-interface": xml.ForwardInterfaces,
	"ip-dhcp-host": xml.DHCPHosts, "ip-dhcp-range": xml.DHCPRanges,
}

const sectionNames = "dhcp-host, dhcp-range, dns-host, dns-srv, dns-txt, portgroup or forward-interface"

func parseSection(name string) (xml.Section, error) {
	if s, known := sections[name]; known {
		return s, nil
	}
	if name == "forward-pf" {
		return "", &failure{op: "update", object: "section " + name, err: errors.New("libvirt cannot change it in place"),
			hint: "kvnet net-edit changes the definition, and kvnet net-restart then the running network, guests keep their link"}
	}
	return "", usage("net-update", "no section "+quote(name), "want "+sectionNames+"; or "+strings.Join(xml.Elements, ", ")+" with --restart")
}

func parseUpdate(s xml.Section, word string) (libvirtnet.UpdateCommand, error) {
	switch c := libvirtnet.UpdateCommand(word); c {
	case libvirtnet.UpdateAdd, libvirtnet.UpdateDelete:
		return c, nil
	case libvirtnet.UpdateModify:
		if s != xml.ForwardInterfaces {
			return c, nil
		}
		return "", &failure{op: "modify", object: "section " + string(s), err: errors.New("a device is all that an entry says"),
			hint: "delete the old entry and add the new one"}
	}
	return "", usage("net-update", "no action "+quote(word), "want add, delete or modify")
}

func runNetUpdate(ctx context.Context, e *env, o netUpdateOptions) error {
	t, err := e.target(ctx, o.name, o.changeOptions)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	u := entryChange{netTarget: t, o: o}
	live, config, err := t.layers("update", o.live, o.config)
	if err != nil {
		return err
	}
	if !u.o.partial || o.command != libvirtnet.UpdateModify { // else with what it leaves as it is
		err = u.refuseEntry(o.entry)
	}
	if err := errors.Join(err, u.refuseDevice(e)); err != nil {
		return err
	}
	plan := libvirtnet.Plan{Network: t.have.Name}
	var names []string
	var missing error // in one layer
	for _, l := range []struct {
		wanted, live bool
		name         string
	}{{config, false, "definition"}, {live, true, "running network"}} {
		if !l.wanted {
			continue
		}
		step, err := u.plan(ctx, l.live)
		switch none := noEntryError(""); {
		case errors.As(err, &none) && live && config && !o.live && !o.config:
			missing = cmp.Or(missing, err)
			continue
		case err != nil:
			return err
		}
		if !step.Empty() {
			names = append(names, l.name)
		}
		plan = plan.With(step)
	}
	// What is to be deleted may be in one of both; what is to be modified may not.
	if missing != nil && (o.command != libvirtnet.UpdateDelete || plan.Empty()) {
		return missing
	}
	plan.Disturbs = libvirtnet.Effects(t.have, t.world.Libvirt.Guests, plan)
	if err := u.refuseLeases(ctx, e, plan); err != nil {
		return err
	}
	if o.stops() {
		return e.printPlan(plan, o.changeOptions)
	}
	if plan.Empty() {
		return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "unchanged"})
	}
	err = e.carryOut(ctx, t.conn, change{
		op: "update", object: t.object(), plan: plan, world: t.world, subjects: []string{t.have.Name}, own: networkOwn(t.have.Def()),
		settle: func(ctx context.Context) error { return u.settled(ctx, plan, live, config) },
	}, o.changeOptions)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("updated (%s %s: %s)", o.command, o.section, strings.Join(names, " and "))
	return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "updated", Disturbs: plan.Disturbs, lines: []string{line}})
}
