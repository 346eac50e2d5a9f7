package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"
)

// firewalld asks for the zones in use, all zones and the policies
// (firewalld.dbus(5)).
func (r *reader) firewalld(ctx context.Context, conn *dbus.Conn) (*Firewalld, error) {
	o := conn.Object(firewalldName, "/org/fedoraproject/FirewallD1")
	process := start(ctx, conn.BusObject(), busName+".GetConnectionUnixProcessID", firewalldName)
	defaultZone := start(ctx, o, firewalldName+".getDefaultZone")
	active := start(ctx, o, firewalldName+".zone.getActiveZones")
	zones := start(ctx, o, firewalldName+".zone.getZones")
	policies := start(ctx, o, firewalldName+".policy.getPolicies")

	f := &Firewalld{Namespace: r.namespaceOf(process)}
	used := map[string]map[string][]string{}
	var names []string
	err := errors.Join(finish(defaultZone, &f.DefaultZone), finish(active, &used), finish(zones, &names))
	// Before 0.9 there were no policies, nor the method.
	var e dbus.Error
	if perr := finish(policies, &f.Policies); perr != nil && (!errors.As(perr, &e) || e.Name != "org.freedesktop.DBus.Error.UnknownMethod") {
		err = errors.Join(err, perr)
	}
	if err != nil {
		return nil, fmt.Errorf("ask firewalld: %w", err)
	}
	for name := range used {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	f.Zones = make([]Zone, 0, len(names))
	settings := map[string]*dbus.Call{}
	for _, name := range names {
		z := Zone{Name: name, Interfaces: used[name]["interfaces"], Sources: used[name]["sources"]}
		if len(z.Interfaces) > 0 || name == f.DefaultZone {
			settings[name] = start(ctx, o, firewalldName+".zone.getZoneSettings2", name)
		}
		slices.Sort(z.Interfaces)
		slices.Sort(z.Sources)
		f.Zones = append(f.Zones, z)
	}
	for i := range f.Zones {
		if c := settings[f.Zones[i].Name]; c != nil {
			f.Zones[i].fill(c)
		}
	}
	sortBy(f.Zones, func(a, b Zone) int { return cmp.Compare(a.Name, b.Name) })
	f.Policies = append([]string{}, f.Policies...)
	slices.Sort(f.Policies)
	return f, nil
}

// fill takes target and services from a zone's settings. Before 0.9 firewalld
// has no such method, and they stay unknown.
func (z *Zone) fill(c *dbus.Call) {
	var settings map[string]dbus.Variant
	if finish(c, &settings) != nil {
		return
	}
	z.Target = property[string](settings, "target")
	z.Services = property[[]string](settings, "services")
	slices.Sort(z.Services)
}
