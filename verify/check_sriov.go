package verify

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func sriovChecks() []Check {
	return []Check{{
		ID: "sriov-pf-bridge", Title: "a guest on a virtual function is cut off from guests on taps", Severity: Warning, Class: Guarded, Recorded: true,
		Needs: []Need{Networks, Guests, Links}, After: []string{"uplink-down", "uplink-no-carrier"},
		Doc: Doc{
			Symptom:  "A guest with a virtual function reaches the LAN, and neither guests on the bridge of the same NIC nor the host; or it reaches nothing.",
			Cause:    "The switch inside the NIC sends what it does not know to the wire: it learns the MACs of virtual functions only, not those of taps behind the physical one. Or the function is switched off or in another VLAN.",
			Evidence: "IFLA_VF_INFO of the physical function, and its own filter entries (NTF_SELF) held against the MACs of guests in the bridge that it is a port of. A function is a guest's that has the guest's MAC. NICs that learn by themselves do not need the entries.",
			Cure:     "Add the guests' MACs to the filter of the physical function; set the function's link state and VLAN as libvirt has them.",
		},
		run: sriovPFBridge,
	}}
}

// assigned is a virtual function that a running guest has.
type assigned struct {
	vf  *bridge.VF
	nic *nic
}

func sriovPFBridge(p *pass) {
	for i := range p.snap.Kernel.Links {
		pf := &p.snap.Kernel.Links[i]
		if len(pf.VFs) == 0 {
			continue
		}
		given := p.assignedVFs(pf)
		if len(given) == 0 {
			continue
		}
		for _, a := range given {
			p.vfState(pf, a)
		}
		p.vfNeighbours(pf, given)
	}
}

// assignedVFs are the virtual functions that running guests have, by MAC: as a
// device, or by macvtap in mode passthrough.
func (p *pass) assignedVFs(pf *bridge.Link) []assigned {
	var list []assigned
	for i := range pf.VFs {
		vf := &pf.VFs[i]
		if strings.Trim(vf.MAC, "0:") == "" {
			continue
		}
		for j := range p.nics {
			n := &p.nics[j]
			passed := n.iface.Type == "hostdev" || n.kind == direct && n.tap != nil && n.tap.Mode == "passthru" ||
				n.kind == other && n.net != nil && n.iface.Type == "network"
			if passed && n.running() && strings.EqualFold(n.iface.MAC, vf.MAC) {
				list = append(list, assigned{vf, n})
				break
			}
		}
	}
	return list
}

func (p *pass) vfState(pf *bridge.Link, a assigned) {
	s := a.nic.subject
	if !p.on(s) {
		return
	}
	vf, name := a.vf, fmt.Sprintf("virtual function %d of %s", a.vf.Index, show(pf.Name))
	tags := a.nic.iface.VLANs
	switch {
	case vf.LinkState == "disable":
		p.found(s, Finding{
			Message:  fmt.Sprintf("%s, which guest %s has, is switched off", name, show(a.nic.guest.Name)),
			Evidence: "IFLA_VF_LINK_STATE of " + name,
			Want:     "auto", Have: "disable",
			Fix: Fix{
				Class: Guarded, Say: "let the function follow the link of " + show(pf.Name),
				Steps: []Step{{Do: VFState, On: pf.Name, With: strconv.Itoa(vf.Index)}},
			},
		})
	case len(tags) == 1 && tags[0] != vf.VLAN:
		p.found(s, Finding{
			Message:  fmt.Sprintf("%s, which guest %s has, is in VLAN %d, and libvirt declares %d", name, show(a.nic.guest.Name), vf.VLAN, tags[0]),
			Evidence: "IFLA_VF_VLAN of " + name,
			Want:     "vlan " + strconv.Itoa(tags[0]), Have: "vlan " + strconv.Itoa(vf.VLAN),
			Fix: Fix{
				Class: Guarded, Say: "set the VLAN that libvirt declares; traffic of the guest moves there at once",
				Steps: []Step{{Do: VFVLAN, On: pf.Name, With: strconv.Itoa(vf.Index), Args: []string{strconv.Itoa(tags[0])}}},
			},
		})
	}
}

// vfNeighbours looks for guests in the bridge of a physical function that its
// filter does not know.
func (p *pass) vfNeighbours(pf *bridge.Link, given []assigned) {
	bridgeName := p.topBridge(pf)
	if bridgeName == "" {
		return
	}
	s := scope{kind: aLink, link: pf.Name, bridge: bridgeName, guest: given[0].nic.guest.Name, free: true}
	if !p.on(s) {
		return
	}
	known := map[string]bool{}
	for i := range p.snap.Kernel.FDB {
		if e := &p.snap.Kernel.FDB[i]; e.Self && e.Port == pf.Name {
			known[strings.ToLower(e.MAC)] = true
		}
	}
	var steps []Step
	var hidden []*nic
	for _, n := range p.activeNICs(bridgeName) {
		if n.running() && n.tap != nil && n.tap.Master == bridgeName && n.iface.MAC != "" && !known[strings.ToLower(n.iface.MAC)] {
			hidden = append(hidden, n)
			steps = append(steps, Step{Do: FDBAdd, On: pf.Name, With: n.iface.MAC})
		}
	}
	if len(hidden) == 0 {
		return
	}
	p.found(s, Finding{
		Message:  fmt.Sprintf("guest %s has a virtual function of %s and does not reach guest %s on bridge %s, whose MACs the NIC's switch does not know", show(given[0].nic.guest.Name), show(pf.Name), someNames(guestNames(hidden)), show(bridgeName)),
		Evidence: "filter entries (NTF_SELF) of " + show(pf.Name),
		Want:     "an entry for each guest on " + show(bridgeName), Have: fmt.Sprintf("%d missing", len(hidden)),
		Fix: Fix{
			Class: Guarded, Steps: steps,
			Say: "add the guests' MACs to the filter of " + show(pf.Name) + ", at each start of theirs (a hook of libvirt); not needed if the NIC learns them itself",
		},
	})
}

// topBridge is the bridge that a link is in, itself or by what stands on it.
func (h *host) topBridge(l *bridge.Link) string {
	for range 4 { // NIC, bond, VLAN, bridge
		if l == nil || l.Master == "" {
			return ""
		}
		if h.isBridge(l.Master) {
			return l.Master
		}
		l = h.links[l.Master]
	}
	return ""
}
