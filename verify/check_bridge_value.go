package verify

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

func bridgeValueChecks() []Check {
	gone := []string{"bridge-missing"}
	return []Check{
		{
			ID: "bridge-ip-missing", Title: "a bridge lost its network's address", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Links, Addresses, Routes}, After: gone,
			Doc: Doc{
				Symptom:  "Guests get no lease and do not reach their gateway.",
				Cause:    "A network manager or an address flush took the address away; libvirt sets it only when the network starts.",
				Evidence: "The addresses in the live document are looked up on the bridge, and with a bridge that is up the connected route of each, and the local one that makes the host take what is sent to it. Another link that has the address is named. A network without <ip> wants none.",
				Cure:     "Add the address, or the route, again, and take it away where it went; the DHCP and DNS server picks it up.",
			},
			run: bridgeIPMissing,
		},
		{
			ID: "bridge-ip-mismatch", Title: "a bridge has another address or prefix length than its network", Severity: Error, Class: Guarded,
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
			ID: "bridge-mac-mismatch", Title: "a bridge has another MAC than its network", Severity: Warning, Class: Guarded,
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
			ID: "bridge-stp-mismatch", Title: "a bridge's spanning tree is not as its network wishes", Severity: Warning, Class: Safe,
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
			ID: "bridge-delay-mismatch", Title: "a bridge's forward delay is not as its network wishes", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"bridge-stp-mismatch", "if-source-not-a-bridge"}, gone...),
			Doc: Doc{
				Symptom:  "DHCP and PXE time out while a guest boots.",
				Cause:    "Spanning tree is on with a long forward delay: a new port is silent for twice that time.",
				Evidence: "The delay of the live document and of the bridge, after the kernel's minimum of 2 s with spanning tree on. For a host bridge with running guests: spanning tree on and 4 s or more. A spanning tree in user space has a delay of its own.",
				Cure:     "Set the delay; on a host bridge ask who runs the spanning tree.",
			},
			run: bridgeDelayMismatch,
		},
		{
			ID: "bridge-mtu-mismatch", Title: "a bridge's MTU is not as its network wishes", Severity: Warning, Class: Guarded,
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
// lostAddresses are the addresses that the kernel took from a bridge when it
// went down, and will not give back.
// addressOn finds an address on a link, with the prefix length it has there.
// globalAddresses are the addresses of a link that other hosts can use.
// lostRoutes are the addresses that are on the bridge, whole, but whose
// connected route is gone.
// hasPrefix says whether a link has an address with just this prefix length.
// extraAddresses reports addresses that the network does not declare. While
// the declared one is missing they are told there.
func bridgeMACMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n, l := p.owners[name], p.links[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		want := n.Def().MAC
		if l == nil || want == "" || l.MAC == "" || !p.on(s) || strings.EqualFold(want, l.MAC) {
			continue
		}
		// A bridge that somebody made anew lacks what libvirt sets on it, too.
		_, _, open := p.raSwitches(name)
		p.found(s, Finding{
			Message:  fmt.Sprintf("bridge %s has MAC %s, and network %s declares %s: guests have the wrong address of their gateway", show(name), show(l.MAC), show(n.Name), show(want)),
			Evidence: "IFLA_ADDRESS of " + show(name),
			Want:     show(want), Have: show(l.MAC),
			Fix: Fix{
				Class: Guarded, Say: "set the MAC of bridge " + show(name) + "; guests lose the gateway for a moment",
				Steps: append([]Step{{Do: SetMAC, On: name, With: want}}, open...),
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
		steps := []Step{{Do: SetSTP, On: name, With: with}}
		if delay := n.Def().Delay; delay != nil {
			// The kernel raises a short delay by itself, and keeps any other.
			want, got := xml.KernelDelay(*stp, *delay), b.ForwardDelay
			if *stp {
				got = max(got, xml.KernelDelay(true, 0))
			}
			if want != got {
				steps = append(steps, Step{Do: ForwardDelay, On: name, With: strconv.Itoa(want)})
			}
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("bridge %s has spanning tree %s, and network %s wants it %s", show(name), onOff(b.STP != 0), show(n.Name), onOff(*stp)),
			Evidence: "IFLA_BR_STP_STATE of " + show(name),
			Want:     "stp " + onOff(*stp), Have: "stp " + onOff(b.STP != 0),
			Fix: Fix{Class: Safe, Say: "switch the spanning tree of " + show(name) + " " + onOff(*stp) + ", with the delay that the network wishes", Steps: steps},
		})
	}
}

// longDelay is the forward delay in milliseconds from which on guests on a
// host bridge time out while they boot: twice that time is silence.
const longDelay = 4000

// userSTP is the state of a bridge whose spanning tree runs in user space
// (BR_USER_STP): the daemon sets the ports' states by a delay of its own, and
// the kernel's counts for nothing.
const userSTP = 2

func bridgeDelayMismatch(p *pass) {
	for _, name := range p.ownBridges {
		n, b := p.owners[name], p.bridges[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		delay := n.Def().Delay
		if b == nil || delay == nil || !p.on(s) || b.STP == userSTP {
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
		if !p.on(s) || b.STP == 0 || b.STP == userSTP || b.ForwardDelay < longDelay {
			return
		}
		message := fmt.Sprintf("bridge %s has spanning tree on with a forward delay of %s: a guest that boots is cut off for twice that time", show(host.name), seconds(b.ForwardDelay))
		p.delay(s, Guarded, message, 2000)
	})
}

func (p *pass) delay(s scope, class Class, message string, want int) {
	p.found(s, Finding{
		Message: message, Evidence: "IFLA_BR_FORWARD_DELAY of " + show(s.bridge), Want: seconds(want), Have: seconds(p.bridges[s.bridge].ForwardDelay),
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
			Message:  fmt.Sprintf("bridge %s has MTU %d, and network %s wants %d", show(name), l.MTU, show(n.Name), want),
			Evidence: "IFLA_MTU of " + show(name),
			Want:     "mtu " + with, Have: "mtu " + strconv.Itoa(l.MTU),
			Fix: Fix{Class: Guarded, Say: "set the MTU of " + show(name) + " and of its smaller ports", Steps: steps},
		})
	}
}
