package libvirtnet

import (
	"net/netip"
	"time"
)

// Lease is an address that a network's DHCP server has given away.
type Lease struct {
	Expires   time.Time  `json:"expires"` // zero: never
	MAC       string     `json:"mac"`     // lower case
	IP        netip.Addr `json:"ip"`
	Prefix    int        `json:"prefix"`
	Hostname  string     `json:"hostname"`
	ClientID  string     `json:"client_id"`
	IAID      string     `json:"iaid"`      // of DHCPv6
	Interface string     `json:"interface"` // the bridge the lease was given on
}

// Address is an address of a guest's interface, from one of the sources.
type Address struct {
	Interface string     `json:"interface"` // the tap (lease), or the name inside the guest (agent)
	MAC       string     `json:"mac"`       // lower case
	IP        netip.Addr `json:"ip"`
	Prefix    int        `json:"prefix"`
	Source    string     `json:"source"` // SourceLease or SourceAgent
}

// Sources of addresses that libvirt has. Its third, the ARP table, fails on
// new kernels and is better read from the kernel.
const (
	SourceLease = "lease" // leases of the guest's networks
	SourceAgent = "agent" // the agent inside the guest; ErrNoAgent when none answers
)
