package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// Hint is what the state of a host cannot decide: it is no finding and says
// nothing of health. It is given where the host has what it is about, with the
// command that asks the wire.
type Hint struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Probe   string `json:"probe"`
}

// hinters are the items that lie beyond a host, each at most one hint.
var hinters = []struct {
	id   string
	give func(p *pass) (message, probe string)
}{
	{"outer-hypervisor", outerHypervisor},
	{"lan-switch", lanSwitch},
	{"return-route", returnRoute},
	{"macvtap-switch", macvtapSwitch},
	{"path-mtu", pathMTU},
	{"offload-checksum-l2", tunnelChecksums},
	{"silent-guest", silentGuests},
	{"neighbour-by-hand", neighbourByHand},
	{"conntrack-busy", busyTable},
	{"rule-undecided", undecidedRule},
	{"rule-redirects", redirected},
	{"rule-rewrites", rewritten},
	{"source-elsewhere", sourceElsewhere},
	{"inbound-refused", inboundRefused},
	{"route-rule-undecided", refusedInPart},
}

// hints adds what goes with the subjects that were asked for. What a finding
// says already is not said again.
func (p *pass) hints() {
	for _, h := range hinters {
		if message, probe := h.give(p); message != "" {
			p.report.Hints = append(p.report.Hints, Hint{ID: h.id, Message: message, Probe: probe})
		}
	}
}

// kernelKnown says whether the links that were read are the daemon's.
func (p *pass) kernelKnown() bool { return len(p.gaps.lacks[Links]) == 0 }

// toldBy says whether one of these checks found anything.
func (p *pass) toldBy(ids ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return len(p.fired[id]) > 0 })
}

// outerHypervisor: bridged guests on a machine that is virtual itself.
func outerHypervisor(p *pass) (message, probe string) {
	bridges, probe := p.onLAN(true)
	if bridges == "" || p.toldBy("nested-mac-filter") {
		return "", ""
	}
	return "this host is a virtual machine: whether the hypervisor below lets through the MACs of the guests on " + bridges + " is not seen from here", probe
}

// lanSwitch: bridged guests on hardware.
func lanSwitch(p *pass) (message, probe string) {
	bridges, probe := p.onLAN(false)
	if bridges == "" {
		return "", ""
	}
	return "guests on " + bridges + " are on the LAN: what the switch lets through (port security, 802.1X, VLANs) and whether a DHCP server answers is not seen from here", probe
}

// onLAN are the bridges over an uplink that active guests are on, on a machine that
// is virtual or is not, and what shows a guest's packets on the wire.
func (p *pass) onLAN(virtual bool) (bridges, probe string) {
	services := p.snap.Services
	if !p.kernelKnown() || services == nil || services.Machine == nil || services.Machine.Hypervisor != virtual {
		return "", ""
	}
	var names []string
	for _, name := range p.hostBridges {
		active, ups := p.activeNICs(name), p.uplinks(name)
		if len(active) == 0 || len(ups) == 0 || !p.asked(key{aBridge, name}) {
			continue
		}
		if names = append(names, name); probe == "" {
			probe = shellJoin([]string{"tcpdump", "-ni", ups[0].Name, "ether", "host", active[0].iface.MAC})
		}
	}
	if len(names) == 0 {
		return "", ""
	}
	return someNames(names), probe
}

// returnRoute: networks that are routed without NAT.
func returnRoute(p *pass) (message, probe string) {
	if p.toldBy("routed-no-return") {
		return "", ""
	}
	var names, subnets []string
	source := ""
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := n.Def()
		if !n.Active || def.Mode != xml.Route && def.Mode != xml.Open || !p.asked(key{aNetwork, n.Name}) || len(p.usersOf(n).active) == 0 {
			continue
		}
		before := len(subnets)
		for _, ip := range def.IPs {
			if !ip.Address.IsValid() || p.masked(n, ip.Address.Addr().Unmap().Is6()) {
				continue
			}
			subnets = append(subnets, ip.Address.Masked().String())
			if source == "" && ip.Address.Addr().Unmap().Is4() {
				source = ip.Address.Addr().String()
			}
		}
		if len(subnets) > before {
			names = append(names, n.Name)
		}
	}
	if len(subnets) == 0 {
		return "", ""
	}
	if source != "" {
		target := "GATEWAY"
		if routes := p.defaultRoutes(); p.kernelKnown() && len(routes) > 0 && routes[0].Gateway.IsValid() {
			target = routes[0].Gateway.String()
		}
		probe = "ping -c 3 -I " + source + " " + target
	} else {
		probe = "traceroute from a host beyond the gateway to a guest"
	}
	return fmt.Sprintf("network %s is routed without NAT: whether the hosts beyond know the way back to %s is not seen from here", someNames(names), someTexts(subnets)), probe
}

// masked says whether somebody's rule translates what a routed network's guests
// send: the way back is then that to the host.
func (p *pass) masked(n *libvirtnet.Network, v6 bool) bool {
	f := p.packets()
	if f == nil {
		return false
	}
	at := slices.IndexFunc(p.bridgeNets(), func(b flowNet) bool { return b.net == n })
	return at >= 0 && slices.ContainsFunc(p.forwardFlows(p.bridgeNets()[at], v6), func(w declared) bool {
		to := f.see(w).Source
		return w.say == flowOut && to != nil && !to.Maybe
	})
}

// macvtapSwitch: guests on a NIC itself.
func macvtapSwitch(p *pass) (message, probe string) {
	if p.toldBy("macvtap-vepa-no-hairpin", "macvtap-lower-missing", "macvtap-lower-down") {
		return "", ""
	}
	var guests []*nic
	lower := ""
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != direct || !n.running() || !p.asked(n.subject.subject()) {
			continue
		}
		guests = append(guests, n)
		if lower == "" && n.tap != nil {
			lower = n.tap.Parent
		}
	}
	if len(guests) == 0 {
		return "", ""
	}
	if lower == "" {
		lower = guests[0].iface.Dev
	}
	return fmt.Sprintf("%s sit on a NIC itself (macvtap): what the switch behind it lets through or sends back is not seen from here", guestsNamed(guestNames(guests))),
		shellJoin([]string{"tcpdump", "-ni", lower, "ether", "host", guests[0].iface.MAC})
}

// usualMTU is Ethernet's (RFC 894), which every path carries.
const usualMTU = 1500

// pathMTU: guests on bridges whose uplink takes jumbo frames.
func pathMTU(p *pass) (message, probe string) {
	if !p.kernelKnown() {
		return "", ""
	}
	for _, name := range p.hostBridges {
		l := p.links[name]
		if l == nil || l.MTU <= usualMTU || len(p.activeNICs(name)) == 0 || !p.asked(key{aBridge, name}) {
			continue
		}
		jumbo := slices.ContainsFunc(p.uplinks(name), func(up *bridge.Link) bool { return up.MTU > usualMTU })
		if !jumbo {
			continue
		}
		const headers = 28 // of IPv4 (20, RFC 791) and ICMP (8, RFC 792)
		return fmt.Sprintf("bridge %s takes frames of %d bytes: whether the way beyond its uplink carries them is not seen from here", show(name), l.MTU),
			fmt.Sprintf("ping -c 3 -M do -s %d HOST", l.MTU-headers)
	}
	return "", ""
}

// tunnelChecksums: guests on bridges with a tunnel that leaves their checksums
// to the NIC below it, of which some get them wrong in what is encapsulated.
func tunnelChecksums(p *pass) (message, probe string) {
	if !p.kernelKnown() {
		return "", ""
	}
	for i := range p.snap.Kernel.Bridges {
		name := p.snap.Kernel.Bridges[i].Name
		if len(p.activeNICs(name)) == 0 || !p.asked(key{aBridge, name}) {
			continue
		}
		for _, port := range p.portsOf(name) {
			if l := p.links[port.Name]; l != nil && l.Kind == "vxlan" && l.Offloads != nil && l.Offloads.Checksum {
				return fmt.Sprintf("guests on bridge %s send through the tunnel %s, which leaves checksums to the NIC below: whether they arrive right is not seen from here; the kernel can fill them in", show(name), show(l.Name)),
					shellJoin([]string{"ethtool", "-K", l.Name, "tx", "off"})
			}
		}
	}
	return "", ""
}
