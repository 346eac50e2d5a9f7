package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
)

// changeOptions are the flags of the commands that change something.
type changeOptions struct {
	timeout  time.Duration
	dryRun   bool
	printXML bool
	noVerify bool
	force    bool
	// noJournal: go on when the way back cannot be written down.
	noJournal bool
	// takesBack: it takes a change back, such as one that stands half-way.
	takesBack bool
}

// changeFlags declares them. force says what --force does; without words the
// command has no such flag.
func changeFlags(o *changeOptions, force string) []cli.Flag {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Usage: "print the plan and stop", Destination: &o.dryRun},
		&cli.BoolFlag{Name: "print-xml", Usage: "print the documents and stop; with --dry-run, behind the plan", Destination: &o.printXML},
		&cli.BoolFlag{Name: "no-verify", Usage: "do not look at libvirt and the kernel afterwards", Destination: &o.noVerify},
		&cli.BoolFlag{Name: "no-journal", Usage: "keep no way back: kvnet undo will not know of it", Destination: &o.noJournal},
		timeoutFlag(&o.timeout, "wait at most `DURATION` for the kernel to settle, in seconds or as 1m30s"),
	}
	if force != "" {
		flags = append(flags, &cli.BoolFlag{Name: "force", Usage: force, Destination: &o.force})
	}
	return flags
}

// check refuses what the flags cannot mean.
func (o changeOptions) check(command string) error {
	return checkTimeout(command, o.timeout)
}

// stops says that the plan is printed and nothing done.
func (o changeOptions) stops() bool { return o.dryRun || o.printXML }

// world is what a change is planned against: libvirt's half, and the kernel's
// where it is the one that libvirt works on.
type world struct {
	gathered
	here bool   // the kernel half is that of libvirt's daemon
	why  string // it is not
}

// lookAround reads both halves. Without libvirt's there is nothing to plan;
// without the kernel's the checks that need it are left out, which is said at
// once: a plan may rest on it, too.
func (e *env) lookAround(ctx context.Context) (world, error) {
	g := gather(ctx, e.uri)
	if err := ctx.Err(); err != nil {
		return world{gathered: g}, &failure{op: "ask", object: e.uri, err: err}
	}
	if g.libvirtErr != nil {
		return world{gathered: g}, g.libvirtErr
	}
	return e.worldOf(g), nil
}

// worldOf is the world that was gathered, now or in a snapshot. What is missing
// in it is said.
func (e *env) worldOf(g gathered) world {
	w := world{gathered: g}
	for _, g := range w.Libvirt.Gaps {
		e.note("not told: %s: %s", g.Source, g.Message)
	}
	links := ""
	for _, g := range w.Kernel.Gaps {
		switch g.Source {
		case "links":
			links = g.Message
		case "routes":
			e.note("not told: %s: %s", g.Source, g.Message)
		}
	}
	switch {
	case !w.Libvirt.Daemon.Local:
		w.why = w.URI + " names no daemon on this host"
	case w.kernelErr != nil:
		w.why = w.kernelErr.Error()
	case links != "":
		w.why = links // of a snapshot
	default:
		w.why = verify.Elsewhere(w.Libvirt.Daemon, w.Kernel.Namespace)
	}
	w.here = w.why == ""
	if !w.here {
		e.note("the kernel is not looked at: %s", w.why)
	}
	return w
}

// kernel is the kernel that libvirt works on; empty where that is not this one.
func (w world) kernel() bridge.State {
	if !w.here {
		return bridge.State{}
	}
	return w.Kernel
}

// network returns the network of that name, nil when there is none.
func (w world) network(name string) *libvirtnet.Network {
	for i := range w.Libvirt.Networks {
		if w.Libvirt.Networks[i].Name == name {
			return &w.Libvirt.Networks[i]
		}
	}
	return nil
}

// needGuests refuses to go on where not every guest could be read: one of
// those might be cut off.
func (w world) needGuests(op, object string, force bool) error {
	for _, g := range w.Libvirt.Gaps {
		if strings.HasPrefix(g.Source, "guest") && !force {
			return refuse(op, object, fmt.Errorf("which guests are attached is not known (%s: %s)", g.Source, g.Message), "--force does it all the same")
		}
	}
	return nil
}

// change is a plan with what makes it right afterwards.
type change struct {
	op, object string // for errors: "start", "network default"
	plan       libvirtnet.Plan
	world      world
	// subjects are the names of networks, bridges and guests that are touched.
	subjects []string
	// own says whether a finding behind the change is the change's own: it fails
	// then and is undone. Others, and all with --force, are only told.
	own func(verify.Finding) bool
	// asked are the checks whose findings are what the change is to bring about.
	asked []string
	// act makes what the plan has no step for, behind its steps; takeBack undoes
	// it when it, or anything behind it, fails. Both may be nil. What act waits
	// for it bounds itself (within): --timeout is for the host to settle, not for
	// the work, which may be a hundred guests'.
	act      func(context.Context) error
	takeBack func(cause error) error
	// links and sysctls are what act touches in the kernel.
	links, sysctls []string
	// final are the commands that act runs and that have no way back.
	final []string
	// start is called when the first step is about to be made; it may be nil.
	start func()
	// rescue makes good, behind a change that failed and was taken back, what
	// taking back alone does not; it may be nil.
	rescue func(context.Context) error
	// inWay are bridges that are to be free of what libvirt left of them, beside
	// those of the networks that the plan starts.
	inWay []string
	// strays are steps that take away what libvirt does not know.
	strays []verify.Step
	// backs is the number of the change that this one takes back.
	backs int
	// settle waits until libvirt and the kernel show the change; it may be nil.
	settle func(context.Context) error
}

// carryOut says whom the plan disturbs, makes the change, waits for it to show
// and judges what it brought about. What fails is undone.
func (e *env) carryOut(ctx context.Context, conn *libvirtnet.Conn, c change, o changeOptions) error {
	for _, line := range c.plan.Disturbs {
		e.announce(line)
	}
	record, err := e.begin(ctx, conn, c, o)
	if err != nil {
		return err
	}
	err = e.makeChange(ctx, conn, c, o)
	if err != nil {
		err = e.cameHome(ctx, record, c.world, err, o)
	}
	record.end(ctx, conn, e, err)
	for _, n := range conn.Notes() {
		e.note("%s", n)
	}
	return changeError(c.op, c.object, err)
}

// makeChange clears the way, makes the change and looks at it. What fails is
// taken back.
func (e *env) makeChange(ctx context.Context, conn *libvirtnet.Conn, c change, o changeOptions) error {
	before := c.findings(c.world.gathered)
	if c.start != nil {
		c.start()
	}
	if err := e.deedsOf(append(c.leftovers(), c.strays...), o.timeout).take(ctx); err != nil {
		return err
	}
	err := conn.Apply(ctx, c.plan, func(ctx context.Context) error {
		err := e.finishChange(ctx, c, before, o)
		if err != nil && c.takeBack != nil {
			err = c.takeBack(err)
		}
		return err
	})
	if err != nil && c.rescue != nil {
		if failed := c.rescue(context.WithoutCancel(ctx)); failed != nil {
			return &libvirtnet.UndoneError{Cause: err, Left: []string{"plugging its guests back in"}, Errs: []error{failed}}
		}
	}
	return err
}

// within bounds what act waits for.
func within(timeout time.Duration, act func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return act(ctx)
	}
}

// finishChange does what stands behind the plan's own steps, and looks at the
// result.
func (e *env) finishChange(ctx context.Context, c change, before []verify.Finding, o changeOptions) error {
	if c.act != nil {
		if err := c.act(ctx); err != nil {
			return err
		}
	}
	if o.noVerify {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if c.settle != nil {
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	if len(c.subjects) > 0 {
		if err := e.verifyChange(ctx, c, before, o); err != nil {
			return err
		}
	}
	e.sweep(ctx, c, o)
	return nil
}

// announce tells at once what is going to be disturbed. Where programs read
// JSON, the result has it.
func (e *env) announce(line string) {
	if !e.quiet && e.format != "json" {
		fmt.Fprintln(e.err, "note: "+clean(line))
	}
}

// changeError words the failure of a change: its cause, what was undone, and
// what was not.
func changeError(op, object string, err error) error {
	if err == nil {
		return nil
	}
	var undone, left []string
	cause := err
	for {
		u := (*libvirtnet.UndoneError)(nil)
		if !errors.As(cause, &u) {
			break
		}
		undone = append(undone, u.Undone...)
		for i, l := range u.Left {
			if i < len(u.Errs) {
				l += " (" + oneLine(u.Errs[i]) + ")"
			}
			left = append(left, l)
		}
		cause = u.Cause
	}
	f := explain(cause)
	words := f.err
	if words == nil {
		words = cause
	}
	if errors.Is(cause, context.Canceled) {
		// Whatever was waited for, the wait was not what failed.
		words, f.hint, f.line = errInterrupted, "", ""
		f.op, f.object = op, object
	}
	if f.op == "" {
		f.op, f.object = op, object
	}
	if len(undone) > 0 {
		words = fmt.Errorf("%w; undone: %s", words, strings.Join(undone, ", "))
	}
	if len(left) > 0 {
		words = fmt.Errorf("%w; not undone: %s", words, strings.Join(left, ", "))
		f.hint = cmp.Or(f.hint, "kvnet verify shows what is out of order")
	}
	return &failure{op: f.op, object: f.object, err: words, hint: f.hint, code: f.code}
}

var errInterrupted = errors.New("interrupted")

// waited is the error of a wait that ended: what was waited for, in words.
type waited struct {
	words string
	cause error
}

func (w *waited) Error() string { return w.words }
func (w *waited) Unwrap() error { return w.cause }
