package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/verify"
)

// reconnects is how often a daemon that went away under a change is asked for
// again, every lookAgain: 5 s in all. It is no deadline: a kvnet that stood still
// meanwhile has not asked.
const reconnects = 20

// cameHome looks, behind a change that was interrupted or lost its daemon,
// whether all is as it was before: what was under way then may have happened
// after all, and what was to be taken back may not. It goes the rest of the way
// once, and says what is left.
func (e *env) cameHome(ctx context.Context, r *record, former world, failed error, o changeOptions) error {
	lost := errors.Is(failed, libvirtnet.ErrDaemonDown)
	if r == nil || !lost && ctx.Err() == nil {
		return failed
	}
	ctx = context.WithoutCancel(ctx)
	conn, err := e.reconnect(ctx)
	if err != nil {
		return notHome(failed, unknown, err)
	}
	defer conn.Close()
	u, err := e.wayHome(ctx, conn, r.entry, former)
	switch {
	case err != nil:
		return notHome(failed, unknown, err)
	case u.arrived():
		return home(failed)
	}
	kernel := e.deedsOf(u.back.Steps, o.timeout)
	c := change{plan: u.back.Plan, world: u.world, inWay: u.inWay, strays: u.strays, act: kernel.take, takeBack: kernel.takeBack}
	o.noVerify = true
	if err := e.makeChange(ctx, conn, c, o); err != nil {
		return notHome(failed, u.words(), err)
	}
	e.sweep(ctx, c, o)
	if u, err = e.wayHome(ctx, conn, r.entry, former); err != nil {
		return notHome(failed, unknown, err)
	}
	if u.arrived() {
		return home(failed)
	}
	return notHome(failed, u.words(), errors.New("it was tried"))
}

// unknown is what is left where nobody can look.
const unknown = "what libvirt was about to do"

// home is the failure of a change that left nothing.
func home(failed error) error {
	undone, left, cause := unwound(failed)
	if undone = append(undone, left...); len(undone) == 0 {
		return cause
	}
	return &libvirtnet.UndoneError{Cause: cause, Undone: undone}
}

// notHome is the failure of a change that left something, and why.
func notHome(failed error, left string, why error) error {
	undone, _, cause := unwound(failed)
	return &libvirtnet.UndoneError{Cause: cause, Undone: undone, Left: []string{left}, Errs: []error{why}}
}

// unwound are what of a failed change was undone, what was not, and its cause.
func unwound(err error) (undone, left []string, cause error) {
	for cause = err; ; {
		u := (*libvirtnet.UndoneError)(nil)
		if !errors.As(cause, &u) {
			return undone, left, cause
		}
		undone, left, cause = append(undone, u.Undone...), append(left, u.Left...), u.Cause
	}
}

// reconnect waits for a daemon that is being restarted.
func (e *env) reconnect(ctx context.Context) (*libvirtnet.Conn, error) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for tries := 1; ; tries++ {
		conn, err := e.connect(ctx)
		if err == nil || !errors.Is(err, libvirtnet.ErrDaemonDown) || tries > reconnects {
			return conn, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// lookBack reads the result of a change that stands, and was looked at. For a
// daemon that went away since it waits; the error of one that stays away says
// that the change stands.
func lookBack[T any](ctx context.Context, e *env, conn *libvirtnet.Conn, read func(context.Context, *libvirtnet.Conn) (T, error)) (T, error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	result, err := read(ctx, conn)
	if !errors.Is(err, libvirtnet.ErrDaemonDown) {
		return result, err
	}
	if conn, err = e.reconnect(ctx); err == nil {
		defer conn.Close()
		result, err = read(ctx, conn)
	}
	if errors.Is(err, libvirtnet.ErrDaemonDown) {
		err = &failure{op: "read the result", err: err, hint: "the change was made and stands: kvnet history shows it"}
	}
	return result, err
}

// wayHome looks around and plans the way back.
func (e *env) wayHome(ctx context.Context, conn *libvirtnet.Conn, entry journal.Entry, former world) (undoing, error) {
	w, err := e.lookAround(ctx)
	if err != nil {
		return undoing{}, err
	}
	u, err := wayBack(ctx, conn, w, entry, nil)
	u.strays = append(u.strays, w.strayTaps(former, guestsOf(entry.Before))...)
	return u, err
}

// strayTaps are the steps that delete taps which came since the former look, belong
// to no guest's interface, and are open in the QEMU of one of these: libvirt's
// daemon died while it plugged them in, and knows nothing of them.
func (w world) strayTaps(former world, guests []string) []verify.Step {
	var steps []verify.Step
	for _, h := range w.kernel().Holders {
		was := slices.ContainsFunc(former.kernel().Links, func(l bridge.Link) bool { return l.Name == h.Link })
		theirs := slices.ContainsFunc(guests, func(name string) bool { return services.GuestPID(name) == h.PID })
		if !was && theirs {
			steps = append(steps, verify.Step{Do: verify.LinkDel, On: h.Link})
		}
	}
	return steps
}
