package verify

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

func bridgeValueChecks() []Check {
	gone := []string{"bridge-missing"}
	return []Check{
		{
			ID: "bridge-ip-missing", Title: "a bridge lost its network's address", Severity: Error,
			Needs: []Need{Networks, Links, Addresses, Routes}, After: gone,
			Doc: Doc{
				Symptom:  "Guests get no lease and do not reach their gateway.",
				Cause:    "A network manager or an address flush took the address away; libvirt sets it only when the network starts.",
				Evidence: "The addresses in the live document are looked up on the bridge, and with a bridge that is up the connected route of each. A network without <ip> wants none.",
				Cure:     "Add the address, or the route, again; the DHCP and DNS server picks it up.",
			},
			run: bridgeIPMissing,
		},
		{
			ID: "bridge-ip-mismatch", Title: "a bridge has another address or prefix length than its network", Severity: Error,
			Needs: []Need{Networks, Links, Addresses}, After: gone,
			Doc: Doc{
				Symptom:  "Some guests are reached and some are not; answers leave by the wrong way.",
				Cause:    "The address was set by hand, or a hook adds its own.",
				Evidence: "The network's address with another prefix length is an error; a further global address is info. Link-local addresses do not count.",
				Cure:     "Set the address as the network has it, and take the other one away if nobody needs it.",
			},
			run: bridgeIPMismatch,
		},
		{
			ID: "bridge-mac-mismatch", Title: "a bridge has another MAC than its network", Severity: Warning,
			Needs: []Need{Networks, Links}, After: gone,
			Doc: Doc{
				Symptom:  "Guests lose their gateway until their ARP entry expires; Windows sees a new network.",
				Cause:    "The bridge was made again by hand.",
				Evidence: "The MAC of the live document and of the bridge.",
				Cure:     "Set the MAC; guests lose the gateway for a moment.",
			},
			run: bridgeMACMismatch,
		},
		{
			ID: "bridge-stp-mismatch", Title: "a bridge's spanning tree is not as its network wishes", Severity: Warning,
			Needs: []Need{Networks, Links}, After: gone,
			Doc: Doc{
				Symptom:  "Loops are not broken, or ports take long to forward.",
				Cause:    "Somebody switched it by hand.",
				Evidence: "The stp of the live document and the bridge's state; a spanning tree in user space is on.",
				Cure:     "Switch it as the network wishes.",
			},
			run: bridgeSTPMismatch,
		},
		{
			ID: "bridge-delay-mismatch", Title: "a bridge's forward delay is not as its network wishes", Severity: Warning,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"bridge-stp-mismatch", "if-source-not-a-bridge"}, gone...),
			Doc: Doc{
				Symptom:  "DHCP and PXE time out while a guest boots.",
				Cause:    "Spanning tree is on with a long forward delay: a new port is silent for twice that time.",
				Evidence: "The delay of the live document and of the bridge, after the kernel's minimum of 2 s with spanning tree on. For a host bridge with running guests: spanning tree on and 4 s or more.",
				Cure:     "Set the delay; on a host bridge ask who runs the spanning tree.",
			},
			run: bridgeDelayMismatch,
		},
		{
			ID: "bridge-mtu-mismatch", Title: "a bridge's MTU is not as its network wishes", Severity: Warning,
			Needs: []Need{Networks, Links}, After: gone,
			Doc: Doc{
				Symptom:  "Large packets between guest and host are lost.",
				Cause:    "A port with a smaller MTU pulled the bridge down, or somebody set it.",
				Evidence: "The <mtu> of the live document and the bridge's. Without <mtu> any will do.",
				Cure:     "Raise the ports and the bridge.",
			},
			run: bridgeMTUMismatch,
		},
	}
}

// missingAddresses are the network's addresses that its bridge should have and
// has not. A bridge that is down keeps no IPv6 address: see lostAddresses.
func (h *host) missingAddresses(def xml.Network, name string) []netip.Prefix {
	var missing []netip.Prefix
	for _, ip := range def.IPs {
		if _, found := h.addressOn(name, ip.Address.Addr()); !found && ip.Address.IsValid() && !h.takenDown(name, ip.Address) {
			missing = append(missing, ip.Address)
		}
	}
	return missing
}

// lostAddresses are the addresses that the kernel took from a bridge when it
// went down, and will not give back.
func (h *host) lostAddresses(def xml.Network, name string) []netip.Prefix {
	if len(h.gaps.lacks[Addresses]) > 0 {
		return nil
	}
	var lost []netip.Prefix
	for _, ip := range def.IPs {
		if _, found := h.addressOn(name, ip.Address.Addr()); !found && h.takenDown(name, ip.Address) {
			lost = append(lost, ip.Address)
		}
	}
	return lost
}

func (h *host) takenDown(name string, a netip.Prefix) bool {
	l := h.links[name]
	return l != nil && !l.Up && a.Addr().Is6() && !a.Addr().Is4In6()
}

// addressOn finds an address on a link, with the prefix length it has there.
func (h *host) addressOn(link string, addr netip.Addr) (netip.Prefix, bool) {
	for _, a := range h.addresses[link] {
		if a.Prefix.Addr().WithZone("").Unmap() == addr.WithZone("").Unmap() {
			return a.Prefix, true
		}
	}
	return netip.Prefix{}, false
}

// globalAddresses are the addresses of a link that other hosts can use.
func (h *host) globalAddresses(link string) []netip.Prefix {
	var found []netip.Prefix
	for _, a := range h.addresses[link] {
		if (a.Scope == "global" || a.Scope == "site") && a.Prefix.IsValid() && !a.Prefix.Addr().IsLinkLocalUnicast() {
			found = append(found, a.Prefix)
		}
	}
	return found
}

func prefixes(list []netip.Prefix) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, 0, len(list))
	for _, p := range list {
		texts = append(texts, p.String())
	}
	return someTexts(texts)
}

func bridgeIPMissing(p *pass) {
	routes := map[string]map[netip.Prefix]bool{}
	for i := range p.snap.Kernel.Routes {
		r := &p.snap.Kernel.Routes[i]
		if p.owners[r.Link] == nil {
			continue
		}
		if routes[r.Link] == nil {
			routes[r.Link] = map[netip.Prefix]bool{}
		}
		routes[r.Link][plainPrefix(r.Dst)] = true
	}
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		def := n.Def()
		if l == nil || len(def.IPs) == 0 || !p.on(s) {
			continue
		}
		if missing := p.missingAddresses(def, name); len(missing) > 0 {
			p.addressLost(s, missing)
		} else if lost := p.lostRoutes(def, name, routes[name]); l.Up && len(lost) > 0 {
			p.routeLost(s, lost)
		}
	}
}

func (p *pass) addressLost(s scope, missing []netip.Prefix) {
	var steps []Step
	for _, a := range missing {
		steps = append(steps, Step{Do: AddressAdd, On: s.bridge, With: a.String()})
	}
	p.found(s, Finding{
		Message: fmt.Sprintf("bridge %s of network %s lost its address %s: guests have no gateway, DHCP or DNS", show(s.bridge), show(s.network), prefixes(missing)),
		Want:    prefixes(missing), Have: prefixes(p.globalAddresses(s.bridge)),
		Fix: Fix{Class: Safe, Say: "add the address to bridge " + show(s.bridge) + " again", Steps: steps},
	})
}

// lostRoutes are the addresses that are on the bridge, whole, but whose
// connected route is gone.
func (h *host) lostRoutes(def xml.Network, name string, routes map[netip.Prefix]bool) []netip.Prefix {
	var lost []netip.Prefix
	for _, ip := range def.IPs {
		have, found := h.addressOn(name, ip.Address.Addr())
		if found && have == ip.Address && !have.IsSingleIP() && !routes[plainPrefix(have)] {
			lost = append(lost, have)
		}
	}
	return lost
}

func (p *pass) routeLost(s scope, lost []netip.Prefix) {
	var steps []Step
	var want []string
	for _, a := range lost {
		steps = append(steps, Step{Do: RouteAdd, On: s.bridge, With: a.String()})
		want = append(want, "route "+a.Masked().String()+" dev "+show(s.bridge))
	}
	p.found(s, Finding{
		Message: fmt.Sprintf("bridge %s of network %s has its address but lost the route to its subnet: the host does not reach the guests", show(s.bridge), show(s.network)),
		Want:    someTexts(want), Have: "no such route",
		Fix: Fix{Class: Safe, Say: "add the connected route again", Steps: steps},
	})
}

func bridgeIPMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if p.links[name] == nil || !p.on(s) {
			continue
		}
		def := n.Def()
		wanted := map[netip.Addr]bool{}
		var want, have []netip.Prefix
		var steps []Step
		for _, ip := range def.IPs {
			wanted[ip.Address.Addr().WithZone("").Unmap()] = true
			got, found := p.addressOn(name, ip.Address.Addr())
			if found && !p.hasPrefix(name, ip.Address) {
				want, have = append(want, ip.Address), append(have, got)
				steps = append(steps,
					Step{Do: AddressAdd, On: name, With: ip.Address.String()},
					Step{Do: AddressDel, On: name, With: got.String()})
			}
		}
		if len(have) > 0 {
			p.found(s, Finding{
				Message: fmt.Sprintf("bridge %s has %s, and network %s declares %s", show(name), prefixes(have), show(n.Name), prefixes(want)),
				Want:    prefixes(want), Have: prefixes(have),
				Fix: Fix{Class: Guarded, Say: "set the prefix length that the network declares", Steps: steps},
			})
			continue
		}
		p.extraAddresses(s, def, wanted)
	}
}

// hasPrefix says whether a link has an address with just this prefix length.
func (h *host) hasPrefix(link string, want netip.Prefix) bool {
	for _, a := range h.addresses[link] {
		if a.Prefix.Bits() == want.Bits() && a.Prefix.Addr().WithZone("") == want.Addr().WithZone("") {
			return true
		}
	}
	return false
}

// extraAddresses reports addresses that the network does not declare. While
// the declared one is missing they are told there.
func (p *pass) extraAddresses(s scope, def xml.Network, wanted map[netip.Addr]bool) {
	if len(p.missingAddresses(def, s.bridge)) > 0 {
		return
	}
	var extra []netip.Prefix
	var steps []Step
	for _, a := range p.globalAddresses(s.bridge) {
		if !wanted[a.Addr().WithZone("").Unmap()] {
			extra = append(extra, a)
			steps = append(steps, Step{Do: AddressDel, On: s.bridge, With: a.String()})
		}
	}
	if len(extra) == 0 {
		return
	}
	var want []netip.Prefix
	for _, ip := range def.IPs {
		want = append(want, ip.Address)
	}
	p.found(s, Finding{
		Severity: Info,
		Message:  fmt.Sprintf("bridge %s has %s, which network %s does not declare", show(s.bridge), prefixes(extra), show(s.network)),
		Want:     prefixes(want), Have: prefixes(p.globalAddresses(s.bridge)),
		Fix: Fix{Class: Guarded, Say: "take the address away unless a hook or a person put it there on purpose", Steps: steps},
	})
}

func bridgeMACMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		want := n.Def().MAC
		if l == nil || want == "" || l.MAC == "" || !p.on(s) || strings.EqualFold(want, l.MAC) {
			continue
		}
		p.found(s, Finding{
			Message: fmt.Sprintf("bridge %s has MAC %s, and network %s declares %s: guests have the wrong address of their gateway", show(name), show(l.MAC), show(n.Name), show(want)),
			Want:    show(want), Have: show(l.MAC),
			Fix: Fix{
				Class: Guarded, Say: "set the MAC of bridge " + show(name) + "; guests lose the gateway for a moment",
				Steps: []Step{{Do: SetMAC, On: name, With: want}},
			},
		})
	}
}

func bridgeSTPMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n, b := p.owners[name], p.bridges[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		stp := n.Def().STP
		if b == nil || stp == nil || !p.on(s) || *stp == (b.STP != 0) {
			continue
		}
		with := "0"
		if *stp {
			with = "1"
		}
		p.found(s, Finding{
			Message: fmt.Sprintf("bridge %s has spanning tree %s, and network %s wants it %s", show(name), onOff(b.STP != 0), show(n.Name), onOff(*stp)),
			Want:    "stp " + onOff(*stp), Have: "stp " + onOff(b.STP != 0),
			Fix: Fix{Class: Safe, Say: "switch the spanning tree of " + show(name) + " " + onOff(*stp), Steps: []Step{{Do: SetSTP, On: name, With: with}}},
		})
	}
}

// longDelay is the forward delay in milliseconds from which on guests on a
// host bridge time out while they boot: twice that time is silence.
const longDelay = 4000

func bridgeDelayMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n, b := p.owners[name], p.bridges[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		delay := n.Def().Delay
		if b == nil || delay == nil || !p.on(s) {
			continue
		}
		if want := xml.KernelDelay(b.STP != 0, *delay); want != b.ForwardDelay {
			message := fmt.Sprintf("bridge %s has a forward delay of %s, and network %s wants %s", show(name), seconds(b.ForwardDelay), show(n.Name), seconds(want))
			p.delay(s, Safe, message, want)
		}
	}
	p.eachHostBridge(func(host hostBridge) {
		b := p.bridges[host.name]
		if b == nil || len(host.active) == 0 {
			return
		}
		s := host.scope()
		if !p.on(s) || b.STP == 0 || b.ForwardDelay < longDelay {
			return
		}
		message := fmt.Sprintf("bridge %s has spanning tree on with a forward delay of %s: a guest that boots is cut off for twice that time", show(host.name), seconds(b.ForwardDelay))
		p.delay(s, Guarded, message, 2000)
	})
}

func (p *pass) delay(s scope, class Class, message string, want int) {
	p.found(s, Finding{
		Message: message, Want: seconds(want), Have: seconds(p.bridges[s.bridge].ForwardDelay),
		Fix: Fix{
			Class: class, Say: "set the forward delay of " + show(s.bridge) + " to " + seconds(want),
			Steps: []Step{{Do: ForwardDelay, On: s.bridge, With: strconv.Itoa(want)}},
		},
	})
}

func bridgeMTUMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		want := n.Def().MTU
		if l == nil || want == 0 || !p.on(s) || want == l.MTU {
			continue
		}
		with := strconv.Itoa(want)
		var steps []Step
		for _, port := range p.slaves[name] {
			if port.MTU < want {
				steps = append(steps, Step{Do: SetMTU, On: port.Name, With: with})
			}
		}
		steps = append(steps, Step{Do: SetMTU, On: name, With: with})
		p.found(s, Finding{
			Message: fmt.Sprintf("bridge %s has MTU %d, and network %s wants %d", show(name), l.MTU, show(n.Name), want),
			Want:    "mtu " + with, Have: "mtu " + strconv.Itoa(l.MTU),
			Fix: Fix{Class: Guarded, Say: "set the MTU of " + show(name) + " and of its smaller ports", Steps: steps},
		})
	}
}
