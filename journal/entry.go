package journal

import (
	"net/netip"
	"time"

	"github.com/kvnet/kvnet/bridge"
)

// Version of the entries that this package writes and reads.
const Version = 1

// Outcome says how a change ended.
type Outcome string

const (
	Begun  Outcome = "begun"  // under way, or cut off
	Done   Outcome = "done"   // made and verified
	Undone Outcome = "undone" // failed, and wholly taken back
	Left   Outcome = "left"   // failed, and not wholly taken back: see Entry.Left
)

// Entry is one change.
type Entry struct {
	Version int       `json:"version"`
	ID      int       `json:"id"` // from 1
	Time    time.Time `json:"time"`
	PID     int       `json:"pid"`
	Command []string  `json:"command"` // the command line, without the program
	URI     string    `json:"uri"`
	Op      string    `json:"op"`     // "start"
	Object  string    `json:"object"` // "network default"
	Outcome Outcome   `json:"outcome"`
	// Left are the steps of a failed change that could not be taken back.
	Left []string `json:"left,omitempty"`
	// Final are the steps of the change that have no way back.
	Final []string `json:"final,omitempty"`
	// Backs is the entry that this one took back, BackedBy the one that took
	// this one back; 0 is none.
	Backs    int   `json:"backs,omitempty"`
	BackedBy int   `json:"backed_by,omitempty"`
	Before   Image `json:"before"`
	// After are the networks of Before as the change left them: what differs
	// later is others'. A change that did not end, and an older entry, has none.
	After []Network `json:"after,omitempty"`
}

// Image is how the objects that a change touches are at one moment.
type Image struct {
	Networks   []Network   `json:"networks,omitempty"`
	Interfaces []Interface `json:"interfaces,omitempty"`
	Links      []Link      `json:"links,omitempty"`
	Ports      []Port      `json:"ports,omitempty"`
	// Sysctls by dotted name.
	Sysctls map[string]string `json:"sysctls,omitempty"`
}

// Empty says that nothing is kept.
func (i Image) Empty() bool {
	return len(i.Networks)+len(i.Interfaces)+len(i.Links)+len(i.Ports)+len(i.Sysctls) == 0
}

// Network is a libvirt network; neither Active nor Persistent when there is
// none of that name.
type Network struct {
	Name       string `json:"name"`
	UUID       string `json:"uuid,omitempty"`
	Active     bool   `json:"active"`
	Persistent bool   `json:"persistent"`
	Autostart  bool   `json:"autostart"`
	Config     string `json:"config,omitempty"` // the documents as libvirt wrote them
	Live       string `json:"live,omitempty"`
}

// Interface is one interface of a guest, by its MAC: the elements of the
// running guest and of its configuration, "" where that has none.
type Interface struct {
	Guest  string `json:"guest"`
	MAC    string `json:"mac"`
	Active bool   `json:"active"` // the guest runs
	Live   string `json:"live,omitempty"`
	Config string `json:"config,omitempty"`
}

// Port is a network's port that an interface of a running guest has.
type Port struct {
	Network string `json:"network"`
	UUID    string `json:"uuid"`
	Guest   string `json:"guest"`
	Exists  bool   `json:"exists"`
	// Document makes it again; "" when the guest does not claim it any more.
	Document string `json:"document,omitempty"`
}

// Link is what kvnet changes of a kernel link; Exists is false when there is
// none of that name, and the rest is then empty.
type Link struct {
	Name      string         `json:"name"`
	Exists    bool           `json:"exists"`
	Up        bool           `json:"up"`
	MAC       string         `json:"mac,omitempty"`
	MTU       int            `json:"mtu,omitempty"`
	Master    string         `json:"master,omitempty"`
	Addresses []netip.Prefix `json:"addresses,omitempty"` // but link-local ones of IPv6
	// Of a bridge port; nil when it is none.
	Isolated *bool `json:"isolated,omitempty"`
	// Of a bridge; nil when it is none.
	STP   *int `json:"stp,omitempty"`
	Delay *int `json:"forward_delay_ms,omitempty"`
}

// LinkOf is a link as the kernel shows it.
func LinkOf(kernel bridge.State, name string) Link {
	l := Link{Name: name}
	for _, have := range kernel.Links {
		if have.Name == name {
			l.Exists, l.Up, l.MAC, l.MTU, l.Master = true, have.Up, have.MAC, have.MTU, have.Master
		}
	}
	for _, a := range kernel.Addresses {
		if a.Link == name && !(a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast()) {
			l.Addresses = append(l.Addresses, a.Prefix)
		}
	}
	for _, p := range kernel.Ports {
		if p.Name == name {
			l.Isolated = &p.Isolated
		}
	}
	for _, b := range kernel.Bridges {
		if b.Name == name {
			l.STP, l.Delay = &b.STP, &b.ForwardDelay
		}
	}
	return l
}
