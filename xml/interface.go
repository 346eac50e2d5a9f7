package xml

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
	Model     string `json:"model,omitempty"`
	Alias     string `json:"alias,omitempty"`
	Link      string `json:"link,omitempty"` // "down", "up", or "" where the document is silent
	MTU       int    `json:"mtu,omitempty"`
	Isolated  bool   `json:"isolated,omitempty"` // <port isolated='yes'/>
	// VirtualPort is <virtualport type>, such as openvswitch.
	VirtualPort string `json:"virtual_port,omitempty"`
	VLANs       []int  `json:"vlans,omitempty"`
	Filter      string `json:"filter,omitempty"`  // <filterref filter>
	Managed     bool   `json:"managed,omitempty"` // <target managed>, true unless 'no'
}
