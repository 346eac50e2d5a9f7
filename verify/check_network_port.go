package verify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func netPortsStale(p *pass) {
	for _, name := range slices.Sorted(maps.Keys(p.gaps.ports)) {
		p.cannot("libvirt ports of "+oneLine(name), p.gaps.ports[name])
	}
	for i := range p.nics {
		n := &p.nics[i]
		if !n.active || n.net == nil || !n.net.Active || !n.net.PortsKnown || n.iface.PortID == "" {
			continue
		}
		if !p.on(n.subject) || !n.portLost {
			continue
		}
		f := Fix{Class: Guarded, Say: "create the network port of " + n.title() + " again"}
		if n.iface.Target != "" {
			f.Steps = []Step{{Do: Replug, On: n.guest.Name, With: n.iface.Target}}
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("network %s does not know the port of %s: it was restarted under the guest", show(n.net.Name), n.title()),
			Evidence: "source/@portid of " + n.title() + ", virNetworkListAllPorts of network " + show(n.net.Name),
			Want:     "port " + show(n.iface.PortID), Have: fmt.Sprintf("%d other ports", len(n.net.Ports)),
			Fix: f,
		})
	}
	p.connections()
	p.leakedPorts()
}

// leakedPorts are those that libvirt's daemon made for an interface, and died
// before it made that.
func (p *pass) leakedPorts() {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		leaked := p.leaked(n)
		s := scope{kind: aNetwork, network: n.Name}
		if len(leaked) == 0 || !p.on(s) {
			continue
		}
		var guests, ids []string
		var steps []Step
		for _, port := range leaked {
			guests, ids = append(guests, port.OwnerName), append(ids, port.UUID)
			steps = append(steps, Step{Do: PortDel, On: n.Name, With: port.UUID})
		}
		slices.Sort(guests)
		s.guest = guests[0]
		p.found(s, Finding{
			Severity: Info,
			Message: fmt.Sprintf("network %s counts %s of %s that no interface has: libvirt's daemon died while it attached one",
				show(n.Name), plural(len(leaked), "port"), guestsNamed(slices.Compact(guests))),
			Evidence: "owner of " + someTexts(ids) + " (virNetworkPortGetXMLDesc), source/@portid of every guest",
			Want:     "an interface for each port", Have: fmt.Sprintf("%d without", len(leaked)),
			Fix: Fix{Class: Guarded, Say: "delete what nobody has", Steps: steps},
		})
	}
}

// leaked are the ports of a network whose owner is a guest of this connection that
// does not have them.
func (h *host) leaked(n *libvirtnet.Network) []xml.Port {
	if len(n.Unclaimed) == 0 || len(h.gaps.lacks[EveryGuest]) > 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.Unclaimed), func(port xml.Port) bool {
		return !slices.ContainsFunc(h.snap.Libvirt.Guests, func(g libvirtnet.Guest) bool { return g.Name == port.OwnerName && g.UUID == port.OwnerUUID })
	})
}

func (p *pass) connections() {
	if !p.snap.Libvirt.Daemon.Local {
		return
	}
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		if _, gap := p.gaps.ports[n.Name]; gap || !n.Active || n.Live == nil {
			continue
		}
		u := sortUsers(p.byNet[n.Name])
		countable, told := 0, false
		for _, nic := range u.active {
			if nic.iface.PortID == "" || !n.PortsKnown {
				countable++
			}
			told = told || p.silenced(nic.subject)
		}
		s := scope{kind: aNetwork, network: n.Name}
		if countable == 0 || told || !p.on(s) || n.Live.Connections >= len(u.active) {
			continue
		}
		s.guest = u.active[0].guest.Name
		p.found(s, Finding{
			Message:  fmt.Sprintf("network %s counts %d connections, but running guests have %d interfaces on it: it was restarted under them", show(n.Name), n.Live.Connections, len(u.active)),
			Evidence: "network/@connections of network " + show(n.Name),
			Want:     fmt.Sprintf("%d connections", len(u.active)), Have: fmt.Sprintf("%d connections", n.Live.Connections),
			Fix: Fix{Class: Guarded, Say: "create the network ports of the running guests again", Steps: p.replug(u.active)},
		})
	}
}
