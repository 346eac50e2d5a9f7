package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Watch is what happened by itself while a host was looked at several times in
// a row: how much the counters of bridge ports grew, and which forwarding
// entries went from port to port.
type Watch struct {
	Looks int `json:"looks"`
	// Duration from the first look to the last, in milliseconds.
	Duration int64 `json:"duration_ms"`
	// Counters are what ports counted meanwhile; those that counted nothing are
	// left out.
	Counters []Counter `json:"counters"`
	Moves    []Move    `json:"moves"`
}

// Move is a learned MAC that changed its port.
type Move struct {
	Bridge string `json:"bridge"`
	MAC    string `json:"mac"`
	VLAN   int    `json:"vlan,omitempty"`
	// Ports it was seen at, in order; one that stands here again was gone back
	// to.
	Ports []string `json:"ports"`
}

// Interval is how often, and how many times, a host is looked at.
type Interval struct {
	Looks int
	Every time.Duration
}

// Observe looks at the calling thread's namespace as often as i says: at the
// counters of bridge ports, and at what the kernel told meanwhile of learned
// addresses that changed their port (RTNLGRP_NEIGH, linux/rtnetlink.h), so
// that none is missed that moves faster than anybody looks. It takes (Looks-1)
// times Every.
func Observe(ctx context.Context, i Interval) (Watch, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := Watch{Counters: []Counter{}, Moves: []Move{}}
	o, err := startObserver(ctx)
	if err != nil {
		return w, fmt.Errorf("watch bridges: %w", err)
	}
	defer o.close()
	stop := context.AfterFunc(ctx, o.events.Close)
	defer stop()
	begin := time.Now()
	for ; w.Looks < max(i.Looks, 1); w.Looks++ {
		if err := o.hear(ctx, begin.Add(time.Duration(w.Looks)*max(i.Every, time.Millisecond))); err != nil {
			return w, fmt.Errorf("watch bridges: %w", err)
		}
		if err := o.look(ctx); err != nil {
			return w, fmt.Errorf("watch bridges: %w", err)
		}
	}
	w.Duration = time.Since(begin).Milliseconds()
	o.tell(&w)
	return w, nil
}

// station is what a forwarding entry is for.
type station struct {
	bridge, mac string
	vlan        int
}

// longestTrail is how many ports of one MAC are kept: a loop turns it round
// thousands of times a second.
const longestTrail = 16

type observer struct {
	conn   *conn
	events *nl.NetlinkSocket
	names  names
	ports  map[string]bool
	// first and last are the counters at the first and at the last look.
	first map[string]Counter
	last  []Counter
	// seen are the ports of each learned MAC, one for each change.
	seen map[station][]string
}

// startObserver learns the names of links, which of them are ports, and where
// each MAC is to begin with.
func startObserver(ctx context.Context) (*observer, error) {
	o := &observer{ports: map[string]bool{}, first: map[string]Counter{}, seen: map[station][]string{}}
	if err := o.start(ctx); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func (o *observer) start(ctx context.Context) (err error) {
	if o.conn, err = dial(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	links, err := o.conn.links(ctx)
	if err != nil {
		return err
	}
	o.names = make(names, len(links))
	for i := range links {
		o.names[links[i].Index] = links[i].Name
		if links[i].port != nil {
			o.ports[links[i].Name] = true
		}
	}
	// Subscribed before the table is read, so that no move falls between.
	if o.events, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_NEIGH); err != nil {
		return fmt.Errorf("subscribe to neighbours: %w", err)
	}
	entries, err := o.conn.fdb(ctx)
	for _, e := range entries {
		o.saw(e)
	}
	return err
}

func (o *observer) close() {
	if o.conn != nil {
		o.conn.close()
	}
	if o.events != nil {
		o.events.Close()
	}
}

func (o *observer) look(ctx context.Context) error {
	list, err := o.conn.portCounters(ctx, o.names, o.ports)
	if err != nil {
		return err
	}
	o.last = list
	for _, c := range list {
		if _, known := o.first[c.Link]; !known {
			o.first[c.Link] = c
		}
	}
	return nil
}

// hear takes what the kernel tells until then. In a storm it tells more than
// the socket holds: what is lost are further moves of the same kind.
func (o *observer) hear(ctx context.Context, until time.Time) error {
	for left := time.Until(until); left > 0 && ctx.Err() == nil; left = time.Until(until) {
		limit := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
		if err := o.events.SetReceiveTimeout(&limit); err != nil {
			return fmt.Errorf("listen to neighbours: %w", err)
		}
		msgs, _, err := o.events.Receive()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("listen to neighbours: %w", err)
		}
		for _, m := range msgs {
			if m.Header.Type != unix.RTM_NEWNEIGH {
				continue
			}
			e, keep, err := parseFDB(m.Data)
			if err != nil {
				return err
			}
			if keep {
				o.saw(e)
			}
		}
	}
	return ctx.Err()
}

func (o *observer) saw(e fdbMsg) {
	if e.State != FDBLearned || e.Self || e.MAC == "" {
		return
	}
	at, port := station{o.names.of(e.bridge), e.MAC, e.VLAN}, o.names.of(e.index)
	if ports := o.seen[at]; len(ports) == 0 || ports[len(ports)-1] != port && len(ports) < longestTrail {
		o.seen[at] = append(ports, port)
	}
}

// tell writes down what changed, sorted.
func (o *observer) tell(w *Watch) {
	for _, c := range o.last {
		was := o.first[c.Link]
		grown := Counter{Link: c.Link, RXPackets: since(c.RXPackets, was.RXPackets), TXPackets: since(c.TXPackets, was.TXPackets),
			RXDropped: since(c.RXDropped, was.RXDropped), TXDropped: since(c.TXDropped, was.TXDropped)}
		if grown != (Counter{Link: c.Link}) {
			w.Counters = append(w.Counters, grown)
		}
	}
	for at, ports := range o.seen {
		if len(ports) > 1 {
			w.Moves = append(w.Moves, Move{Bridge: at.bridge, MAC: at.mac, VLAN: at.vlan, Ports: ports})
		}
	}
	sortBy(w.Counters, func(a, b Counter) int { return cmp.Compare(a.Link, b.Link) })
	sortBy(w.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.MAC, b.MAC), cmp.Compare(a.VLAN, b.VLAN))
	})
}

// since is how much a counter grew; one that was set back grew from zero.
func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}
