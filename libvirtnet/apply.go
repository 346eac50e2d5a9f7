package libvirtnet

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// patience is how long a step that is under way when the context ends may
	// take to answer, so that it can be undone.
	patience = 10 * time.Second
	// undoTime bounds the undoing of a whole plan.
	undoTime = 15 * time.Second
)

// Apply carries out a plan, then asks check, which may be nil, whether the
// result is right. When a step or check fails, or the context ends, the steps
// that were made are undone, newest first, also after the context's end; the
// error is then an *UndoneError, or the cause itself when nothing was done.
//
// A definition is undone by undefining or by defining the former document, a
// start by a stop and the other way round (guests that a stop cut off stay
// so), attaching by detaching and the other way round, autostart by its
// former value. Redefining keeps the name: the network of that name must be
// there, and must not be there to be defined for the first time.
func (c *Conn) Apply(ctx context.Context, p Plan, check func(context.Context) error) error {
	return apply(ctx, c, p, check)
}

// hands are the changes a plan is made of; *Conn has them.
type hands interface {
	Network(ctx context.Context, key string) (Network, error)
	NetworkXML(ctx context.Context, key string, inactive bool) (string, error)
	GuestXML(ctx context.Context, key string, inactive bool) (string, error)
	Define(ctx context.Context, doc string, validate bool) error
	Create(ctx context.Context, doc string, validate bool) error
	Start(ctx context.Context, key string) error
	Stop(ctx context.Context, key string) error
	Undefine(ctx context.Context, key string) error
	SetAutostart(ctx context.Context, key string, on bool) error
	AttachInterface(ctx context.Context, guest, doc string, live, config bool) error
	DetachInterface(ctx context.Context, guest, doc string, live, config bool) error
	CreatePort(ctx context.Context, network, doc string, reclaim bool) error
	DeletePort(ctx context.Context, network, uuid string) error
	UpdateNetwork(ctx context.Context, key string, u SectionUpdate, entry string, live bool) error
	SetMetadata(ctx context.Context, key string, u MetadataUpdate, text string, live bool) error
}

// undo takes one step back.
type undo struct {
	say string
	do  func(context.Context) error
	// unsure: libvirt did not say whether the step was made.
	unsure bool
}

func apply(ctx context.Context, h hands, p Plan, check func(context.Context) error) error {
	var done []undo
	for _, s := range p.Steps {
		if err := ctx.Err(); err != nil {
			return takeBack(ctx, done, fmt.Errorf("%s: %w", s.Say, err))
		}
		u, err := carryOut(ctx, h, s, !p.NoValidate)
		if u.do != nil {
			u.say = s.Say
			done = append(done, u)
		}
		if err != nil {
			return takeBack(ctx, done, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return takeBack(ctx, done, fmt.Errorf("apply plan: %w", err))
	}
	if check == nil {
		return nil
	}
	if err := check(ctx); err != nil {
		return takeBack(ctx, done, err)
	}
	return nil
}

// carryOut makes one step. The end of ctx does not cut it off at once: a
// change whose outcome is known can be undone.
func carryOut(ctx context.Context, h hands, s PlanStep, validate bool) (undo, error) {
	calm, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(patience, cancel) })
	defer stop()
	u, err := step{h, s, validate}.take(calm)
	if err != nil && calm.Err() != nil {
		u.unsure = true
	}
	return u, err
}

// takeBack undoes what was done, newest first, and says how that went.
func takeBack(ctx context.Context, done []undo, cause error) error {
	if len(done) == 0 {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	e := &UndoneError{Cause: cause}
	for i := len(done) - 1; i >= 0; i-- {
		u := done[i]
		err := u.do(ctx)
		switch {
		case err != nil:
			e.Left = append(e.Left, u.say)
			e.Errs = append(e.Errs, err)
		case u.unsure:
			e.Left = append(e.Left, u.say+" (libvirt did not answer; it may still happen)")
		default:
			e.Undone = append(e.Undone, u.say)
		}
	}
	return e
}

// unless drops an error that says the undoing has nothing to do.
func unless(err error, nothing ...error) error {
	for _, n := range nothing {
		if errors.Is(err, n) {
			return nil
		}
	}
	return err
}
