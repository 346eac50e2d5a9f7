package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

func bridgeIPv6Checks() []Check {
	return []Check{
		{
			ID: "bridge-ipv6-broken", Title: "a bridge cannot use its network's IPv6 address", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Links, Addresses, Sysctls}, After: []string{"bridge-missing", "bridge-admin-down"},
			Doc: Doc{
				Symptom:  "Guests get no router advertisement and no name server over IPv6; IPv4 works.",
				Cause:    "IPv6 was switched off after the network started, on the whole host or on the bridge; or another machine answered for the bridge's own address.",
				Evidence: "The bridge's disable_ipv6, and the state of the addresses in the live document: one that failed duplicate address detection, or has not passed it although the bridge has a carrier. Without a carrier it waits, and that is no fault.",
				Cure:     "Switch IPv6 on for the bridge and add the address again; find the other owner of a duplicate address first.",
			},
			run: bridgeIPv6Broken,
		},
		{
			ID: "bridge-accept-ra", Title: "a bridge takes router advertisements from its guests", Severity: Warning, Class: Safe,
			Needs: []Need{Networks, Links, Routes, Sysctls}, After: []string{"bridge-missing", "bridge-mac-mismatch"},
			Doc: Doc{
				Symptom:  "The host's own IPv6 traffic leaves through a guest.",
				Cause:    "Somebody switched accept_ra or autoconf on for a bridge that libvirt made, or a tool did so for all links.",
				Evidence: "accept_ra and autoconf of the bridges of libvirt's own networks, which libvirt sets to 0, and routes over them that an advertisement made. A host bridge is not judged: there the host may well be a client of the LAN's router.",
				Cure:     "Switch both off, and delete the routes.",
			},
			run: bridgeAcceptRA,
		},
	}
}

// ipv6Off says whether IPv6 is switched off on a link: it has no IPv6 address
// then, and can be given none.
func ipv6Off(k *bridge.State, link string) bool {
	return strings.TrimSpace(k.Sysctls["net.ipv6.conf."+link+".disable_ipv6"]) == "1"
}

// ipv6Of are the network's IPv6 addresses.
func ipv6Of(def xml.Network) []netip.Prefix {
	var list []netip.Prefix
	for _, ip := range def.IPs {
		if a := ip.Address.Addr(); ip.Address.IsValid() && a.Is6() && !a.Is4In6() {
			list = append(list, ip.Address)
		}
	}
	return list
}

func bridgeIPv6Broken(p *pass) {
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		want := ipv6Of(n.Def())
		if l == nil || len(want) == 0 || !p.on(s) {
			continue
		}
		if ipv6Off(&p.snap.Kernel, name) {
			p.ipv6SwitchedOff(s, want)
			continue
		}
		for _, a := range p.addresses[name] {
			wanted := false
			for _, w := range want {
				wanted = wanted || w.Addr() == a.Prefix.Addr().WithZone("")
			}
			if wanted && l.Up && (a.DADFailed || a.Tentative && l.Carrier) {
				p.addressUnproven(s, a)
				break
			}
		}
	}
}

func (p *pass) ipv6SwitchedOff(s scope, want []netip.Prefix) {
	sysctl := linkSysctl(6, s.bridge, "disable_ipv6")
	steps := []Step{{Do: SetSysctl, On: sysctl, With: "0"}}
	for _, a := range want {
		if _, found := p.addressOn(s.bridge, a.Addr()); !found {
			steps = append(steps, Step{Do: AddressAdd, On: s.bridge, With: a.String()})
		}
	}
	message := fmt.Sprintf("IPv6 is switched off on bridge %s, and network %s wants %s on it", show(s.bridge), show(s.network), prefixes(want))
	say := "switch IPv6 on for " + show(s.bridge) + " and add the address that went with it"
	if strings.TrimSpace(p.snap.Kernel.Sysctls["net.ipv6.conf.all.disable_ipv6"]) == "1" {
		message += "; it is off on the whole host"
		say += "; take the setting out of /etc/sysctl.d, or the network's IPv6 out of its definition"
	}
	p.found(s, Finding{
		Message: message, Evidence: "sysctl " + show(sysctl),
		Want: show(sysctl) + " = 0", Have: show(sysctl) + " = 1",
		Fix: Fix{Class: Guarded, Say: say, Steps: steps},
	})
}

// addressUnproven reports an address that the kernel holds back: nothing is
// sent from it, and nobody can bind to it (RFC 4862, 5.4).
func (p *pass) addressUnproven(s scope, a bridge.Address) {
	text := a.Prefix.String()
	f := Finding{
		Evidence: "flags of " + text + " on " + show(s.bridge), Want: text + " in use",
		Fix: Fix{
			Class: Guarded, Say: "find the machine behind " + show(s.bridge) + " that has " + a.Prefix.Addr().String() + " too; then add the address anew, without asking first",
			Steps: []Step{{Do: AddressDel, On: s.bridge, With: text}, {Do: AddressAddNow, On: s.bridge, With: text}},
		},
	}
	if a.DADFailed {
		f.Have = text + " failed duplicate address detection"
		f.Message = fmt.Sprintf("bridge %s of network %s may not use its address %s: another machine on it answered for that address", show(s.bridge), show(s.network), text)
	} else {
		f.Have = text + " tentative"
		f.Message = fmt.Sprintf("bridge %s of network %s does not use its address %s: the kernel has not found it unique although the bridge has a carrier", show(s.bridge), show(s.network), text)
		f.Fix.Say = "add the address anew, without asking first whether another machine has it"
	}
	p.found(s, f)
}

// provesAddress says whether the kernel is asking for duplicates of an address
// of a network on a bridge that has a carrier: it takes a second or two.
func (h *host) provesAddress() bool {
	for _, name := range h.ownBridges {
		if l := h.links[name]; l != nil && l.Up && l.Carrier && h.unproven(name) {
			return true
		}
	}
	return false
}

// proofAfter is how much longer a bridge needs once its first port forwards.
func (h *host) proofAfter(name string) time.Duration {
	if h.owners[name] != nil && h.unproven(name) {
		return proof
	}
	return 0
}

// unproven says whether an address of the bridge's network is tentative on it.
func (h *host) unproven(name string) bool {
	for _, want := range ipv6Of(h.owners[name].Def()) {
		for _, a := range h.addresses[name] {
			// Unrouted it is for a moment when it needs no proof.
			if (a.Tentative || a.Unrouted) && !a.DADFailed && a.Prefix.Addr().WithZone("") == want.Addr() {
				return true
			}
		}
	}
	return false
}

func bridgeAcceptRA(p *pass) {
	made := p.advertisedRoutes()
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if p.links[name] == nil || !p.on(s) {
			continue
		}
		want, have, steps := p.raSwitches(name)
		evidence := "sysctl net.ipv6.conf." + show(name) + ".{accept_ra,autoconf}"
		message := fmt.Sprintf("bridge %s of network %s takes router advertisements: a guest can redirect the host's IPv6 traffic to itself", show(name), show(n.Name))
		if routes := made[name]; len(routes) > 0 {
			message += "; one made a route to " + destination(routes[0])
			evidence += "; routes of protocol ra over " + show(name)
			for _, r := range routes {
				steps = append(steps, Step{Do: RouteDel6, On: name, With: destination(r), Args: []string{"proto", "ra"}})
			}
			want, have = append(want, "no route of protocol ra"), append(have, "route to "+destination(routes[0])+" of protocol ra")
		}
		if len(steps) == 0 {
			continue
		}
		if p.ipv6Unasked(name, n.Def()) {
			sysctl := linkSysctl(6, name, "disable_ipv6")
			want, have = append(want, show(sysctl)+" = 1"), append(have, show(sysctl)+" = 0")
			steps = append(steps, Step{Do: SetSysctl, On: sysctl, With: "1"})
		}
		p.found(s, Finding{
			Message: message, Evidence: evidence, Want: someTexts(want), Have: someTexts(have),
			Fix: Fix{Class: Safe, Say: "switch them off for " + show(name) + ", as libvirt does when it starts the network", Steps: steps},
		})
	}
}

// ipv6Unasked says whether a bridge has IPv6 that its network does not want:
// libvirt switches it off then. The kernel switches it on again, and the other
// two, when the bridge gets back an MTU that IPv6 can do with. Somebody's own
// address on it is a reason to leave it.
func (h *host) ipv6Unasked(name string, def xml.Network) bool {
	if def.IPv6 || len(ipv6Of(def)) > 0 || strings.TrimSpace(h.snap.Kernel.Sysctls["net.ipv6.conf."+name+".disable_ipv6"]) != "0" {
		return false
	}
	return !slices.ContainsFunc(h.addresses[name], func(a bridge.Address) bool {
		return a.Prefix.Addr().Is6() && !a.Prefix.Addr().IsLinkLocalUnicast()
	})
}

// raSwitches are the switches that let a bridge take router advertisements, as
// they should be and as they are, and the steps that switch them off.
func (h *host) raSwitches(name string) (want, have []string, steps []Step) {
	for _, key := range []string{"accept_ra", "autoconf"} {
		value, known := h.snap.Kernel.Sysctls["net.ipv6.conf."+name+"."+key]
		if value = strings.TrimSpace(value); !known || value == "" || value == "0" {
			continue
		}
		sysctl := linkSysctl(6, name, key)
		want, have = append(want, show(sysctl)+" = 0"), append(have, show(sysctl)+" = "+show(value))
		steps = append(steps, Step{Do: SetSysctl, On: sysctl, With: "0"})
	}
	return want, have, steps
}

// advertisedRoutes are the routes over libvirt's own bridges that a router
// advertisement made.
func (h *host) advertisedRoutes() map[string][]*bridge.Route {
	found := map[string][]*bridge.Route{}
	for i := range h.snap.Kernel.Routes {
		if r := &h.snap.Kernel.Routes[i]; h.owners[r.Link] != nil && r.Protocol == "ra" && r.Dst.Addr().Is6() {
			found[r.Link] = append(found[r.Link], r)
		}
	}
	return found
}

// destination is a route's destination in ip(8)'s words.
func destination(r *bridge.Route) string {
	if dst := plainPrefix(r.Dst); dst.Bits() > 0 {
		return dst.String()
	}
	return "default"
}
