package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func undoCommand(e *env) *cli.Command {
	var o undoOptions
	return &cli.Command{
		Category:  truth,
		Usage:     "takes a change back",
		ArgsUsage: "[NUMBER]",
		Description: describe(`
Makes what a change touched as it was before it: networks and their definitions,
interfaces of guests, links. NUMBER is the one that kvnet history shows; without
one it is the last change that was not taken back, a restart by --restart, and what has
no way back, not counted. The way is planned from how things are now, so that it
also leads back from a change that was cut off half-way. What others did to a
network since stays; where it cannot be told apart, it is named and refused.
Taking back is a change, too, and can be taken back.`,
			"kvnet undo --dry-run", 0, 1, 2, 4, 5),
		Flags: append(changeFlags(&o.changeOptions, "take it back although running guests are cut off, and with it what came later and what others did"),
			&cli.BoolFlag{Name: "restart", Usage: "restart a network that runs with another definition than it did, its guests kept plugged in", Destination: &o.restart}),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "[NUMBER]")
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if o.number, err = strconv.Atoi(args[0]); err != nil || o.number < 1 {
					return usage("undo", "no number of a change: "+quote(args[0]), "kvnet history lists them")
				}
			}
			o.takesBack = true
			if err := o.check("undo"); err != nil {
				return err
			}
			return runUndo(c.Context, e, o)
		},
	}
}

// undoOptions are the flags of undo.
type undoOptions struct {
	changeOptions
	number  int // 0 is the last change that stands
	restart bool
}

// undoResult is what undo prints.
type undoResult struct {
	Undone int      `json:"undone"` // the number of the change
	Change string   `json:"change"`
	Result string   `json:"result"`
	Steps  []string `json:"steps"`
	Lost   []string `json:"lost"` // what no step brings back
}

func runUndo(ctx context.Context, e *env, o undoOptions) error {
	conn, err := e.connectToChange(ctx, o.changeOptions)
	if err != nil {
		return err
	}
	defer conn.Close()
	entries, err := readEntries()
	if err != nil && !o.noJournal {
		return err
	}
	w, err := e.lookAround(ctx)
	if err != nil {
		return err
	}
	u, err := e.toTakeBack(ctx, conn, w, entries, o)
	if err != nil {
		return err
	}
	if err := refuseCutOff(w, u.back, o.force); err != nil {
		return err
	}
	if err := e.refuseLater(u, entries, o.force); err != nil {
		return err
	}
	if err := e.refuseOthers(u, o.force); err != nil {
		return err
	}
	if err := e.refuseTaken(ctx, conn, w, u, o); err != nil {
		return err
	}
	return e.takeChangeBack(ctx, conn, w, u, o)
}

// refuseCutOff refuses to stop a network under running guests.
func refuseCutOff(w world, back journal.Back, force bool) error {
	if force {
		return nil
	}
	for _, s := range back.Plan.Steps {
		n := w.network(s.Object)
		if s.Do != libvirtnet.Stop || n == nil {
			continue
		}
		if err := (netTarget{have: *n, world: w}).refuseGuests("undo", false); err != nil {
			return err
		}
	}
	return nil
}

// refuseTaken refuses to take ranges and reservations from under guests that have
// leases of them, and a --restart that would leave guests cut off.
func (e *env) refuseTaken(ctx context.Context, conn *libvirtnet.Conn, w world, u undoing, o undoOptions) error {
	for _, was := range u.want.Networks {
		n := w.network(was.Name)
		restarts := o.restart && slices.Contains(u.back.Restarts, was.Name)
		takes := slices.ContainsFunc(u.back.Plan.Steps, func(s libvirtnet.PlanStep) bool {
			return s.Object == was.Name && s.Live && s.Update != nil && s.Update.Command != libvirtnet.UpdateAdd &&
				(s.Update.Section == xml.DHCPRanges || s.Update.Section == xml.DHCPHosts)
		})
		if n == nil || !n.Active || !takes && !restarts {
			continue
		}
		document := was.Live
		if restarts && was.Config != "" {
			document = was.Config
		}
		next, err := xml.Parse(document) // what it is going to run as
		if err != nil {
			return err
		}
		t := netTarget{conn, *n, w}
		lost, err := t.lostLeases(ctx, next)
		if err == nil {
			err = e.refuseConflicts("undo", u.object, lost, o.changeOptions)
		}
		if err == nil && restarts {
			err = checkRestart(t, next, o.changeOptions)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *env) takeChangeBack(ctx context.Context, conn *libvirtnet.Conn, w world, u undoing, o undoOptions) error {
	r := undoResult{Undone: u.entry.ID, Change: u.entry.Op + " " + u.entry.Object, Result: "taken back", Steps: []string{}, Lost: list(append(u.back.Lost, u.gone...))}
	kernel := e.deedsOf(u.back.Steps, o.timeout)
	shown := e.clearing(slices.Concat(u.clear, u.strays)).With(u.back.Plan).With(libvirtnet.Plan{Steps: kernel.shown("kernel")})
	var stale []string
	for _, n := range u.back.Restarts {
		stale = append(stale, "network "+n+" runs with another definition than it did: kvnet net-restart "+n+", or --restart, brings it into force")
	}
	shown.Disturbs = append(shown.Disturbs, stale...)
	for _, f := range u.entry.Final {
		r.Lost = append(r.Lost, "no way back from: "+f)
	}
	if o.stops() {
		return e.printPlan(shown, o.changeOptions)
	}
	for _, s := range shown.Steps {
		r.Steps = append(r.Steps, s.Say)
	}
	if shown.Empty() {
		if u.entry.Outcome == journal.Done && len(u.entry.Final) > 0 {
			return &failure{op: "undo", object: "change " + strconv.Itoa(u.entry.ID), err: errors.New(strings.Join(r.Lost, "; ")), hint: "kvnet undo NUMBER takes an earlier change back"}
		}
		r.Result = "nothing to take back"
		if len(r.Lost) > 0 {
			r.Result = "not taken back"
		}
	} else {
		c := change{op: "undo", object: u.object, plan: u.back.Plan, world: w, act: kernel.take, takeBack: kernel.takeBack, backs: u.entry.ID, inWay: u.inWay, strays: u.strays}
		c.links, c.sysctls = kernelNames(u.entry.Before)
		c.settle = func(ctx context.Context) error { return isBack(ctx, conn, u) }
		if err := e.carryOut(ctx, conn, c, o.changeOptions); err != nil {
			return err
		}
	}
	e.markTaken(u.entry)
	for _, line := range append(stale, r.Lost...) {
		e.announce(line)
	}
	for _, n := range u.back.Restarts {
		if o.restart {
			again, err := e.restartIfStale(ctx, n, restartOptions{changeOptions: o.changeOptions})
			if err != nil {
				return err
			}
			if again != nil {
				r.Steps = append(r.Steps, "restart network "+n)
			}
		}
	}
	return e.print(r, func(out io.Writer) {
		fmt.Fprintf(out, "change %d (%s): %s\n", r.Undone, clean(r.Change), r.Result)
		for _, s := range r.Steps {
			fmt.Fprintf(out, "  %s\n", clean(s))
		}
	})
}

// kernelNames are the links and sysctls of an image.
func kernelNames(i journal.Image) (links, sysctls []string) {
	for _, l := range i.Links {
		links = append(links, l.Name)
	}
	for name := range i.Sysctls {
		sysctls = append(sysctls, name)
	}
	return links, sysctls
}

// markTaken notes at the change that it was taken back.
func (e *env) markTaken(entry journal.Entry) {
	if e.journal == nil {
		return
	}
	entries, err := e.journal.Entries()
	if err == nil && len(entries) > 0 {
		last := entries[len(entries)-1]
		if last.Backs == entry.ID && last.Outcome == journal.Done {
			entry.BackedBy = last.ID
		} else {
			entry.BackedBy, entry.Outcome = 0, journal.Undone // there was nothing to do
		}
		err = e.journal.End(entry)
		// An undo of it that was cut off is done with, too: taken back in its
		// turn, it would bring half a change back.
		for _, n := range entries {
			if n.Backs == entry.ID && n.Outcome == journal.Begun {
				n.BackedBy = entries[len(entries)-1].ID
				err = errors.Join(err, e.journal.End(n))
			}
		}
	}
	if err != nil {
		e.note("%s", oneLine(err))
	}
}
