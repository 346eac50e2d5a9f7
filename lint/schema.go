package lint

import (
	"strconv"
	"strings"
	"sync"

	"github.com/kvnet/kvnet/xml"
)

// known are the elements of networks and of guests' interfaces that libvirt
// knows, up to version 12: a path, or a name where an element is the same
// wherever it stands; then its attributes, its text and its children. @a:int is
// an attribute with what is one of [values], @a:on|off one of a few words; @a!
// may not be absent, and the emptiness of @a? is for a rule of its own to tell;
// =int is the text. Children with a + may stand more than once, * is any; ^9.7
// is the first libvirt that knows it.
// From src/conf/schemas/network.rng, networkcommon.rng and domaincommon.rng.
var known = sync.OnceValue(func() map[string]element {
	return schema(`
network @connections:blank-count @ipv6:yes|no @trustGuestRxFilters:yes|no name title^9.7 description^9.7 metadata uuid bridge mtu mac forward virtualport portgroup+ domain dns bandwidth vlan port ip+ route+ dnsmasq:options
name =any
title =any
description =any
metadata *
uuid =uuid
mtu @size!:short
mac @address!:mac
network/bridge @name:device @zone:zone @stp:on|off @delay:count64 @macTableManager:kernel|libvirt
network/forward @dev:device @mode @managed:yes|no interface+ address+ pf driver nat
network/forward/interface @dev?:device @connections:count
network/forward/address @type!:pci @domain:pci-domain @bus:byte @slot:pci-slot @function:pci-function @multifunction:on|off @connections:count zpci
zpci @uid @fid
network/forward/pf @dev!:name
network/forward/driver @name:kvm|vfio|xen @model:generic
network/forward/nat @ipv6:yes|no address port
network/forward/nat/address @start?:ip @end?:ip
network/forward/nat/port @start?:port @end?:port
network/portgroup @name?:name @default:yes|no @trustGuestRxFilters:yes|no virtualport bandwidth vlan
network/domain @name!:dns @localOnly:yes|no @register^10.1:yes|no
network/dns @enable:yes|no @forwardPlainNames:yes|no forwarder+ txt+ srv+ host+
forwarder @addr:ip @domain:dns @port^12.0:port
txt @name:txt @value
srv @service @protocol:protocol @domain:dns @target @port:short @priority:short @weight:short
network/dns/host @ip?:ip hostname+
hostname =dns
port @isolated:yes|no
network/ip @address?:ip @netmask:ipv4 @prefix:count @family:some @localPtr:yes|no tftp dhcp
tftp @root!:any
dhcp range+ host+ bootp
dhcp/range @start?:ip @end?:ip lease
lease @expiry!:long @unit:seconds|minutes|hours
dhcp/host @mac:mac @id:duid @name:host @ip?:ip lease
bootp @file!:path @server:server
route @family:some @address?:ip @netmask:ipv4 @prefix:count @gateway?:ip @metric:positive
virtualport @type:802.1Qbg|802.1Qbh|openvswitch|midonet parameters
network/virtualport @type!:802.1Qbg|802.1Qbh|openvswitch|midonet parameters
parameters @managerid:byte @typeid:byte3 @typeidversion:byte @instanceid:uuid @profileid:profile @interfaceid:uuid
bandwidth @classID:positive inbound outbound
inbound @average?:speed @peak:speed @burst:positive @floor:speed
outbound @average?:speed @peak:speed @burst:positive @floor:speed
vlan @trunk:yes tag+
tag @id?:count @nativeMode:tagged|untagged
dnsmasq:options dnsmasq:option+
dnsmasq:option @value!:any

interface @type @managed:yes|no @trustGuestRxFilters:yes|no source mac target guest model driver backend ip+ route+ portForward+ script downscript backenddomain filterref tune link mtu coalesce boot rom acpi alias address bandwidth vlan virtualport port teaming
interface/source @network @portgroup:name @portid:portid @bridge:host-bridge @macTableManager:kernel|libvirt @dev:name @mode:some @type:unix @path:path @name:name @address:ipv4 @port:socket @switchid:uuid @portgroupid @connectionid:integer @missing:yes|no address local ip+ route+ reconnect vendor product
interface/source/address @type:pci|usb @domain:pci-domain @bus:byte @slot:pci-slot @function:pci-function @multifunction:on|off @device:usb-address zpci
local @address!:ipv4 @port!:socket
reconnect @enabled!:yes|no @timeout:int
vendor @id!:usb
product @id!:usb
interface/mac @address!:mac @type:generated|static @check:yes|no @currentAddress:mac
target @dev!:device @managed:yes|no
interface/guest @dev:name @actual:name
model @type!:some
interface/driver @name:kvm|vfio|xen|qemu|vhost @model:generic @queues:positive @rx_queue_size:positive @tx_queue_size:positive @txmode:iothread|timer @ioeventfd:on|off @event_idx:on|off @iommu:on|off @ats:on|off @packed:on|off @page_per_vq:on|off @rss:on|off @rss_hash_report:on|off host guest
driver/host @csum:on|off @gso:on|off @tso4:on|off @tso6:on|off @ecn:on|off @ufo:on|off @mrg_rxbuf:on|off
driver/guest @csum:on|off @tso4:on|off @tso6:on|off @ecn:on|off @ufo:on|off
backend @type:default|passt @tap:absolute @vhost:absolute @logFile:absolute @hostname @fqdn
interface/ip @address!:ip @family:ipv4|ipv6 @prefix:prefix @peer:ip
source/ip @address!:ip @family:ipv4|ipv6 @prefix:prefix @peer:ip
portForward @proto!:tcp|udp @address:ip @dev:device range+
portForward/range @start!:port @end:port @to:port @exclude:yes|no
script @path!:path
downscript @path!:path
backenddomain @name!:any
filterref @filter!:ncname parameter+
parameter @name!:parameter @value!:parameter-value
tune sndbuf
sndbuf =int
link @state!:some
coalesce rx
rx frames
frames @max:int
boot @order!:positive @loadparm:loadparm
rom @enabled:yes|no @bar:on|off @file:absolute
acpi @index:int
alias @name!:alias
interface/address @type!:pci|usb|ccw|spapr-vio|virtio-mmio|isa|unassigned @domain:pci-domain @bus:byte @slot:pci-slot @function:pci-function @multifunction:on|off @cssid @ssid @devno @reg @port @iobase @irq zpci
teaming @type!:persistent|transient @persistent:alias
`)
})

type element struct {
	attrs    map[string]attribute
	needed   []string
	text     *value
	children map[string]child
	open     bool // holds any
}

type attribute struct {
	value
	mayBeEmpty bool
	since      int // as a version of [Host]; 0 is always
}

type child struct {
	many  bool // may stand more than once
	since int
}

func schema(text string) map[string]element {
	m := map[string]element{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		e := element{attrs: map[string]attribute{}, children: map[string]child{}}
		for _, w := range words[1:] {
			e.learn(w)
		}
		m[words[0]] = e
	}
	return m
}

// learn takes a word of the table.
func (e *element) learn(word string) {
	switch word[0] {
	case '*':
		e.open = true
	case '=':
		kind := valueOf(word[1:])
		e.text = &kind
	case '@':
		name, kind, _ := strings.Cut(word[1:], ":")
		name, needed := strings.CutSuffix(name, "!")
		name, mayBeEmpty := strings.CutSuffix(name, "?")
		name, since := release(name)
		e.attrs[name] = attribute{valueOf(kind), mayBeEmpty, since}
		if needed {
			e.needed = append(e.needed, name)
		}
	default:
		name, many := strings.CutSuffix(word, "+")
		name, since := release(name)
		e.children[name] = child{many, since}
	}
}

// release parts a name from the first libvirt that knows it: register^10.1.
func release(word string) (name string, since int) {
	name, number, _ := strings.Cut(word, "^")
	major, minor, _ := strings.Cut(number, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return name, a*1_000_000 + b*1_000
}

// before says whether the libvirt that is to take the documents is known, and
// older.
func (p *pass) before(version int) bool { return p.version > 0 && p.version < version }

// inWords is a version as people write it: 10.1.
func inWords(version int) string {
	return strconv.Itoa(version/1_000_000) + "." + strconv.Itoa(version/1_000%1_000)
}

// find is an element by its path, by its name and its parent's, or by its name
// alone.
func find(path string) element {
	for ; path != ""; _, path, _ = strings.Cut(path, "/") {
		if e, ok := known()[path]; ok {
			return e
		}
	}
	return element{open: true}
}

// schema says what libvirt would drop of a network document, and what its
// schema refuses.
func (p *pass) schema(root *xml.Node) {
	options := ""
	for _, n := range append([]*xml.Node{root}, root.Children...) {
		for _, a := range n.Attrs {
			if a.Prefix == "xmlns" && a.Value == xml.DnsmasqNamespace {
				options = a.Name
			}
		}
	}
	p.within(root, "network", options)
}

// within judges an element that is known by its path.
func (p *pass) within(n *xml.Node, path, options string) {
	e := find(path)
	p.attributes(n, e)
	p.text(n, e)
	if !e.open {
		p.children(n, e, path, options)
	}
}

func (p *pass) attributes(n *xml.Node, e element) {
	for _, a := range n.Attrs {
		known, ok := e.attrs[a.Name]
		switch {
		case a.Prefix == "xmlns" || a.Prefix == "" && a.Name == "xmlns":
		case !ok || a.Prefix != "":
			name := a.Name
			if a.Prefix != "" {
				name = a.Prefix + ":" + a.Name
			}
			p.at("element-unknown", a.Place, "<%s> has no attribute %s: libvirt drops it", n.Name, show(name))
		case p.before(known.since):
			p.at("element-unknown", a.Place, "<%s> has no attribute %s before libvirt %s", n.Name, a.Name, inWords(known.since))
		case !known.is(a.Value) && !(known.mayBeEmpty && a.Value == ""):
			p.at("value-invalid", a.Place, "<%s %s=%s>: want %s", n.Name, a.Name, quoted(a.Value), known.want)
		}
	}
	for _, name := range e.needed {
		if !n.Has(name) {
			p.at("attribute-missing", n.Place, "<%s> has no %s", n.Name, name)
		}
	}
}

func (p *pass) text(n *xml.Node, e element) {
	switch {
	case e.text == nil && strings.TrimSpace(n.Text) != "":
		p.at("text-unexpected", n.Place, "<%s> holds text: %s", n.Name, quoted(strings.TrimSpace(n.Text)))
	case e.text != nil && !e.text.is(n.Text):
		p.at("value-invalid", n.Place, "<%s> %s: want %s", n.Name, quoted(n.Text), e.text.want)
	}
}

func (p *pass) children(n *xml.Node, e element, path, options string) {
	first := map[string]xml.Place{}
	for _, c := range n.Children {
		name, own := c.Name, ofDnsmasq(c, path, options)
		switch {
		case own:
			name = "dnsmasq:" + c.Name
		case c.Prefix != "":
			name = c.Prefix + ":" + c.Name
		}
		known, there := e.children[name]
		if !there || c.Prefix != "" && !own {
			p.at("element-unknown", c.Place, "<%s> holds no <%s>: libvirt drops it", n.Name, show(name))
			continue
		}
		if p.before(known.since) {
			p.at("element-unknown", c.Place, "<%s> holds no <%s> before libvirt %s", n.Name, c.Name, inWords(known.since))
		}
		if before, again := first[name]; again && !known.many {
			p.note("element-twice", Spot{p.name, c.Place}, p.object, &Spot{p.name, before},
				"<"+n.Name+"> has a second <"+c.Name+">: libvirt reads the first only")
			continue
		}
		first[name] = c.Place
		p.within(c, path+"/"+name, options)
	}
}

// ofDnsmasq says whether an element is of the options' namespace: by its prefix, or
// without one by its own declaration or that of the element around it.
func ofDnsmasq(n *xml.Node, path, options string) bool {
	if n.Prefix != "" {
		return n.Prefix == options
	}
	if n.Has("xmlns") {
		return n.Attr("xmlns") == xml.DnsmasqNamespace
	}
	return strings.HasSuffix(path, "/dnsmasq:options")
}
