//go:build cgo

package libvirtnet

import (
	"cmp"
	"context"
	"errors"
	"sort"
	"sync"

	"github.com/kvnet/kvnet/xml"
)

// State asks libvirt for everything in one pass: each list once, then one
// document for a guest and two for a network that is active and defined.
// What vanishes between the list and the question is left out; whatever else
// is not told is a gap, and the rest goes on. The error is one of the context
// or of a connection that broke; the state has then what came until then.
func (c *Conn) State(ctx context.Context) (State, error) {
	return ask(ctx, c, func() (State, error) {
		var g gaps
		s := State{URI: c.uri, Daemon: c.Daemon()}
		if driver, err := c.raw.GetType(); err == nil {
			s.Driver = driver
		} else {
			g.add("driver", toError(opRead, "driver of "+show(c.uri), err))
		}
		if v, err := c.raw.GetLibVersion(); err == nil {
			s.Version = int(v)
		} else {
			g.add("version", toError(opRead, "version of "+show(c.uri), err))
		}
		var wg sync.WaitGroup
		wg.Go(func() { s.Networks = c.gatherNetworks(ctx, &g, true) })
		s.Guests = c.gatherGuests(ctx, &g, true)
		s.Filters = c.gatherFilters(ctx, s.Guests, &g)
		wg.Wait()
		c.gatherUnclaimed(&s, &g)
		s.Gaps = g.sorted()
		return s, g.broken
	})
}

// workers is how many calls are in flight at once on a connection: libvirtd
// works on several requests of a client (max_client_requests in
// libvirtd.conf is 5).
const workers = 4

// gatherNetworks reads every network in full, with its leases where they are
// wanted.
func (c *Conn) gatherNetworks(ctx context.Context, g *gaps, wanted bool) []Network {
	handles, list, err := c.listNetworks(false)
	if err != nil {
		g.add("networks", err)
		return []Network{}
	}
	defer freeNetworks(handles)
	gone := each(ctx, len(list), func(i int) bool {
		if fillNetwork(&handles[i], &list[i], g) {
			return true
		}
		if wanted {
			fillLeases(&handles[i], &list[i], g)
		}
		return false
	})
	return without(list, gone)
}

// gatherUnclaimed reads the ports of networks that no interface has: a healthy
// host has none.
func (c *Conn) gatherUnclaimed(s *State, g *gaps) {
	claimed := map[string]bool{}
	for i := range s.Guests {
		for j := range s.Guests[i].Interfaces {
			claimed[s.Guests[i].Interfaces[j].PortID] = true
		}
	}
	for i := range s.Networks {
		n := &s.Networks[i]
		for _, id := range n.Ports {
			if claimed[id] {
				continue
			}
			port, err := c.readPort(n.UUID, id)
			switch {
			case err == nil:
				n.Unclaimed = append(n.Unclaimed, port)
			case !errors.Is(err, ErrNotFound):
				g.add("ports of "+show(n.Name), err)
				return
			}
		}
	}
}

func (c *Conn) readPort(network, id string) (xml.Port, error) {
	var doc string
	h, err := c.raw.LookupNetworkByUUIDString(network)
	if err == nil {
		defer h.Free()
		doc, err = portXML(h, id)
	}
	if err != nil {
		return xml.Port{}, toError(opPorts, "port "+show(id), err)
	}
	return xml.ParsePort(doc)
}

// gatherGuests reads every guest with its interfaces, and with the reason for
// which it is paused where reasons are wanted.
func (c *Conn) gatherGuests(ctx context.Context, g *gaps, reasons bool) []Guest {
	handles, list, err := c.listGuests()
	if err != nil {
		g.add("guests", err)
		return []Guest{}
	}
	defer freeGuests(handles)
	gone := each(ctx, len(list), func(i int) bool { return fillGuest(&handles[i], &list[i], g) })
	if reasons {
		fillReasons(ctx, handles, list, g)
	}
	return without(list, gone)
}

// each runs f for 0 to n-1 on a few goroutines and returns its answers. It
// starts no more when ctx has ended.
func each(ctx context.Context, n int, f func(int) bool) []bool {
	answers := make([]bool, n)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next int
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && ctx.Err() == nil
	}
	for range min(workers, n) {
		wg.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				answers[i] = f(i)
			}
		})
	}
	wg.Wait()
	return answers
}

// without drops the elements that are gone.
func without[T any](list []T, gone []bool) []T {
	out := list[:0]
	for i, v := range list {
		if !gone[i] {
			out = append(out, v)
		}
	}
	return out
}

// gaps collects what was not told, from several goroutines.
type gaps struct {
	mu     sync.Mutex
	list   []Gap
	errs   []error
	broken error // the connection is gone
}

func (g *gaps) add(source string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if errors.Is(err, ErrDaemonDown) {
		if g.broken == nil {
			g.broken = err
			g.list = append(g.list, Gap{"connection", err.Error()})
		}
		return
	}
	g.list = append(g.list, Gap{source, err.Error()})
	g.errs = append(g.errs, err)
}

// sorted is the list in a fixed order, never nil.
func (g *gaps) sorted() []Gap {
	list := append([]Gap{}, g.list...)
	sort.SliceStable(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Message, b.Message)) < 0
	})
	return list
}

func (g *gaps) joined() error {
	if g.broken != nil {
		return g.broken
	}
	return errors.Join(g.errs...)
}
