package lint

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// Host is a host as far as documents can disagree with it: values, whoever
// read them. [CheckOn] holds documents against it, and what makes a definition
// asks it what stands in the way.
type Host struct {
	// Version is libvirt's, 11003000 for 11.3.0; 0 is not known, and then the
	// rules are those of 9.0.
	Version  int           `json:"version,omitempty"`
	Networks []HostNetwork `json:"networks"`
	Guests   []xml.Guest   `json:"guests"`
	// Partial says that not every network could be read: then none is missing.
	Partial bool `json:"partial,omitempty"`
	// Devices are those of the kernel that libvirt works on. Nil: they are not
	// known, and nothing is said of them.
	Devices []Device    `json:"devices"`
	Routes  []HostRoute `json:"routes"`
	// Addresses are those that the kernel answers for.
	Addresses []HostAddress `json:"addresses,omitempty"`
	// Filters says of names whether libvirt has such a network filter, and
	// Folders of paths whether a folder is there: those that documents name, as
	// [Named] lists them. Of others nothing is known.
	Filters map[string]bool `json:"filters,omitempty"`
	Folders map[string]bool `json:"folders,omitempty"`

	index *index
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
	Main   bool         `json:"main,omitempty"` // of the main table
	Words  string       `json:"words"`          // as a person knows it: "route 10.0.0.0/24 dev eth0"
}

// HostAddress is an address of a link with its subnet.
type HostAddress struct {
	Prefix netip.Prefix `json:"prefix"`
	Device string       `json:"device"`
	// Proxy: the device answers for others, too.
	Proxy bool `json:"proxy,omitempty"`
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

// index finds things on a host at once: documents and hosts may be large.
type index struct {
	devices  map[string]int   // by every name
	networks map[string]int   // by name
	bridges  map[string][]int // networks by the kernel's name of their bridge
	has      string           // which devices there are, in words
	hasBr    string           // which bridges
}

// indexed is the host with its index, for many questions.
func (h Host) indexed() Host {
	x := index{devices: map[string]int{}, networks: map[string]int{}, bridges: map[string][]int{}}
	var names, bridges []string
	for i, d := range h.Devices {
		for _, name := range append([]string{d.Name}, d.AltNames...) {
			if _, taken := x.devices[name]; !taken {
				x.devices[name] = i
			}
		}
		if !d.Loopback {
			names = append(names, show(d.Name))
		}
		if d.Kind == "bridge" {
			bridges = append(bridges, show(d.Name))
		}
	}
	x.has, x.hasBr = it(names, "it has none"), it(bridges, "it has no bridge")
	h.index = &x
	for i, n := range h.Networks {
		x.networks[n.Name] = i
		for _, def := range n.Definitions {
			name := h.kernelName(def.Bridge)
			if list := x.bridges[name]; def.Bridge != "" && (len(list) == 0 || list[len(list)-1] != i) {
				x.bridges[name] = append(list, i)
			}
		}
	}
	return h
}

func (h Host) look() *index {
	if h.index == nil {
		h = h.indexed()
	}
	return h.index
}

// device finds a device by its name, or by an alternative one, which the kernel
// takes as well; nil when there is none.
func (h Host) device(name string) *Device {
	if i, ok := h.look().devices[name]; ok {
		return &h.Devices[i]
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
	if i, ok := h.look().networks[name]; ok {
		return &h.Networks[i]
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
		return "it has " + strings.Join(names[:most], ", ") + " and " + strconv.Itoa(len(names)-most) + " more"
	}
	return "it has " + strings.Join(names, ", ")
}
