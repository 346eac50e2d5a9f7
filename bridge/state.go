package bridge

import "net/netip"

// State is what the kernel showed at one reading. Lists are sorted, so that
// two readings of one state are equal.
type State struct {
	Switching
	// Namespace is the inode of the network namespace that was read; 0 when
	// that is unknown.
	Namespace  uint64      `json:"namespace"`
	Links      []Link      `json:"links"`
	Bridges    []Bridge    `json:"bridges"`
	Ports      []Port      `json:"ports"`
	Addresses  []Address   `json:"addresses"`
	Routes     []Route     `json:"routes"`
	Rules      []Rule      `json:"rules"`
	Neighbours []Neighbour `json:"neighbours"`
	// Qdiscs are those that somebody put on links; nil when they were not read.
	Qdiscs []Qdisc `json:"qdiscs,omitzero"`
	// XFRM is what IPsec has the kernel do with packets; nil when it was not read.
	XFRM *XFRM `json:"xfrm,omitempty"`
	// NeighbourTables are the limits of the tables behind Neighbours.
	NeighbourTables []NeighbourTable  `json:"neighbour_tables,omitempty"`
	FDB             []FDBEntry        `json:"fdb"`
	Forwarding      []Forwarding      `json:"forwarding"`
	Sysctls         map[string]string `json:"sysctls"` // dotted names, net.ipv4.ip_forward
	Sockets         []Socket          `json:"sockets"`
	Holders         []Holder          `json:"holders"` // filled by FindHolders, for the taps asked for
	Gaps            []Gap             `json:"gaps"`
}

// Gap is something that could not be read.
type Gap struct {
	Source  string `json:"source"` // the part of State: "links", "routes", "sockets", ...
	Message string `json:"message"`
}

// Link is a network interface (RTM_GETLINK).
type Link struct {
	Index    int      `json:"index"`
	Name     string   `json:"name"`
	AltNames []string `json:"alt_names,omitempty"`
	Kind     string   `json:"kind,omitempty"` // IFLA_INFO_KIND: bridge, tun, veth, macvtap, ...; "" is hardware or loopback
	MAC      string   `json:"mac,omitempty"`
	MTU      int      `json:"mtu"`
	Up       bool     `json:"up"`      // IFF_UP
	Carrier  bool     `json:"carrier"` // IFLA_CARRIER
	Oper     string   `json:"oper"`    // operstate in ip's words, lower case: up, down, unknown, lowerlayerdown, ...
	Loopback bool     `json:"loopback,omitempty"`
	NoARP    bool     `json:"noarp,omitempty"`  // IFF_NOARP: it neither asks for neighbours nor answers; usual on tunnels
	Master   string   `json:"master,omitempty"` // name of the bridge, bond, ... it is a port of
	Parent   string   `json:"parent,omitempty"` // IFLA_LINK in this namespace: lower device of macvtap, vlan, ...; peer of a veth
	Mode     string   `json:"mode,omitempty"`   // macvtap mode
	Tun      *Tun     `json:"tun,omitempty"`
	// Promiscuity counts who wants every frame (IFLA_PROMISCUITY); nil: not
	// known.
	Promiscuity *int `json:"promiscuity,omitempty"`
	// ParentElsewhere: there is a lower device or peer, in another namespace.
	ParentElsewhere bool `json:"parent_elsewhere,omitempty"`

	Bond *Bond `json:"bond,omitempty"` // of kind bond
	VFs  []VF  `json:"vfs,omitempty"`  // virtual functions of an SR-IOV NIC
	// Wireless is nil for a link that is none, and where it could not be read.
	Wireless *Wireless `json:"wireless,omitempty"`
	// Offloads are nil where they were not asked for: taps and veths.
	Offloads *Offloads `json:"offloads,omitempty"`
}

// Tun is what the kernel says of a tun or tap device (IFLA_INFO_DATA).
type Tun struct {
	Tap     bool `json:"tap"`     // IFF_TAP, else IFF_TUN
	Persist bool `json:"persist"` // survives the process that holds it
}

// Bridge is a bridge's own attributes (IFLA_BR_*, linux/if_link.h).
type Bridge struct {
	Name              string `json:"name"`
	ID                string `json:"id"`      // as brctl shows it: 8000.525400e47583
	RootID            string `json:"root_id"` // the same form
	RootPort          int    `json:"root_port"`
	STP               int    `json:"stp"`              // 0 off, 1 kernel, 2 user space
	ForwardDelay      int    `json:"forward_delay_ms"` // milliseconds
	HelloTime         int    `json:"hello_time_ms"`
	MaxAge            int    `json:"max_age_ms"`
	AgeingTime        int    `json:"ageing_time_ms"`
	Priority          int    `json:"priority"`
	VLANFiltering     bool   `json:"vlan_filtering"`
	MulticastSnooping bool   `json:"multicast_snooping"`
	MulticastQuerier  bool   `json:"multicast_querier"`
	GroupForwardMask  int    `json:"group_forward_mask"`
	NFCallIPTables    bool   `json:"nf_call_iptables"`
	NFCallIP6Tables   bool   `json:"nf_call_ip6tables"`
	NFCallARPTables   bool   `json:"nf_call_arptables"`
	// DefaultPVID is what a new port gets; nil: the kernel cannot filter VLANs.
	DefaultPVID *int `json:"vlan_default_pvid,omitempty"`
	// Querier4 and Querier6 say that another querier was heard, and where
	// (IFLA_BR_MCAST_QUERIER_STATE).
	Querier4 string `json:"multicast_querier_ipv4,omitempty"`
	Querier6 string `json:"multicast_querier_ipv6,omitempty"`
	// GroupMax is IFLA_BR_MCAST_HASH_MAX: how many multicast groups fit; 0 is
	// not known. More switch the snooping off.
	GroupMax int `json:"multicast_hash_max,omitempty"`
	// FDBLearned and FDBMax are the entries that were learned, and how many
	// may be; FDBMax 0 is no limit.
	FDBLearned int `json:"fdb_learned,omitempty"`
	FDBMax     int `json:"fdb_max_learned,omitempty"`
}

// Port states of linux/if_bridge.h in bridge(8)'s words.
const (
	PortDisabled   = "disabled"
	PortListening  = "listening"
	PortLearning   = "learning"
	PortForwarding = "forwarding"
	PortBlocking   = "blocking"
)

// Port is a bridge port's attributes (IFLA_BRPORT_*, linux/if_link.h).
type Port struct {
	Name           string `json:"name"`
	Bridge         string `json:"bridge"`
	State          string `json:"state"`
	Number         int    `json:"number"`
	Cost           int    `json:"cost"`
	Priority       int    `json:"priority"`
	DesignatedRoot string `json:"designated_root,omitempty"`
	Isolated       bool   `json:"isolated"`
	Learning       bool   `json:"learning"`
	Flood          bool   `json:"flood"` // unknown unicast
	MulticastFlood bool   `json:"mcast_flood"`
	BroadcastFlood bool   `json:"bcast_flood"`
	Hairpin        bool   `json:"hairpin"`
	Guard          bool   `json:"guard"`
	RootBlock      bool   `json:"root_block"`
	FastLeave      bool   `json:"fast_leave"`
	NeighSuppress  bool   `json:"neigh_suppress"`
	Locked         bool   `json:"locked"`
}

// Address is one address of a link (RTM_GETADDR).
type Address struct {
	Link       string       `json:"link"`
	Prefix     netip.Prefix `json:"prefix"` // the address itself with its length, not masked
	Scope      string       `json:"scope"`  // global, link, host, site
	Tentative  bool         `json:"tentative,omitempty"`
	DADFailed  bool         `json:"dad_failed,omitempty"`
	Deprecated bool         `json:"deprecated,omitempty"`
	// Secondary: an IPv4 address of a subnet in which the link had one before. It
	// goes with that one, unless the link promotes it (promote_secondaries).
	Secondary bool `json:"secondary,omitempty"`
	// Unrouted: no route says that the address is the host's, as the kernel has one
	// in the local table (or a VRF's) for each that is not tentative: packets to it
	// are not taken.
	Unrouted bool `json:"unrouted,omitempty"`
}

// Route is one unicast or special route (RTM_GETROUTE), of every table; of the local
// one those that somebody added. A multipath route stands once for each next hop.
type Route struct {
	Table    int          `json:"table"`
	Dst      netip.Prefix `json:"dst"` // 0.0.0.0/0 or ::/0 for a default route
	Gateway  netip.Addr   `json:"gateway,omitzero"`
	Link     string       `json:"link,omitempty"`
	Src      netip.Addr   `json:"src,omitzero"`
	Protocol string       `json:"protocol"` // kernel, boot, static, dhcp, ra, or the number
	Scope    string       `json:"scope"`
	Type     string       `json:"type"` // unicast, blackhole, unreachable, prohibit, throw
	Metric   int          `json:"metric,omitempty"`
	Down     bool         `json:"down,omitempty"` // RTNH_F_DEAD or RTNH_F_LINKDOWN
	MTU      int          `json:"mtu,omitempty"`
	// From limits the route to packets from these sources (IPv6 only).
	From netip.Prefix `json:"from,omitzero"`
	// TOS limits the route to packets with this type of service (IPv4 only).
	TOS int `json:"tos,omitempty"`
	// Autoconf: the kernel made the route of a router advertisement
	// (RTF_ADDRCONF), and no program did.
	Autoconf bool `json:"autoconf,omitempty"`
}

// Rule is one policy routing rule (RTM_GETRULE).
type Rule struct {
	Family   int          `json:"family"` // 4 or 6
	Priority int          `json:"priority"`
	Table    int          `json:"table"`
	Action   string       `json:"action"` // lookup, unreachable, blackhole, prohibit, goto, nop
	Src      netip.Prefix `json:"src,omitzero"`
	Dst      netip.Prefix `json:"dst,omitzero"`
	IIF      string       `json:"iif,omitempty"`
	OIF      string       `json:"oif,omitempty"`
	Mark     uint32       `json:"mark,omitempty"`
	Mask     uint32       `json:"mask,omitempty"`
	Invert   bool         `json:"invert,omitempty"`
	// SuppressPrefixLength is -1 when the rule has none.
	SuppressPrefixLength int `json:"suppress_prefix_length"`
	// Goto is the priority of the rule that action goto leads to.
	Goto int `json:"goto,omitempty"`
	// Selectors names further conditions whose values are not here: tos,
	// ipproto, sport, dport, uidrange, l3mdev, tun_id. A rule with any of them
	// applies to some packets only.
	Selectors []string `json:"selectors,omitempty"`
}

// XFRM is the kernel's part of IPsec: which packets must be transformed, and
// which must not pass.
type XFRM struct {
	Policies []XFRMPolicy `json:"policies,omitempty"`
	// Block are the directions in which packets that no policy matches are
	// dropped (XFRM_MSG_GETDEFAULT).
	Block []string `json:"block,omitempty"`
	// States are the security associations, without their keys; read only
	// where a policy has templates.
	States []XFRMState `json:"states,omitempty"`
	// Keyed: a program, such as an IKE daemon, hears when a state is wanted.
	Keyed bool `json:"keyed,omitempty"`
}

// XFRMPolicy is one policy (XFRM_MSG_GETPOLICY). The first one that matches a
// packet decides, by priority.
type XFRMPolicy struct {
	Dir      string       `json:"dir"`    // in, out, fwd
	Action   string       `json:"action"` // allow, block
	Priority uint32       `json:"priority,omitempty"`
	Src      netip.Prefix `json:"src"`
	Dst      netip.Prefix `json:"dst"`
	Proto    int          `json:"proto,omitempty"` // IP protocol number
	Link     string       `json:"link,omitempty"`  // by which packets leave
	Mark     uint32       `json:"mark,omitempty"`
	Mask     uint32       `json:"mask,omitempty"`
	IfID     uint32       `json:"if_id,omitempty"` // of XFRM interfaces
	// Sub: of the type sub, which is asked besides the main one.
	Sub bool `json:"sub,omitempty"`
	// Selectors names further conditions whose values are not here: ports,
	// context.
	Selectors []string `json:"selectors,omitempty"`
	// Templates are the transformations that a packet must have, or gets.
	Templates []XFRMTemplate `json:"templates,omitempty"`
}

// XFRMTemplate is one transformation that a policy asks for. Addresses are not
// valid where any will do.
type XFRMTemplate struct {
	Src      netip.Addr `json:"src,omitzero"`
	Dst      netip.Addr `json:"dst,omitzero"`
	Proto    int        `json:"proto"` // 50 ESP, 51 AH, 108 IPComp
	ReqID    uint32     `json:"reqid,omitempty"`
	Optional bool       `json:"optional,omitempty"`
}

// XFRMState is one security association (XFRM_MSG_GETSA).
type XFRMState struct {
	Src   netip.Addr `json:"src,omitzero"`
	Dst   netip.Addr `json:"dst,omitzero"`
	Proto int        `json:"proto"`
	ReqID uint32     `json:"reqid,omitempty"`
}

// Neighbour is an ARP or ND entry (RTM_GETNEIGH).
type Neighbour struct {
	Link  string     `json:"link"`
	IP    netip.Addr `json:"ip"`
	MAC   string     `json:"mac,omitempty"`
	State string     `json:"state"` // reachable, stale, delay, probe, failed, incomplete, permanent, noarp; proxy: the host answers for it (NTF_PROXY)
	// Age is the time since the entry was last confirmed, in milliseconds
	// (NDA_CACHEINFO, ndm_confirmed). It says nothing of entries that never
	// were: incomplete, failed, permanent.
	Age int64 `json:"age_ms"`
	// Updated is the time since the state last changed, in milliseconds
	// (ndm_updated): of a failed entry, since it was given up.
	Updated int64 `json:"updated_ms,omitempty"`
}

// NeighbourTable is the table behind the neighbours of a family, ARP's or
// ND's (RTM_GETNEIGHTBL). The kernel has one for all namespaces together.
type NeighbourTable struct {
	Name    string `json:"name"`   // arp_cache, ndisc_cache
	Family  int    `json:"family"` // 4 or 6
	Entries int    `json:"entries"`
	// Thresh1 to Thresh3 are gc_thresh1 to gc_thresh3: below the first nothing
	// is collected, above the last nothing is added.
	Thresh1 int `json:"thresh1"`
	Thresh2 int `json:"thresh2"`
	Thresh3 int `json:"thresh3"`
	// Fulls counts the entries that were refused since the kernel started.
	Fulls uint64 `json:"fulls,omitempty"`
}

// FDBEntry is an entry of a bridge's forwarding database (RTM_GETNEIGH of
// AF_BRIDGE).
type FDBEntry struct {
	Bridge string `json:"bridge,omitempty"`
	Port   string `json:"port"` // the bridge itself for its own address
	MAC    string `json:"mac"`
	VLAN   int    `json:"vlan,omitempty"`
	State  string `json:"state"`          // permanent (the port's own), static, learned
	Self   bool   `json:"self,omitempty"` // NTF_SELF: the device's filter, not the bridge's table
	// Age is the time since a frame from this MAC was last seen, in
	// milliseconds (ndm_updated, the ageing timer of brctl).
	Age int64 `json:"age_ms"`
}

// Forwarding is what RTM_GETNETCONF shows of a link: whether packets that
// arrive on it are routed. Link is "all", "default" or a name.
type Forwarding struct {
	Link   string `json:"link"`
	Family int    `json:"family"` // 4 or 6
	On     bool   `json:"on"`
	// RPFilter is 0 off, 1 strict, 2 loose (IPv4 only).
	RPFilter int `json:"rp_filter,omitempty"`
	// Proxy: the host answers ARP or ND for others (proxy_arp, proxy_ndp).
	Proxy bool `json:"proxy,omitempty"`
	// IgnoreLinkdown: routes over the link count only while it has a carrier
	// (ignore_routes_with_linkdown).
	IgnoreLinkdown bool `json:"ignore_linkdown,omitempty"`
}

// Socket is a listening TCP or bound UDP socket on one of the ports that
// networks need: 53, 67, 69, 547 (sock_diag, INET_DIAG).
type Socket struct {
	Protocol string     `json:"protocol"` // udp or tcp
	Address  netip.Addr `json:"address"`  // 0.0.0.0 or :: for any
	// V6Only: a socket on :: that leaves IPv4 alone (IPV6_V6ONLY).
	V6Only  bool     `json:"v6_only,omitempty"`
	Port    int      `json:"port"`
	Device  string   `json:"device,omitempty"` // SO_BINDTODEVICE
	PID     int      `json:"pid,omitempty"`    // 0 when it could not be found
	Command string   `json:"command,omitempty"`
	Args    []string `json:"args,omitempty"`
	// Stopped: the process is stopped by a signal (SIGSTOP), and answers nobody.
	Stopped bool `json:"stopped,omitempty"`
}

// Holder is a process that has a tap open (/proc/PID/fdinfo, "iff:").
type Holder struct {
	Link    string `json:"link"`
	PID     int    `json:"pid"`
	Command string `json:"command"`
}
