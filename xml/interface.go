package xml

import "cmp"

// Interface is one <interface> of a guest, as its document has it.
type Interface struct {
	Target string `json:"target,omitempty"` // the tap; "" while shut off or where there is none
	Type   string `json:"type"`             // network, bridge, direct, user, ethernet, hostdev, vhostuser, vdpa, ...
	// Source is what virsh domiflist shows: the first of source/@bridge, @dev,
	// @network, @name, @path in document order.
	Source    string `json:"source,omitempty"`
	Network   string `json:"network,omitempty"`    // source/@network
	Bridge    string `json:"bridge,omitempty"`     // source/@bridge
	Dev       string `json:"dev,omitempty"`        // source/@dev
	Mode      string `json:"mode,omitempty"`       // source/@mode of a direct interface
	PortID    string `json:"port_id,omitempty"`    // source/@portid
	PortGroup string `json:"port_group,omitempty"` // source/@portgroup
	MAC       string `json:"mac,omitempty"`        // lower case
	// CurrentMAC is the MAC that the guest gave the interface itself, lower
	// case: mac/@currentAddress of a live document (libvirt 11.2 and later).
	CurrentMAC string `json:"current_mac,omitempty"`
	Model      string `json:"model,omitempty"`
	Alias      string `json:"alias,omitempty"`
	Link       string `json:"link,omitempty"` // "down", "up", or "" where the document is silent
	MTU        int    `json:"mtu,omitempty"`
	// Isolated is <port isolated>; nil where the document is silent. See
	// [Interface.PortIsolated].
	Isolated *bool `json:"isolated,omitempty"`
	// VirtualPort is <virtualport type>, such as openvswitch.
	VirtualPort string `json:"virtual_port,omitempty"`
	// InterfaceID and ProfileID are those of Open vSwitch: virtualport/parameters.
	InterfaceID string `json:"interface_id,omitempty"`
	ProfileID   string `json:"profile_id,omitempty"`
	VLANs       []int  `json:"vlans,omitempty"`
	Filter      string `json:"filter,omitempty"` // <filterref filter>
	// FilterParameters says whether <filterref> has any.
	FilterParameters bool   `json:"filter_parameters,omitempty"`
	Managed          bool   `json:"managed,omitempty"` // <target managed>, true unless 'no'
	Driver           string `json:"driver,omitempty"`  // <driver name>: vhost or qemu
	// TrustRxFilters is trustGuestRxFilters: a macvtap follows the MAC and the
	// multicast groups that the guest sets.
	TrustRxFilters bool      `json:"trust_rx_filters,omitempty"`
	Bandwidth      Bandwidth `json:"bandwidth,omitzero"`
	Floor          int       `json:"floor,omitempty"` // bandwidth/inbound/@floor in KiB/s
	// Trunk is <vlan trunk='yes'>: the VLANs stay tagged. NativeVLAN is the one
	// for frames without a tag (<tag nativeMode>), and NativeTagged says that
	// its frames leave with one.
	Trunk        bool `json:"vlan_trunk,omitempty"`
	NativeVLAN   int  `json:"native_vlan,omitempty"`
	NativeTagged bool `json:"native_tagged,omitempty"`
}

// PortIsolated says whether libvirt wants the interface's port in a bridge
// isolated: by the interface's own word, else by that of its network
// (networkAllocatePort).
func (i *Interface) PortIsolated(n *Network) bool {
	word := cmp.Or(i.Isolated, n.PortsIsolated)
	return word != nil && *word
}
