package lint

import (
	"slices"
	"strings"
	"sync"

	"github.com/kvnet/kvnet/xml"
)

// The elements and attributes of a network document that libvirt knows, up to
// version 12: a path, then its attributes, then its children; those with a +
// may stand more than once. From src/conf/schemas/network.rng and
// networkcommon.rng; title and description are of 9.7, register of 10.1, port
// of a forwarder of 12.0.
var known = sync.OnceValue(func() map[string]element {
	return schema(`
network @connections @ipv6 @trustGuestRxFilters name title description metadata uuid bridge mtu mac forward virtualport portgroup+ domain dns bandwidth vlan port ip+ route+
network/bridge @name @zone @stp @delay @macTableManager
network/mtu @size
network/mac @address
network/forward @dev @mode @managed interface+ address+ pf driver nat
network/forward/interface @dev @connections
network/forward/address @type @domain @bus @slot @function @multifunction @connections zpci
network/forward/pf @dev
network/forward/driver @name @model
network/forward/nat @ipv6 address port
network/forward/nat/address @start @end
network/forward/nat/port @start @end
network/portgroup @name @default @trustGuestRxFilters virtualport bandwidth vlan
network/domain @name @localOnly @register
network/dns @enable @forwardPlainNames forwarder+ txt+ srv+ host+
network/dns/forwarder @addr @domain @port
network/dns/txt @name @value
network/dns/srv @service @protocol @domain @target @port @priority @weight
network/dns/host @ip hostname+
network/port @isolated
network/ip @address @netmask @prefix @family @localPtr tftp dhcp
network/ip/tftp @root
network/ip/dhcp range+ host+ bootp
network/ip/dhcp/range @start @end lease
network/ip/dhcp/range/lease @expiry @unit
network/ip/dhcp/host @mac @id @name @ip lease
network/ip/dhcp/host/lease @expiry @unit
network/ip/dhcp/bootp @file @server
network/route @family @address @netmask @prefix @gateway @metric
virtualport @type parameters
virtualport/parameters @managerid @typeid @typeidversion @instanceid @profileid @interfaceid
bandwidth @classID inbound outbound
bandwidth/inbound @average @peak @burst @floor
bandwidth/outbound @average @peak @burst @floor
vlan @trunk tag+
vlan/tag @id @nativeMode
`)
})

// shared are elements that stand at several places, described once.
var shared = []string{"virtualport", "bandwidth", "vlan"}

type element struct {
	attrs    []string
	children map[string]bool // true: may stand more than once
}

func schema(text string) map[string]element {
	m := map[string]element{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		e := element{children: map[string]bool{}}
		for _, w := range words[1:] {
			if attr, ok := strings.CutPrefix(w, "@"); ok {
				e.attrs = append(e.attrs, attr)
			} else {
				name, many := strings.CutSuffix(w, "+")
				e.children[name] = many
			}
		}
		m[words[0]] = e
	}
	return m
}

// dnsmasqNamespace holds the raw dnsmasq options that libvirt passes on.
const dnsmasqNamespace = "http://libvirt.org/schemas/network/dnsmasq/1.0"

// schema says what libvirt would drop of a network document.
func (p *pass) schema(root *xml.Node) {
	options := ""
	for _, n := range append([]*xml.Node{root}, root.Children...) {
		for _, a := range n.Attrs {
			if a.Prefix == "xmlns" && a.Value == dnsmasqNamespace {
				options = a.Name
			}
		}
	}
	p.within(root, "network", options)
}

// within judges an element that is known by its path.
func (p *pass) within(n *xml.Node, path, options string) {
	e := known()[path]
	for _, a := range n.Attrs {
		if a.Prefix == "xmlns" || a.Prefix == "" && (a.Name == "xmlns" || slices.Contains(e.attrs, a.Name)) {
			continue
		}
		name := a.Name
		if a.Prefix != "" {
			name = a.Prefix + ":" + a.Name
		}
		p.at("element-unknown", a.Place, "<%s> has no attribute %s: libvirt drops it", n.Name, show(name))
	}
	first := map[string]xml.Place{}
	for _, c := range n.Children {
		name := c.Name
		if c.Prefix != "" {
			if path == "network" && c.Prefix == options && c.Name == "options" {
				continue
			}
			name = c.Prefix + ":" + c.Name
		}
		many, there := e.children[name]
		if !there {
			p.at("element-unknown", c.Place, "<%s> holds no <%s>: libvirt drops it", n.Name, show(name))
			continue
		}
		if before, again := first[name]; again && !many {
			p.note("element-twice", Spot{p.name, c.Place}, p.object, &Spot{p.name, before},
				"<"+n.Name+"> has a second <"+c.Name+">: libvirt reads the first only")
			continue
		}
		first[name] = c.Place
		switch {
		case slices.Contains(shared, c.Name):
			p.within(c, c.Name, options)
		case c.Name != "metadata":
			p.within(c, path+"/"+c.Name, options)
		}
	}
}
