package libvirtnet

import (
	"github.com/kvnet/kvnet/xml"
	"net/netip"
)

// State is what libvirt told in one pass. Networks and guests are sorted by
// name.
type State struct {
	URI string `json:"uri"`
	// Driver is the hypervisor driver's name: QEMU, TEST, ...
	Driver string `json:"driver"`
	// Version of the libvirt daemon: major*1,000,000 + minor*1,000 + release.
	Version  int       `json:"version"`
	Daemon   Daemon    `json:"daemon"`
	Networks []Network `json:"networks"`
	Guests   []Guest   `json:"guests"`
	// Filters are nil where no guest refers to a filter, and in documents of
	// before they were read.
	Filters *Filters `json:"filters,omitempty"`
	Gaps    []Gap    `json:"gaps"`
}

// Filters is what libvirt says of the network filters that guests refer to.
type Filters struct {
	Defined  []Filter        `json:"defined"`
	Bindings []FilterBinding `json:"bindings"`
}

// Filter is a network filter that is defined. Empty: it has neither rules nor
// references, and so no chains in the packet filter.
type Filter struct {
	Name  string `json:"name"`
	Empty bool   `json:"empty,omitempty"`
}

// FilterBinding is a filter at work on a tap.
type FilterBinding struct {
	Tap    string `json:"tap"`
	Filter string `json:"filter"`
	// IPs are the addresses that the guest was given for the filter (parameter
	// IP). Without one libvirt learns the guest's address.
	IPs []netip.Addr `json:"ips,omitempty"`
}

// Gap is something that libvirt did not tell.
type Gap struct {
	Source  string `json:"source"` // "networks", "guests", "ports of default", ...
	Message string `json:"message"`
}

// Daemon is the process that answers, as far as this host can tell.
type Daemon struct {
	// Name of the program: libvirtd, virtnetworkd, virtqemud; "" when unknown.
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Socket is the UNIX socket over which it answers; "" when unknown.
	Socket string `json:"socket,omitempty"`
	// Namespace is the inode of its network namespace; 0 when unknown.
	Namespace uint64 `json:"namespace"`
	// Local says that the URI names a daemon on this host with a kernel to
	// look at: false for remote URIs and the test driver.
	Local bool `json:"local"`
	// Systemd says that the host runs systemd, which owns the daemon.
	Systemd bool `json:"systemd"`
}

// Network is a libvirt network.
type Network struct {
	Name       string       `json:"name"`
	UUID       string       `json:"uuid"`
	Active     bool         `json:"active"`
	Persistent bool         `json:"persistent"`
	Autostart  bool         `json:"autostart"`
	Live       *xml.Network `json:"live,omitempty"`   // nil when inactive
	Config     *xml.Network `json:"config,omitempty"` // nil when transient
	// Ports are the UUIDs of the network's ports; PortsKnown is false when the
	// driver or the daemon (before 5.5) has none to tell.
	Ports      []string `json:"ports"`
	PortsKnown bool     `json:"ports_known"`
	// Unclaimed are those of them that no interface of a guest says it has.
	Unclaimed []xml.Port `json:"unclaimed_ports,omitempty"`
	// Leases are the DHCP leases that have not run out, by address.
	// LeasesKnown is false when they were not asked for: the network is not
	// active, serves no addresses, or its driver has none to tell.
	Leases      []Lease `json:"leases,omitempty"`
	LeasesKnown bool    `json:"leases_known,omitempty"`
}

// Def is the definition in force: live when active, else the configuration.
func (n Network) Def() xml.Network {
	switch {
	case n.Live != nil:
		return *n.Live
	case n.Config != nil:
		return *n.Config
	}
	return xml.Network{Name: n.Name, UUID: n.UUID}
}

// Guest states in virsh's words.
const (
	Running     = "running"
	Idle        = "idle"
	Paused      = "paused"
	InShutdown  = "in shutdown"
	ShutOff     = "shut off"
	Crashed     = "crashed"
	PMSuspended = "pmsuspended"
	NoState     = "no state"
)

// Guest is a libvirt domain as far as networking goes.
type Guest struct {
	Name  string `json:"name"`
	UUID  string `json:"uuid"`
	ID    int    `json:"id"` // -1 when inactive
	State string `json:"state"`
	// Virt is how it is run: kvm, qemu (emulated), lxc, ...; "" when unknown.
	Virt       string `json:"virt,omitempty"`
	Reason     string `json:"reason,omitempty"` // of a paused or crashed guest, in virsh's words
	Persistent bool   `json:"persistent"`
	Autostart  bool   `json:"autostart"`
	// Interfaces of the live document when the guest is active, else of the
	// configuration.
	Interfaces []Interface `json:"interfaces"`
}

// Active says that the guest has a process: running, paused, in shutdown, ...
func (g Guest) Active() bool { return g.ID >= 0 }
