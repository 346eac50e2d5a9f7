package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

// undoing is a change that is taken back.
type undoing struct {
	entry  journal.Entry
	object string
	world  world         // that it was planned in
	want   journal.Image // that it leads to: as it was before, but for what others did since
	back   journal.Back
	now    journal.Image
	gone   []string // what cannot be as it was: whose it was is gone
	others []string // what others did since that goes with it
	// inWay are the bridges that may be in the way, clear the steps that take
	// those away that are.
	inWay []string
	clear []verify.Step
	// strays are the steps that take away what the guests of the change have and
	// libvirt does not know.
	strays []verify.Step
}

// arrived says that nothing is to be done.
func (u undoing) arrived() bool { return u.back.Empty() && len(u.clear)+len(u.strays) == 0 }

// ran says whether a network was active when the way was planned.
func (u undoing) ran(network string) bool {
	return slices.ContainsFunc(u.now.Networks, func(n journal.Network) bool { return n.Name == network && n.Active })
}

// words say what is to be done.
func (u undoing) words() string {
	var list []string
	for _, s := range slices.Concat(u.clear, u.strays) {
		list = append(list, s.Command())
	}
	for _, s := range u.back.Plan.Steps {
		list = append(list, s.Say)
	}
	for _, s := range u.back.Steps {
		list = append(list, s.Command())
	}
	for _, n := range u.back.Restarts {
		list = append(list, "restart network "+n)
	}
	return strings.Join(list, ", ")
}

// wayBack plans from how the things that the change touched are now. keep may
// change what is wanted, once that and how things are is known; it may be nil.
func wayBack(ctx context.Context, conn *libvirtnet.Conn, w world, entry journal.Entry, keep func(*undoing)) (undoing, error) {
	u := undoing{entry: entry, world: w}
	before, err := u.withoutGone(ctx, conn)
	if err != nil {
		return u, err
	}
	t := touched{}
	for _, n := range entry.Before.Networks {
		t.networks = append(t.networks, n.Name)
	}
	for _, i := range before.Interfaces {
		t.interfaces = append(t.interfaces, journal.Interface{Guest: i.Guest, MAC: i.MAC})
	}
	for _, l := range entry.Before.Links {
		t.links = append(t.links, l.Name)
	}
	for name := range entry.Before.Sysctls {
		t.sysctls = append(t.sysctls, name)
	}
	for _, name := range t.networks {
		if len(entry.Before.Ports) == 0 {
			continue
		}
		n := w.network(name)
		if n == nil { // its guests still claim their ports
			n = &libvirtnet.Network{Name: name}
		}
		ports, err := claimedPorts(ctx, conn, w, *n)
		if err != nil {
			return u, err
		}
		t.ports = append(t.ports, ports...)
	}
	// What libvirt left behind goes first: nothing starts beside it.
	u.inWay = bridgesOf(w, entry.Before)
	u.clear = w.leftovers(u.inWay)
	u.strays = verify.LeakedPorts(w.Snapshot, guestsOf(before))
	if u.now, err = capture(ctx, conn, w.without(u.clear).kernel(), t); err != nil {
		return u, err
	}
	u.want = before
	if keep != nil {
		keep(&u)
	}
	u.back, err = possible(ctx, conn, journal.Way(u.want, u.now))
	return u, err
}

// keepOthers takes out of what is wanted what others did since to networks, or says
// what of it goes.
func (u *undoing) keepOthers(whole bool) {
	u.want.Networks = slices.Clone(u.want.Networks)
	for i, before := range u.want.Networks {
		if i >= len(u.entry.After) {
			return
		}
		after, now := u.entry.After[i], u.now.Networks[i]
		want, told := before, false
		if !whole {
			want, told = journal.Own(before, after, now)
		}
		if u.want.Networks[i] = want; told {
			continue
		}
		if others := journal.Others(before, after, now); len(others) > 0 {
			others[0] = "network " + before.Name + ": " + others[0]
			u.others = append(u.others, others...)
		}
	}
}

// guestsOf are the guests whose interfaces an image has.
func guestsOf(i journal.Image) []string {
	var names []string
	for _, n := range i.Interfaces {
		names = append(names, n.Guest)
	}
	return names
}

// withoutGone is how things were before the change, without the interfaces of
// guests that are no more: with those went whatever the change did to them.
func (u *undoing) withoutGone(ctx context.Context, conn *libvirtnet.Conn) (journal.Image, error) {
	before := u.entry.Before
	before.Interfaces = nil
	for _, i := range u.entry.Before.Interfaces {
		_, err := conn.Guest(ctx, i.Guest)
		switch {
		case err == nil:
			before.Interfaces = append(before.Interfaces, i)
		case errors.Is(err, libvirtnet.ErrNotFound):
			u.gone = append(u.gone, "interface "+i.MAC+" of guest "+i.Guest+": the guest is gone")
		default:
			return before, err
		}
	}
	return before, nil
}

// possible leaves out of a way what this libvirt cannot do.
func possible(ctx context.Context, conn *libvirtnet.Conn, back journal.Back) (journal.Back, error) {
	for _, s := range back.Plan.Steps {
		if s.Do != libvirtnet.SetMetadata {
			continue
		}
		err := conn.TakesMetadata(ctx, s.Object)
		if errors.Is(err, libvirtnet.ErrNotSupported) {
			return back.WithoutMetadata(), nil
		}
		return back, err
	}
	return back, nil
}

// bridgesOf are the bridges that the networks of an image had or have now, and
// those that were to be made.
func bridgesOf(w world, i journal.Image) []string {
	var names []string
	add := func(def *xml.Network) {
		if def != nil && def.Managed() && def.Bridge != "" {
			names = append(names, def.Bridge)
		}
	}
	for _, n := range i.Networks {
		for _, document := range []string{n.Config, n.Live} {
			if def, err := xml.Parse(document); err == nil {
				add(&def)
			}
		}
		if now := w.network(n.Name); now != nil {
			add(now.Config)
			add(now.Live)
		}
	}
	for _, l := range i.Links {
		if !l.Exists {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
