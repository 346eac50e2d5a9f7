package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

type domifAttachOptions struct {
	changeOptions
	guest, source string
	kind          string // --type
	live, config  bool
	want          xml.NewInterface
}

// guestChange is what a command did to an interface of a guest.
type guestChange struct {
	Domain    string   `json:"domain"`
	Result    string   `json:"result"` // attached, already attached, detached, replugged, already plugged
	MAC       string   `json:"mac"`
	Interface string   `json:"interface"` // the tap; "" while the guest is shut off
	Type      string   `json:"type"`
	Source    string   `json:"source"`
	Bridge    string   `json:"bridge"`
	PortState string   `json:"port_state"`
	Model     string   `json:"model"`
	Layers    []string `json:"layers"` // live, config: where the change was made
	Disturbs  []string `json:"disturbs"`
}

func domifAttachCommand(e *env) *cli.Command {
	var o domifAttachOptions
	var link string
	flags := []cli.Flag{
		&cli.StringFlag{Name: "type", Usage: "what SOURCE is, as `TYPE`: network, bridge or direct (a NIC, by macvtap)", Destination: &o.kind},
		&cli.StringFlag{Name: "model", Value: "virtio", Usage: "network card `MODEL`", Destination: &o.want.Model},
		&cli.StringFlag{Name: "mac", Usage: "`MAC` of the guest (default: a free one below 52:54:00)", Destination: &o.want.MAC},
		&cli.StringFlag{Name: "target", Usage: "`NAME` of the tap (default: libvirt's choice)", Destination: &o.want.Target},
		&cli.IntFlag{Name: "mtu", Usage: "MTU in `BYTES`"},
		listFlag("vlan", "VLAN `ID`; repeated, a trunk"),
		&cli.StringFlag{Name: "link", Usage: "plug the guest's cable in or not, `STATE`: up or down", Destination: &link},
		&cli.StringFlag{Name: "filter", Usage: "`NAME` of a libvirt network filter", Destination: &o.want.Filter},
		&cli.StringFlag{Name: "alias", Usage: "`NAME` of the device, ua-...", Destination: &o.want.Alias},
		&cli.StringFlag{Name: "portgroup", Usage: "`NAME` of a port group of the network", Destination: &o.want.PortGroup},
		&cli.BoolFlag{Name: "isolated", Usage: "other isolated guests of the bridge do not reach it", Destination: &o.want.Isolated},
		&cli.StringFlag{Name: "inbound", Usage: "bandwidth to the guest, `AVG[,PEAK,BURST]` in KiB/s and KiB"},
		&cli.StringFlag{Name: "outbound", Usage: "bandwidth from the guest, `AVG[,PEAK,BURST]`"},
		&cli.BoolFlag{Name: "live", Usage: "the running guest only", Destination: &o.live},
		&cli.BoolFlag{Name: "config", Usage: "the configuration only", Destination: &o.config},
	}
	return &cli.Command{
		Category:  guests,
		Usage:     "plugs a network interface into a guest",
		ArgsUsage: "GUEST SOURCE",
		Description: describe(`
Gives GUEST an interface on SOURCE, a network of libvirt or a bridge of the
host, whichever has the name. A running guest gets it live and in its
configuration, one that is shut off in its configuration. Prints MAC, tap,
bridge and the state of the port, once it forwards; what fails until then is
detached again. With --mac, an interface that is there already is success.`,
			"kvnet domif-attach centos br0", 0, 1, 2, 4, 5),
		Flags: append(flags, changeFlags(&o.changeOptions, "attach it although the MAC is taken, or the source does not work yet")...),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "GUEST", "SOURCE")
			if err != nil {
				return err
			}
			o.guest, o.source, o.want.Link = args[0], args[1], link
			if err := readInterface(c, &o); err != nil {
				return err
			}
			return runDomifAttach(c.Context, e, o)
		},
	}
}

// readInterface reads the flags that describe an interface, and refuses
// values that no source could make right.
func readInterface(c *cli.Context, o *domifAttachOptions) error {
	if err := o.check("domif-attach"); err != nil {
		return err
	}
	if o.kind != "" && !slices.Contains([]string{sourceNetwork, sourceBridge, sourceDirect}, o.kind) {
		return usage("domif-attach", "flag --type: no type "+quote(o.kind), "one of network, bridge, direct")
	}
	r := &wishReader{c: c}
	o.want.VLANs, o.want.MTU = repeated(r, "vlan", parseVLAN), c.Int("mtu")
	if c.IsSet("mtu") {
		r.fail("mtu", xml.CheckMTU(o.want.MTU))
	}
	o.want.Bandwidth = xml.Bandwidth{Inbound: single(r, "inbound", parseRate), Outbound: single(r, "outbound", parseRate)}
	for _, name := range []string{"mac", "target", "model", "link", "filter", "alias", "portgroup"} {
		if c.IsSet(name) && c.String(name) == "" {
			r.fail(name, errors.New("is empty"))
		}
	}
	if r.err != nil {
		return r.err
	}
	probe := o.want // judged as if on a network, which takes every flag
	probe.Type, probe.Source = "network", "default"
	if err := xml.CheckInterface(probe); err != nil {
		return usage("domif-attach", oneLine(err), "")
	}
	if o.want.MAC != "" {
		o.want.MAC, _ = xml.ParseMAC(o.want.MAC) // CheckInterface has read it
	}
	return nil
}

func runDomifAttach(ctx context.Context, e *env, o domifAttachOptions) error {
	t, err := e.guestTarget(ctx, o.guest, o.changeOptions)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	live, config, err := t.layers("attach to", o.live, o.config)
	if err != nil {
		return err
	}
	src, err := resolveSource("domif-attach", o.source, o.kind, t.world)
	if err != nil {
		return err
	}
	o.want.Type, o.want.Source = src.kind, src.name
	if src.kind == sourceDirect {
		o.want.Mode = "bridge"
	}
	r := guestChange{Domain: t.have.Name, Type: src.kind, Source: src.name, Bridge: src.bridge, Model: o.want.Model}
	if o.want.MAC != "" {
		if live, config, err = t.missing(o.want, src, live, config); err != nil {
			return err
		}
		if !live && !config && !o.stops() {
			r.Result, r.MAC = "already attached", o.want.MAC
			return e.printAttached(t, src, r)
		}
	}
	conflicts := append(t.attachConflicts(o.want, src, live), t.missingFilter(ctx, o.want, live)...)
	if err := e.refuseConflicts("attach to", src.String(), conflicts, o.changeOptions); err != nil {
		return err
	}
	if o.want.MAC == "" {
		if o.want.MAC, err = t.world.freeMAC(); err != nil {
			return err
		}
	}
	plan, err := t.attachPlan(o.want, src, live, config)
	if err != nil {
		return err
	}
	if o.stops() {
		return e.printPlan(plan, o.changeOptions)
	}
	c := t.attachChange(o.want, src, plan)
	c.settle = func(ctx context.Context) error { return t.attached(ctx, o.want, src, live, config) }
	if err := e.carryOut(ctx, t.conn, c, o.changeOptions); err != nil {
		return err
	}
	r.Result, r.MAC, r.Disturbs = "attached", o.want.MAC, plan.Disturbs
	r.Layers = layerNames(live, config)
	t.have, err = lookBack(ctx, e, t.conn, func(ctx context.Context, conn *libvirtnet.Conn) (libvirtnet.Guest, error) {
		return conn.Guest(ctx, t.have.UUID)
	})
	if err != nil {
		return err
	}
	return e.printAttached(t, src, r)
}

// attachChange is the change that an attaching makes, but for what it waits for.
func (t guestTarget) attachChange(want xml.NewInterface, src source, plan libvirtnet.Plan) change {
	c := change{
		op: "attach to", object: src.String(), plan: plan, world: t.world, subjects: []string{t.have.Name},
		own: func(f verify.Finding) bool { return f.Domain == t.have.Name && !slices.Contains(chosen, f.Check) },
	}
	if want.Link == "down" {
		c.asked = []string{"guest-link-down", "port-not-forwarding"} // nothing to wait for without a cable
	}
	return c
}

// attachPlan is the plan, and what others feel of it.
func (t guestTarget) attachPlan(want xml.NewInterface, src source, live, config bool) (libvirtnet.Plan, error) {
	document, err := xml.BuildInterface(want)
	if err != nil {
		return libvirtnet.Plan{}, usage("domif-attach", oneLine(err), "")
	}
	plan, err := libvirtnet.PlanAttach(t.have, document, live, config)
	if err != nil {
		return plan, err
	}
	for _, l := range t.world.kernel().Links {
		if live && want.MTU != 0 && l.Name == src.bridge && l.MTU > want.MTU {
			plan.Disturbs = append(plan.Disturbs, fmt.Sprintf("bridge %s follows its smallest port: its MTU falls from %d to %d", l.Name, l.MTU, want.MTU))
		}
	}
	return plan, nil
}

// attached waits until libvirt has the interface in every layer, and until the
// kernel forwards on its port.
func (t guestTarget) attached(ctx context.Context, want xml.NewInterface, src source, live, config bool) error {
	object := "guest " + clean(t.have.Name)
	if config {
		list, err := t.conn.GuestConfig(ctx, t.have.UUID)
		if err != nil {
			return err
		}
		if _, ok := byMAC(list, want.MAC); !ok {
			return &failure{op: "verify", object: object, err: errors.New("its configuration has no interface " + want.MAC)}
		}
	}
	if !live {
		return nil
	}
	g, err := t.conn.Guest(ctx, t.have.UUID)
	if err != nil {
		return err
	}
	i, ok := byMAC(g.Interfaces, want.MAC)
	if !ok {
		return &failure{op: "verify", object: object, err: errors.New("the running guest has no interface " + want.MAC)}
	}
	if !t.world.here || i.Target == "" || src.bridge == "" || want.Link == "down" {
		return nil
	}
	return waitPort(ctx, i.Target, src.bridge)
}

// waitPort waits until a tap is a port of the bridge and forwards.
func waitPort(ctx context.Context, tap, name string) error {
	last, err := bridge.WaitPort(ctx, tap, func(p bridge.Port) bool { return p.Bridge == name && bridge.Forwards(p) })
	if err == nil || ctx.Err() == nil {
		return err
	}
	words := "it is no port of bridge " + name
	if last.Name != "" {
		words = "it is " + last.State + " in bridge " + last.Bridge + ", not forwarding in " + name
	}
	return &failure{op: "wait for", object: "port " + clean(tap), err: &waited{words, err},
		hint: "a port takes twice the bridge's forward delay to forward; --timeout waits longer"}
}

// printAttached prints an interface as the guest has it now. A running one of
// the same MAC on another source is not the one that the configuration got.
func (e *env) printAttached(t guestTarget, src source, r guestChange) error {
	if i, ok := byMAC(t.have.Interfaces, r.MAC); ok && onSource(src, i) {
		r.Interface, r.Model = i.Target, i.Model
		if t.have.Active() {
			r.PortState, r.Bridge = portNow(t.world, i.Target, r.Bridge)
		}
	}
	return e.printGuestChange(r)
}

// portNow reads the state of a port and the bridge it is in.
func portNow(w world, tap, fallback string) (state, name string) {
	if !w.here || tap == "" {
		return "", fallback
	}
	p, err := bridge.ReadPort(tap)
	if err != nil {
		return "", fallback
	}
	return p.State, p.Bridge
}

// printGuestChange prints what was done, then the interface.
func (e *env) printGuestChange(r guestChange) error {
	r.Layers, r.Disturbs = list(r.Layers), list(r.Disturbs)
	return e.print(r, func(w io.Writer) {
		if !e.quiet {
			fmt.Fprintf(w, "guest %s: %s\n", clean(r.Domain), resultWords(r))
		}
		var p pairs
		p.add("MAC", r.MAC)
		p.add("Interface", dash(r.Interface))
		p.add("Bridge", dash(r.Bridge))
		p.add("Port", dash(r.PortState))
		p.write(w)
	})
}

func resultWords(r guestChange) string {
	words := r.Result
	if r.Source != "" {
		preposition := map[bool]string{true: " from ", false: " to "}[r.Result == "detached"]
		words += preposition + r.Type + " " + clean(r.Source)
	}
	if len(r.Layers) > 0 {
		words += " (" + strings.Join(r.Layers, " and ") + ")"
	}
	return words
}
