package services

import "time"

// State is what was found at one reading. Lists are sorted.
type State struct {
	// ProvenFor is the process id of the libvirt daemon that has the same files
	// as the reader (SameFiles); 0 when that was not proven for any.
	ProvenFor int `json:"proven_for"`
	// UID is the user that read, and that a session daemon belongs to.
	UID int `json:"uid"`
	// Daemons are those of libvirt that run, are started on demand, or are
	// switched on in systemd.
	Daemons  []Daemon  `json:"daemons"`
	Programs []Program `json:"programs"`
	Devices  []Device  `json:"devices"`
	Kernel   Kernel    `json:"kernel"`
	// Machine is nil in a document of before it was read.
	Machine *Machine `json:"machine,omitempty"`
	// Ports are the links that the host's own network configuration puts into
	// bridges.
	Ports []ConfiguredPort `json:"configured_ports,omitempty"`
	// Backend is firewall_backend of /etc/libvirt/network.conf; "" when it is
	// not set (libvirt then takes the first that works).
	Backend  string        `json:"firewall_backend"`
	Networks []Network     `json:"networks"`
	Resolver Resolver      `json:"resolver"`
	Helper   *BridgeHelper `json:"bridge_helper,omitempty"` // nil: QEMU's helper is not installed
	// The managers are nil where they do not run.
	Firewalld      *Firewalld      `json:"firewalld,omitempty"`
	NetworkManager *NetworkManager `json:"network_manager,omitempty"`
	Networkd       *Networkd       `json:"networkd,omitempty"`
	OpenVSwitch    *OpenVSwitch    `json:"open_vswitch,omitempty"`
	Gaps           []Gap           `json:"gaps"`
}

// Parts of a State: the sources of gaps.
const (
	PartDaemons   = "daemons"
	PartDevices   = "devices"
	PartBackend   = "firewall backend"
	PartDnsmasq   = "dnsmasq"
	PartResolver  = "resolver"
	PartHelper    = "bridge helper"
	PartFirewalld = "firewalld"
	PartNM        = "NetworkManager"
	PartNetworkd  = "networkd"
	PartOVS       = "Open vSwitch"
)

// Gap is something that is there and could not be read.
type Gap struct {
	Source  string `json:"source"` // one of the parts
	Message string `json:"message"`
}

// Daemon is one of libvirt's.
type Daemon struct {
	Name      string `json:"name"`                // libvirtd, virtnetworkd, virtqemud
	PID       int    `json:"pid,omitempty"`       // 0: does not run
	Namespace uint64 `json:"namespace,omitempty"` // inode of its network namespace; 0 when unknown
	Socket    string `json:"socket,omitempty"`    // its socket's path when there is one
	Listens   bool   `json:"listens,omitempty"`   // somebody listens there: it, or systemd for it
	// Enabled and SocketEnabled: systemd starts the service, or listens for it,
	// at boot (a link in a .wants folder of /etc/systemd/system).
	Enabled       bool `json:"enabled,omitempty"`
	SocketEnabled bool `json:"socket_enabled,omitempty"`
}

// Program is one that libvirt needs.
type Program struct {
	Name string `json:"name"`
	Path string `json:"path"` // "" when it is in none of the folders
	// Real is where Path leads to when it is a symbolic link, as in
	// /etc/alternatives.
	Real string `json:"real,omitempty"`
}

// What is known of a device's driver.
const (
	DriverLoaded  = "loaded"  // the kernel has it (/proc/misc)
	DriverModule  = "module"  // its module is installed for the kernel that runs
	DriverMissing = "missing" // neither
)

// Device is a node that guests' interfaces need.
type Device struct {
	Path   string `json:"path"` // /dev/net/tun, /dev/vhost-net
	Node   bool   `json:"node"` // a character device is there
	Driver string `json:"driver"`
}

// Kernel is the one that runs.
type Kernel struct {
	Release string `json:"release"`
	// Modules: the folder of its modules is there. It goes away when a newer
	// kernel is installed and the machine not started again.
	Modules bool `json:"modules"`
}

// Network is what libvirt's files say of a network.
type Network struct {
	Name string `json:"name"`
	// Config are the lines of /var/lib/libvirt/dnsmasq/NAME.conf without
	// comments, in their order; nil when there is no such file.
	Config []string `json:"config,omitempty"`
	// Hosts are the lines of NAME.hostsfile beside it, which has the reservations;
	// nil when there is no such file.
	Hosts []string `json:"hosts,omitzero"`
	// Modified is when that file was last written, Started when dnsmasq wrote
	// its pid file, both by the clock of their time; PID is what that file says.
	Modified time.Time `json:"modified,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	PID      int       `json:"pid,omitempty"`
	// Backend is what made the firewall rules of the active network
	// (/run/libvirt/network/NAME.xml, libvirt 10.4 and later): nftables or
	// iptables; "" when the file does not say.
	Backend string `json:"firewall_backend,omitempty"`
	// Rules are the rules of nftables that the same file says are to be
	// deleted with the network.
	Rules []FilterRule `json:"firewall_rules,omitempty"`
	// Checksum: there is a filter of traffic control among them, which fills in
	// the checksums of DHCP replies.
	Checksum bool `json:"dhcp_checksum,omitempty"`
}

// FilterRule is the place of a rule of nftables.
type FilterRule struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	Handle uint64 `json:"handle"`
}

// Resolver is where this machine's names are resolved.
type Resolver struct {
	// Servers are those of /etc/resolv.conf, which dnsmasq forwards to; Found
	// is false when there is no such file.
	Found   bool     `json:"found"`
	Servers []string `json:"servers"`
	// Upstream are the servers behind systemd-resolved's stub
	// (/run/systemd/resolve/resolv.conf), Links what single links brought along.
	Upstream []string  `json:"upstream,omitempty"`
	Links    []LinkDNS `json:"links,omitempty"`
	Forwards []Forward `json:"forwards,omitempty"`
}

// LinkDNS is what systemd-resolved was told for one link.
type LinkDNS struct {
	Index   int      `json:"index"`
	Servers []string `json:"servers"`
	Domains []string `json:"domains"` // ~x is for routing only
}

// Forward is a server= line of a dnsmasq that is not libvirt's.
type Forward struct {
	File   string `json:"file"`
	Domain string `json:"domain,omitempty"` // "" for every name
	Server string `json:"server"`
}

// BridgeHelper is QEMU's qemu-bridge-helper, which plugs guests of unprivileged
// users into bridges.
type BridgeHelper struct {
	Path string `json:"path"`
	// Privileged: it is setuid root or has a file capability.
	Privileged bool `json:"privileged"`
	// ACL is what bridge.conf says, with its includes, in order; File is the
	// first one, "" when there is none, and then nothing is allowed.
	File string    `json:"file,omitempty"`
	ACL  []ACLRule `json:"acl"`
}

// ACLRule is one line of bridge.conf.
type ACLRule struct {
	Allow  bool   `json:"allow"`
	Bridge string `json:"bridge"` // a name, or "all"
}

// Allows says whether the list lets users into the bridge. As in the helper, a
// deny anywhere wins, and what is not allowed is denied.
func (h BridgeHelper) Allows(bridge string) bool {
	allowed := false
	for _, r := range h.ACL {
		if r.Bridge != bridge && r.Bridge != "all" {
			continue
		}
		if !r.Allow {
			return false
		}
		allowed = true
	}
	return allowed
}

// Firewalld is what firewalld answers on the system bus.
type Firewalld struct {
	Namespace   uint64   `json:"namespace,omitempty"` // network namespace of the process; 0 when unknown
	DefaultZone string   `json:"default_zone"`
	Zones       []Zone   `json:"zones"`
	Policies    []string `json:"policies"`
}

// Zone is a zone of firewalld's running configuration.
type Zone struct {
	Name       string   `json:"name"`
	Interfaces []string `json:"interfaces,omitempty"`
	Sources    []string `json:"sources,omitempty"`
	// Target and Services are those of zones that interfaces are in, and of the
	// default zone: what becomes of packets that no rule is about ("ACCEPT",
	// "default", "DROP", "%%REJECT%%"), and the services that are let in.
	Target   string   `json:"target,omitempty"`
	Services []string `json:"services,omitempty"`
}

// ZoneOf is the zone of an interface; "" when it is in none.
func (f Firewalld) ZoneOf(link string) string {
	for _, z := range f.Zones {
		for _, name := range z.Interfaces {
			if name == link {
				return z.Name
			}
		}
	}
	return ""
}

// NetworkManager is what NetworkManager answers on the system bus.
type NetworkManager struct {
	Namespace uint64     `json:"namespace,omitempty"`
	Devices   []NMDevice `json:"devices"`
}

// NMDevice is a link as NetworkManager has it.
type NMDevice struct {
	Link string `json:"link"`
	// State is NMDeviceState's number: 10 unmanaged, 30 disconnected, 40 to 90
	// on its way, 100 activated.
	State int `json:"state"`
	// Connection is the id of the active profile. External: NetworkManager only
	// shows what others set up (NM_ACTIVATION_STATE_FLAG_EXTERNAL).
	Connection string `json:"connection,omitempty"`
	External   bool   `json:"external,omitempty"`
}

// States of NMDeviceState (libnm, nm-dbus-interface.h).
const (
	NMUnmanaged    = 10
	NMDisconnected = 30
	NMActivated    = 100
)

// Networkd is what systemd-networkd keeps in /run/systemd/netif.
type Networkd struct {
	Namespace uint64         `json:"namespace,omitempty"`
	Links     []NetworkdLink `json:"links"`
}

// NetworkdLink is a link as systemd-networkd has it.
type NetworkdLink struct {
	Index int    `json:"index"`
	Admin string `json:"admin"`          // ADMIN_STATE: unmanaged, configuring, configured, failed, ...
	File  string `json:"file,omitempty"` // NETWORK_FILE, the .network file that matched
	// Match are the lines of that file's [Match] section.
	Match []string `json:"match,omitempty"`
}

// OpenVSwitch is what ovsdb-server answers on its socket.
type OpenVSwitch struct {
	Bridges []OVSBridge `json:"bridges"`
}

// OVSBridge is a row of table Bridge.
type OVSBridge struct {
	Name  string    `json:"name"`
	Ports []OVSPort `json:"ports"`
}

// OVSPort is a row of table Port. Tag is nil for none.
type OVSPort struct {
	Name       string         `json:"name"`
	Tag        *int           `json:"tag,omitempty"`
	Trunks     []int          `json:"trunks,omitempty"`
	VLANMode   string         `json:"vlan_mode,omitempty"`
	Interfaces []OVSInterface `json:"interfaces"`
}

// OVSInterface is a row of table Interface. OFPort is nil until the switch has
// looked at it, and -1 when it could not be opened.
type OVSInterface struct {
	Name        string            `json:"name"`
	Type        string            `json:"type,omitempty"`
	OFPort      *int              `json:"ofport,omitempty"`
	Error       string            `json:"error,omitempty"`
	ExternalIDs map[string]string `json:"external_ids,omitempty"`
}
