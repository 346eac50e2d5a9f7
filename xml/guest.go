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
	g := Guest{Interfaces: []Interface{}}
	doc, err := utf8Text(doc)
	if err != nil {
		return g, err
	}
	s := scanner{doc: doc, open: make([]string, 0, 16)}
	var w guestReader
	for {
		kind, err := s.next()
		if err != nil {
			return g, err
		}
		depth := len(s.open)
		switch {
		case kind == end && !w.root:
			return g, errors.New("document is empty, want <domain>")
		case kind == end:
			g.UUID = strings.TrimSpace(g.UUID)
			return g, nil
		case kind == startTag && depth == 1:
			if w.root {
				return g, fmt.Errorf("document has a second root element <%s>", clip(s.name))
			}
			if w.root = true; s.name != "domain" {
				return g, fmt.Errorf("document is a <%s>, want <domain>", clip(s.name))
			}
		case kind == chars && depth == 0:
			if strings.TrimSpace(s.text) != "" || s.cdata {
				return g, s.malformed("text outside of the root element")
			}
		case kind == chars && depth == 2:
			w.word(&g, &s)
		case kind == startTag && depth == 3:
			if s.open[1] == "devices" && s.name == "interface" {
				g.Interfaces = append(g.Interfaces, Interface{Managed: true})
				w.at = &g.Interfaces[len(g.Interfaces)-1]
				w.hasSource = false
				err = s.attrs(func(key, value string) {
					if key == "type" {
						w.at.Type = value
					}
				})
			}
		case kind == endTag && depth == 2 && w.at != nil:
			w.at.MAC = strings.ToLower(w.at.MAC)
			w.at = nil
		case kind == startTag && depth > 3 && w.at != nil:
			err = w.setting(&s)
		}
		if err != nil {
			return g, err
		}
	}
}

// guestReader is where the walk through a domain document is.
type guestReader struct {
	root      bool
	at        *Interface // the interface that the walk is in, or nil
	hasSource bool
}

// word takes the text of <name> and <uuid>.
func (w *guestReader) word(g *Guest, s *scanner) {
	into := &g.Name
	switch s.open[1] {
	case "name":
	case "uuid":
		into = &g.UUID
	default:
		return
	}
	if s.cdata {
		*into += s.text
	} else {
		*into += unescape(s.text, false)
	}
}

// setting takes an element below <interface>.
func (w *guestReader) setting(s *scanner) error {
	i := w.at
	if len(s.open) == 5 && s.open[3] == "vlan" && s.name == "tag" {
		return s.attrs(func(key, value string) {
			if key == "id" {
				i.VLANs = append(i.VLANs, count(value))
			}
		})
	}
	if len(s.open) != 4 {
		return nil
	}
	switch s.name {
	case "source":
		return s.attrs(w.source)
	case "target":
		return s.attrs(func(key, value string) {
			switch key {
			case "dev":
				i.Target = value
			case "managed":
				i.Managed = value != "no"
			}
		})
	}
	into, ok := i.single(s.name)
	if !ok {
		return nil
	}
	return s.attrs(func(key, value string) {
		if key != into.key {
			return
		}
		switch {
		case into.text != nil:
			*into.text = value
		case into.count != nil:
			*into.count = count(value)
		default:
			*into.flag = value == "yes"
		}
	})
}

// place is where one attribute of an element below <interface> goes.
type place struct {
	key   string
	text  *string
	count *int
	flag  *bool
}

func (i *Interface) single(element string) (place, bool) {
	switch element {
	case "mac":
		return place{key: "address", text: &i.MAC}, true
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
