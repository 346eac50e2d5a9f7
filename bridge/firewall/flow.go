package firewall

import (
	"net/netip"
)

// Ways of a packet through a host.
const (
	PathInput   = "input"   // to the host itself: prerouting, input
	PathOutput  = "output"  // from the host itself: output, postrouting
	PathForward = "forward" // routed: prerouting, forward, postrouting
	PathBridge  = "bridge"  // from bridge port to bridge port
)

// States of conntrack.
const (
	StateNew         = "new"
	StateEstablished = "established"
	StateRelated     = "related"
	StateInvalid     = "invalid"
	StateUntracked   = "untracked"
)

// Interface is a link by name and index. nftables matches on either; the one
// that is missing (empty, 0) is not known.
type Interface struct {
	Name  string `json:"name,omitempty"`
	Index int    `json:"index,omitempty"`
}

// Flow is a packet, or all packets that have something in common: a field
// that is not set can have any value, and an address prefix means every
// address in it.
//
// Addresses and ports are as they are before the NAT of this ruleset for a
// new connection. For the others (established, related) conntrack knows the
// translation and the ruleset does not: addresses are those that the filter
// chains see.
type Flow struct {
	Family string    `json:"family"` // ip, ip6 or arp
	Path   string    `json:"path"`
	IIF    Interface `json:"iif"` // where it comes in; on PathBridge the bridge
	OIF    Interface `json:"oif"` // where it leaves; on PathBridge the bridge
	// PhysIn and PhysOut are ports of the bridges that IIF and OIF are. With
	// them the chains of the bridge family and of netdev are met, too.
	PhysIn  Interface `json:"phys_in"`
	PhysOut Interface `json:"phys_out"`
	// FromPort and ToPort: it comes by some port of the bridge that IIF is, and leaves
	// by some port of the one that OIF is, where PhysIn and PhysOut do not say which.
	// The chains of the bridge family are met.
	FromPort bool `json:"from_port,omitempty"`
	ToPort   bool `json:"to_port,omitempty"`
	// BridgeCall: br_netfilter hands bridged frames of this family to the IP
	// hooks (bridge-nf-call-iptables of the host or of the bridge).
	BridgeCall bool         `json:"bridge_call,omitempty"`
	Src        netip.Prefix `json:"src"` // zero: any
	Dst        netip.Prefix `json:"dst"`
	SrcMAC     string       `json:"src_mac,omitempty"`
	DstMAC     string       `json:"dst_mac,omitempty"`
	// OutMAC is the destination of the frame that it leaves in, where that is another
	// one. On PathOutput it is DstMAC.
	OutMAC   string `json:"out_mac,omitempty"`
	Proto    string `json:"proto,omitempty"` // tcp, udp, icmp, ipv6-icmp, a number; empty: any
	SrcPort  int    `json:"src_port,omitempty"`
	DstPort  int    `json:"dst_port,omitempty"`
	ICMPType *uint8 `json:"icmp_type,omitempty"`
	ICMPCode *uint8 `json:"icmp_code,omitempty"`
	ARPOp    uint16 `json:"arp_op,omitempty"` // of family arp: 1 request, 2 reply (RFC 826); 0: any
	// CT is the state of its connection, StateNew if empty. With several, the
	// answer holds for each of them or is depends.
	CT []string `json:"ct,omitempty"`
	// Reply: it goes against the direction of the connection's first packet.
	Reply bool `json:"reply,omitempty"`
	// Translated: an established connection under NAT. Its addresses before
	// the translation in prerouting and after that in postrouting are unknown.
	Translated bool `json:"translated,omitempty"`
	// Before is the destination before the translation of a Translated flow, where
	// it is known.
	Before netip.Addr `json:"before,omitzero"`
	// CTStatus are "snat" and "dnat" for an established connection; nil is not
	// known. For new ones the ruleset says it.
	CTStatus []string `json:"ct_status,omitempty"`
	Mark     uint32   `json:"mark,omitempty"`    // when it comes in
	PktType  string   `json:"pkttype,omitempty"` // host, broadcast, multicast, other; empty: from Dst
}

// Host is the little that some matches ask of the host: its addresses (what
// is local?), routes (where would it go?) and kinds of links. An empty one is not known, and
// such matches are maybe.
type Host struct {
	Addresses []HostAddress `json:"addresses,omitempty"`
	Routes    []HostRoute   `json:"routes,omitempty"`
	// Ethernet are the names of links whose frames have Ethernet headers.
	Ethernet []string `json:"ethernet,omitempty"`
}

// HostAddress is an address of an interface with its prefix length.
type HostAddress struct {
	Interface Interface    `json:"interface"`
	Prefix    netip.Prefix `json:"prefix"`
}

// HostRoute is a unicast route of the table that decides.
type HostRoute struct {
	Dst netip.Prefix `json:"dst"`
	OIF Interface    `json:"oif"`
}

// Answer is what becomes of a flow.
type Answer string

// The three answers.
const (
	Accept  Answer = "accept"
	Drop    Answer = "drop"
	Depends Answer = "depends"
)

// Reference names a rule, or a base chain's policy.
type Reference struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	Handle uint64 `json:"handle,omitempty"` // 0 in legacy tables
	Number int    `json:"number,omitempty"` // place in the chain, from 1; 0 is the policy
	Text   string `json:"text"`
	Owner  string `json:"owner"`
	Legacy bool   `json:"legacy,omitempty"`
}

// Policy says whether it is a base chain's policy and not a rule.
func (r Reference) Policy() bool { return r.Table != "" && r.Number == 0 }

// Verdict is what a ruleset does to a flow.
type Verdict struct {
	Answer Answer `json:"answer"`
	// By is the rule or policy that decided: that which dropped; that which
	// accepted in the hook of the path; that which the answer hangs on. Its
	// Table is empty when the flow met no chain.
	By       Reference `json:"by"`
	Rejected bool      `json:"rejected,omitempty"` // dropped with an error to the sender
	Unheard  bool      `json:"unheard,omitempty"`  // dropped as no program listens on the queue that it went to
	Why      string    `json:"why,omitempty"`      // depends: what is not known
	// Source and Destination are what NAT does to a new connection; nil: nothing.
	Source      *Translation `json:"source,omitempty"`
	Destination *Translation `json:"destination,omitempty"`
	// Untracked is the rule by which conntrack does not see the packet: no NAT is made
	// of it, and it is of no connection. Its Table is empty when there is none.
	Untracked Reference `json:"untracked,omitzero"`
	// Rewritten is the first rule that surely gives the packet other addresses than
	// NAT does, or few hops to live. Its Table is empty when there is none.
	Rewritten Reference `json:"rewritten,omitzero"`
	// Zone is the one of conntrack's in which its connection is looked for, -1 where it
	// is not known; Zoned is the rule that chose it. Its Table is empty when none did.
	Zone  int       `json:"zone,omitempty"`
	Zoned Reference `json:"zoned,omitzero"`
	// Steps are the base chains that it met, in order.
	Steps []Step `json:"steps,omitempty"`
}

// Step is what one base chain said.
type Step struct {
	Hook     string    `json:"hook"`
	Chain    string    `json:"chain"` // the base chain; By stands in it or in one that it jumps to
	Priority int       `json:"priority"`
	Answer   Answer    `json:"answer"`
	By       Reference `json:"by"`
}

// Translation is a change of address or port by NAT. Fields that stay as they
// are, are empty.
type Translation struct {
	Kind    string     `json:"kind"` // snat, dnat, masquerade, redirect, netmap
	AddrMin netip.Addr `json:"addr_min"`
	AddrMax netip.Addr `json:"addr_max"`
	PortMin int        `json:"port_min,omitempty"`
	PortMax int        `json:"port_max,omitempty"`
	By      Reference  `json:"by"`
	// Maybe: it happens only if something not known is so, or the values are
	// not known.
	Maybe bool `json:"maybe,omitempty"`
}
