package verify

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func dhcpChecks() []Check {
	return []Check{
		{
			ID: "dnsmasq-dead", Title: "a network's DHCP and DNS server does not run", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Links, Addresses, Sockets},
			After: []string{"dnsmasq-port-conflict", "bridge-missing"},
			Doc: Doc{
				Symptom:  "Guests get no lease and resolve no name; virsh still lists the network as active.",
				Cause:    "The process was killed, stopped (SIGSTOP) or crashed; libvirt does not watch it.",
				Evidence: "A socket of dnsmasq whose process is stopped; or no socket of dnsmasq on port 67 of the bridge, nor on port 53 of the network's addresses, where the network wants them. Without <ip>, or with neither DHCP nor DNS, none is wanted, nor on an IPv6 address before the first guest: it is tentative until then.",
				Cure:     "Let the network daemon reload: it starts the servers that are missing; one that is stopped goes on with SIGCONT.",
			},
			run: dnsmasqDead,
		},
		{
			ID: "dnsmasq-port-conflict", Title: "another program has a port that a network needs", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Sockets}, After: []string{"bridge-missing"},
			Doc: Doc{
				Symptom:  "The network does not start: address already in use.",
				Cause:    "A name server or DHCP server of the host listens on every address; or the network's own server outlived the network.",
				Evidence: "A socket of another program on port 53 of every address or of the network's own, or on port 67 of every link. Servers on addresses of their own or of the other IP version, dnsmasq's shared DHCP socket, and the servers of libvirt's other networks do not count. An error when the network's server does not run or cannot start, a warning when it runs and may not start again (that hangs on options of both sockets).",
				Cure:     "Bind the other program to its own addresses; end a server that outlived its network.",
			},
			run: dnsmasqConflict,
		},
	}
}

// service is what a network wants of dnsmasq.
type service struct {
	net  *libvirtnet.Network
	def  xml.Network
	dhcp bool // IPv4 DHCP on the bridge
	dns  bool // DNS on the addresses
}

// services are the networks that want a server, active or not.
func (h *host) services() []service {
	var list []service
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		s := service{net: n, def: n.Def()}
		if !s.def.Managed() || s.def.Bridge == "" || len(s.def.IPs) == 0 {
			continue
		}
		s.dns = s.def.DNS == nil || s.def.DNS.Enabled == nil || *s.def.DNS.Enabled
		for _, ip := range s.def.IPs {
			s.dhcp = s.dhcp || ip.DHCP() && ip.Address.Addr().Unmap().Is4()
		}
		if s.dns || s.dhcp {
			list = append(list, s)
		}
	}
	return list
}

// sockets are the sockets by port and address, and by port and device.
type sockets struct {
	byAddress map[netip.AddrPort][]*bridge.Socket
	byDevice  map[string][]*bridge.Socket
	wild      []*bridge.Socket // on every address and every link
}

func (h *host) sockets() sockets {
	s := sockets{byAddress: map[netip.AddrPort][]*bridge.Socket{}, byDevice: map[string][]*bridge.Socket{}}
	for i := range h.snap.Kernel.Sockets {
		k := &h.snap.Kernel.Sockets[i]
		addr := k.Address.WithZone("").Unmap()
		switch {
		case k.Device != "":
			s.byDevice[k.Device] = append(s.byDevice[k.Device], k)
		case addr.IsUnspecified():
			s.wild = append(s.wild, k)
		}
		if k.Port >= 0 && k.Port <= 0xffff {
			at := netip.AddrPortFrom(addr, uint16(k.Port))
			s.byAddress[at] = append(s.byAddress[at], k)
		}
	}
	return s
}

// owns says whether a socket is that of the network's own dnsmasq, as far as
// is known: libvirt starts it with a configuration file named after the
// network. A process that could not be looked at is given the benefit.
func (s service) owns(k *bridge.Socket) bool {
	if k.Command != "" && k.Command != "dnsmasq" {
		return false
	}
	if len(k.Args) == 0 {
		return true
	}
	for _, a := range k.Args {
		if strings.HasSuffix(a, "/"+s.net.Name+".conf") {
			return true
		}
	}
	return false
}

// serves finds a socket of the network's own server; nil without. wanted is false when
// nothing can be expected: no DHCP is wanted, and the bridge has no address
// that a socket can be bound to. An IPv6 address is none while the bridge has
// never had a carrier: it stays tentative until the first guest comes.
func (h *host) serves(s service, open sockets) (found *bridge.Socket, wanted bool) {
	if s.dhcp {
		wanted = true
		for _, k := range open.byDevice[s.def.Bridge] {
			if k.Port == 67 && s.owns(k) {
				return k, true
			}
		}
	}
	if !s.dns {
		return nil, wanted
	}
	for _, ip := range s.def.IPs {
		addr := ip.Address.Addr().WithZone("").Unmap()
		if !h.bindable(s.def.Bridge, addr) {
			continue
		}
		wanted = true
		for _, k := range open.byAddress[netip.AddrPortFrom(addr, 53)] {
			if s.owns(k) {
				return k, true
			}
		}
	}
	return nil, wanted
}

// bindable says whether the link has the address and has proven it unique
// (RFC 4862, 5.4).
func (h *host) bindable(link string, addr netip.Addr) bool {
	for _, a := range h.addresses[link] {
		if a.Prefix.Addr().WithZone("").Unmap() == addr {
			return !a.Tentative && !a.DADFailed
		}
	}
	return false
}

// libvirtServes says whether a socket is of a dnsmasq that libvirt started for
// any of its networks. Such a one follows the addresses of its own bridge: what
// it has on another network's address came with the address.
func (h *host) libvirtServes(k *bridge.Socket) bool {
	if k.Command != "dnsmasq" {
		return false
	}
	for _, a := range k.Args {
		name, ok := strings.CutSuffix(a[strings.LastIndexByte(a, '/')+1:], ".conf")
		if ok && strings.HasPrefix(a, "--conf-file=") && h.networks[name] != nil {
			return true
		}
	}
	return false
}

func dnsmasqDead(p *pass) {
	open := p.sockets()
	for _, srv := range p.services() {
		s := scope{kind: aNetwork, network: srv.net.Name, bridge: srv.def.Bridge}
		if !srv.net.Active || p.links[srv.def.Bridge] == nil {
			continue
		}
		found, wanted := p.serves(srv, open)
		if !wanted || !p.on(s) {
			continue
		}
		if found != nil {
			if found.Stopped {
				p.found(s, tellStopped(srv, found))
			}
			continue
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("the DHCP and DNS server of network %s does not run: its guests get no address", show(srv.net.Name)),
			Evidence: "sockets (SOCK_DIAG_BY_FAMILY) on ports 53 and 67 of " + show(srv.def.Bridge),
			Want:     "dnsmasq on " + show(srv.def.Bridge), Have: "no socket",
			Fix: Fix{Class: Safe, Say: "let libvirt's network daemon reload: it starts the server again", Steps: p.reload()},
		})
	}
}

// tellStopped: the process is there, has its sockets, and reads none of them.
func tellStopped(srv service, k *bridge.Socket) Finding {
	return Finding{
		Message:  fmt.Sprintf("the DHCP and DNS server of network %s (process %d) is stopped: it answers nobody", show(srv.net.Name), k.PID),
		Evidence: fmt.Sprintf("state T of /proc/%d/stat", k.PID),
		Want:     "dnsmasq on " + show(srv.def.Bridge) + " running", Have: "stopped by a signal",
		Fix: Fix{Class: Safe, Say: "let the process go on", Steps: []Step{{Do: Continue, On: strconv.Itoa(k.PID)}}},
	}
}

func dnsmasqConflict(p *pass) {
	open := p.sockets()
	for _, srv := range p.services() {
		s := scope{kind: aNetwork, network: srv.net.Name, bridge: srv.def.Bridge}
		if !srv.net.Active && !srv.net.Autostart && len(p.byNet[srv.net.Name]) == 0 || !p.on(s) {
			continue
		}
		if k := p.rival(srv, open); k != nil {
			p.conflict(s, srv, k, open)
		}
	}
}

// rival finds a socket that the network's server cannot stand beside.
func (h *host) rival(s service, open sockets) *bridge.Socket {
	if k := h.leftServer(s); k != nil {
		return k
	}
	for _, k := range open.wild {
		dns := k.Port == 53 && s.dns && s.hasFamilyOf(k)
		dhcp := k.Port == 67 && s.dhcp && k.Protocol == "udp" && k.Command != "dnsmasq"
		if dns || dhcp {
			return k
		}
	}
	if !s.dns {
		return nil
	}
	for _, ip := range s.def.IPs {
		for _, k := range open.byAddress[netip.AddrPortFrom(ip.Address.Addr().WithZone("").Unmap(), 53)] {
			if k.Device == "" && !s.owns(k) && !h.libvirtServes(k) {
				return k
			}
		}
	}
	return nil
}

// leftServer finds the own server of a network that is not active: it outlived
// the network, and takes the address as soon as that is back.
func (h *host) leftServer(s service) *bridge.Socket {
	for i := range h.snap.Kernel.Sockets {
		if k := &h.snap.Kernel.Sockets[i]; !s.net.Active && k.Command == "dnsmasq" && len(k.Args) > 0 && s.owns(k) {
			return k
		}
	}
	return nil
}

// hasFamilyOf says whether a socket on every address takes one of the
// network's: one on :: takes those of IPv4 too unless it is told not to.
func (s service) hasFamilyOf(k *bridge.Socket) bool {
	for _, ip := range s.def.IPs {
		if v4 := ip.Address.Addr().Unmap().Is4(); v4 && !k.V6Only || !v4 && k.Address.Is6() {
			return true
		}
	}
	return false
}

// ended waits for the process that the steps end: its port is free after that.
func ended(steps []Step) []Step {
	if len(steps) > 0 {
		steps = append(steps, Step{Do: AwaitEnd, On: steps[0].On})
	}
	return steps
}

func (p *pass) conflict(s scope, srv service, k *bridge.Socket, open sockets) {
	who := "another program"
	if k.Command != "" {
		who = show(k.Command)
	}
	var steps []Step
	if k.PID > 0 {
		who += fmt.Sprintf(" (process %d)", k.PID)
	}
	// The host itself may need another's.
	outlived := p.leftServer(srv) == k || leftByLibvirt(k)
	if outlived && k.PID > 0 {
		steps = append(steps, Step{Do: Kill, On: strconv.Itoa(k.PID)})
	}
	at := k.Protocol + " " + netip.AddrPortFrom(k.Address, uint16(k.Port)).String()
	f := Finding{
		Severity: Warning,
		Evidence: "socket " + at + " (SOCK_DIAG_BY_FAMILY)",
		Want:     fmt.Sprintf("port %d for dnsmasq on %s", k.Port, show(srv.def.Bridge)), Have: who + " on " + at,
		Message: fmt.Sprintf("%s listens on %s: the server of network %s runs, and may not start again", who, at, show(srv.net.Name)),
	}
	switch found, _ := p.serves(srv, open); {
	case !srv.net.Active:
		f.Message = fmt.Sprintf("%s listens on %s: network %s cannot start", who, at, show(srv.net.Name))
		if p.leftServer(srv) == k {
			f.Message = fmt.Sprintf("%s, the server of network %s, outlived the network, which cannot start beside it", who, show(srv.net.Name))
		}
		u := p.usersOf(srv.net)
		if srv.net.Autostart || u.needed() {
			f.Severity = Error
		}
		steps = append(ended(steps), Step{Do: NetStart, On: srv.net.Name})
		steps = append(steps, p.replug(u.active)...)
	case found == nil:
		f.Severity = Error
		f.Message = fmt.Sprintf("%s listens on %s, and the server of network %s does not run beside it", who, at, show(srv.net.Name))
		if !outlived && p.onlyFor(srv, k) {
			steps = append(steps, Step{Do: Kill, On: strconv.Itoa(k.PID)})
		}
		steps = append(ended(steps), p.reload()...)
	}
	f.Fix = Fix{Class: Manual, Steps: steps, Say: "keep " + who + " off " + show(srv.def.Bridge) + offBridge(k, srv.def) + "; then the network's own server can start"}
	switch {
	case p.leftServer(srv) == k:
		f.Fix.Say = "end the old server and start network " + show(srv.net.Name)
	case outlived:
		f.Fix.Say = "end " + who + ", a server that libvirt started for another network; then the network's own can start"
	}
	p.found(s, f)
}
