package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// backIntoBridge are the steps that put a tap where it belongs: through
// libvirt where the network lost the interface's port, which is then made
// anew, else in the kernel alone. The MTU comes first: the kernel lowers a
// bridge's to that of its smallest port.
func (h *host) backIntoBridge(n *nic) []Step {
	if n.portLost {
		return []Step{{Do: Replug, On: n.guest.Name, With: n.iface.Target}}
	}
	var steps []Step
	if mtu := h.wantedMTU(n); mtu > 0 {
		if tap := h.links[n.iface.Target]; tap == nil || tap.MTU != mtu {
			steps = append(steps, Step{Do: SetMTU, On: n.iface.Target, With: strconv.Itoa(mtu)})
		}
	}
	steps = append(steps, Step{Do: SetMaster, On: n.iface.Target, With: n.bridge})
	steps = append(steps, h.vlansOfNewPort(n)...)
	steps = append(steps, Step{Do: LinkUp, On: n.iface.Target})
	if n.wantsIsolation() {
		steps = append(steps, Step{Do: SetIsolated, On: n.iface.Target, With: "on"})
	}
	return steps
}

// vlansOfNewPort are the steps that give a tap its VLANs in a bridge that
// filters them and that it comes into: there it has the default one, which may
// be another guest's.
func (h *host) vlansOfNewPort(n *nic) []Step {
	b := h.bridges[n.bridge]
	if !canFilter(b) || !b.VLANFiltering || len(n.iface.VLANs) == 0 || n.tap != nil && n.tap.Master == n.bridge {
		return nil
	}
	have := vlanSet{}
	if *b.DefaultPVID > 0 {
		have[*b.DefaultPVID] = bridge.VLAN{PVID: true, Untagged: true}
	}
	steps, _ := vlanSteps(n.iface.Target, n.wantVLANs(), have)
	return steps
}

// wantedMTU is what libvirt would give the tap: the interface's own wish, else
// the bridge's; 0 when neither is known.
func (h *host) wantedMTU(n *nic) int {
	if n.iface.MTU > 0 {
		return n.iface.MTU
	}
	if def := definition(n.net); def.MTU > 0 {
		return def.MTU
	}
	if l := h.links[n.bridge]; l != nil {
		return l.MTU
	}
	return 0
}

// replug are the steps that bring the taps of running guests back after their
// bridge was made anew, when every network port is lost. A tap that does not
// exist has a finding and a cure of its own.
func (h *host) replug(nics []*nic) []Step {
	var steps []Step
	for _, n := range nics {
		switch {
		case n.iface.Target == "" || !n.active || n.kind != bridged:
		case n.tap == nil && len(h.gaps.lacks[Links]) == 0:
		case n.iface.Network != "":
			steps = append(steps, Step{Do: Replug, On: n.guest.Name, With: n.iface.Target})
		default:
			steps = append(steps, h.backIntoBridge(n)...)
		}
	}
	return steps
}

// putBack are the steps that put the taps of running guests into a host bridge
// that was made anew: libvirt lost nothing.
func (h *host) putBack(nics []*nic) []Step {
	var steps []Step
	for _, n := range nics {
		if h.links[n.iface.Target] != nil {
			steps = append(steps, h.backIntoBridge(n)...)
		}
	}
	return steps
}

// restart are the steps that stop and start a network and bring its guests
// back. net-restart does both and hurts them least, and wants the network's
// bridge. libvirt forgets a transient network that is stopped, and net-restart
// keeps its document.
func (h *host) restart(n *libvirtnet.Network) []Step {
	bridge := n.Def().Bridge
	if h.owners[bridge] == n && h.isBridge(bridge) {
		return []Step{{Do: NetRestart, On: n.Name}}
	} else if !n.Persistent {
		steps := []Step{{Do: BridgeAdd, On: bridge}, {Do: NetRestart, On: n.Name}}
		return append(steps, h.replug(h.usersOf(n).active)...)
	}
	steps := []Step{{Do: NetStopForce, On: n.Name}, {Do: NetStart, On: n.Name}}
	return append(steps, h.replug(h.usersOf(n).active)...)
}

// renew are the steps that take an interface out of its guest and plug an
// equal one in. The MAC is kept unless fresh. None when that would lose what
// byDocument tells of.
func (n *nic) renew(fresh bool) []Step {
	if n.byDocument() != "" {
		return nil
	}
	typ, source := n.source()
	return n.renewOn(typ, source, fresh)
}

// byDocument is how to plug an interface in again that has what domif-attach
// has no flags for; "" for another.
func (n *nic) byDocument() string {
	what := ""
	switch {
	case n.iface.FilterParameters:
		what = "parameters of <filterref>"
	case n.iface.Floor > 0:
		what = "a floor of its bandwidth"
	default:
		return ""
	}
	return " (it has " + what + ": save its <interface> from virsh dumpxml --inactive, then virsh detach-device and attach-device --live with that)"
}

// renewOn is renew with another source.
func (n *nic) renewOn(typ, source string, fresh bool) []Step {
	args := []string{"--type", typ}
	add := func(flag, value string) {
		if value != "" && value != "0" {
			args = append(args, flag, value)
		}
	}
	if !fresh {
		add("--mac", n.iface.MAC)
	}
	add("--model", n.iface.Model)
	add("--mtu", strconv.Itoa(n.iface.MTU))
	for _, id := range n.iface.VLANs {
		add("--vlan", strconv.Itoa(id))
	}
	add("--filter", n.iface.Filter)
	add("--inbound", rate(n.iface.Bandwidth.Inbound))
	add("--outbound", rate(n.iface.Bandwidth.Outbound))
	add("--link", strings.Replace(n.iface.Link, "up", "", 1))
	if typ == "network" {
		add("--portgroup", n.iface.PortGroup)
	}
	if strings.HasPrefix(n.iface.Alias, "ua-") { // libvirt names the others
		add("--alias", n.iface.Alias)
	}
	if n.iface.PortIsolated(&xml.Network{}) && typ != "direct" {
		args = append(args, "--isolated")
	}
	return []Step{
		{Do: Detach, On: n.guest.Name, With: n.iface.MAC},
		{Do: Attach, On: n.guest.Name, With: source, Args: args},
	}
}

// rate writes the limits of one direction for domif-attach; "" for none.
func rate(r xml.Rate) string {
	if r.Average == 0 {
		return ""
	}
	text := fmt.Sprintf("%d,%d,%d", r.Average, r.Peak, r.Burst)
	return strings.TrimSuffix(strings.TrimSuffix(text, ",0"), ",0")
}

// fragile is the first libvirt that comes with a QEMU which ends when the
// interface of a tap that is gone is taken out of its guest: seen with QEMU
// 10.0 under libvirt 11.3, not with 7.2 under 9.0.
const fragile = 10_000_000

// withoutTap is the cure for an interface whose QEMU holds a tap that is gone.
func (h *host) withoutTap(n *nic) Fix {
	guest := show(n.guest.Name)
	if n.kind == other && !n.guest.Persistent {
		return Fix{Class: Manual, Say: "make guest " + guest + " anew: kvnet plugs nothing into Open vSwitch"}
	} else if n.kind == other || h.snap.Libvirt.Version >= fragile && n.guest.Persistent {
		return Fix{
			Class: Manual, Steps: []Step{{Do: GuestStop, On: n.guest.Name}, {Do: GuestStart, On: n.guest.Name}},
			Say: "shut guest " + guest + " down from inside and start it again; the commands pull its plug (taking the interface out may end it, too)",
		}
	}
	return Fix{
		Class: Manual, Steps: n.renew(false),
		Say: "take the interface out of guest " + guest + " and plug an equal one in" + n.byDocument() + ", or restart the guest",
	}
}

// source is how an interface is asked for: its type and source.
func (n *nic) source() (typ, name string) {
	switch {
	case n.iface.Network != "":
		return "network", n.iface.Network
	case n.iface.Type == "direct":
		return "direct", n.iface.Dev
	}
	return n.iface.Type, cmp.Or(n.iface.Bridge, n.iface.Source)
}

// directly are the steps that attach guests to a NIC itself which they name as
// a bridge. A link that no macvtap can stand on has none.
func directly(l *bridge.Link, nics []*nic) []Step {
	var steps []Step
	if l.Loopback || l.Kind == "tun" || l.Kind == "openvswitch" {
		return nil
	}
	for _, n := range nics {
		if n.iface.Network == "" {
			steps = append(steps, n.renewOn("direct", l.Name, false)...)
		}
	}
	return steps
}

// reload are the steps that make libvirt's network daemon look after its
// dnsmasq processes: it restarts those that died. None when the daemon is not
// known.
func (h *host) reload() []Step {
	d := h.snap.Libvirt.Daemon
	switch {
	case d.Systemd && strings.HasPrefix(d.Name, "virt"):
		return []Step{{Do: Reload, On: "virtnetworkd"}}
	case d.Systemd:
		return []Step{{Do: Reload, On: "libvirtd"}}
	case d.PID > 0:
		return []Step{{Do: Hangup, On: strconv.Itoa(d.PID)}}
	}
	return nil
}

// freeBridgeName is a virbrN that neither libvirt nor the kernel uses, another
// one at each call.
func (p *pass) freeBridgeName() string {
	if p.taken == nil {
		p.taken = map[string]bool{}
		for i := range p.snap.Libvirt.Networks {
			n := &p.snap.Libvirt.Networks[i]
			if n.Live != nil {
				p.taken[n.Live.Bridge] = true
			}
			if n.Config != nil {
				p.taken[n.Config.Bridge] = true
			}
		}
	}
	for ; ; p.nextBridge++ {
		name := "virbr" + strconv.Itoa(p.nextBridge)
		if !p.taken[name] && p.links[name] == nil {
			p.taken[name] = true
			return name
		}
	}
}

// guestNames are the names of the interfaces' guests, each once.
func guestNames(nics []*nic) []string {
	var names []string
	for _, n := range nics {
		names = append(names, n.guest.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// nameBack are the steps that give a network's bridge its name back. Kernels
// before 6.2 rename only what is down, and going down costs a link its IPv6
// addresses.
func nameBack(now string, def xml.Network) []Step {
	steps := []Step{{Do: LinkDown, On: now}, {Do: LinkRename, On: now, With: def.Bridge}, {Do: LinkUp, On: def.Bridge}}
	for _, ip := range def.IPs {
		if ip.Address.IsValid() && !ip.Address.Addr().Unmap().Is4() {
			steps = append(steps, Step{Do: AddressAdd, On: def.Bridge, With: ip.Address.String()})
		}
	}
	return steps
}
