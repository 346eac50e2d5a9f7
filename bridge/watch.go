package bridge

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

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
// counters of bridge ports and at the bridges' forwarding databases, and at
// nothing else. It takes (Looks-1) times Every.
func Observe(ctx context.Context, i Interval) (Watch, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := Watch{Counters: []Counter{}, Moves: []Move{}}
	o, err := startObserver(ctx)
	if err != nil {
		return w, fmt.Errorf("watch bridges: %w", err)
	}
	defer o.conn.close()
	begin := time.Now()
	tick := time.NewTicker(max(i.Every, time.Millisecond))
	defer tick.Stop()
	for ; w.Looks < max(i.Looks, 1); w.Looks++ {
		if w.Looks > 0 {
			select {
			case <-ctx.Done():
				return w, fmt.Errorf("watch bridges: %w", ctx.Err())
			case <-tick.C:
			}
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

type observer struct {
	conn  *conn
	names names
	ports map[string]bool
	// first and last are the counters at the first and at the last look.
	first map[string]Counter
	last  []Counter
	// seen are the ports of each learned MAC, one for each change.
	seen map[station][]string
}

// startObserver learns the names of links and which of them are ports. Its
// connection is the caller's to close.
func startObserver(ctx context.Context) (*observer, error) {
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	links, err := c.links(ctx)
	if err != nil {
		c.close()
		return nil, err
	}
	o := &observer{conn: c, names: make(names, len(links)), ports: map[string]bool{}, first: map[string]Counter{}, seen: map[station][]string{}}
	for i := range links {
		o.names[links[i].Index] = links[i].Name
		if links[i].port != nil {
			o.ports[links[i].Name] = true
		}
	}
	return o, nil
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
	entries, err := o.conn.fdb(ctx)
	for _, e := range entries {
		if e.State != FDBLearned || e.Self || e.MAC == "" {
			continue
		}
		at, port := station{o.names.of(e.bridge), e.MAC, e.VLAN}, o.names.of(e.index)
		if ports := o.seen[at]; len(ports) == 0 || ports[len(ports)-1] != port {
			o.seen[at] = append(ports, port)
		}
	}
	return err
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
	slices.SortFunc(w.Counters, func(a, b Counter) int { return cmp.Compare(a.Link, b.Link) })
	slices.SortFunc(w.Moves, func(a, b Move) int {
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
