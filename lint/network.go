package lint

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

var networkRules = []Rule{
	{"name-missing", "A network or guest has no name", Error, AtDefine, "libvirt finds it by its name."},
	{"name-invalid", "A name holds what libvirt refuses in names", Error, AtDefine,
		"Names are the stem of file names: no / and no line break (virXMLCheckIllegalChars)."},
	{"name-too-long", "A name that is too long for libvirt's files", Error, AtDefine,
		"libvirt writes NAME.xml.new (virXMLSaveFile), and a file name has at most 255 bytes."},
	{"device-name-too-long", "A device name is longer than the kernel takes", Error, AtStart,
		"The kernel's names have at most 15 bytes (IFNAMSIZ); libvirt finds out when it makes the device."},
	{"device-name-invalid", "A device name that the kernel refuses", Error, AtStart,
		"dev_valid_name (net/core/dev.c): no white space, / or :, neither . nor .. ; all and default are the kernel's names for the settings of all links (sysctl_dev_name_is_allowed)."},
	{"mac-zero", "A bridge with the MAC address 00:00:00:00:00:00", Error, AtStart,
		"The kernel takes it for none (is_valid_ether_addr), and the bridge is not made."},
	{"mac-multicast", "A MAC address that no interface can have", Error, AtDefine,
		"The lowest bit of the first byte says that the address is of a group (virMacAddrIsMulticast)."},
	{"mtu-out-of-range", "An MTU that no bridge or tap can have", Error, AtStart,
		"A bridge takes 68 to 65,535 bytes (ETH_MIN_MTU), a tap up to 65,521: its frames have a header (tun_net_initialize)."},
	{"mtu-below-ipv6", "An MTU that is too small for the network's IPv6", Error, AtStart,
		"A link of less than 1280 bytes has no IPv6 (RFC 8200, section 5): the kernel refuses the bridge's address."},
	{"delay-out-of-range", "A forward delay that the kernel does not keep", Warning, Never,
		"With spanning tree on it takes 30 s instead (BR_MAX_FORWARD_DELAY, net/bridge/br_private_stp.h)."},
	{"mode-unknown", "A forward mode that libvirt does not have", Error, AtDefine,
		"https://libvirt.org/formatnetwork.html#connectivity."},
	{"bridge-setting-of-host", "A setting of the bridge where the bridge is not libvirt's", Error, AtDefine,
		"In mode bridge and in pools of devices libvirt makes no bridge: spanning tree, delay, zone, MTU and MAC have nothing to hold on to."},
	{"host-mode-address", "An address, domain or DNS entry where libvirt serves none", Error, AtDefine,
		"In mode bridge and in pools of devices others give out addresses and names (networkValidate, src/network/bridge_driver.c)."},
	{"bridge-in-pool", "A bridge in a pool of devices", Error, AtDefine,
		"Modes private, vepa, passthrough and hostdev use devices, never a bridge (virNetworkDefParseXML)."},
	{"subnet-missing", "A network that forwards has no subnet", Error, AtDefine,
		"Modes nat and route need an <ip>; mode open does, too, before libvirt 10.8."},
	{"bandwidth-unsupported", "Bandwidth where libvirt cannot limit it", Error, AtDefine,
		"libvirt limits at a bridge: its own, or the one that mode bridge names (networkValidate)."},
	{"bandwidth-invalid", "Bandwidth without an average", Error, AtDefine,
		"Peak and burst go with an average; floor is for guests' interfaces on a network only (virNetDevBandwidthParse)."},
	{"bandwidth-peak-below-average", "A peak below the average", Warning, Never,
		"The peak is the most that is ever let through: one below the average takes its place."},
	{"vlan-invalid", "VLAN tags that do not go together", Error, AtDefine,
		"At least one <tag>, one native tag at most, ids up to 4095 (virNetDevVlanParse)."},
	{"vlan-unsupported", "A VLAN on a plain bridge", Error, AtDefine,
		"Only Open vSwitch, SR-IOV pools and passthrough have VLANs, and from libvirt 11.0 on mode bridge (networkValidate)."},
	{"portgroup-invalid", "Port groups that do not go together", Error, AtDefine,
		"Each needs a name of its own, and one may be the default (networkValidate)."},
}

// network is what a network document says of others.
type network struct {
	Spot
	object, name, uuid, mac       string
	nameAt, uuidAt, bridgeAt, mAt xml.Place
	mode                          xml.Mode
	bridge                        string
	mtu                           uint64 // 0 where there is none that a bridge can have
	mtuAt                         xml.Place
	subnets                       []subnet
	inbound                       bool // bandwidth/inbound with an average
	vlans                         bool // of a kind that can have VLANs
	groups                        []string
	virtualPort                   string
	devs                          []device
	nat                           *xml.NATSpec // its addresses; nil where there are none
	natAt                         xml.Place
	ways                          []way
	tftp                          []device // folders
}

// way is a <route> with its place.
type way struct {
	to netip.Prefix
	at xml.Place
}

// names are the links that it names.
func (n *network) names() []string {
	var names []string
	for _, d := range n.devs {
		names = append(names, d.name)
	}
	return names
}

// device is a link that a document names.
type device struct {
	name string
	at   xml.Place
}

// subnet is an <ip> with its place.
type subnet struct {
	netip.Prefix
	at xml.Place
}

func managed(m xml.Mode) bool { return xml.Network{Mode: m}.Managed() }

func (p *pass) network(root *xml.Node) *network {
	n := &network{Spot: Spot{p.name, root.Place}, mode: modeOf(root)}
	if name := root.Child("name"); name != nil && name.Text != "" {
		p.object = "network " + show(name.Text)
	}
	n.object = p.object
	p.schema(root)
	n.name, n.nameAt = p.title(root, "network")
	if n.uuid = p.uuid(root); n.uuid != "" {
		n.uuidAt = root.Child("uuid").Place
	}
	p.bridge(root, n)
	p.forward(root, n)
	p.hostMode(root, n)
	p.ips(root, n)
	p.dns(root)
	p.shaping(root, n)
	n.virtualPort = root.Child("virtualport").Attr("type")
	p.virtualPort(root.Child("virtualport"), "")
	return n
}

// modeOf is xml's reading of <forward>: none is isolated.
func modeOf(root *xml.Node) xml.Mode {
	f := root.Child("forward")
	switch {
	case f == nil || f.Attr("mode") == "none":
		return xml.Isolated
	case f.Attr("mode") == "":
		return xml.NAT
	}
	return xml.Mode(f.Attr("mode"))
}

func (p *pass) bridge(root *xml.Node, n *network) {
	b := root.Child("bridge")
	n.bridge, n.bridgeAt = p.link(b, "name", "bridge"), b.At("name")
	if delay, ok := p.number(b, "delay", math.MaxUint64); ok && delay > xml.MaxDelay && managed(n.mode) && b.Attr("stp") != "off" {
		p.at("delay-out-of-range", b.At("delay"), "forward delay %d s: the kernel takes at most %d with spanning tree on", delay, xml.MaxDelay)
	}
	m := root.Child("mtu")
	switch mtu, ok := p.number(m, "size", xml.MaxMTU); {
	case !ok || !managed(n.mode):
	case mtu < xml.MinMTU:
		p.at("mtu-out-of-range", m.At("size"), "MTU %d: a bridge takes %d to %d", mtu, xml.MinMTU, xml.MaxMTU)
	default:
		n.mtu, n.mtuAt = mtu, m.At("size")
	}
	n.mac, n.mAt = p.mac(root.Child("mac"), "address"), root.Child("mac").At("address")
	if n.mac == zeroMAC && managed(n.mode) {
		p.at("mac-zero", n.mAt, "MAC %s: no interface can have it", n.mac)
		n.mac = ""
	}
}

const zeroMAC = "00:00:00:00:00:00"

// zero says whether an attribute is absent or counts to nothing.
func zero(value string) bool { return strings.Trim(value, "0 ") == "" }

// openWithoutSubnet is the first libvirt that takes mode open without an <ip>.
const openWithoutSubnet = 10_008_000

// hostMode judges what only a bridge of libvirt's can have.
func (p *pass) hostMode(root *xml.Node, n *network) {
	switch forward := root.Child("forward"); {
	case root.Child("ip") != nil:
	case n.mode == xml.NAT || n.mode == xml.Route:
		p.at("subnet-missing", forward.Place, "mode %s needs an <ip>", n.mode)
	case n.mode == xml.Open && p.version < openWithoutSubnet:
		p.maybe("subnet-missing", forward.Place, "mode open needs an <ip> before libvirt %s", inWords(openWithoutSubnet))
	}
	if managed(n.mode) || !slices.Contains(xml.Modes, n.mode) {
		return
	}
	b := root.Child("bridge")
	for _, key := range []string{"stp", "delay", "zone"} {
		if v := b.Attr(key); v != "" && (key != "delay" || !zero(v)) {
			p.at("bridge-setting-of-host", b.At(key), "mode %s: the bridge is not libvirt's, and has no %s here", n.mode, key)
		}
	}
	if m := root.Child("mtu"); !zero(m.Attr("size")) {
		p.at("bridge-setting-of-host", m.Place, "mode %s has no <mtu>: the bridge is not libvirt's", n.mode)
	}
	if m := root.Child("mac"); m.Attr("address") != "" {
		p.at("bridge-setting-of-host", m.Place, "mode %s has no <mac>: the bridge is not libvirt's", n.mode)
	}
	if e := root.Child("ip"); e != nil {
		p.at("host-mode-address", e.Place, "mode %s has no <ip>: libvirt serves none there", n.mode)
	}
	if e := root.Child("domain"); e.Has("name") {
		p.at("host-mode-address", e.Place, "mode %s has no <domain>: libvirt serves none there", n.mode)
	}
	for _, name := range []string{"host", "srv", "txt"} {
		if e := root.Child("dns").Child(name); e != nil {
			p.at("host-mode-address", e.Place, "mode %s has no DNS: nobody would serve this <%s>", n.mode, name)
		}
	}
	if n.mode == xml.HostBridge {
		return
	}
	for _, key := range []string{"name", "macTableManager"} {
		if b.Attr(key) != "" {
			p.at("bridge-in-pool", b.At(key), "mode %s has no bridge: it uses devices", n.mode)
		}
	}
}
