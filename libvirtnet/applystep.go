package libvirtnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/kvnet/kvnet/xml"
)

// step is one step of a plan with what it takes to make it.
type step struct {
	h        hands
	s        PlanStep
	validate bool
}

// take makes the step and returns how to undo it. With an error, an undo
// stands for the part that was, or may have been, made.
func (t step) take(ctx context.Context) (undo, error) {
	switch t.s.Do {
	case Define:
		return t.define(ctx)
	case Redefine:
		return t.redefine(ctx)
	case Create:
		return t.change(ctx, func(ctx context.Context) error { return t.h.Create(ctx, t.s.Document, t.validate) }, t.stopAgain)
	case Start:
		return t.change(ctx, func(ctx context.Context) error { return t.h.Start(ctx, t.s.Object) }, t.stopAgain)
	case Stop:
		return t.stop(ctx)
	case Undefine:
		return t.undefine(ctx)
	case Autostart, NoAutostart:
		return t.autostart(ctx)
	case Attach:
		return t.attach(ctx)
	case Detach:
		return t.detach(ctx)
	case CreatePort:
		return t.port(ctx)
	case Update:
		return t.update(ctx)
	case SetMetadata:
		return t.metadata(ctx)
	}
	return undo{}, &Error{Op: string(t.s.Do), Object: show(t.s.Object), Message: "no such step", Kind: ErrInvalid}
}

// change makes a change that either happens or does not. Only when the
// context ended is that not known, and the undo stands all the same.
func (t step) change(ctx context.Context, do, back func(context.Context) error) (undo, error) {
	err := do(ctx)
	if err != nil && ctx.Err() == nil {
		return undo{}, err
	}
	return undo{do: back}, err
}

func (t step) stopAgain(ctx context.Context) error {
	return unless(t.h.Stop(ctx, t.s.Object), ErrNotActive, ErrNotFound)
}

func (t step) define(ctx context.Context) (undo, error) {
	have, err := t.h.Network(ctx, t.s.Object)
	switch {
	case err == nil && have.Persistent:
		return undo{}, &Error{Op: opDefine, Object: "network " + show(t.s.Object), Message: "it was defined in the meantime", Kind: ErrExists}
	case err != nil && !errors.Is(err, ErrNotFound):
		return undo{}, err
	}
	return t.change(ctx,
		func(ctx context.Context) error { return t.h.Define(ctx, t.s.Document, t.validate) },
		func(ctx context.Context) error { return unless(t.h.Undefine(ctx, t.s.Object), ErrNotFound) })
}

func (t step) redefine(ctx context.Context) (undo, error) {
	former, err := t.h.NetworkXML(ctx, t.s.Object, true)
	if err != nil {
		return undo{}, err
	}
	return t.change(ctx,
		func(ctx context.Context) error { return t.h.Define(ctx, t.s.Document, t.validate) },
		func(ctx context.Context) error { return t.h.Define(ctx, former, false) })
}

func (t step) stop(ctx context.Context) (undo, error) {
	have, err := t.h.Network(ctx, t.s.Object)
	if err != nil {
		return undo{}, err
	}
	start := func(ctx context.Context) error { return unless(t.h.Start(ctx, t.s.Object), ErrActive) }
	back := start
	switch {
	case !have.Persistent:
		live, err := t.h.NetworkXML(ctx, t.s.Object, false)
		if err != nil {
			return undo{}, err
		}
		back = func(ctx context.Context) error { return t.h.Create(ctx, live, false) }
	case have.Live != nil && have.Config != nil && len(xml.Drift(*have.Live, *have.Config)) > 0:
		// A start takes the definition, and this is to run again as it ran: with
		// that one for a moment. libvirt would forget the network if it were created
		// from what ran, and that failed.
		live, err := t.h.NetworkXML(ctx, t.s.Object, false)
		if err != nil {
			return undo{}, err
		}
		config, err := t.h.NetworkXML(ctx, t.s.Object, true)
		if err != nil {
			return undo{}, err
		}
		back = func(ctx context.Context) error {
			if err := t.h.Define(ctx, live, false); err != nil {
				return err
			}
			return errors.Join(start(ctx), t.h.Define(ctx, config, false))
		}
	}
	return t.change(ctx, func(ctx context.Context) error { return t.h.Stop(ctx, t.s.Object) }, back)
}

func (t step) undefine(ctx context.Context) (undo, error) {
	have, err := t.h.Network(ctx, t.s.Object)
	if err != nil {
		return undo{}, err
	}
	former, err := t.h.NetworkXML(ctx, t.s.Object, true)
	if err != nil {
		return undo{}, err
	}
	return t.change(ctx, func(ctx context.Context) error { return t.h.Undefine(ctx, t.s.Object) },
		func(ctx context.Context) error {
			if err := t.h.Define(ctx, former, false); err != nil || !have.Autostart {
				return err
			}
			return t.h.SetAutostart(ctx, t.s.Object, true)
		})
}

func (t step) autostart(ctx context.Context) (undo, error) {
	have, err := t.h.Network(ctx, t.s.Object)
	if err != nil {
		return undo{}, err
	}
	set := func(on bool) func(context.Context) error {
		return func(ctx context.Context) error { return t.h.SetAutostart(ctx, t.s.Object, on) }
	}
	return t.change(ctx, set(t.s.Do == Autostart), set(have.Autostart))
}

func (t step) attach(ctx context.Context) (undo, error) {
	return t.change(ctx,
		func(ctx context.Context) error {
			return t.h.AttachInterface(ctx, t.s.Object, t.s.Document, t.s.Live, t.s.Config)
		},
		func(ctx context.Context) error {
			err := t.drop(ctx, t.s.Config, false)
			if err = errors.Join(err, t.drop(ctx, t.s.Live, true)); err != nil || !t.s.Live {
				return err
			}
			return waitDetached(ctx, t.h, t.s.Object, t.s.MAC)
		})
}

// drop detaches the interface from one layer of the guest, as that layer's
// document describes it. A layer without it is fine.
func (t step) drop(ctx context.Context, wanted, live bool) error {
	if !wanted {
		return nil
	}
	element, err := t.element(ctx, live)
	if err != nil || element == "" {
		return unless(err, ErrNotFound)
	}
	return t.h.DetachInterface(ctx, t.s.Object, element, live, !live)
}

// element is the interface in one layer of the guest; "" when it has none.
func (t step) element(ctx context.Context, live bool) (string, error) {
	doc, err := t.h.GuestXML(ctx, t.s.Object, !live)
	if err != nil {
		return "", err
	}
	return interfaceElement(doc, t.s.MAC)
}

// detach takes the interface out of the layers that have it: the running
// guest first, which may refuse.
func (t step) detach(ctx context.Context) (undo, error) {
	var former [2]string // live, config
	for i, wanted := range []bool{t.s.Live, t.s.Config} {
		if !wanted {
			continue
		}
		var err error
		if former[i], err = t.element(ctx, i == 0); err != nil {
			return undo{}, err
		}
	}
	if former[0] == "" && former[1] == "" {
		return undo{}, &NotFoundError{Kind: "interface", Name: t.s.MAC}
	}
	var made [2]bool
	back := func(ctx context.Context) error { return t.attachAgain(ctx, former, made) }
	for i, element := range former {
		if element == "" {
			continue
		}
		err := t.h.DetachInterface(ctx, t.s.Object, element, i == 0, i == 1)
		made[i] = err == nil || ctx.Err() != nil
		if err != nil {
			if made[0] || made[1] {
				return undo{do: back}, err
			}
			return undo{}, err
		}
	}
	return undo{do: back}, nil
}

// attachAgain plugs the former interface back into the layers it was taken
// from. A running guest that has not let go of it yet keeps it, but may still
// let go.
func (t step) attachAgain(ctx context.Context, former [2]string, made [2]bool) error {
	var errs []error
	if made[1] {
		errs = append(errs, t.h.AttachInterface(ctx, t.s.Object, former[1], false, true))
	}
	if made[0] {
		element, err := t.element(ctx, true)
		switch {
		case err != nil:
			errs = append(errs, err)
		case element != "":
			errs = append(errs, fmt.Errorf("take back the detaching of %s: guest %s may still let go of it", t.s.MAC, show(t.s.Object)))
		default:
			doc, err := pluggable(former[0])
			if err == nil {
				err = t.h.AttachInterface(ctx, t.s.Object, doc, true, false)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (t step) port(ctx context.Context) (undo, error) {
	root, err := rootOf(t.s.Document, "networkport")
	if err != nil {
		return undo{}, &Error{Op: opPort, Object: "network " + show(t.s.Object), Message: err.Error(), Kind: ErrInvalid}
	}
	uuid := text(root, "uuid")
	return t.change(ctx,
		func(ctx context.Context) error {
			return t.h.CreatePort(ctx, t.s.Object, t.s.Document, t.s.Reclaim)
		},
		func(ctx context.Context) error { return unless(t.h.DeletePort(ctx, t.s.Object, uuid), ErrNotFound) })
}
