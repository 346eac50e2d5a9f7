package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

// stateDir is the folder of the journal: root's is the host's, another user
// has one of his own.
func stateDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/kvnet", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "kvnet"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the journal's folder: %w", err)
	}
	return filepath.Join(home, ".local", "state", "kvnet"), nil
}

const withoutJournal = "--no-journal goes on without a way back"

// connectToChange connects, and takes the turn.
func (e *env) connectToChange(ctx context.Context, o changeOptions) (*libvirtnet.Conn, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.takeTurn(ctx, conn, o); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// takeTurn waits until no other kvnet changes this host: what was planned on
// one state must not be carried out on another. The turn ends with the program.
// A journal that cannot be written, or read, stops a change before it begins. A
// daemon elsewhere, and libvirt's test driver, have neither.
func (e *env) takeTurn(ctx context.Context, conn *libvirtnet.Conn, o changeOptions) (err error) {
	if o.stops() || e.journal != nil || e.turn != nil || !conn.Daemon().Local {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	held := (*journal.HeldError)(nil)
	// Where there is no such socket to be had, the journal's lock is left.
	if e.turn, err = journal.TakeTurn(ctx, mayChangeNetworks); errors.As(err, &held) {
		return notMyTurn(err)
	}
	j, err := openJournal()
	if err != nil {
		return e.unrecorded(err, o)
	}
	if err := j.Lock(ctx, strings.Join(e.args, " ")); errors.As(err, &held) {
		return notMyTurn(err)
	} else if err != nil {
		return e.unrecorded(err, o)
	}
	e.journal = j
	entries, err := j.Entries()
	if err != nil {
		return e.unrecorded(err, o)
	}
	if o.takesBack {
		return nil
	}
	for _, half := range journal.HalfDone(entries) {
		e.note("change %d (%s %s) %s: kvnet undo %d takes it back", half.ID, half.Op, clean(half.Object), halfWords(half), half.ID)
	}
	return nil
}

func notMyTurn(err error) error {
	return &failure{op: "wait for", object: "the turn", err: err, hint: "--timeout waits longer", code: exitTimeout}
}

// halfWords say why a change stands half-way.
func halfWords(n journal.Entry) string {
	if n.Outcome == journal.Left {
		return "failed half-way"
	}
	return "was cut off half-way"
}

// endTurn lets others in.
func (e *env) endTurn() {
	if e.borrowed {
		return
	}
	var errs []error
	if e.journal != nil {
		errs = append(errs, e.journal.Unlock())
	}
	if e.turn != nil {
		errs = append(errs, e.turn.Release())
	}
	if err := errors.Join(errs...); err != nil {
		e.note("%s", oneLine(err))
	}
	e.journal, e.turn = nil, nil
}

func openJournal() (*journal.Journal, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	return journal.Open(dir)
}

// unrecorded refuses a change that could not be taken back, unless that is
// what the user wants.
func (e *env) unrecorded(err error, o changeOptions) error {
	if o.noJournal {
		e.note("%s", oneLine(err))
		return nil
	}
	return &failure{op: "record", object: "the change before it is made", err: errors.New(oneLine(err)), hint: withoutJournal}
}

// begin writes down how things are before a change. A nil record is one that
// is not kept.
func (e *env) begin(ctx context.Context, conn *libvirtnet.Conn, c change, o changeOptions) (*record, error) {
	if e.journal == nil || o.noJournal {
		return nil, nil
	}
	t := c.touched()
	t.links = append(t.links, c.bridges(libvirtnet.Start, libvirtnet.Create, libvirtnet.Stop)...)
	if err := c.stopped(ctx, conn, &t); err != nil {
		return nil, err
	}
	// What is left over comes back with nobody.
	before, err := capture(ctx, conn, c.world.without(c.leftovers()).kernel(), t)
	if err != nil {
		return nil, err
	}
	entry, err := e.journal.Begin(journal.Entry{
		Time: c.world.Taken, Command: e.args, URI: c.world.URI, Op: c.op, Object: c.object, Backs: c.backs, Final: c.final, Before: before,
	})
	if err != nil {
		return nil, e.unrecorded(err, o)
	}
	return &record{e.journal, entry}, nil
}

// touched names what a change touches.
type touched struct {
	networks       []string
	interfaces     []journal.Interface // guest and MAC
	links, sysctls []string
	ports          []journal.Port
}

// touched reads the plan; what the change does in the kernel is its own to
// name.
func (c change) touched() touched {
	t := touched{links: c.links, sysctls: c.sysctls}
	seen := map[string]bool{}
	for _, s := range c.plan.Steps {
		key := s.Object + "\x00" + s.MAC
		if seen[key] {
			continue
		}
		seen[key] = true
		switch s.Do {
		case libvirtnet.Attach, libvirtnet.Detach:
			t.interfaces = append(t.interfaces, journal.Interface{Guest: s.Object, MAC: s.MAC})
		case libvirtnet.CreatePort: // makes what a restart lost
		default:
			t.networks = append(t.networks, s.Object)
		}
	}
	return t
}

// bridges are those that libvirt makes, or unmakes, for the networks to which the
// plan does one of these.
func (c change) bridges(does ...libvirtnet.Action) []string {
	var names []string
	for _, s := range c.plan.Steps {
		def := xml.Network{}
		if n := c.world.network(s.Object); n != nil {
			def = n.Def()
		}
		if made, err := xml.Parse(s.Document); err == nil {
			def = made
		}
		if slices.ContainsFunc(does, c.plan.Does) && def.Managed() && def.Bridge != "" && !slices.Contains(names, def.Bridge) {
			names = append(names, def.Bridge)
		}
	}
	return names
}

// capture is how things are now.
func capture(ctx context.Context, conn *libvirtnet.Conn, kernel bridge.State, t touched) (journal.Image, error) {
	var image journal.Image
	for _, name := range t.networks {
		n, err := captureNetwork(ctx, conn, name)
		if err != nil {
			return image, err
		}
		image.Networks = append(image.Networks, n)
	}
	for _, i := range t.interfaces {
		if err := captureInterface(ctx, conn, &i); err != nil {
			return image, err
		}
		image.Interfaces = append(image.Interfaces, i)
	}
	image.Ports = t.ports
	for _, name := range t.links {
		image.Links = append(image.Links, journal.LinkOf(kernel, name))
	}
	for _, name := range t.sysctls {
		if value, known := kernel.Sysctls[name]; known {
			if image.Sysctls == nil {
				image.Sysctls = map[string]string{}
			}
			image.Sysctls[name] = strings.TrimSpace(value)
		}
	}
	return image, nil
}

func captureNetwork(ctx context.Context, conn *libvirtnet.Conn, name string) (journal.Network, error) {
	n := journal.Network{Name: name}
	have, err := conn.Network(ctx, name)
	if errors.Is(err, libvirtnet.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	n = journal.Network{Name: have.Name, UUID: have.UUID, Active: have.Active, Persistent: have.Persistent, Autostart: have.Autostart}
	if have.Persistent {
		if n.Config, err = conn.NetworkXML(ctx, have.UUID, true); err != nil {
			return n, err
		}
	}
	if have.Active {
		n.Live, err = conn.NetworkXML(ctx, have.UUID, false)
	}
	return n, err
}

func captureInterface(ctx context.Context, conn *libvirtnet.Conn, i *journal.Interface) error {
	guest, err := conn.Guest(ctx, i.Guest)
	if err != nil {
		return err
	}
	if i.Active = guest.Active(); i.Active {
		if i.Live, err = conn.InterfaceXML(ctx, guest.UUID, i.MAC, false); err != nil {
			return err
		}
	}
	if guest.Persistent {
		i.Config, err = conn.InterfaceXML(ctx, guest.UUID, i.MAC, true)
	}
	return err
}

// unfinished are the changes in the journal that stand half-way; none while
// another kvnet is at work. An error says what of it cannot be read.
func unfinished() ([]verify.Unfinished, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	held := (*journal.HeldError)(nil)
	if err := journal.Held(dir); err != nil && !errors.As(err, &held) {
		return nil, err
	}
	if held != nil && held.PID != os.Getpid() {
		return nil, nil
	}
	entries, err := journal.Entries(dir)
	var list []verify.Unfinished
	for _, n := range journal.HalfDone(entries) {
		if held != nil && n.PID == held.PID {
			continue // under way
		}
		u := verify.Unfinished{Number: n.ID, Began: n.Time, Change: n.Op + " " + n.Object, Left: n.Left, Networks: []string{}, Guests: []string{}}
		for _, net := range n.Before.Networks {
			u.Networks = append(u.Networks, net.Name)
		}
		for _, i := range n.Before.Interfaces {
			u.Guests = append(u.Guests, i.Guest)
		}
		list = append(list, u)
	}
	return list, err
}
