//go:build cgo

package libvirtnet

import (
	"context"
	"errors"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/kvnet/kvnet/xml"
)

// maxDocument is the longest string that libvirt's protocol carries
// (REMOTE_STRING_MAX in remote_protocol.x).
const maxDocument = 4 << 20

// checkDocument refuses what would not reach libvirt whole.
func checkDocument(op, object, doc string) error {
	switch {
	case strings.ContainsRune(doc, 0):
		return &Error{Op: op, Object: object, Message: "the document has a NUL byte", Kind: ErrInvalid}
	case len(doc) >= maxDocument:
		return &Error{Op: op, Object: object, Message: "the document is longer than libvirt's 4 MiB", Kind: ErrInvalid}
	}
	return nil
}

// Define makes or replaces a network's definition. With validate the document
// is held against libvirt's schema first; a driver that cannot is told off in
// [Conn.Notes], and the definition made without.
func (c *Conn) Define(ctx context.Context, doc string, validate bool) error {
	return c.withNetworkDocument(ctx, opDefine, doc, validate, func(flag uint32) (*libvirt.Network, error) {
		return c.raw.NetworkDefineXMLFlags(doc, libvirt.NetworkDefineFlags(flag))
	})
}

// Create starts a transient network. For validate see [Conn.Define].
func (c *Conn) Create(ctx context.Context, doc string, validate bool) error {
	return c.withNetworkDocument(ctx, opCreate, doc, validate, func(flag uint32) (*libvirt.Network, error) {
		return c.raw.NetworkCreateXMLFlags(doc, libvirt.NetworkCreateFlags(flag))
	})
}

func (c *Conn) withNetworkDocument(ctx context.Context, op, doc string, validate bool, call func(flag uint32) (*libvirt.Network, error)) error {
	object := "network"
	if err := checkDocument(op, object, doc); err != nil {
		return err
	}
	if n, err := xml.Parse(doc); err == nil {
		object += " " + show(n.Name)
	}
	return do(ctx, c, func() error {
		var flag uint32
		if validate {
			flag = uint32(libvirt.NETWORK_DEFINE_VALIDATE) // the same bit in both flag sets
		}
		h, err := call(flag)
		// A driver that does not know the flag answers "invalid argument",
		// as it does to other things: what goes without the flag was that.
		if validate && isCode(err, codeInvalidArg, codeNoSupport) {
			if h, err = call(0); err == nil {
				c.note(op + " " + object + ": done without validation against the schema, which the driver does not support")
			}
		}
		if err != nil {
			return toError(op, object, err)
		}
		return freeing(h)
	})
}

func freeing(h *libvirt.Network) error {
	_ = h.Free()
	return nil
}

// Start starts a defined network; ErrActive when it is.
func (c *Conn) Start(ctx context.Context, key string) error {
	return c.onNetwork(ctx, opStart, key, (*libvirt.Network).Create)
}

// Stop stops a network, whoever is attached to it; ErrNotActive when it is.
func (c *Conn) Stop(ctx context.Context, key string) error {
	return c.onNetwork(ctx, opStop, key, (*libvirt.Network).Destroy)
}

// Undefine takes a network's definition away; an active one goes on as a
// transient network.
func (c *Conn) Undefine(ctx context.Context, key string) error {
	return c.onNetwork(ctx, opUndefine, key, (*libvirt.Network).Undefine)
}

// SetAutostart says whether the network starts with the daemon.
func (c *Conn) SetAutostart(ctx context.Context, key string, on bool) error {
	return c.onNetwork(ctx, opAutostart, key, func(h *libvirt.Network) error { return h.SetAutostart(on) })
}

func (c *Conn) onNetwork(ctx context.Context, op, key string, call func(*libvirt.Network) error) error {
	return do(ctx, c, func() error {
		h, err := c.findNetwork(key)
		if err != nil {
			return err
		}
		defer h.Free()
		if err := call(h); err != nil {
			return toError(op, "network "+show(key), err)
		}
		return nil
	})
}

// CreatePort makes a network's port from its document. The UUID of a running
// guest's interface (Interface.PortID) with its owner and MAC and without
// <plug> makes the port again that a restart of the network lost; with
// reclaim (VIR_NETWORK_PORT_CREATE_RECLAIM) the <plug> stays.
func (c *Conn) CreatePort(ctx context.Context, network, doc string, reclaim bool) error {
	if err := checkDocument(opPort, "network "+show(network), doc); err != nil {
		return err
	}
	return c.onNetwork(ctx, opPort, network, func(h *libvirt.Network) error {
		var flags libvirt.NetworkPortCreateFlags
		if reclaim {
			flags = libvirt.NETWORK_PORT_CREATE_RECLAIM
		}
		port, err := h.PortCreateXML(doc, uint32(flags))
		if err == nil {
			_ = port.Free()
		}
		return err
	})
}

// DeletePort takes a port away.
func (c *Conn) DeletePort(ctx context.Context, network, uuid string) error {
	return c.onNetwork(ctx, opDropPort, network, func(h *libvirt.Network) error {
		port, err := h.LookupNetworkPortByUUIDString(uuid)
		if err != nil {
			return err
		}
		defer port.Free()
		return port.Delete(0)
	})
}

// HasPort says whether a network has the port.
func (c *Conn) HasPort(ctx context.Context, network, uuid string) (bool, error) {
	has := true
	err := c.onNetwork(ctx, opPorts, network, func(h *libvirt.Network) error {
		port, err := h.LookupNetworkPortByUUIDString(uuid)
		if isCode(err, codeNoPort) {
			has = false
			return nil
		}
		if err == nil {
			_ = port.Free()
		}
		return err
	})
	return has && err == nil, err
}

// PortXML is the document of a network's port; ErrNotFound when there is none.
func (c *Conn) PortXML(ctx context.Context, network, uuid string) (string, error) {
	var doc string
	err := c.onNetwork(ctx, opPorts, network, func(h *libvirt.Network) error {
		var err error
		doc, err = portXML(h, uuid)
		return err
	})
	return doc, err
}

// portXML is libvirt's answer; toError knows the error of a port that is not there.
func portXML(h *libvirt.Network, uuid string) (string, error) {
	port, err := h.LookupNetworkPortByUUIDString(uuid)
	if err != nil {
		return "", err
	}
	defer port.Free()
	return port.GetXMLDesc(0)
}

// AttachInterface plugs an interface into a guest: the running one, its
// configuration, or both.
func (c *Conn) AttachInterface(ctx context.Context, guest, doc string, live, config bool) error {
	return c.onDevice(ctx, opAttach, guest, doc, func(h *libvirt.Domain) error {
		return h.AttachDeviceFlags(doc, deviceFlags(live, config))
	})
}

// DetachInterface asks a guest to let go of an interface, found by the MAC in
// the document. A running guest may do so later or never: see
// [Conn.WaitDetached]. One that was asked before is as good as asked.
func (c *Conn) DetachInterface(ctx context.Context, guest, doc string, live, config bool) error {
	return c.onDevice(ctx, opDetach, guest, doc, func(h *libvirt.Domain) error {
		err := h.DetachDeviceFlags(doc, deviceFlags(live, config))
		if live && !config && askedBefore(err) {
			return nil
		}
		return err
	})
}

// askedBefore says whether a guest has not answered an earlier detach yet. libvirt
// has no code for it: the words are QEMU's (qmp_device_del), in one language only.
func askedBefore(err error) bool {
	e := libvirt.Error{}
	return errors.As(err, &e) && strings.Contains(e.Message, "is already in the process of unplug")
}

// UpdateInterface changes an interface in place, found by the MAC in the
// document, which has to describe it in full.
func (c *Conn) UpdateInterface(ctx context.Context, guest, doc string, live, config bool) error {
	return c.onDevice(ctx, opUpdate, guest, doc, func(h *libvirt.Domain) error {
		return h.UpdateDeviceFlags(doc, deviceFlags(live, config))
	})
}

func (c *Conn) onDevice(ctx context.Context, op, guest, doc string, call func(*libvirt.Domain) error) error {
	object := "guest " + show(guest)
	if err := checkDocument(op, object, doc); err != nil {
		return err
	}
	return do(ctx, c, func() error {
		h, err := c.findGuest(guest)
		if err != nil {
			return err
		}
		defer h.Free()
		if err := call(h); err != nil {
			return toError(op, object, err)
		}
		return nil
	})
}

func deviceFlags(live, config bool) libvirt.DomainDeviceModifyFlags {
	var flags libvirt.DomainDeviceModifyFlags
	if live {
		flags |= libvirt.DOMAIN_DEVICE_MODIFY_LIVE
	}
	if config {
		flags |= libvirt.DOMAIN_DEVICE_MODIFY_CONFIG
	}
	return flags
}
