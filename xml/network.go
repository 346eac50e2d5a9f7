package xml

import "net/netip"

// Mode is the value of <forward mode>, or Isolated where the document has no
// <forward> element.
type Mode string

// The modes of https://libvirt.org/formatnetwork.html#connectivity.
const (
	NAT         Mode = "nat"
	Route       Mode = "route"
	Open        Mode = "open"
	Isolated    Mode = "isolated"
	HostBridge  Mode = "bridge" // an existing host bridge, or macvtap in bridge mode
	Private     Mode = "private"
	VEPA        Mode = "vepa"
	Passthrough Mode = "passthrough"
	HostDev     Mode = "hostdev"
)

// Modes are all modes that a definition may wish for, in the order of
// libvirt's documentation.
var Modes = []Mode{NAT, Route, Open, Isolated, HostBridge, Private, VEPA, Passthrough, HostDev}

// Network is what a network document says. An unset field is no wish.
type Network struct {
	Name  string `json:"name"`
	UUID  string `json:"uuid,omitempty"`
	Title string `json:"title,omitempty"`
	// IPv6 is <network ipv6='yes'>: guests may talk IPv6 among themselves
	// although the network has no IPv6 address.
	IPv6 bool `json:"ipv6,omitempty"`
	Mode Mode `json:"mode,omitempty"`
	// ForwardDevs are <forward dev> and the <interface dev> below it.
	ForwardDevs []string `json:"forward_devs,omitempty"`
	// PF is <forward><pf dev>: the NIC whose virtual functions are the pool.
	// The live document then lists those below <forward>.
	PF     string   `json:"pf,omitempty"`
	NAT    *NATSpec `json:"nat,omitempty"`
	Bridge string   `json:"bridge,omitempty"`
	STP    *bool    `json:"stp,omitempty"`
	// Delay is the forward delay in seconds, as the document has it. The
	// kernel raises it to 2 s when STP is on: see KernelDelay.
	Delay *int `json:"delay,omitempty"`
	// MACTable is <bridge macTableManager>: "kernel" or "libvirt".
	MACTable string `json:"mac_table,omitempty"`
	Zone     string `json:"zone,omitempty"`
	// MTU in bytes; 0 is no wish.
	MTU int `json:"mtu,omitempty"`
	// MAC of the bridge, lower case, colons.
	MAC           string    `json:"mac,omitempty"`
	Domain        string    `json:"domain,omitempty"`
	DomainLocal   bool      `json:"domain_local,omitempty"`
	DNS           *DNS      `json:"dns,omitempty"`
	IPs           []IP      `json:"ips,omitempty"`
	Routes        []Gateway `json:"routes,omitempty"`
	PortsIsolated *bool     `json:"ports_isolated,omitempty"`
	VirtualPort   string    `json:"virtual_port,omitempty"` // <virtualport type>, such as openvswitch
	VLANs         []int     `json:"vlans,omitempty"`
	PortGroups    []string  `json:"port_groups,omitempty"`
	Bandwidth     Bandwidth `json:"bandwidth,omitzero"`
	// Connections is the live-only attribute: interfaces that libvirt
	// believes are attached.
	Connections int `json:"connections,omitempty"`
	// Other is what the document says beyond these fields, sorted by path:
	// kept by [Edit], compared by [Drift], ignored in a wish.
	Other []Setting `json:"other,omitempty"`
}

// NATSpec is the <nat> element below <forward>.
type NATSpec struct {
	IPv6      bool       `json:"ipv6,omitempty"`
	FirstPort int        `json:"first_port,omitempty"`
	LastPort  int        `json:"last_port,omitempty"`
	Start     netip.Addr `json:"start,omitzero"`
	End       netip.Addr `json:"end,omitzero"`
}

// IP is one <ip> element.
type IP struct {
	// Address is the host's address with the length of its subnet,
	// 192.168.122.1/24. libvirt's class rule holds when the document has
	// neither netmask nor prefix: 10.24.10.1 means /8.
	Address netip.Prefix `json:"address"`
	Ranges  []Range      `json:"ranges,omitempty"`
	Hosts   []Host       `json:"hosts,omitempty"`
	TFTP    string       `json:"tftp,omitempty"`
}

// DHCP says whether the <ip> serves addresses.
func (ip IP) DHCP() bool { return len(ip.Ranges) > 0 || len(ip.Hosts) > 0 }

// Range is a DHCP range, both ends included.
type Range struct {
	Start netip.Addr `json:"start"`
	End   netip.Addr `json:"end"`
}

// Host is a DHCP reservation.
type Host struct {
	MAC  string     `json:"mac,omitempty"`
	ID   string     `json:"id,omitempty"`
	IP   netip.Addr `json:"ip"`
	Name string     `json:"name,omitempty"`
}

// Gateway is a static <route>.
type Gateway struct {
	To     netip.Prefix `json:"to"`
	Via    netip.Addr   `json:"via"`
	Metric int          `json:"metric,omitempty"`
}

// DNS is the <dns> element.
type DNS struct {
	Enabled    *bool        `json:"enabled,omitempty"`
	Forwarders []netip.Addr `json:"forwarders,omitempty"`
	Hosts      []DNSHost    `json:"hosts,omitempty"`
}

// DNSHost is one <host> below <dns>.
type DNSHost struct {
	IP    netip.Addr `json:"ip"`
	Names []string   `json:"names"`
}

// Bandwidth is the <bandwidth> element, both directions as libvirt names
// them.
type Bandwidth struct {
	Inbound  Rate `json:"inbound,omitzero"`
	Outbound Rate `json:"outbound,omitzero"`
}

// Rate is one direction: average and peak in KiB/s, burst in KiB.
type Rate struct {
	Average int `json:"average,omitempty"`
	Peak    int `json:"peak,omitempty"`
	Burst   int `json:"burst,omitempty"`
}

// Managed says whether libvirt creates and owns the bridge: modes nat, route,
// open and isolated.
func (n Network) Managed() bool {
	switch n.Mode {
	case NAT, Route, Open, Isolated:
		return true
	}
	return false
}

// KernelDelay is the forward delay that the kernel shows for a document's
// delay, in milliseconds. br_stp_set_enabled raises the delay to
// BR_MIN_FORWARD_DELAY, 2 s, when STP goes on (net/bridge/br_stp_if.c).
func KernelDelay(stp bool, seconds int) int {
	if stp && seconds < 2 {
		return 2000
	}
	return seconds * 1000
}
