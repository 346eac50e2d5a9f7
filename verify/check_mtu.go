package verify

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/bridge"
)

// ethernetMTU is what a guest takes for granted that is not told another.
const ethernetMTU = 1500

func mtuChecks() []Check {
	return []Check{
		{
			ID: "mtu-tap-vs-guest", Title: "a guest's tap has another MTU than the guest was promised", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: append([]string{"tap-missing", "tap-not-enslaved", "tap-wrong-bridge", "bridge-mtu-mismatch"}, adrift...),
			Doc: Doc{
				Symptom:  "Small packets reach the guest and large ones vanish.",
				Cause:    "The MTU of the tap or of the bridge was changed behind libvirt, which sets it only when the tap is made.",
				Evidence: "IFLA_MTU of the tap, and what the interface or its network wishes. Without a wish a tap must carry what its bridge, the other taps and the bridge's uplink carry, and 1500 bytes on a bridge of libvirt's. One interface that wishes less pulls its bridge down, and taps that come later inherit that: no fault.",
				Cure:     "Set the MTU of the tap. What the guest's driver was told (host_mtu) changes only when the guest starts.",
			},
			run: mtuTapVsGuest,
		},
		{
			ID: "mtu-uplink-smaller", Title: "a bridge's uplink carries smaller frames than its guests send", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, Guests, Links}, After: []string{"if-source-not-a-bridge", "bridge-missing", "mtu-tap-vs-guest"},
			Doc: Doc{
				Symptom:  "Small packets pass and large ones are lost between guests and the LAN, without an error and without any counter.",
				Cause:    "Jumbo frames were set up for the guests only, or the MTU of the NIC was lowered after the guests had started.",
				Evidence: "IFLA_MTU of the uplinks, of what they stand on (the ports of a bond), and of the taps in one host bridge: a bridge drops what is too large for the port it leaves by. Guests that keep their own MTU small do not notice.",
				Cure:     "Give the uplink and its switch the MTU of the guests, or the guests that of the uplink.",
			},
			run: mtuUplinkSmaller,
		},
	}
}

// tapMTU is what the taps in one bridge have.
type tapMTU struct {
	wish int // the smallest MTU that one of their interfaces wishes; 0: none does
	most int // the largest MTU of a tap without a wish
}

func (p *pass) tapMTUs() map[string]tapMTU {
	all := make(map[string]tapMTU, len(p.byBridge))
	for name, nics := range p.byBridge {
		var at tapMTU
		for _, n := range nics {
			switch mtu := n.iface.MTU; {
			case mtu > 0 && n.active && (at.wish == 0 || mtu < at.wish):
				at.wish = mtu
			case mtu == 0 && n.tap != nil && n.tap.Master == name:
				at.most = max(at.most, n.tap.MTU)
			}
		}
		all[name] = at
	}
	return all
}

func mtuTapVsGuest(p *pass) {
	tapMTUs := p.tapMTUs()
	p.eachTap(func(n *nic, tap *bridge.Link) {
		if tap.Master != n.bridge || tap.MTU == 0 || !p.on(n.subject) {
			return
		}
		want, why := p.promisedMTU(n, tapMTUs[n.bridge])
		if want == 0 || want == tap.MTU || why == unwished && tap.MTU > want {
			return
		}
		lost := "frames between them do not reach the guest"
		if tap.MTU > want {
			lost = "the guest may be sent more than it takes"
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("the tap %s has MTU %d, and %s %d: %s", n.title(), tap.MTU, why, want, lost),
			Evidence: "IFLA_MTU of " + show(tap.Name),
			Want:     "mtu " + strconv.Itoa(want), Have: "mtu " + strconv.Itoa(tap.MTU),
			Fix: Fix{
				Class: Guarded, Say: "set the MTU of " + show(tap.Name) + "; a guest whose driver was told another MTU keeps it until it starts again",
				Steps: []Step{{Do: SetMTU, On: tap.Name, With: strconv.Itoa(want)}},
			},
		})
	})
}

// unwished is why a tap has to carry something that nobody wishes expressly.
const unwished = "its segment carries"

// promisedMTU is what a tap has to carry, and who says so; 0 when nothing is
// promised.
func (p *pass) promisedMTU(n *nic, at tapMTU) (mtu int, why string) {
	if n.iface.MTU > 0 {
		return n.iface.MTU, "the guest's interface wishes"
	}
	if def := definition(n.net); def.MTU > 0 && def.Managed() {
		return def.MTU, "network " + show(n.net.Name) + " wishes"
	}
	// A tap that came when another interface's wish had pulled the bridge down
	// has what the bridge had.
	if at.wish > 0 && at.wish <= n.tap.MTU {
		return 0, ""
	}
	want := 0
	if l := p.links[n.bridge]; l != nil {
		want = l.MTU
	}
	if p.owners[n.bridge] != nil {
		return max(want, ethernetMTU), unwished
	}
	// The kernel lowers a bridge to its smallest port: what the others have
	// shows what it was.
	want = max(want, at.most)
	for _, l := range p.uplinks(n.bridge) {
		want = min(want, l.MTU)
	}
	return want, unwished
}

func mtuUplinkSmaller(p *pass) {
	p.eachHostBridge(func(b hostBridge) {
		ups := p.uplinks(b.name)
		if !p.isBridge(b.name) || len(ups) == 0 || p.containers(ups) {
			return
		}
		var low []*bridge.Link
		for _, l := range ups {
			low = append(low, p.below(l)...)
		}
		small, lower := narrow(ups), narrow(low)
		if lower.MTU < small.MTU && len(p.tapsAbove(b, small)) == 0 {
			small = lower // a port of a bond, whose own MTU a bond does not follow
		}
		s := b.uplinkScope(small)
		if len(b.active) == 0 || !p.on(s) {
			return
		}
		large := p.tapsAbove(b, small)
		if len(large) == 0 || small.MTU == 0 {
			return
		}
		largest := 0
		for _, n := range large {
			largest = max(largest, n.tap.MTU)
		}
		what := "the uplink"
		if small.Master != b.name {
			what = "part of the uplink"
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("%s, %s of bridge %s, carries %d bytes, and guest %s may send %d: larger frames are lost without a word", show(small.Name), what, show(b.name), small.MTU, someNames(guestNames(large)), largest),
			Evidence: "IFLA_MTU of " + show(small.Name) + " and of " + show(large[0].iface.Target),
			Want:     "mtu " + strconv.Itoa(largest), Have: "mtu " + strconv.Itoa(small.MTU),
			Fix: Fix{
				Class: Manual, Steps: p.widen(small, largest),
				Say: "give " + show(small.Name) + " the MTU of the guests if its switch carries that, and keep it in the host's network configuration; else lower the MTU inside the guests",
			},
		})
	})
}

func narrow(links []*bridge.Link) *bridge.Link {
	return slices.MinFunc(links, func(a, b *bridge.Link) int { return a.MTU - b.MTU })
}

// tapsAbove are the guests whose taps carry more than a link of a bridge's uplink.
func (p *pass) tapsAbove(b hostBridge, l *bridge.Link) []*nic {
	var list []*nic
	for _, n := range b.active {
		if n.tap != nil && n.tap.Master == b.name && n.tap.MTU > l.MTU && !p.silenced(n.subject) {
			list = append(list, n)
		}
	}
	return list
}

// widen are the steps that let an uplink carry larger frames: what it stands
// on comes first, because a VLAN cannot have more than its lower device. A bond
// hands its MTU down itself.
func (p *pass) widen(l *bridge.Link, mtu int) []Step {
	var steps []Step
	for _, lower := range p.below(l) {
		if lower.MTU < mtu && (lower.Master == l.Master || lower.Master == "") {
			steps = append([]Step{{Do: SetMTU, On: lower.Name, With: strconv.Itoa(mtu)}}, steps...)
		}
	}
	return steps
}
