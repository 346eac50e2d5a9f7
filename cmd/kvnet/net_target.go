package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
)

// netTarget is a network that a command changes, with the host around it.
type netTarget struct {
	conn  *libvirtnet.Conn
	have  libvirtnet.Network
	world world
}

// target connects and finds the network by name or UUID. The caller closes
// the connection.
func (e *env) target(ctx context.Context, name string, o changeOptions) (t netTarget, err error) {
	if t.conn, err = e.connectToChange(ctx, o); err != nil {
		return t, err
	}
	defer func() {
		if err != nil {
			_ = t.conn.Close()
		}
	}()
	if t.have, err = t.conn.Network(ctx, name); err != nil {
		return t, err
	}
	t.world, err = e.lookAround(ctx)
	return t, err
}

// object names the network in errors.
func (t netTarget) object() string { return "network " + clean(shorten(t.have.Name)) }

// layers are those that the network has and the flags ask for.
func (t netTarget) layers(op string, onlyLive, onlyConfig bool) (live, config bool, err error) {
	live, config = t.have.Active, t.have.Persistent
	if !onlyLive && !onlyConfig {
		return live, config, nil
	}
	fail := func(why string) error { return &failure{op: op, object: t.object(), err: errors.New(why)} }
	switch {
	case onlyLive && !live:
		return false, false, fail("it is not active: there is no running network")
	case onlyConfig && !config:
		return false, false, fail("it is transient: there is no definition")
	}
	return onlyLive, onlyConfig, nil
}

// expect reads the network again and asks whether it is as it should be.
func (t netTarget) expect(ctx context.Context, right func(libvirtnet.Network) error) error {
	n, err := t.conn.Network(ctx, t.have.Name)
	if err != nil {
		return err
	}
	if err := right(n); err != nil {
		return &failure{op: "verify", object: t.object(), err: err}
	}
	return nil
}

// refuseGuests refuses to take a network from under running guests, and names
// them. A guest is on the network by its name, by a port of it, or by plugging
// into the bridge that libvirt made for it, by whichever of its names.
func (t netTarget) refuseGuests(op string, force bool) error {
	if err := t.world.needGuests(op, t.object(), force); err != nil || force {
		return err
	}
	attached := t.attached()
	if len(attached) == 0 {
		return nil
	}
	const most = 10
	words := attached
	if len(words) > most {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(attached)-most))
	}
	return refuse(op, t.object(), fmt.Errorf("running guests are attached: %s", strings.Join(words, ", ")),
		"detach them first (kvnet domif-detach GUEST INTERFACE), or --force cuts them off")
}

// attached lists the interfaces of running guests on the network, in words.
func (t netTarget) attached() []string {
	var list []string
	for _, a := range t.attachments() {
		list = append(list, attachedWords(a.Guest, a.Interface))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// attachments are the interfaces of running guests that the network's end cuts
// off: as libvirt says, by a port, and as the kernel has their taps.
func (t netTarget) attachments() []libvirtnet.Attachment {
	var list []libvirtnet.Attachment
	for _, g := range t.world.Libvirt.Guests {
		for _, i := range g.Interfaces {
			alone := g
			alone.Interfaces = []libvirtnet.Interface{i}
			told := len(libvirtnet.Attached(t.have, []libvirtnet.Guest{alone})) > 0
			hasPort := i.PortID != "" && slices.Contains(t.have.Ports, i.PortID)
			if told || g.Active() && (hasPort || t.inBridge(i)) {
				list = append(list, libvirtnet.Attachment{Guest: g.Name, Interface: i})
			}
		}
	}
	return list
}

// inBridge says whether the kernel has the interface's tap in the bridge that
// libvirt made for the network.
func (t netTarget) inBridge(i libvirtnet.Interface) bool {
	def, tap := t.have.Def(), findLink(t.world.kernel(), i.Target)
	return t.have.Active && def.Managed() && tap != nil && tap.Master != "" && tap.Master == def.Bridge
}

func attachedWords(guest string, i libvirtnet.Interface) string {
	if i.Target == "" {
		return clean(guest) + " (" + i.MAC + ")"
	}
	return clean(guest) + " (" + clean(i.Target) + ", " + i.MAC + ")"
}
