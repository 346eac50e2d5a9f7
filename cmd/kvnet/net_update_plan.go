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

// noEntryError is the error of a layer that lacks what is to be changed.
type noEntryError string

func (n noEntryError) Error() string { return string(n) }

// entryChange is an entry that is to be changed in a network.
type entryChange struct {
	netTarget
	o netUpdateOptions
}

// op is the change as errors name it.
func (u entryChange) op() string {
	side := map[bool]string{true: " to", false: " of"}[u.o.command == libvirtnet.UpdateAdd]
	return string(u.o.command) + " " + string(u.o.section) + side
}

// entries are those of the section in one layer.
func (u entryChange) entries(ctx context.Context, live bool) (string, []xml.Entry, error) {
	doc, err := u.conn.NetworkXML(ctx, u.have.Name, !live)
	if err != nil {
		return "", nil, err
	}
	list, err := xml.Entries(doc, u.o.section)
	return doc, list, err
}

// plan is the step for one layer; empty where the layer has it so already.
func (u entryChange) plan(ctx context.Context, live bool) (libvirtnet.Plan, error) {
	doc, list, err := u.entries(ctx, live)
	if err != nil {
		return libvirtnet.Plan{}, err
	}
	where := "the definition"
	if live {
		where = "the running network"
	}
	fail := func(format string, args ...any) (libvirtnet.Plan, error) {
		return libvirtnet.Plan{}, &failure{op: u.op(), object: u.object(), err: fmt.Errorf(format, args...)}
	}
	def, err := xml.Parse(doc)
	if err != nil {
		return fail("%w", err)
	}
	if u.o.parent >= len(def.IPs) {
		return fail("%w", noEntryError(fmt.Sprintf("%s has no <ip> of index %d: it has %d, from 0", where, u.o.parent, len(def.IPs))))
	}
	s, entry := libvirtnet.SectionUpdate{Command: u.o.command, Section: u.o.section, Parent: u.o.parent}, u.o.entry
	if u.o.command == libvirtnet.UpdateAdd {
		return u.planAdd(def, list, live, where)
	}
	at, several := u.find(def, list)
	if len(several) > 0 {
		return libvirtnet.Plan{}, &failure{op: u.op(), object: u.object(), hint: apart[u.o.command],
			err: fmt.Errorf("%s has more than one: %d entries fit%s", where, len(several), others(several))}
	}
	if at < 0 {
		return libvirtnet.Plan{}, u.noEntry(where, list)
	}
	if s.Parent < 0 {
		s.Parent = list[at].Parent
	}
	s.Former = list[at].Text
	if u.o.command == libvirtnet.UpdateDelete {
		return libvirtnet.PlanUpdate(u.have, s, list[at].Text, live), nil
	}
	if u.o.partial {
		if entry, err = entry.Over(list[at], u.o.section, u.dropped()...); err != nil {
			return fail("%w", err)
		}
		if err := u.refuseEntry(entry); err != nil {
			return libvirtnet.Plan{}, err
		}
	}
	if list[at].Says(entry) && list[at].SameInside(entry) && (!u.o.partial || entry.Says(list[at])) {
		return libvirtnet.Plan{}, nil
	}
	for i, other := range list {
		if clash := u.o.section.Clash(entry, other); i != at && clash != "" {
			return fail("%s has another entry with %s", where, clean(clash))
		}
	}
	if !u.o.section.Modifies(list[at], entry) {
		gone := s
		gone.Command, s.Command, s.Former = libvirtnet.UpdateDelete, libvirtnet.UpdateAdd, ""
		return libvirtnet.PlanUpdate(u.have, gone, list[at].Text, live).With(libvirtnet.PlanUpdate(u.have, s, entry.Text, live)), nil
	}
	return libvirtnet.PlanUpdate(u.have, s, entry.Text, live), nil
}

// apart is how one of several entries that fit is meant.
var apart = map[libvirtnet.UpdateCommand]string{
	libvirtnet.UpdateDelete: "more flags tell which one",
	libvirtnet.UpdateModify: "flags that name one only; or delete it by all that it says, and add it anew",
}

// dropped are the attributes that a modified entry is to lose.
func (u entryChange) dropped() []string {
	if u.o.noDefault {
		return []string{"default"}
	}
	return nil
}

func (u entryChange) planAdd(def xml.Network, list []xml.Entry, live bool, where string) (libvirtnet.Plan, error) {
	fail := func(err error, hint string) (libvirtnet.Plan, error) {
		return libvirtnet.Plan{}, &failure{op: u.op(), object: u.object(), err: err, hint: hint}
	}
	for _, have := range list {
		if have.Says(u.o.entry) && u.o.entry.Says(have) && have.SameInside(u.o.entry) {
			return libvirtnet.Plan{}, nil
		}
	}
	for _, have := range list {
		if clash := u.o.section.Clash(u.o.entry, have); clash != "" {
			return fail(fmt.Errorf("%s has an entry with %s: %s", where, clean(clash), clean(shorten(have.Text))), "delete that one first, or modify it")
		}
	}
	parent, err := u.parentOf(def)
	if err != nil {
		return fail(err, "")
	}
	s := libvirtnet.SectionUpdate{Command: libvirtnet.UpdateAdd, Section: u.o.section, Parent: parent}
	return libvirtnet.PlanUpdate(u.have, s, u.o.entry.Text, live), nil
}

// others names a few entries that are there.
func others(list []xml.Entry) string {
	const most = 3
	var words []string
	for i, e := range list {
		if i == most {
			words = append(words, "...")
			break
		}
		words = append(words, clean(shorten(e.Text)))
	}
	if len(words) == 0 {
		return ": the section is empty"
	}
	return " (it has " + strings.Join(words, ", ") + ")"
}

// settled looks whether libvirt shows the change in the layers.
func (u entryChange) settled(ctx context.Context, plan libvirtnet.Plan, live, config bool) error {
	for _, l := range []struct{ wanted, live bool }{{config, false}, {live, true}} {
		if !l.wanted {
			continue
		}
		_, list, err := u.entries(ctx, l.live)
		if err != nil {
			return err
		}
		want, deleted := u.o.entry, u.o.command == libvirtnet.UpdateDelete
		for _, s := range plan.Steps {
			if deleted && s.Live == l.live {
				if want, err = xml.ParseEntry(s.Document, u.o.section); err != nil {
					return err
				}
			}
		}
		there := slices.ContainsFunc(list, func(have xml.Entry) bool { return have.Says(want) && (!deleted || want.Says(have)) })
		if there == deleted {
			return &failure{op: "verify", object: u.object(), err: errors.New("libvirt said yes, and its document does not show the update")}
		}
	}
	return nil
}
