package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
)

func guestChecks() []Check {
	return []Check{
		{
			ID: "guest-mac-dup", Title: "two interfaces in one segment share a MAC", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links},
			Doc: Doc{
				Symptom:  "Both guests lose packets by turns, and take one address.",
				Cause:    "A guest was copied without a new MAC; libvirt does not compare guests.",
				Evidence: "Equal MACs in two guests in one bridge, on one NIC or in one network of macvtaps, or a guest with the MAC of its bridge or of the bridge's uplink. An error when both run, a warning when one does, info when none does. Other segments, other VLANs and two interfaces of one guest do not count.",
				Cure:     "Give one of them a fresh MAC.",
			},
			run: guestMACDup,
		},
		{
			ID: "guest-link-down", Title: "a guest's cable is unplugged in libvirt", Severity: Warning, Class: Guarded,
			Needs: []Need{Guests},
			Doc: Doc{
				Symptom:  "The guest says that no cable is plugged in; on the host all looks well.",
				Cause:    "The link state in the guest's document is down: somebody cut the guest off, on purpose or not.",
				Evidence: "Only libvirt knows: the kernel shows nothing of it.",
				Cure:     "Plug it in, unless the guest is to be cut off.",
			},
			run: guestLinkDown,
		},
		{
			ID: "guest-paused", Title: "a guest with interfaces does not execute", Severity: Warning, Class: Manual,
			Needs: []Need{Guests},
			Doc: Doc{
				Symptom:  "The guest does not answer, and its tap looks well.",
				Cause:    "It was paused, by a person or by an error of its disk, it crashed, or it sleeps.",
				Evidence: "The guest's state. The short pauses of a snapshot, a migration or a save are no fault.",
				Cure:     "Look why, then resume it.",
			},
			run: guestPaused,
		},
	}
}

// segment is a layer 2 network: a bridge, the NIC below macvtaps, or, where
// neither is known, a network of libvirt's; the VLANs tell more apart.
type segment struct {
	kind  nicKind
	name  string
	vlans string
}

// segments are those that an interface is in. A macvtap of a network is also in
// that: which of its NICs a guest gets is known only while it runs. Bridge
// br-int is that of OVN and Neutron, which keep segments apart by themselves.
func (n *nic) segments() []segment {
	var list []segment
	add := func(kind nicKind, name string) {
		s := segment{kind: kind, name: name}
		if len(n.iface.VLANs) > 0 {
			s.vlans = fmt.Sprint(n.iface.VLANs)
		}
		if name != "" {
			list = append(list, s)
		}
	}
	name, onSwitch := n.into()
	switch {
	case n.kind == bridged && n.bridge != "":
		add(bridged, n.bridge)
	case n.kind == direct:
		add(direct, n.iface.Dev)
		add(other, n.iface.Network)
	case n.iface.Network == "" && onSwitch && name != neutrons:
		add(bridged, name)
	default:
		add(other, n.iface.Network)
	}
	return list
}

// place is where a MAC may stand once.
type place struct {
	segment
	mac string
}

func guestMACDup(p *pass) {
	hardware := p.hardwareMACs()
	seen := make(map[place]*nic, len(p.nics))
	for i := range p.nics {
		n := &p.nics[i]
		segments := n.segments()
		if len(segments) == 0 || n.iface.MAC == "" {
			continue
		}
		counted := p.on(n.subject)
		var met *nic
		for _, s := range segments {
			at := place{s, strings.ToLower(n.iface.MAC)}
			switch first := seen[at]; {
			case first == nil:
				seen[at] = n
				if owner := hardware[at]; counted && owner != "" {
					p.hostMAC(n, owner)
				}
			case first.guest == n.guest || first.guest.UUID != "" && first.guest.UUID == n.guest.UUID:
			default:
				met = cmp.Or(met, first)
				if n.active && !first.active {
					seen[at] = n
				}
			}
		}
		switch {
		case met == nil:
		case n.active && !met.active:
			p.sharedMAC(n, met)
		default:
			p.sharedMAC(met, n)
		}
	}
}

// hardwareMACs are the MACs of the bridges that libvirt made and of uplinks.
// A host bridge borrows the MAC of a port, which may be a guest's tap.
func (h *host) hardwareMACs() map[place]string {
	found := map[place]string{}
	if len(h.gaps.lacks[Links]) > 0 {
		return found
	}
	for name := range h.byBridge {
		at := segment{kind: bridged, name: name}
		if l := h.links[name]; l != nil && h.owners[name] != nil {
			found[place{at, strings.ToLower(l.MAC)}] = l.Name
		}
		for _, l := range h.uplinks(name) {
			found[place{at, strings.ToLower(l.MAC)}] = l.Name
		}
	}
	return found
}

// sharedMAC reports two guests with one MAC, for the one that should change.
func (p *pass) sharedMAC(keep, change *nic) {
	s := change.subject
	asked := p.asked(s.subject()) || p.asked(keep.subject.subject())
	severity := Info
	switch {
	case keep.active && change.active:
		severity = Error
	case keep.active:
		severity = Warning
	}
	p.tell(s, []scope{s}, asked, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s has the MAC %s of %s in one segment", change.title(), show(change.iface.MAC), keep.title()),
		Evidence: "mac/@address of " + keep.title() + " and " + change.title(),
		Want:     "a MAC of its own", Have: show(change.iface.MAC),
		Fix: freshMAC(change),
	})
}

func freshMAC(n *nic) Fix {
	return Fix{
		Class: Manual, Steps: n.renew(true),
		Say: "plug the interface of guest " + show(n.guest.Name) + " in anew with a fresh MAC" + n.byDocument(),
	}
}

// hostMAC reports a guest with the MAC of the host's own bridge or NIC.
func (p *pass) hostMAC(n *nic, owner string) {
	severity := Warning
	if n.active {
		severity = Error
	}
	p.found(n.subject, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s has the MAC %s of the host's own %s", n.title(), show(n.iface.MAC), show(owner)),
		Evidence: "IFLA_ADDRESS of " + show(owner) + ", mac/@address of " + n.title(),
		Want:     "a MAC of its own", Have: show(n.iface.MAC),
		Fix: freshMAC(n),
	})
}

func guestLinkDown(p *pass) {
	for i := range p.nics {
		n := &p.nics[i]
		if !n.active {
			continue
		}
		if !p.on(n.subject) || n.iface.Link != "down" {
			continue
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("the cable of %s is unplugged in libvirt", n.title()),
			Evidence: "link/@state of " + n.title(),
			Want:     "link up", Have: "link down",
			Fix: Fix{
				Class: Guarded, Say: "plug the cable in, unless somebody cut the guest off on purpose",
				Steps: []Step{{Do: LinkState, On: n.guest.Name, With: n.id()}},
			},
		})
	}
}

// passing are the reasons, in virsh's words, for which libvirt itself pauses
// a guest for a moment.
var passing = []string{
	"migrating", "saving", "dumping", "snapshot", "creating snapshot", "shutting down", "starting up", "post-copy",
}

func guestPaused(p *pass) {
	for i := range p.snap.Libvirt.Guests {
		g := &p.snap.Libvirt.Guests[i]
		if !g.Active() || g.State == libvirtnet.ShutOff || len(g.Interfaces) == 0 {
			continue
		}
		s := scope{kind: aGuest, guest: g.Name}
		if !p.on(s) || slices.Contains(passing, g.Reason) {
			continue
		}
		f := Fix{Class: Manual, Say: "resume guest " + show(g.Name), Steps: []Step{{Do: Resume, On: g.Name}}}
		switch g.State {
		case libvirtnet.Paused:
			if strings.Contains(strings.ToLower(g.Reason), "i/o") {
				f.Say = "look at the storage of guest " + show(g.Name) + " first, then resume it"
			}
		case libvirtnet.PMSuspended:
			f = Fix{Class: Manual, Say: "wake guest " + show(g.Name), Steps: []Step{{Do: Wakeup, On: g.Name}}}
		case libvirtnet.Crashed:
			f = Fix{
				Class: Manual, Say: "look why guest " + show(g.Name) + " crashed, then start it again",
				Steps: []Step{{Do: GuestStop, On: g.Name}, {Do: GuestStart, On: g.Name}},
			}
		default:
			continue
		}
		have := show(g.State)
		if g.Reason != "" {
			have += " (" + show(g.Reason) + ")"
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("guest %s does not execute: %s; its interfaces look well and answer nothing", show(g.Name), have),
			Evidence: "virDomainGetState of guest " + show(g.Name),
			Want:     libvirtnet.Running, Have: have, Fix: f,
		})
	}
}
