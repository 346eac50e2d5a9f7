package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// opRestart is what the journal calls a restart.
const opRestart = "restart"

// restart is a network that is stopped and started under its guests.
type restart struct {
	e      *env
	t      netTarget
	o      restartOptions
	bridge string // that libvirt made; "" when it makes none
	after  string // the one that it is going to make
	ports  []*keptPort
	others *keptByHand
	began  time.Time
	failed bool        // the network runs again as it ran
	stp    bool        // the bridge has STP on
	was    bridge.Link // the bridge that libvirt made, as the kernel has it
}

// keptPort is a guest's interface that is plugged back in.
type keptPort struct {
	guest   libvirtnet.Guest
	iface   libvirtnet.Interface
	port    string           // the document of the network's port; "" where it has none
	putBack *bridge.KeptPort // nil: it has no tap that belongs in the bridge
	lost    bool             // it is in no bridge
	down    bool             // somebody has set it down
	mtu     int              // that the tap had
	forward time.Time
}

// newRestart remembers what the guests have on the network.
func (e *env) newRestart(ctx context.Context, t netTarget, o restartOptions) (*restart, error) {
	def := t.have.Def()
	r := &restart{e: e, t: t, o: o}
	if def.Managed() {
		r.bridge, r.after = def.Bridge, def.Bridge
	}
	if next := r.next(); r.bridge != "" && next.Managed() && next.Bridge != "" {
		r.after = next.Bridge
	}
	kernel := t.world.kernel()
	for _, l := range kernel.Links {
		if l.Name == r.bridge {
			r.was = l
		}
	}
	for _, b := range kernel.Bridges {
		r.stp = r.stp || b.Name == r.bridge && b.STP == 1
	}
	if err := checkRestart(t, r.next(), o.changeOptions); err != nil {
		return nil, err
	}
	for _, a := range t.attachments() {
		i := slices.IndexFunc(t.world.Libvirt.Guests, func(g libvirtnet.Guest) bool { return g.Name == a.Guest })
		p := &keptPort{guest: t.world.Libvirt.Guests[i], iface: a.Interface}
		if err := r.keep(ctx, p, kernel); err != nil {
			return nil, err
		}
		r.ports = append(r.ports, p)
	}
	r.others = &keptByHand{}
	if r.bridge == "" {
		return r, nil
	}
	var err error
	r.others, err = r.keepByHand(kernel)
	return r, err
}

// next is what the network runs as behind the restart.
func (r *restart) next() xml.Network {
	if r.t.have.Config != nil {
		return *r.t.have.Config
	}
	return r.t.have.Def()
}

// keep reads an interface's port in libvirt and in the kernel.
func (r *restart) keep(ctx context.Context, p *keptPort, kernel bridge.State) error {
	if p.iface.PortID != "" && p.iface.Network == r.t.have.Name {
		var err error
		if p.port, _, err = portDocument(ctx, r.t.conn, r.t.have, p.guest, p.iface); err != nil {
			return &failure{op: "restart", object: interfaceWords(p.iface), err: errors.New(oneLine(err))}
		}
	}
	at := slices.IndexFunc(kernel.Links, func(l bridge.Link) bool { return l.Name == p.iface.Target })
	if r.bridge == "" || at < 0 || kernel.Links[at].Master != r.bridge && kernel.Links[at].Master != "" {
		return nil // its way into the bridge is not this network's, or somebody gave it another
	}
	var err error
	tap := kernel.Links[at]
	p.mtu, p.lost, p.down = tap.MTU, tap.Master == "", !tap.Up
	p.putBack, err = bridge.KeepPort(p.iface.Target)
	return err
}

// plan is libvirt's part.
func (r *restart) plan() libvirtnet.Plan {
	name := r.t.have.Name
	stop := libvirtnet.PlanStop(r.t.have, nil)
	idle := r.t.have
	idle.Active = false
	plan := stop.With(libvirtnet.PlanStart(idle))
	if !r.t.have.Persistent {
		plan = stop
		plan.Steps = append(plan.Steps, libvirtnet.PlanStep{Do: libvirtnet.Create, Object: name, Say: "create network " + name, Why: "it is transient"})
	}
	for _, p := range r.ports {
		if !p.lost && !p.down {
			plan.Disturbs = append(plan.Disturbs, fmt.Sprintf("guest %s (%s) is cut off for a moment%s", p.guest.Name, p.iface.Target, r.wait()))
		}
	}
	return plan
}

// wait says how long a moment is.
func (r *restart) wait() string {
	if r.learning() == 0 {
		return ""
	}
	return ", which STP makes twice the forward delay (--fast)"
}

// learning is how long a port of the new bridge listens and learns.
func (r *restart) learning() time.Duration {
	next := r.next()
	if r.bridge == "" || r.o.fast || next.STP != nil && !*next.STP {
		return 0
	}
	delay := 0
	if next.Delay != nil {
		delay = *next.Delay
	}
	return 2 * time.Millisecond * time.Duration(xml.KernelDelay(true, delay))
}

// shown is the plan as it is printed, with what comes into force.
func (r *restart) shown() libvirtnet.Plan {
	plan := r.plan()
	if have := r.t.have; have.Live != nil && have.Config != nil {
		plan.Changes = xml.Drift(*have.Live, *have.Config)
	}
	for _, p := range r.ports {
		if p.putBack != nil {
			plan.Steps = append(plan.Steps, libvirtnet.PlanStep{Do: "kernel", Object: p.guest.Name,
				Say: "put " + p.iface.Target + " back into " + r.after, Why: "the bridge is made anew"})
			if p.down {
				plan.Steps = append(plan.Steps, libvirtnet.PlanStep{Do: "kernel", Object: p.guest.Name, Say: "set " + p.iface.Target + " up", Why: "it is down"})
			}
			if p.lost && r.isolates(p) {
				plan.Steps = append(plan.Steps, libvirtnet.PlanStep{Do: "kernel", Object: p.guest.Name, Say: "isolate " + p.iface.Target, Why: "the definition says so"})
			}
		}
	}
	plan.Steps = append(plan.Steps, r.others.shown(r.after)...)
	return plan
}

func (r *restart) run(ctx context.Context) error {
	plan := r.plan()
	if !r.t.have.Persistent {
		live, err := r.t.conn.NetworkXML(ctx, r.t.have.UUID, false)
		if err != nil {
			return err
		}
		plan.Steps[len(plan.Steps)-1].Document = live
	}
	meanwhile := func() {}
	defer func() { meanwhile() }()
	c := change{
		op: opRestart, object: r.t.object(), plan: plan, world: r.t.world, subjects: []string{r.t.have.Name},
		own: networkOwn(r.t.have.Def()),
		start: func() {
			r.began = time.Now()
			meanwhile = r.meanwhile(ctx)
		},
		act: within(r.o.timeout+r.learning(), func(ctx context.Context) error {
			meanwhile()
			return r.plugBack(ctx)
		}),
		rescue: func(ctx context.Context) error { // the network may be back, and its guests are not
			meanwhile()
			return r.rescue(ctx)
		},
	}
	for _, p := range r.ports {
		if p.putBack != nil {
			c.links = append(c.links, p.iface.Target)
		}
	}
	for _, p := range r.others.ports {
		c.asked = []string{"bridge-foreign-port"} // it was one before, if under another name
		c.links = append(c.links, p.name)
	}
	return r.e.carryOut(ctx, r.t.conn, c, r.o.changeOptions)
}

// plugBack puts the taps back first, which is what guests feel, and then makes
// libvirt's ports anew.
func (r *restart) plugBack(ctx context.Context) (err error) {
	restore := bridge.Undo(func() error { return nil })
	if r.o.fast && r.bridge != "" {
		// A port of a bridge without STP forwards at once, and goes on when STP
		// is switched on again (br_stp_start, net/bridge/br_stp_if.c).
		if restore, err = bridge.SetSTP(r.after, false); err != nil {
			return err
		}
	}
	err = r.putBack()
	if err == nil {
		err = r.await(ctx)
	}
	if err = errors.Join(err, restore()); err != nil {
		return err
	}
	return r.createPorts(ctx)
}

func (r *restart) putBack() error {
	if err := r.putGuestsBack(); err != nil {
		return err
	}
	if r.after != "" {
		r.others.putBack(r.e, r.after)
	}
	return nil
}

func (r *restart) putGuestsBack() error {
	if r.after != "" {
		if err := r.others.filter.PutBack(r.after); err != nil {
			return err
		}
	}
	for _, p := range r.ports {
		if p.putBack == nil {
			continue
		}
		// The MTU comes first: a bridge follows its smallest port.
		if mtu := r.mtu(p); mtu > 0 {
			if _, err := bridge.SetMTU(p.iface.Target, mtu); err != nil {
				return err
			}
		}
		if err := p.putBack.PutBack(r.after); err != nil {
			return err
		}
		if err := r.plugIn(p); err != nil {
			return err
		}
	}
	return nil
}

// mtu is the one that libvirt would give the tap: the interface's own wish, or
// the network's; 0 leaves the tap its own.
func (r *restart) mtu(p *keptPort) int {
	switch {
	case r.failed:
		return p.mtu
	case p.iface.MTU > 0:
		return p.iface.MTU
	case r.next().MTU > 0:
		return r.next().MTU
	case r.t.have.Def().MTU > 0: // and no longer
		return libvirtMTU
	}
	return 0
}

// libvirtMTU is that of a tap for which nobody wishes one.
const libvirtMTU = 1500

// await waits until every port forwards.
func (r *restart) await(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(r.ports))
	for n, p := range r.ports {
		if p.putBack == nil || !p.forward.IsZero() || r.o.noVerify {
			continue
		}
		wg.Go(func() {
			if errs[n] = waitPort(ctx, p.iface.Target, r.after); errs[n] == nil {
				p.forward = time.Now()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *restart) createPorts(ctx context.Context) error {
	for _, p := range r.ports {
		if p.port == "" {
			continue
		}
		has, err := r.t.conn.HasPort(ctx, r.t.have.Name, p.iface.PortID)
		if err == nil && !has {
			err = r.t.conn.CreatePort(ctx, r.t.have.Name, p.port, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rescue plugs the guests back in behind a restart that failed, if the network
// is active.
func (r *restart) rescue(ctx context.Context) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	n, err := r.t.conn.Network(ctx, r.t.have.Name)
	if err != nil || !n.Active {
		return nil // verify tells; there is nothing to plug into
	}
	if def := n.Def(); r.bridge != "" && def.Bridge != "" {
		r.after = def.Bridge // that of the definition that runs now
	}
	r.failed = true
	return errors.Join(r.putBack(), r.createPorts(ctx))
}

// outages are the guests that were put back, and for how long they were out.
func (r *restart) outages() []outage {
	rows := []outage{}
	for _, p := range r.ports {
		if !p.forward.IsZero() {
			rows = append(rows, outage{Domain: p.guest.Name, Interface: p.iface.Target, MAC: p.iface.MAC, WasOut: p.lost || p.down, Milliseconds: p.forward.Sub(r.began).Milliseconds()})
		}
	}
	return rows
}
