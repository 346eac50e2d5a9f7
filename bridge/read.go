package bridge

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sort"

	"golang.org/x/sys/unix"
)

// Read reads the network namespace of the calling thread, all of it on that
// thread: a goroutine that moved into another namespace and locked itself to
// its thread reads that one. It needs no privilege, see [State] and the
// package's contract for what is a gap without.
//
// It fails only when links cannot be read, without which nothing else has a
// name, or when ctx ends; State then holds what was read until then.
func Read(ctx context.Context) (State, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := newState()
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return s, err
	}
	defer c.close()
	links, err := c.links(ctx)
	if err != nil {
		return s, fmt.Errorf("read links: %w", err)
	}
	r := reader{ctx: ctx, conn: c, state: &s, names: make(names, len(links))}
	c.usual = len(links)
	r.takeLinks(links)
	r.part("namespace", r.namespace)
	r.part("devices", r.devices)
	r.part("qdiscs", r.qdiscs)
	r.part("addresses", r.addresses)
	r.part("routes", r.routes)
	r.part("rules", r.rules)
	r.part("xfrm", r.xfrm)
	r.part("neighbours", r.neighbours)
	r.part("neighbour tables", r.neighbourTables)
	r.part("fdb", r.fdb)
	r.part("counters", r.counters)
	r.part("vlans", r.vlans)
	r.part("groups", r.groups)
	r.part("forwarding", r.forwarding)
	r.part("sysctls", r.sysctls)
	r.part("sockets", r.sockets)
	s.sort()
	if err := ctx.Err(); err != nil {
		return s, fmt.Errorf("read: %w", err)
	}
	return s, nil
}

// newState has empty lists, never nil ones: JSON shows [].
func newState() State {
	return State{
		Links: []Link{}, Bridges: []Bridge{}, Ports: []Port{}, Addresses: []Address{}, Routes: []Route{},
		Rules: []Rule{}, Neighbours: []Neighbour{}, FDB: []FDBEntry{}, Forwarding: []Forwarding{},
		Sysctls: map[string]string{}, Sockets: []Socket{}, Holders: []Holder{}, Gaps: []Gap{},
	}
}

// reader is one reading under way.
type reader struct {
	ctx   context.Context
	conn  *conn
	state *State
	names names
}

// part reads one part of the state; its failure is a gap.
func (r *reader) part(source string, read func() error) {
	if err := read(); err != nil {
		r.gap(source, err)
	}
}

func (r *reader) gap(source string, err error) {
	r.state.Gaps = append(r.state.Gaps, Gap{Source: source, Message: err.Error()})
}

func (r *reader) takeLinks(links []linkMsg) {
	for i := range links {
		r.names[links[i].Index] = links[i].Name
	}
	s := r.state
	s.Links, s.Ports = make([]Link, 0, len(links)), make([]Port, 0, len(links))
	for i := range links {
		l := &links[i]
		l.resolve(r.names)
		s.Links = append(s.Links, l.Link)
		if l.bridge != nil {
			s.Bridges = append(s.Bridges, *l.bridge)
		}
		if l.port != nil {
			s.Ports = append(s.Ports, *l.port)
		}
	}
}

// namespace finds the inode that `readlink /proc/PID/ns/net` shows.
func (r *reader) namespace() error {
	inode, err := namespaceOf("/proc/thread-self/ns/net")
	r.state.Namespace = inode
	return err
}

func namespaceOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}

func (r *reader) addresses() error {
	list, err := r.conn.addresses(r.ctx)
	r.state.Addresses = slices.Grow(r.state.Addresses, len(list))
	for _, a := range list {
		a.Link = r.names.of(a.index)
		r.state.Addresses = append(r.state.Addresses, a.Address)
	}
	return err
}

func (r *reader) routes() error {
	list, local, err := r.conn.routes(r.ctx)
	if err == nil {
		unrouted(r.state.Addresses, local)
	}
	r.state.Routes = slices.Grow(r.state.Routes, len(list))
	for _, one := range list {
		r.state.Routes = append(r.state.Routes, one.expand(r.names)...)
	}
	r.part("autoconfigured routes", r.markAutoconf)
	return err
}

func (r *reader) rules() error {
	list, err := r.conn.rules(r.ctx)
	r.state.Rules = append(r.state.Rules, list...)
	return err
}

func (r *reader) neighbours() error {
	list, err := r.conn.neighbours(r.ctx)
	r.state.Neighbours = slices.Grow(r.state.Neighbours, len(list))
	for _, n := range list {
		n.Link = r.names.of(n.index)
		r.state.Neighbours = append(r.state.Neighbours, n.Neighbour)
	}
	return err
}

func (r *reader) neighbourTables() (err error) {
	r.state.NeighbourTables, err = r.conn.neighbourTables(r.ctx)
	return err
}

func (r *reader) fdb() error {
	list, err := r.conn.fdb(r.ctx)
	r.state.FDB = slices.Grow(r.state.FDB, len(list))
	for _, e := range list {
		e.Port, e.Bridge = r.names.of(e.index), r.names.of(e.bridge)
		r.state.FDB = append(r.state.FDB, e.FDBEntry)
	}
	return err
}

func (r *reader) counters() (err error) {
	if len(r.state.Ports) == 0 {
		return nil
	}
	ports := make(map[string]bool, len(r.state.Ports))
	for i := range r.state.Ports {
		ports[r.state.Ports[i].Name] = true
	}
	r.state.Counters, err = r.conn.portCounters(r.ctx, r.names, ports)
	return err
}

func (r *reader) forwarding() error {
	list, err := r.conn.forwarding(r.ctx)
	r.state.Forwarding = slices.Grow(r.state.Forwarding, len(list))
	for _, f := range list {
		r.state.Forwarding = append(r.state.Forwarding, f.resolve(r.names))
	}
	return err
}

func (r *reader) sysctls() error {
	values, err := readSysctls(r.state)
	r.state.Sysctls = values
	return err
}

func (r *reader) sockets() error {
	c, err := dial(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer c.close()
	list, err := c.inetSockets(r.ctx)
	if err != nil {
		return err
	}
	r.part("socket owners", func() error { return findOwners(list) })
	for _, s := range list {
		s.Device = r.names.of(s.device)
		r.state.Sockets = append(r.state.Sockets, s.Socket)
	}
	return nil
}

// sort gives every list an order that does not depend on the kernel's.
func (s *State) sort() {
	sortBy(s.Links, func(a, b Link) int { return cmp.Compare(a.Name, b.Name) })
	sortBy(s.Bridges, func(a, b Bridge) int { return cmp.Compare(a.Name, b.Name) })
	sortBy(s.Ports, func(a, b Port) int { return cmp.Compare(a.Name, b.Name) })
	sortBy(s.Addresses, func(a, b Address) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Prefix.Compare(b.Prefix))
	})
	sortBy(s.Routes, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), a.Dst.Compare(b.Dst), cmp.Compare(a.Metric, b.Metric),
			cmp.Compare(a.Link, b.Link), a.Gateway.Compare(b.Gateway), cmp.Compare(a.Type, b.Type))
	})
	// Rules of one priority apply in the kernel's order: the sort is stable.
	sortBy(s.Rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Priority, b.Priority))
	})
	if s.XFRM != nil {
		s.XFRM.sort()
	}
	sortBy(s.Neighbours, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.IP.Compare(b.IP))
	})
	sortBy(s.NeighbourTables, func(a, b NeighbourTable) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Name, b.Name))
	})
	sortBy(s.Qdiscs, func(a, b Qdisc) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Handle, b.Handle))
	})
	sortBy(s.FDB, func(a, b FDBEntry) int {
		return cmp.Or(cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.Port, b.Port), cmp.Compare(a.MAC, b.MAC),
			cmp.Compare(a.VLAN, b.VLAN), cmp.Compare(a.State, b.State))
	})
	sortBy(s.Counters, func(a, b Counter) int { return cmp.Compare(a.Link, b.Link) })
	// The VLANs of a port stay in the kernel's order, that of their ids.
	sortBy(s.VLANs, func(a, b VLAN) int { return cmp.Compare(a.Port, b.Port) })
	sortBy(s.Groups, func(a, b Groups) int {
		return cmp.Or(cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.Port, b.Port))
	})
	sortBy(s.Forwarding, func(a, b Forwarding) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Family, b.Family))
	})
	sortBy(s.Sockets, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), a.Address.Compare(b.Address),
			cmp.Compare(a.Device, b.Device), cmp.Compare(a.PID, b.PID))
	})
	sortBy(s.Holders, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.PID, b.PID))
	})
}

// sortBy sorts a list; equals keep their order. The functions of package slices
// are compiled anew for each type, 12 KiB of them.
func sortBy[T any](list []T, compare func(a, b T) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
