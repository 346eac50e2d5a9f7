package verify

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

// adrift are the causes behind which a tap's place is not told: it has nowhere
// to go.
var adrift = []string{"net-undefined", "net-inactive", "bridge-leftover", "bridge-missing", "if-source-not-a-bridge"}

func tapChecks() []Check {
	return []Check{
		{
			ID: "tap-missing", Title: "the tap of a running guest does not exist", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: []string{"macvtap-lower-missing"},
			Doc: Doc{
				Symptom:  "The guest sees its link up and reaches nothing.",
				Cause:    "The tap was deleted, renamed or moved to another namespace.",
				Evidence: "The device in the guest's live document is looked up among the kernel's links. Interfaces without a device on the host (user, hostdev, vhostuser, vdpa) have none, and a device that libvirt does not manage is not its business. A tap for Open vSwitch counts as any.",
				Cure:     "Take the interface out of the guest and plug an equal one in.",
			},
			run: tapMissing,
		},
		{
			ID: "tap-not-enslaved", Title: "a guest's tap is in no bridge", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"tap-missing"}, adrift...),
			Doc: Doc{
				Symptom:  "The guest reaches nothing; virsh lists its interface as ever.",
				Cause:    "Its network was stopped and started under it: the bridge was made anew and the taps were not put back. Or somebody took the tap out.",
				Evidence: "The tap of an interface that belongs into a bridge has no master. Interfaces of type ethernet and on Open vSwitch belong into none. The taps of a network that was restarted are told together.",
				Cure:     "Put it back with the bridge's MTU, and where libvirt lost the network port, create that too.",
			},
			run: tapNotEnslaved,
		},
		{
			ID: "tap-wrong-bridge", Title: "a guest's tap is in another bridge than libvirt says", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"tap-missing"}, adrift...),
			Doc: Doc{
				Symptom:  "The guest takes an address of another network.",
				Cause:    "Somebody moved the tap.",
				Evidence: "The tap's master is a bridge, and not the one of the guest's live document or of its network.",
				Cure:     "Move it to the right bridge.",
			},
			run: tapWrongBridge,
		},
		{
			ID: "tap-admin-down", Title: "a running guest's tap is switched off", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"tap-missing", "tap-not-enslaved", "tap-wrong-bridge"}, adrift...),
			Doc: Doc{
				Symptom:  "The guest reaches nothing.",
				Cause:    "A network manager or a script set the link down.",
				Evidence: "The administrative flag of the tap or macvtap of a running guest. While a guest is paused libvirt itself holds a macvtap down.",
				Cure:     "Set the link up.",
			},
			run: tapAdminDown,
		},
		{
			ID: "tap-no-carrier", Title: "nobody holds a guest's tap", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"tap-missing", "tap-admin-down", "tap-not-enslaved", "tap-wrong-bridge"}, adrift...),
			Doc: Doc{
				Symptom:  "The guest reaches nothing although its tap is up and in the bridge.",
				Cause:    "The process of the guest let go of the tap, or the carrier was switched off.",
				Evidence: "The tap of an active guest is up and has no carrier. A link that is down in libvirt leaves the carrier on.",
				Cure:     "Switch the carrier on where the guest holds the tap, else plug the interface in anew.",
			},
			run: tapNoCarrier,
		},
		{
			ID: "tap-mac-equals-guest", Title: "a tap has the MAC of its guest", Severity: Error, Class: Safe,
			Needs: []Need{Networks, Guests, Links},
			Doc: Doc{
				Symptom:  "The guest loses its network; the kernel logs a packet with its own address as source.",
				Cause:    "Somebody set the tap's MAC to the guest's; libvirt gives it the same with a first byte of fe.",
				Evidence: "Both MACs are equal. Another difference is no fault, and a macvtap must have its guest's MAC.",
				Cure:     "Set the tap's MAC with a first byte of fe (fa where the guest's is fe).",
			},
			run: tapMACEqualsGuest,
		},
	}
}

// eachTap visits the taps of active guests that belong into a bridge. A tap
// that does not exist is not visited.
func (p *pass) eachTap(visit func(n *nic, tap *bridge.Link)) {
	for i := range p.nics {
		if n := &p.nics[i]; n.kind == bridged && n.tap != nil {
			visit(n, n.tap)
		}
	}
}

// hasTap says whether libvirt makes a link of the host's for the interface and
// switches it on. For Open vSwitch it makes a tap as for a bridge
// (qemuInterfaceBridgeConnect).
func (n *nic) hasTap() bool {
	switch n.kind {
	case other:
		_, onSwitch := n.into()
		return onSwitch && (n.iface.Type == "bridge" || n.iface.Type == "network")
	case plain:
		return n.iface.Managed
	}
	return true
}

func tapMissing(p *pass) {
	for i := range p.nics {
		n := &p.nics[i]
		if !n.active || n.iface.Target == "" || !n.hasTap() {
			continue
		}
		if !p.on(n.subject) || n.tap != nil {
			continue
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("the tap %s does not exist: it was deleted, renamed or moved away", n.title()),
			Evidence: "RTM_GETLINK of " + show(n.iface.Target),
			Want:     "link " + show(n.iface.Target), Have: "no such link",
			Fix: p.withoutTap(n),
		})
	}
}

func tapWrongBridge(p *pass) {
	p.eachTap(func(n *nic, tap *bridge.Link) {
		if !n.homely || !p.on(n.subject) || tap.Master == "" || tap.Master == n.bridge || !p.isBridge(tap.Master) {
			return
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("%s is in bridge %s, and libvirt says %s", n.title(), show(tap.Master), show(n.bridge)),
			Evidence: "IFLA_MASTER of " + show(tap.Name),
			Want:     "master " + show(n.bridge), Have: "master " + show(tap.Master),
			Fix: Fix{
				Class: Guarded, Say: "move " + show(tap.Name) + " to " + show(n.bridge),
				Steps: p.backIntoBridge(n),
			},
		})
	})
}

func tapAdminDown(p *pass) {
	for i := range p.nics {
		n := &p.nics[i]
		tap := n.tap
		if !n.running() || tap == nil || !n.hasTap() {
			continue
		}
		if !p.on(n.subject) || tap.Up {
			continue
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("the tap %s is switched off", n.title()),
			Evidence: "IFF_UP of " + show(tap.Name),
			Want:     "up", Have: "down",
			Fix: Fix{Class: Safe, Say: "set " + show(tap.Name) + " up", Steps: []Step{{Do: LinkUp, On: tap.Name}}},
		})
	}
}

func tapNoCarrier(p *pass) {
	p.eachTap(func(n *nic, tap *bridge.Link) {
		if tap.Kind != "tun" || !tap.Up || !p.on(n.subject) || tap.Carrier {
			return
		}
		f := Finding{Evidence: "IFLA_CARRIER of " + show(tap.Name), Want: "carrier", Have: "no carrier"}
		if p.held(tap) {
			by := "the guest holds it"
			if holder := p.holders[tap.Name]; holder != nil {
				by = fmt.Sprintf("process %d (%s) holds it", holder.PID, show(holder.Command))
			}
			f.Message = fmt.Sprintf("the tap %s has no carrier although %s: it was switched off", n.title(), by)
			f.Fix = Fix{Class: Guarded, Say: "switch the carrier of " + show(tap.Name) + " on", Steps: []Step{{Do: LinkCarrier, On: tap.Name}}}
		} else {
			f.Message = fmt.Sprintf("the tap %s has no carrier: no process holds it", n.title())
			f.Fix = p.withoutTap(n)
			if tap.Tun != nil && tap.Tun.Persist { // it would stand in the way of the new one
				f.Fix.Steps = append([]Step{{Do: LinkDel, On: tap.Name}}, f.Fix.Steps...)
			}
		}
		p.found(n.subject, f)
	})
}

func tapMACEqualsGuest(p *pass) {
	p.eachTap(func(n *nic, tap *bridge.Link) {
		if tap.Kind != "tun" || n.iface.MAC == "" || !p.on(n.subject) || !strings.EqualFold(tap.MAC, n.iface.MAC) {
			return
		}
		want := tapMAC(n.iface.MAC)
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("the tap %s has the guest's own MAC %s: the bridge keeps the guest's packets for itself", n.title(), show(tap.MAC)),
			Evidence: "IFLA_ADDRESS of " + show(tap.Name),
			Want:     show(want), Have: show(tap.MAC),
			Fix: Fix{Class: Safe, Say: "give " + show(tap.Name) + " the MAC that libvirt gives it", Steps: []Step{{Do: SetMAC, On: tap.Name, With: want}}},
		})
	})
}

// tapMAC is the MAC that libvirt gives the tap of a guest: the guest's with a
// first byte of fe, so that no bridge takes it for its own, or fa where the
// guest's is fe (virNetDevTapCreateInBridgePort).
func tapMAC(guest string) string {
	first, rest, ok := strings.Cut(guest, ":")
	switch {
	case !ok:
		return guest
	case strings.EqualFold(first, "fe"):
		return "fa:" + rest
	}
	return "fe:" + rest
}
