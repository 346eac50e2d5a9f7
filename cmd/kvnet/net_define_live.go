package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// oneDefinition says whether the driver shows the running definition where the
// stored one is asked for, as libvirt's test driver does.
func (d definition) oneDefinition() bool {
	return strings.EqualFold(d.world.Libvirt.Driver, "test") && d.have.Active
}

// planLive plans what the running network gets at once. Where a restart is to
// bring everything into force, there is nothing to do before it.
func (d *definition) planLive(ctx context.Context, document string) error {
	d.want = document
	for _, s := range d.plan.Steps {
		if s.Document != "" {
			d.want = s.Document
		}
	}
	if !d.have.Active || d.o.config || d.oneDefinition() {
		return nil
	}
	live, err := d.conn.NetworkXML(ctx, d.have.UUID, false)
	if err != nil {
		return err
	}
	if d.live, err = libvirtnet.PlanLive(d.have, live, d.want, d.world.Libvirt.Guests); err != nil {
		return &failure{op: "define", object: "network " + clean(shorten(d.have.Name)), err: bareError(err)}
	}
	if d.o.restart && len(d.live.Later) > 0 {
		d.live = libvirtnet.Plan{Later: d.live.Later}
	}
	return nil
}

// restartWords say what only a restart brings into force, and whom that cuts
// off for a moment.
func (d definition) restartWords() []string {
	name := clean(shorten(d.have.Name))
	if (d.o.config || d.oneDefinition()) && d.have.Active && d.plan.Does(libvirtnet.Redefine) {
		return []string{"the running network keeps its former definition until it is restarted: kvnet net-restart " + name}
	}
	if len(d.live.Later) == 0 {
		return nil
	}
	var paths, guests []string
	for _, c := range d.live.Later {
		paths = append(paths, c.Path)
	}
	for _, a := range libvirtnet.Attached(d.have, d.world.Libvirt.Guests) {
		guests = append(guests, a.String())
	}
	who := ""
	if len(guests) > 0 {
		who = "; that cuts off for a moment: " + strings.Join(guests, ", ")
	}
	if d.o.restart {
		return []string{fmt.Sprintf("network %s is restarted (%s)%s", name, strings.Join(paths, ", "), who)}
	}
	return []string{fmt.Sprintf("the running network keeps its former definition until it is restarted: kvnet net-restart %s (%s)%s", name, strings.Join(paths, ", "), who)}
}

// leaseConflicts are the guests that would lose the address they have leased:
// it is in no range of the network that is wished, and not reserved for them.
func (d definition) leaseConflicts(ctx context.Context) ([]string, error) {
	restarts := d.o.restart && len(d.live.Later) > 0
	takes := slices.ContainsFunc(d.live.Steps, func(s libvirtnet.PlanStep) bool {
		return s.Update != nil && s.Update.Section == xml.DHCPRanges && s.Update.Command == libvirtnet.UpdateDelete
	})
	if !d.have.Active || !restarts && !takes {
		return nil, nil
	}
	want, err := xml.Parse(d.want)
	if err != nil {
		want = xml.Network{}
	}
	return netTarget{d.conn, d.have, d.world}.lostLeases(ctx, want)
}

// leaseWords are the guests whose new reservation is for another address than the
// one they have leased.
func (d definition) leaseWords(ctx context.Context) ([]string, error) {
	reserves := slices.ContainsFunc(d.live.Steps, func(s libvirtnet.PlanStep) bool {
		return s.Update != nil && s.Update.Section == xml.DHCPHosts && s.Update.Command != libvirtnet.UpdateDelete
	})
	if !reserves {
		return nil, nil
	}
	want, err := xml.Parse(d.want)
	if err != nil {
		return nil, err
	}
	leases, err := d.conn.Leases(ctx, d.have.Name)
	if errors.Is(err, libvirtnet.ErrNotSupported) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var words []string
	for _, ip := range want.IPs {
		for _, h := range ip.Hosts {
			if !hasReservation(d.have.Def(), h) {
				words = append(words, d.world.keepTheirs(leases, h.MAC, h.IP)...)
			}
		}
	}
	return words, nil
}

func hasReservation(def xml.Network, host xml.Host) bool {
	return slices.ContainsFunc(def.IPs, func(ip xml.IP) bool {
		return slices.ContainsFunc(ip.Hosts, func(h xml.Host) bool { return h.MAC == host.MAC && h.IP == host.IP })
	})
}

// settledLive looks whether the running network has what it was given.
func (d definition) settledLive(ctx context.Context, fail func(string) error) error {
	if d.live.Empty() {
		return nil
	}
	live, err := d.conn.NetworkXML(ctx, d.have.Name, false)
	if err != nil {
		return err
	}
	rest, err := libvirtnet.PlanLive(d.have, live, d.want, nil)
	if err != nil {
		return err
	}
	if !rest.Empty() {
		return fail("libvirt said yes, and the running network is as before: " + rest.Steps[0].Say + " has not happened")
	}
	return nil
}

// entries counts what is changed in place: "2 added, 1 deleted".
func entries(p libvirtnet.Plan) string {
	counts := map[libvirtnet.UpdateCommand]int{}
	for _, s := range p.Steps {
		if s.Update != nil {
			counts[s.Update.Command]++
		}
	}
	var words []string
	for _, c := range []struct {
		command libvirtnet.UpdateCommand
		word    string
	}{{libvirtnet.UpdateAdd, "added"}, {libvirtnet.UpdateModify, "modified"}, {libvirtnet.UpdateDelete, "deleted"}} {
		if n := counts[c.command]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, c.word))
		}
	}
	return strings.Join(words, ", ")
}
