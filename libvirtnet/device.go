package libvirtnet

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// interfaceElement cuts the <interface> with a MAC out of a domain document;
// "" when there is none.
func interfaceElement(doc, mac string) (string, error) {
	root, err := rootOf(doc, "domain")
	if err != nil {
		return "", err
	}
	devices := root.SelectElement("devices")
	if devices == nil {
		return "", nil
	}
	for _, e := range devices.SelectElements("interface") {
		m := e.SelectElement("mac")
		if m == nil || !strings.EqualFold(m.SelectAttrValue("address", ""), mac) {
			continue
		}
		return elementText(e)
	}
	return "", nil
}

// InterfaceXML is the interface with a MAC of the running guest, or with
// inactive of its configuration, as it can be attached again; "" when there
// is none.
func (c *Conn) InterfaceXML(ctx context.Context, guest, mac string, inactive bool) (string, error) {
	doc, err := c.GuestXML(ctx, guest, inactive)
	if err != nil {
		return "", err
	}
	element, err := interfaceElement(doc, mac)
	if err != nil || element == "" || inactive {
		return element, err
	}
	return pluggable(element)
}

// pluggable turns an interface as the live document shows it into one that
// can be attached again: what libvirt filled in when it plugged it (alias,
// name of the tap, port, the network's bridge) goes, so that it is filled in
// anew.
func pluggable(element string) (string, error) {
	root, err := rootOf(element, "interface")
	if err != nil {
		return "", err
	}
	if s := root.SelectElement("source"); s != nil {
		s.RemoveAttr("portid")
		if s.SelectAttr("network") != nil {
			// A live interface of a network with a bridge of the host is
			// shown with that bridge's type.
			root.CreateAttr("type", "network")
			for _, name := range []string{"bridge", "dev", "mode"} {
				s.RemoveAttr(name)
			}
		}
	}
	if a := root.SelectElement("alias"); a != nil && !strings.HasPrefix(a.SelectAttrValue("name", ""), "ua-") {
		root.RemoveChild(a)
	}
	if t := root.SelectElement("target"); t != nil && t.SelectAttrValue("managed", "") != "no" && generated(t.SelectAttrValue("dev", "")) {
		root.RemoveChild(t)
	}
	return elementText(root)
}

// generated says whether a tap's name is libvirt's own choice: it replaces
// names with these beginnings (VIR_NET_GENERATED_*_PREFIX in virnetdev.h).
func generated(tap string) bool {
	for _, prefix := range []string{"vnet", "macvtap", "macvlan", "vif"} {
		if strings.HasPrefix(tap, prefix) {
			return true
		}
	}
	return false
}

// WaitDetached waits until the running guest has let go of the interface with
// the MAC: detaching only asks for it. The error is an ErrTimeout when the
// context ends first. A guest that has stopped has let go.
func (c *Conn) WaitDetached(ctx context.Context, guest, mac string) error {
	return waitDetached(ctx, c, guest, mac)
}

// detachPoll is how often libvirt is asked whether a device is gone.
const detachPoll = 100 * time.Millisecond

func waitDetached(ctx context.Context, h hands, guest, mac string) error {
	tick := time.NewTicker(detachPoll)
	defer tick.Stop()
	for {
		doc, err := h.GuestXML(ctx, guest, false)
		if err != nil {
			return unless(err, ErrNotFound)
		}
		element, err := interfaceElement(doc, mac)
		if err != nil || element == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for guest %s to let go of %s: %w: %w", show(guest), mac, ErrTimeout, ctx.Err())
		case <-tick.C:
		}
	}
}
