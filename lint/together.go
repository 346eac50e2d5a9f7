package lint

import (
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

var togetherRules = []Rule{
	{"name-twice", "Two documents define one name with different UUIDs", Error, AtDefine,
		"libvirt refuses to define a name again unless the UUID is the same (virNetworkObjAssignDef)."},
	{"uuid-twice", "Two documents have one UUID and different names", Error, AtDefine, "A UUID is one object's."},
	{"document-twice", "Two documents define the same thing", Warning, Never,
		"The second takes the place of the first."},
	{"bridge-twice", "Two networks make one bridge", Error, AtDefine,
		"libvirt makes a bridge for one network only (networkBridgeNameValidate)."},
	{"bridge-of-network", "A document uses a bridge that another network makes", Warning, Never,
		"libvirt counts no port there and puts nothing back after a restart of the network: use type network with the network's name."},
	{"bridge-missing", "A bridge of libvirt's naming that no document makes", Warning, AtStart,
		"Names such as virbr7 are libvirt's own, and none of the networks given has it. Other bridges are the host's: nothing is known of them."},
	{"network-missing", "A guest is on a network that no document defines", Warning, AtStart,
		"Judged where networks are given at all."},
	{"portgroup-missing", "A guest names a port group that its network does not have", Warning, Never,
		"libvirt takes the network's own settings then, without a word (networkAllocatePort)."},
	{"mac-twice", "One MAC address is given twice", Error, Never,
		"Two stations of one address take each other's frames. libvirt compares nothing."},
	{"tap-twice", "Two interfaces are to have one tap name", Warning, AtStart,
		"The second of the two does not start while the first runs."},
	{"floor-without-inbound", "A floor on a network that limits nothing", Error, AtStart,
		"A floor is taken out of the network's own inbound average, on a bridge of libvirt's (networkCheckBandwidth)."},
	{"guest-vlan-on-plain-network", "A VLAN on a network whose bridge has none", Error, AtStart,
		"Before libvirt 11.0 only Open vSwitch, SR-IOV pools and passthrough have VLANs (virDomainActualNetDefValidate)."},
}

// together judges what documents say of each other.
func (p *pass) together(w *world) {
	var nets, guests []named
	for _, n := range w.networks {
		nets = append(nets, named{n.Spot, n.object, n.name, n.uuid, n.nameAt, n.uuidAt})
	}
	for _, g := range w.guests {
		guests = append(guests, named{g.Spot, g.object, g.name, g.uuid, g.nameAt, g.uuidAt})
	}
	p.identities(nets)
	p.identities(guests)
	p.bridges(w)
	p.subnets(w)
	p.macs(w)
	p.attachments(w)
	if w.host != nil {
		p.onHost(w, nets, guests)
	}
}

type named struct {
	Spot
	object, name, uuid string
	nameAt, uuidAt     xml.Place
}

func (p *pass) identities(list []named) {
	byName, byUUID := map[string]named{}, map[string]named{}
	for _, n := range list {
		before, again := byName[n.name]
		spot, other := Spot{n.File, n.nameAt}, &Spot{before.File, before.nameAt}
		switch {
		case n.name == "":
		case !again:
			byName[n.name] = n
		case n.uuid != "" && n.uuid == before.uuid:
			p.note("document-twice", spot, n.object, other, n.object+" is defined in "+show(before.File)+", too: the second takes the place of the first")
			continue
		default:
			p.note("name-twice", spot, n.object, other, n.object+" is defined in "+show(before.File)+", too, and the UUIDs are not the same")
			continue
		}
		if n.uuid == "" {
			continue
		}
		if before, again := byUUID[n.uuid]; again {
			p.note("uuid-twice", Spot{n.File, n.uuidAt}, n.object, &Spot{before.File, before.uuidAt}, "UUID "+n.uuid+" is that of "+before.object)
			continue
		}
		byUUID[n.uuid] = n
	}
}

// bridges judges who makes a bridge, and who uses one.
func (p *pass) bridges(w *world) {
	makers := map[string]*network{}
	for _, n := range w.networks {
		if !managed(n.mode) || n.bridge == "" || strings.Contains(n.bridge, "%d") {
			continue
		}
		before, again := makers[n.bridge]
		switch {
		case !again:
			makers[n.bridge] = n
		case before.name != n.name:
			p.note("bridge-twice", Spot{n.File, n.bridgeAt}, n.object, &Spot{before.File, before.bridgeAt},
				"bridge "+show(n.bridge)+" is that of "+before.object)
		}
	}
	use := func(spot Spot, object, bridge string) {
		maker := makers[bridge]
		switch {
		case bridge == "":
		case maker != nil:
			p.note("bridge-of-network", spot, object, &Spot{maker.File, maker.bridgeAt},
				"bridge "+show(bridge)+" is made by "+maker.object+": want the network, not its bridge")
		case w.host == nil && len(makers) > 0 && strings.HasPrefix(bridge, "virbr"):
			p.note("bridge-missing", spot, object, nil, "no network given makes bridge "+show(bridge))
		}
	}
	for _, n := range w.networks {
		if n.mode == xml.HostBridge {
			use(Spot{n.File, n.bridgeAt}, n.object, n.bridge)
		}
	}
	for _, g := range w.guests {
		for _, i := range g.nics {
			use(Spot{g.File, i.sourceAt}, g.object, i.bridge)
		}
	}
}

func (p *pass) subnets(w *world) {
	type owned struct {
		subnet
		net *network
	}
	var before []owned
	for _, n := range w.networks {
		own := len(before)
		for _, s := range n.subnets {
			at := slices.IndexFunc(before[:own], func(b owned) bool { return b.net.name != n.name && b.Masked().Overlaps(s.Masked()) })
			if at >= 0 {
				b := before[at]
				p.note("subnet-overlap", Spot{n.File, s.at}, n.object, &Spot{b.net.File, b.at},
					"subnet "+s.Masked().String()+" overlaps "+b.Masked().String()+" of "+b.net.object)
			}
			before = append(before, owned{s, n})
		}
	}
}

// macs judges addresses of bridges and guests' interfaces. A document that
// stands twice is told as that.
func (p *pass) macs(w *world) {
	type owner struct {
		spot   Spot
		object string
	}
	seen := map[string]owner{}
	take := func(mac string, o owner) {
		before, again := seen[mac]
		switch {
		case mac == "":
		case again:
			p.note("mac-twice", o.spot, o.object, &before.spot, "MAC "+mac+" is that of "+before.object+", too")
		default:
			seen[mac] = o
		}
	}
	names := map[string]bool{}
	for _, n := range w.networks {
		if !names["network "+n.name] {
			take(n.mac, owner{Spot{n.File, n.mAt}, n.object})
		}
		names["network "+n.name] = true
	}
	for _, g := range w.guests {
		if names["guest "+g.name] {
			continue
		}
		for _, i := range g.nics {
			take(i.mac, owner{Spot{g.File, i.macAt}, g.object})
		}
		names["guest "+g.name] = true
	}
}

// attachments judges guests' interfaces against the networks given.
func (p *pass) attachments(w *world) {
	nets := map[string]*network{}
	for _, n := range w.networks {
		nets[n.name] = n
	}
	taps := map[string]Spot{}
	for _, g := range w.guests {
		for _, i := range g.nics {
			if before, again := taps[i.target]; again && i.target != "" {
				p.note("tap-twice", Spot{g.File, i.targetAt}, g.object, &before, "tap "+show(i.target)+" is that of another interface")
			}
			taps[i.target] = Spot{g.File, i.targetAt}
			n := nets[i.network]
			switch {
			case i.network == "" || len(w.networks) == 0:
			case n == nil && w.host != nil: // it knows more
			case n == nil:
				p.note("network-missing", Spot{g.File, i.sourceAt}, g.object, nil, "no document defines network "+show(i.network))
			default:
				p.onNetwork(g, i, n)
			}
		}
	}
}

func (p *pass) onNetwork(g *guest, i nic, n *network) {
	if i.portgroup != "" && !slices.Contains(n.groups, i.portgroup) {
		p.note("portgroup-missing", Spot{g.File, i.sourceAt}, g.object, &n.Spot, n.object+" has no port group "+show(i.portgroup))
	}
	if i.floor.Line > 0 && (!n.inbound || !managed(n.mode)) {
		p.note("floor-without-inbound", Spot{g.File, i.floor}, g.object, &n.Spot, "a floor, and "+n.object+" has no inbound bandwidth on a bridge of its own")
	}
	own := n.mode == xml.HostBridge && i.virtualPort == "openvswitch" // the interface's counts
	if i.vlan.Line > 0 && !n.vlans && !own {
		p.note("guest-vlan-on-plain-network", Spot{g.File, i.vlan}, g.object, &n.Spot, "a VLAN, and the bridge of "+n.object+" is a plain one")
	}
}
