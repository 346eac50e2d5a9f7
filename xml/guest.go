package xml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Guest is what a domain document says about networking.
type Guest struct {
	Name       string      `json:"name"`
	Virt       string      `json:"virt,omitempty"` // <domain type>: kvm, qemu, lxc, ...
	UUID       string      `json:"uuid"`
	Interfaces []Interface `json:"interfaces"`
}

// ParseGuest reads name, UUID and interfaces of a domain document. Only
// <interface> below /domain/devices counts: not those that metadata, a backup
// or a snapshot quotes. It reads what libvirt wrote and judges no value; a
// number that is none is 0.
func ParseGuest(doc string) (Guest, error) {
	g, err := guest(doc)
	if err != nil {
		return Guest{}, fmt.Errorf("read domain: %w", err)
	}
	return g, nil
}

func guest(doc string) (Guest, error) {
	doc, err := utf8Text(doc)
	if err != nil {
		return Guest{}, err
	}
	w := guestReader{scanner: scanner{doc: doc, open: make([]string, 0, 16)}}
	w.guest.Interfaces = []Interface{}
	for {
		kind, err := w.next()
		if err == nil && kind != end {
			err = w.take(kind)
		}
		switch {
		case err != nil:
			return Guest{}, err
		case kind == end && !w.root:
			return Guest{}, errors.New("document is empty, want <domain>")
		case kind == end:
			w.guest.UUID = strings.TrimSpace(w.guest.UUID)
			return w.guest, nil
		}
	}
}

// guestReader walks through a domain document.
type guestReader struct {
	scanner
	guest     Guest
	root      bool       // <domain> was there
	at        *Interface // the interface that the walk is in, or nil
	hasSource bool
}

// take uses one token. A start tag's depth counts its own element, an end
// tag's no longer.
func (w *guestReader) take(kind token) error {
	switch depth := len(w.open); {
	case kind == startTag && depth == 1:
		return w.rootTag()
	case kind == startTag && depth == 3 && w.open[1] == "devices" && w.name == "interface":
		return w.enter()
	case kind == startTag && depth > 3 && w.at != nil:
		return w.setting()
	case kind == endTag && depth == 2 && w.at != nil:
		w.at.MAC = strings.ToLower(w.at.MAC)
		w.at = nil
	case kind == chars && depth == 0 && (w.cdata || strings.TrimSpace(w.text) != ""):
		return w.malformed("text outside of the root element")
	case kind == chars && depth == 2:
		w.word()
	}
	return nil
}

func (w *guestReader) rootTag() error {
	if w.root {
		return fmt.Errorf("document has a second root element <%s>", clip(w.name))
	}
	w.root = true
	if w.name != "domain" {
		return fmt.Errorf("document is a <%s>, want <domain>", clip(w.name))
	}
	return w.attrs(func(key, value string) {
		if key == "type" {
			w.guest.Virt = value
		}
	})
}

func (w *guestReader) enter() error {
	w.guest.Interfaces = append(w.guest.Interfaces, Interface{Managed: true})
	w.at = &w.guest.Interfaces[len(w.guest.Interfaces)-1]
	w.hasSource = false
	return w.attrs(func(key, value string) {
		switch key {
		case "type":
			w.at.Type = value
		case "trustGuestRxFilters":
			w.at.TrustRxFilters = value == "yes"
		}
	})
}

// word takes the text of <name> and <uuid>.
func (w *guestReader) word() {
	words := w.text
	if !w.cdata {
		words = unescape(words, false)
	}
	switch w.open[1] {
	case "name":
		w.guest.Name += words
	case "uuid":
		w.guest.UUID += words
	}
}

// setting takes an element below <interface>.
func (w *guestReader) setting() error {
	i := w.at
	if len(w.open) == 5 && w.open[3] == "vlan" && w.name == "tag" {
		return w.tag()
	}
	if len(w.open) == 5 && w.open[3] == "bandwidth" {
		return w.rate(w.name)
	}
	if len(w.open) == 5 {
		return w.parameters(w.open[3], w.name)
	}
	if len(w.open) != 4 {
		return nil
	}
	switch w.name {
	case "vlan":
		return w.attrs(func(key, value string) {
			if key == "trunk" {
				i.Trunk = value == "yes"
			}
		})
	case "mac":
		return w.attrs(func(key, value string) {
			switch key {
			case "address":
				i.MAC = value
			case "currentAddress":
				i.CurrentMAC = strings.ToLower(value)
			}
		})
	case "source":
		return w.attrs(w.source)
	case "target":
		return w.attrs(func(key, value string) {
			switch key {
			case "dev":
				i.Target = value
			case "managed":
				i.Managed = value != "no"
			}
		})
	}
	into, ok := i.single(w.name)
	if !ok {
		return nil
	}
	return w.attrs(func(key, value string) {
		if key != into.key {
			return
		}
		switch {
		case into.text != nil:
			*into.text = value
		case into.count != nil:
			*into.count = count(value)
		default:
			on := value == "yes"
			*into.flag = &on
		}
	})
}

// tag takes a <tag> below <vlan>. One with a native mode is the VLAN of frames
// without a tag.
func (w *guestReader) tag() error {
	id, mode, found := 0, "", false
	err := w.attrs(func(key, value string) {
		switch key {
		case "id":
			id, found = count(value), true
		case "nativeMode":
			mode = value
		}
	})
	if !found {
		return err
	}
	w.at.VLANs = append(w.at.VLANs, id)
	if mode != "" {
		w.at.NativeVLAN, w.at.NativeTagged = id, mode == "tagged"
	}
	return err
}

// parameters takes those of <virtualport> and <filterref>.
func (w *guestReader) parameters(parent, name string) error {
	switch parent + "/" + name {
	case "filterref/parameter":
		w.at.FilterParameters = true
	case "virtualport/parameters":
		return w.attrs(func(key, value string) {
			switch key {
			case "interfaceid":
				w.at.InterfaceID = value
			case "profileid":
				w.at.ProfileID = value
			}
		})
	}
	return nil
}

// rate takes <inbound> or <outbound> below <bandwidth>.
func (w *guestReader) rate(direction string) error {
	var into *Rate
	switch direction {
	case "inbound":
		into = &w.at.Bandwidth.Inbound
	case "outbound":
		into = &w.at.Bandwidth.Outbound
	default:
		return nil
	}
	return w.attrs(func(key, value string) {
		switch key {
		case "average":
			into.Average = count(value)
		case "peak":
			into.Peak = count(value)
		case "burst":
			into.Burst = count(value)
		case "floor":
			w.at.Floor = count(value)
		}
	})
}

// place is where one attribute of an element below <interface> goes.
type place struct {
	key   string
	text  *string
	count *int
	flag  **bool
}

func (i *Interface) single(element string) (place, bool) {
	switch element {
	case "model":
		return place{key: "type", text: &i.Model}, true
	case "alias":
		return place{key: "name", text: &i.Alias}, true
	case "link":
		return place{key: "state", text: &i.Link}, true
	case "filterref":
		return place{key: "filter", text: &i.Filter}, true
	case "virtualport":
		return place{key: "type", text: &i.VirtualPort}, true
	case "mtu":
		return place{key: "size", count: &i.MTU}, true
	case "driver":
		return place{key: "name", text: &i.Driver}, true
	case "port":
		return place{key: "isolated", flag: &i.Isolated}, true
	}
	return place{}, false
}

// source takes an attribute of <source>. The first of the five that name a
// source is what virsh domiflist shows.
func (w *guestReader) source(key, value string) {
	i := w.at
	switch key {
	case "network":
		i.Network = value
	case "bridge":
		i.Bridge = value
	case "dev":
		i.Dev = value
	case "portid":
		i.PortID = value
	case "portgroup":
		i.PortGroup = value
	case "mode":
		if i.Type == "direct" {
			i.Mode = value
		}
	}
	names := key == "bridge" || key == "dev" || key == "network" || key == "name" || key == "path"
	if names && !w.hasSource {
		i.Source, w.hasSource = value, true
	}
}

// count reads a number; what is none is 0.
func count(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}
