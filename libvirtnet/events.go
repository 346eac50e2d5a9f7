//go:build cgo

package libvirtnet

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"
)

// prepareEvents tells libvirt, once, that somebody will run its event loop.
var prepareEvents = sync.OnceValue(libvirt.EventRegisterDefaultImpl)

// looping keeps the event loop to one goroutine: libvirt has one for the
// whole process.
var looping sync.Mutex

// keepAlive is how often a silent daemon is asked whether it lives, in seconds,
// and how many answers may stay out.
const keepAlive, keepAliveMisses = 5, 6

// PrepareEvents is to be called before the first connection of a program that
// wants [Conn.Events]: a connection that is older than the event loop hears
// nothing until a call happens to be made on it.
func PrepareEvents() error {
	if err := prepareEvents(); err != nil {
		return openError("events", err)
	}
	return nil
}

// Events hands events to tell, in their order and from one goroutine, until
// tell wants no more, ctx ends, or the connection is lost, which is an
// ErrDaemonDown. ready is called once, when libvirt is listening. One call runs
// at a time in a program; others wait.
func (c *Conn) Events(ctx context.Context, f EventFilter, ready func(), tell func(Event) (more bool)) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	looping.Lock()
	defer looping.Unlock()
	s := &subscription{conn: c, told: make(chan Event, eventQueue), lost: make(chan error, 1), quit: make(chan struct{})}
	loop := startLoop()
	defer loop.stop()
	err := do(ctx, c, func() error { return s.begin(f) })
	defer s.end()
	if err != nil {
		return err
	}
	ready()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for events of %s: %w", show(c.uri), ctx.Err())
		case err := <-s.lost:
			return err
		case e := <-s.told:
			if !tell(e) {
				return nil
			}
		}
	}
}

// eventQueue is how many events wait for a slow reader before libvirt's loop
// waits, too.
const eventQueue = 1024

// endTime is how long a daemon may take to hear that nobody listens any more.
const endTime = 2 * time.Second

// subscription is what is registered with libvirt.
type subscription struct {
	conn *Conn
	mu   sync.Mutex // held while libvirt is asked
	ids  []int
	told chan Event
	lost chan error
	quit chan struct{} // closed when nobody reads told any more
}

func (s *subscription) begin(f EventFilter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, object := s.conn.raw, show(s.conn.uri)
	var net *libvirt.Network
	if f.Network != "" {
		h, err := s.conn.findNetwork(f.Network)
		if err != nil {
			return err
		}
		defer h.Free()
		net, object = h, "network "+show(f.Network)
	}
	// Drivers without a daemon have neither of the two, and cannot be lost.
	if err := raw.RegisterCloseCallback(s.closed); err != nil && !isCode(err, codeNoSupport) {
		return toError(opEvents, object, err)
	}
	if err := raw.SetKeepAlive(keepAlive, keepAliveMisses); err != nil && !isCode(err, codeNoSupport) {
		return toError(opEvents, object, err)
	}
	if f.Kind == "" || f.Kind == Lifecycle {
		id, err := raw.NetworkEventLifecycleRegister(net, s.lifecycle)
		if err != nil {
			return toError(opEvents, object, err)
		}
		s.ids = append(s.ids, id)
	}
	if f.Kind == "" || f.Kind == MetadataChange {
		id, err := raw.NetworkEventMetadataChangeRegister(net, s.metadata)
		switch old := isCode(err, codeInvalidArg, codeNoSupport); {
		case err == nil:
			s.ids = append(s.ids, id)
		case old && f.Kind == "": // before libvirt 9.7 there is nothing to hear
		case old:
			return &Error{Op: opEvents, Object: object, Kind: ErrNotSupported,
				Message: "events of metadata need libvirt 9.7, on both sides of the connection"}
		default:
			return toError(opEvents, object, err)
		}
	}
	return nil
}

// end deregisters, unless a daemon that hangs keeps it from that: closing the
// connection then does it.
func (s *subscription) end() {
	close(s.quit)
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	_ = do(ctx, s.conn, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range s.ids {
			_ = s.conn.raw.NetworkEventDeregister(id) // fails on a lost connection only
		}
		return s.conn.raw.UnregisterCloseCallback()
	})
}

// closed runs in the loop when the connection ended by itself.
func (s *subscription) closed(_ *libvirt.Connect, reason libvirt.ConnectCloseReason) {
	why := "the connection was lost"
	switch reason {
	case libvirt.CONNECT_CLOSE_REASON_EOF:
		why = "the daemon ended the connection: it was stopped or restarted"
	case libvirt.CONNECT_CLOSE_REASON_KEEPALIVE:
		why = fmt.Sprintf("the daemon has not answered for %d s", keepAlive*(keepAliveMisses+1))
	}
	select {
	case s.lost <- &Error{Op: opEvents, Object: show(s.conn.uri), Message: why, Kind: ErrDaemonDown}:
	default:
	}
}

func (s *subscription) lifecycle(_ *libvirt.Connect, n *libvirt.Network, e *libvirt.NetworkEventLifecycle) {
	s.tell(n, Event{Event: Lifecycle, Change: pick([]string{"defined", "undefined", "started", "stopped"}, int(e.Event))})
}

func (s *subscription) metadata(_ *libvirt.Connect, n *libvirt.Network, e *libvirt.NetworkEventMetadataChange) {
	s.tell(n, Event{Event: MetadataChange, Change: pick([]string{"description", "title", "element"}, int(e.Type)), URI: e.NSURI})
}

func pick(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return "unknown" // of a libvirt that is newer than this program
	}
	return words[i]
}

// tell runs in the loop. The handle is libvirt's own and is not freed here.
func (s *subscription) tell(n *libvirt.Network, e Event) {
	e.Time = time.Now()
	e.Network, _ = n.GetName() // both are in the handle and
	e.UUID, _ = n.GetUUIDString()
	select {
	case s.told <- e:
	case <-s.quit:
	}
}

// eventLoop is libvirt's event loop in a goroutine.
type eventLoop struct {
	over atomic.Bool
	done chan struct{}
}

func startLoop() *eventLoop {
	l := &eventLoop{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for !l.over.Load() {
			if err := libvirt.EventRunDefaultImpl(); err != nil {
				return
			}
		}
		// What was deregistered is let go of in the next turn.
		_ = libvirt.EventRunDefaultImpl()
	}()
	return l
}

// stop ends the goroutine: a timer that is due wakes the loop twice.
func (l *eventLoop) stop() {
	l.over.Store(true)
	timer, err := libvirt.EventAddTimeout(0, func(int) {})
	<-l.done
	if err == nil {
		_ = libvirt.EventRemoveTimeout(timer)
	}
}
