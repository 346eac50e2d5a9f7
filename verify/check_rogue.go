package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func rogueChecks() []Check {
	return []Check{{
		ID: "rogue-dhcp", Title: "a second DHCP server answers on a network's bridge", Severity: Warning, Class: Manual,
		Needs: []Need{Networks, Links, Sockets},
		After: []string{"bridge-missing", "bridge-foreign-port", "dnsmasq-dead", "dnsmasq-port-conflict"},
		Doc: Doc{
			Symptom:  "Guests get addresses and gateways that are not the network's.",
			Cause:    "Somebody started a DHCP server on libvirt's bridge.",
			Evidence: "A socket on port 67 of the bridge, or of the network's own address, that is not of the network's own server, on a network that serves DHCP; or a dnsmasq of somebody's on that port whose command line names the bridge. A second server inside a guest leaves no trace on the host: ask the wire (nmap --script broadcast-dhcp-discover -e BRIDGE). A network without DHCP of its own may have any server. A NIC in the bridge is told as bridge-foreign-port.",
			Cure:     "End the other server, or leave the network's own <dhcp> out.",
		},
		run: rogueDHCP,
	}}
}

func rogueDHCP(p *pass) {
	open := p.sockets()
	for _, srv := range p.services() {
		s := scope{kind: aNetwork, network: srv.net.Name, bridge: srv.def.Bridge}
		if !srv.net.Active || !srv.dhcp || p.links[srv.def.Bridge] == nil || !p.on(s) {
			continue
		}
		if k := p.rogue(srv, open); k != nil {
			who := "a program"
			var steps []Step
			if k.Command != "" {
				who = show(k.Command)
			}
			if k.PID > 0 {
				who += fmt.Sprintf(" (process %d)", k.PID)
				steps = ended([]Step{{Do: Kill, On: strconv.Itoa(k.PID)}})
			}
			p.found(s, Finding{
				Message:  fmt.Sprintf("%s serves DHCP on bridge %s beside the server of network %s: guests take the answer that comes first", who, show(srv.def.Bridge), show(srv.net.Name)),
				Evidence: "udp socket " + netip.AddrPortFrom(k.Address, 67).String() + " of " + show(srv.def.Bridge),
				Want:     "one DHCP server on " + show(srv.def.Bridge), Have: who + " too",
				Fix: Fix{Class: Manual, Say: "end the other server, or take <dhcp> out of network " + show(srv.net.Name), Steps: steps},
			})
		}
	}
}

// rogue finds a socket of another DHCP server for a network's bridge: bound to
// the link, to one of the network's addresses (as Kea does), or to all links, of
// a dnsmasq that was told to serve this one.
func (p *pass) rogue(srv service, open sockets) *bridge.Socket {
	list := slices.Clone(open.byDevice[srv.def.Bridge])
	for _, ip := range srv.def.IPs {
		list = append(list, open.byAddress[netip.AddrPortFrom(ip.Address.Addr().WithZone("").Unmap(), 67)]...)
	}
	for _, k := range open.wild {
		if k.Command == "dnsmasq" && !p.libvirtServes(k) && servesLink(k.Args, srv.def.Bridge) {
			list = append(list, k)
		}
	}
	at := slices.IndexFunc(list, func(k *bridge.Socket) bool { return k.Port == 67 && k.Protocol == "udp" && !srv.owns(k) })
	if at < 0 {
		return nil
	}
	return list[at]
}

// servesLink says whether a command line of dnsmasq names a link to serve and
// ranges to give away.
func servesLink(args []string, link string) bool {
	named, ranges := false, false
	for i, a := range args {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		named = named || a == "--interface="+link || a == "-i"+link || (a == "-i" || a == "--interface") && next == link
		ranges = ranges || strings.HasPrefix(a, "--dhcp-range") || strings.HasPrefix(a, "-F")
	}
	return named && ranges
}
