package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/bridge"
)

func fdbChecks() []Check {
	moved := append([]string{"guest-mac-dup", "bridge-loop"}, noPort...)
	return []Check{
		{
			ID: "fdb-flap", Title: "a guest's address jumps between ports", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, FDB}, After: moved,
			Doc: Doc{
				Symptom:  "The guest is reached by turns; connections stall.",
				Cause:    "Two machines send with one MAC: a copy of the guest on another host, or in another guest.",
				Evidence: "The port of the guest's MAC in several looks at the forwarding table: it left a port and came back. One move is what a migration does.",
				Cure:     "Find the other machine; the ports say where.",
			},
			run: fdbFlap,
		},
		{
			ID: "fdb-mac-wrong-port", Title: "a running guest's address is at another port", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, FDB}, After: append([]string{"fdb-flap"}, moved...),
			Doc: Doc{
				Symptom:  "Answers to the guest go elsewhere.",
				Cause:    "The guest runs on another host too (a migration that was cut in two, a restored copy), or another machine took its MAC.",
				Evidence: "The bridge's forwarding table has the MAC of a running guest at another port than its tap, and a frame came from there within the last ten seconds; or an entry that somebody made has it there, or at the bridge itself. Or such an entry has the MAC of a gateway on the bridge at a guest's tap or at the bridge: a warning, for a router may be behind a guest. Guests that are being migrated are not judged.",
				Cure:     "Find out which of the two is the right one, and stop the other.",
			},
			run: fdbWrongPort,
		},
		{
			ID: "fdb-unknown-mac", Title: "a guest sends with addresses that are not its own", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, EveryGuest, Links, FDB}, After: append([]string{"fdb-flap"}, moved...),
			Doc: Doc{
				Symptom:  "Frames from unknown machines; or the table of the switch fills up.",
				Cause:    "The guest has machines of its own (containers, nested guests) behind a bridge, changed its MAC, or forges addresses.",
				Evidence: "Addresses learned at the tap of a running guest that are neither the guest's own, as libvirt or the guest has them, nor those of VRRP, nor anybody else's on this host. Info; a warning from 64 on.",
				Cure:     "Where it is not wanted, give the interface the filter no-mac-spoofing.",
			},
			run: fdbUnknownMAC,
		},
	}
}

const (
	// recent is how long ago the last frame from a MAC may be for the entry to
	// say where the machine is, and not where it was before it came here.
	recent = 10 * time.Second
	// manyMACs is from how many foreign MACs on no few containers explain them.
	manyMACs = 64
)

// macsOf are the MACs of running guests on a bridge, lower case.
func (h *host) macsOf(b judgedBridge) map[string]*nic {
	set := map[string]*nic{}
	for _, n := range h.homeTaps(b) {
		if n.iface.MAC != "" {
			setFirst(set, strings.ToLower(n.iface.MAC), n)
		}
	}
	return set
}

// away are the entries that have a running guest's MAC at another port than its
// tap. Two interfaces of one guest with one MAC are a bond.
func (h *host) away(b judgedBridge, visit func(n *nic, e *bridge.FDBEntry)) {
	macs := h.macsOf(b)
	for _, e := range h.inside().fdb[b.Name] {
		n := macs[strings.ToLower(e.MAC)]
		if n == nil || e.State != bridge.FDBLearned || e.Port == n.port.Name || e.Port == b.Name || h.sameGuest(n, e.Port) {
			continue
		}
		// In another VLAN the same MAC is another machine's.
		if _, inside := spell(h.inside().vlans[n.port.Name])[e.VLAN]; b.VLANFiltering && !inside {
			continue
		}
		if e.Age <= recent.Milliseconds() {
			visit(n, e)
		}
	}
}

// sameGuest says whether a port is another tap of the same guest.
func (h *host) sameGuest(n *nic, port string) bool {
	m := h.byTap[port]
	return m != nil && m.guest == n.guest
}

func fdbWrongPort(p *pass) {
	shared := p.shared()
	p.eachBridge(func(b judgedBridge) {
		elsewhere := map[*nic][]*bridge.FDBEntry{}
		p.away(b, func(n *nic, e *bridge.FDBEntry) { elsewhere[n] = append(elsewhere[n], e) })
		for _, n := range p.homeTaps(b) {
			if shared[strings.ToLower(n.iface.MAC)] || !p.on(n.subject) {
				continue
			}
			for _, e := range elsewhere[n] {
				p.wrongPort(b, n, e)
			}
			if e := p.pinned(b, n); e != nil {
				p.pinnedElsewhere(b, n, e)
			}
		}
		p.pinnedGateway(b)
	})
}

// pinned is an entry that somebody made and that has a guest's MAC at another port,
// or at the bridge itself; nil when there is none.
func (h *host) pinned(b judgedBridge, n *nic) *bridge.FDBEntry {
	for _, e := range h.inside().fdb[b.Name] {
		if strings.EqualFold(e.MAC, n.iface.MAC) && e.State != bridge.FDBLearned && e.Port != n.port.Name && !h.sameGuest(n, e.Port) && (!b.VLANFiltering || e.VLAN == 0) {
			return e
		}
	}
	return nil
}

func (p *pass) pinnedElsewhere(b judgedBridge, n *nic, e *bridge.FDBEntry) {
	p.found(n.subject, Finding{
		Severity: Error,
		Message:  fmt.Sprintf("bridge %s has a fixed entry that sends frames for %s to %s: the guest gets none of them", show(b.Name), n.title(), p.portTitle(e.Port)),
		Evidence: fmt.Sprintf("forwarding entry %s dev %s of %s, %s", show(e.MAC), show(e.Port), show(b.Name), e.State),
		Want:     show(e.MAC) + " at " + show(n.port.Name), Have: show(e.MAC) + " at " + show(e.Port),
		Fix: Fix{
			Class: Guarded, Say: "put the guest's tap in its place, unless somebody takes the guest's frames on purpose",
			Steps: []Step{{Do: FDBStaticAdd, On: n.port.Name, With: strings.ToLower(n.iface.MAC)}},
		},
	})
}

// shared are the MACs that several interfaces of running guests have: that is
// guest-mac-dup's to tell, and their frames come from several ports.
func (h *host) shared() map[string]bool {
	seen, shared := make(map[string]bool, len(h.nics)), map[string]bool{}
	for i := range h.nics {
		if n := &h.nics[i]; n.active {
			mac := strings.ToLower(n.iface.MAC)
			shared[mac] = shared[mac] || seen[mac]
			seen[mac] = true
		}
	}
	return shared
}

func (p *pass) wrongPort(b judgedBridge, n *nic, e *bridge.FDBEntry) {
	p.found(n.subject, Finding{
		Message:  fmt.Sprintf("bridge %s learned the MAC %s of %s at %s: another machine sends with it", show(b.Name), show(e.MAC), n.title(), p.portTitle(e.Port)),
		Evidence: fmt.Sprintf("forwarding entry %s dev %s of %s, %s old", show(e.MAC), show(e.Port), show(b.Name), seconds(int(e.Age))),
		Want:     show(e.MAC) + " at " + show(n.port.Name), Have: show(e.MAC) + " at " + show(e.Port),
		Fix: Fix{Class: Manual, Say: "find the machine behind " + show(e.Port) + " that has this MAC, and stop it or give it another"},
	})
}

// portTitle says what is behind a port.
func (h *host) portTitle(port string) string {
	if n := h.byTap[port]; n != nil {
		return n.title()
	}
	return show(port)
}

// returned says whether a MAC went back to a port that it had left.
func returned(m bridge.Move) bool {
	for i, port := range m.Ports {
		if slices.Contains(m.Ports[i+1:], port) {
			return true
		}
	}
	return false
}

func fdbFlap(p *pass) {
	if p.snap.Kernel.Watch == nil {
		return
	}
	shared := p.shared()
	p.eachBridge(func(b judgedBridge) {
		macs := p.macsOf(b)
		for _, m := range p.snap.Kernel.Watch.Moves {
			n := macs[strings.ToLower(m.MAC)]
			if m.Bridge != b.Name || n == nil || shared[strings.ToLower(m.MAC)] || !returned(m) || !p.on(n.subject) || p.allOfGuest(n, m.Ports) {
				continue
			}
			p.found(n.subject, Finding{
				Message: fmt.Sprintf("the MAC %s of %s jumps between %s in bridge %s: another machine sends with it too",
					show(m.MAC), n.title(), someNames(distinct(m.Ports)), show(b.Name)),
				Evidence: fmt.Sprintf("forwarding entry for %s of %s in %d looks within %s", show(m.MAC), show(b.Name), p.snap.Kernel.Watch.Looks, seconds(int(p.snap.Kernel.Watch.Duration))),
				Want:     show(m.MAC) + " at " + show(n.port.Name), Have: "at " + someNames(m.Ports),
				Fix: Fix{Class: Manual, Say: "find the other machine with this MAC behind " + someNames(others(m.Ports, n.port.Name)) + ", and stop it or give it another"},
			})
		}
	})
}

// allOfGuest says whether all ports are taps of the interface's own guest.
func (h *host) allOfGuest(n *nic, ports []string) bool {
	for _, port := range ports {
		if !h.sameGuest(n, port) {
			return false
		}
	}
	return true
}

func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// others are the distinct names but one.
func others(names []string, but string) []string {
	return slices.DeleteFunc(distinct(names), func(n string) bool { return n == but })
}

// vrrp are the MACs of virtual routers (RFC 5798, 7.3), which move about.
func vrrp(mac string) bool {
	return strings.HasPrefix(mac, "00:00:5e:00:01:") || strings.HasPrefix(mac, "00:00:5e:00:02:")
}

// knownMACs are the MACs that somebody on this host has.
func (h *host) knownMACs() map[string]bool {
	known := map[string]bool{}
	for i := range h.nics {
		known[strings.ToLower(h.nics[i].iface.MAC)] = true
		known[strings.ToLower(h.nics[i].iface.CurrentMAC)] = true
	}
	for i := range h.snap.Kernel.Links {
		known[strings.ToLower(h.snap.Kernel.Links[i].MAC)] = true
	}
	return known
}

func fdbUnknownMAC(p *pass) {
	known := p.knownMACs()
	p.eachBridge(func(b judgedBridge) {
		for _, n := range p.homeTaps(b) {
			if !p.on(n.subject) {
				continue
			}
			var foreign []string
			for _, e := range p.inside().fdbOf[n.port.Name] {
				mac := strings.ToLower(e.MAC)
				if e.State == bridge.FDBLearned && e.Bridge == b.Name && !known[mac] && !vrrp(mac) {
					foreign = append(foreign, mac)
				}
			}
			if foreign = distinct(foreign); len(foreign) > 0 {
				p.foreignMACs(n, foreign)
			}
		}
	})
}

func (p *pass) foreignMACs(n *nic, foreign []string) {
	severity := Info
	if len(foreign) >= manyMACs {
		severity = Warning
	}
	p.found(n.subject, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s sends with MACs that are not its own: %s", n.title(), someNames(foreign)),
		Evidence: fmt.Sprintf("learned forwarding entries of port %s", show(n.port.Name)),
		Want:     "only " + orNone(n.iface.MAC), Have: fmt.Sprintf("%d more", len(foreign)),
		Fix: Fix{
			Class: Manual,
			Say:   "nothing, where machines inside the guest are meant to be seen; else give the interface <filterref filter='no-mac-spoofing'/>",
		},
	})
}
