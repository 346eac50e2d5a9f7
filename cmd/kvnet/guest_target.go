package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// guestTarget is a guest that a command changes, with the host around it.
type guestTarget struct {
	conn   *libvirtnet.Conn
	have   libvirtnet.Guest
	config []libvirtnet.Interface // of the configuration; those of have when it is shut off
	world  world
}

// guestTarget connects and finds the guest by name, id or UUID. The caller
// closes the connection.
func (e *env) guestTarget(ctx context.Context, key string, o changeOptions) (t guestTarget, err error) {
	if t.conn, err = e.connectToChange(ctx, o); err != nil {
		return t, err
	}
	defer func() {
		if err != nil {
			_ = t.conn.Close()
		}
	}()
	if t.have, err = t.conn.Guest(ctx, key); err != nil {
		return t, err
	}
	if t.world, err = e.lookAround(ctx); err != nil {
		return t, err
	}
	switch {
	case !t.have.Active():
		t.config = t.have.Interfaces
	case t.have.Persistent:
		t.config, err = t.conn.GuestConfig(ctx, t.have.UUID)
	}
	return t, err
}

// layers are where a change is made: both that there are, unless narrowed.
func (t guestTarget) layers(op string, onlyLive, onlyConfig bool) (live, config bool, err error) {
	fail := func(what, hint string) (bool, bool, error) {
		return false, false, &failure{op: op, object: "guest " + clean(t.have.Name), err: errors.New(what), hint: hint}
	}
	switch {
	case onlyLive && !t.have.Active():
		return fail("it is "+t.have.State+", so there is nothing live", "leave --live away to change its configuration")
	case onlyConfig && !t.have.Persistent:
		return fail("it is transient and has no configuration", "leave --config away to change the running guest")
	}
	live = t.have.Active() && (onlyLive || !onlyConfig)
	config = t.have.Persistent && (onlyConfig || !onlyLive)
	return live, config, nil
}

func layerNames(live, config bool) []string {
	names := []string{}
	if live {
		names = append(names, "live")
	}
	if config {
		names = append(names, "config")
	}
	return names
}

func byMAC(interfaces []libvirtnet.Interface, mac string) (libvirtnet.Interface, bool) {
	at := slices.IndexFunc(interfaces, func(i libvirtnet.Interface) bool { return i.MAC == mac })
	if at < 0 {
		return libvirtnet.Interface{}, false
	}
	return interfaces[at], true
}

// missing are those of the layers that lack the interface. One with the MAC
// on another source, or that differs from the flags, is an error.
func (t guestTarget) missing(want xml.NewInterface, src source, live, config bool) (bool, bool, error) {
	lacks := func(wanted bool, interfaces []libvirtnet.Interface) (bool, error) {
		i, there := byMAC(interfaces, want.MAC)
		if !wanted || !there {
			return wanted, nil
		}
		if differs := difference(want, src, i); differs != "" {
			return false, &failure{op: "attach to", object: src.String(), err: fmt.Errorf("guest %s has an interface %s already, %s", clean(t.have.Name), want.MAC, differs),
				hint: "kvnet domif-detach takes it away first"}
		}
		return false, nil
	}
	live, err := lacks(live, t.have.Interfaces)
	if err != nil {
		return live, config, err
	}
	config, err = lacks(config, t.config)
	return live, config, err
}

// difference says in what an interface is not as wished; "" for no difference.
func difference(want xml.NewInterface, src source, have libvirtnet.Interface) string {
	is := func(what, have, want string) string {
		return fmt.Sprintf("with %s %s, not %s", what, word(have), want)
	}
	switch {
	case !onSource(src, have):
		kind, name := hangsOn(have)
		return "on " + kind + " " + clean(name)
	case have.Model != "" && want.Model != have.Model:
		return is("model", have.Model, want.Model)
	case want.Target != "" && have.Target != "" && want.Target != have.Target:
		return is("target", have.Target, want.Target)
	case want.MTU != 0 && want.MTU != have.MTU:
		return is("MTU", someNumbers(have.MTU), someNumbers(want.MTU))
	case want.Filter != "" && want.Filter != have.Filter:
		return is("filter", have.Filter, want.Filter)
	case want.Alias != "" && want.Alias != have.Alias:
		return is("alias", have.Alias, want.Alias)
	case want.Link != "" && (want.Link == "down") != (have.Link == "down"):
		return is("link", cableWord(have.Link), cableWord(want.Link))
	case len(want.VLANs) > 0 && !slices.Equal(want.VLANs, have.VLANs):
		return is("VLAN", someNumbers(have.VLANs...), someNumbers(want.VLANs...))
	case want.PortGroup != "" && want.PortGroup != have.PortGroup:
		return is("port group", have.PortGroup, want.PortGroup)
	case want.Isolated && (have.Isolated == nil || !*have.Isolated):
		return "not isolated"
	case want.Bandwidth.Inbound.Average != 0 && want.Bandwidth.Inbound != have.Bandwidth.Inbound:
		return is("inbound bandwidth", have.Bandwidth.Inbound.String(), want.Bandwidth.Inbound.String())
	case want.Bandwidth.Outbound.Average != 0 && want.Bandwidth.Outbound != have.Bandwidth.Outbound:
		return is("outbound bandwidth", have.Bandwidth.Outbound.String(), want.Bandwidth.Outbound.String())
	}
	return ""
}

// someNumbers are numbers in words, "" for none; a zero is none.
func someNumbers(list ...int) string {
	var words []string
	for _, n := range list {
		if n != 0 {
			words = append(words, strconv.Itoa(n))
		}
	}
	return strings.Join(words, "+")
}

func cableWord(s string) string {
	if s == "down" {
		return s
	}
	return "up"
}

// onSource says whether an interface hangs on the source. A live interface of
// a network shows the network and, where the host owns it, its bridge or NIC.
func onSource(src source, i libvirtnet.Interface) bool {
	switch src.kind {
	case sourceNetwork:
		return i.Network == src.name
	case sourceBridge:
		return i.Network == "" && i.Bridge == src.name
	}
	return i.Network == "" && i.Dev == src.name
}

// freeMAC makes up a MAC that no guest has.
func (w world) freeMAC() (string, error) {
	used := map[string]bool{}
	for _, g := range w.Libvirt.Guests {
		for _, i := range g.Interfaces {
			used[i.MAC] = true
		}
	}
	for range 100 {
		n := rand.Uint32()
		if mac := xml.GuestMAC([3]byte{byte(n), byte(n >> 8), byte(n >> 16)}); !used[mac] {
			return mac, nil
		}
	}
	return "", errors.New("make up MAC: a hundred of them are taken; --mac names one")
}
