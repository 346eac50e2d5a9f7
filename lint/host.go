package lint

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// Host is a host as far as documents can disagree with it: values, whoever
// read them. [CheckOn] holds documents against it, and what makes a definition
// asks it what stands in the way.
type Host struct {
	Networks []HostNetwork `json:"networks"`
	Guests   []xml.Guest   `json:"guests"`
	// Partial says that not every network could be read: then none is missing.
	Partial bool `json:"partial,omitempty"`
	// Devices are those of the kernel that libvirt works on. Nil: they are not
	// known, and nothing is said of them.
	Devices []Device    `json:"devices"`
	Routes  []HostRoute `json:"routes"`
}

// HostNetwork is a network that libvirt has.
type HostNetwork struct {
	Name   string `json:"name"`
	UUID   string `json:"uuid"`
	Active bool   `json:"active"`
	// Definitions are what it is, when it is active, and then what it will be
	// at its next start.
	Definitions []xml.Network `json:"definitions"`
}

// Device is a link of the kernel.
type Device struct {
	Name     string   `json:"name"`
	AltNames []string `json:"alt_names,omitempty"`
	Kind     string   `json:"kind,omitempty"` // bridge, tun, veth, ...; "" is hardware or loopback
	Loopback bool     `json:"loopback,omitempty"`
}

// HostRoute is a route of the kernel, in any table.
type HostRoute struct {
	To     netip.Prefix `json:"to"`
	Device string       `json:"device,omitempty"`
	Words  string       `json:"words"` // as a person knows it: "route 10.0.0.0/24 dev eth0"
}

// inForce is the definition that counts now.
func (n HostNetwork) inForce() xml.Network {
	if len(n.Definitions) == 0 {
		return xml.Network{Name: n.Name}
	}
	return n.Definitions[0]
}

// String is "network default (active)".
func (n HostNetwork) String() string {
	if n.Active {
		return "network " + show(n.Name) + " (active)"
	}
	return "network " + show(n.Name) + " (inactive)"
}

// device finds a device by its name, or by an alternative one, which the kernel
// takes as well; nil when there is none.
func (h Host) device(name string) *Device {
	for i, d := range h.Devices {
		if d.Name == name || slices.Contains(d.AltNames, name) {
			return &h.Devices[i]
		}
	}
	return nil
}

// kernelName is the name that the kernel shows of a device.
func (h Host) kernelName(name string) string {
	if d := h.device(name); d != nil {
		return d.Name
	}
	return name
}

// network finds a network by its name; nil when there is none.
func (h Host) network(name string) *HostNetwork {
	for i := range h.Networks {
		if h.Networks[i].Name == name {
			return &h.Networks[i]
		}
	}
	return nil
}

// it says what a host has: "it has br0, br1", or that it has none.
func it(names []string, none string) string {
	const most = 10
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(names) == 0:
		return none
	case len(names) > most:
		return "it has " + strings.Join(names[:most], ", ") + " and more"
	}
	return "it has " + strings.Join(names, ", ")
}
