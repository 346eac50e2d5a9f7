package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge"
)

// wantVLANs is what libvirt sets for an interface's <vlan>
// (virNetDevBridgeSetupVlans): one tag is the VLAN of untagged frames, more are
// a trunk.
func (n *nic) wantVLANs() vlanSet {
	set := vlanSet{}
	trunk := n.iface.Trunk || len(n.iface.VLANs) > 1
	for _, id := range n.iface.VLANs {
		switch {
		case !trunk:
			set[id] = bridge.VLAN{PVID: true, Untagged: true}
		case id == n.iface.NativeVLAN:
			set[id] = bridge.VLAN{PVID: true, Untagged: !n.iface.NativeTagged}
		default:
			set[id] = bridge.VLAN{}
		}
	}
	return set
}

func portVLANMismatch(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if !b.VLANFiltering || !canFilter(b.Bridge) {
			return
		}
		p.leftAtDefault(b)
		wanted := vlanSet{}
		for _, n := range p.homeTaps(b) {
			if len(n.iface.VLANs) == 0 || !p.on(n.subject) {
				continue
			}
			want, have := n.wantVLANs(), spell(p.inside().vlans[n.port.Name])
			for id := range want {
				wanted[id] = bridge.VLAN{}
			}
			if steps, worst := vlanSteps(n.port.Name, want, have); len(steps) > 0 {
				p.vlanFinding(n, worst, want, have, steps)
			}
		}
		p.uplinkVLANs(b, wanted)
	})
}

// vlanSteps turn what a port has into what it should have. A VLAN too many
// lets frames of another segment in, one too few cuts the guest off.
func vlanSteps(port string, want, have vlanSet) (steps []Step, worst Severity) {
	worst = Warning
	surplus, lacking := vlanSet{}, vlanSet{}
	for id, h := range have {
		if _, wanted := want[id]; !wanted {
			surplus[id] = bridge.VLAN{}
			if h.PVID {
				worst = Error
			}
		}
	}
	for id, w := range want {
		if h, there := have[id]; !there || w != h {
			lacking[id], worst = w, Error
		}
	}
	surplus.eachRange(func(first, last int, _ bridge.VLAN) {
		steps = append(steps, Step{Do: VLANDel, On: port, With: idRange(first, last)})
	})
	lacking.eachRange(func(first, last int, v bridge.VLAN) {
		steps = append(steps, Step{Do: VLANAdd, On: port, With: idRange(first, last), Args: flagsOf(v)})
	})
	return steps, worst
}

func (p *pass) vlanFinding(n *nic, severity Severity, want, have vlanSet, steps []Step) {
	p.found(n.subject, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("port %s is in other VLANs than its interface says", n.title()),
		Evidence: "IFLA_BRIDGE_VLAN_INFO of " + show(n.port.Name), Want: want.String(), Have: have.String(),
		Fix: Fix{Class: Guarded, Say: "set the VLANs of " + show(n.port.Name), Steps: steps},
	})
}

// leftAtDefault reports a tap that has only the bridge's default VLAN while all
// other taps of its network share another: what hooks set is lost whenever
// libvirt makes a tap anew.
func (p *pass) leftAtDefault(b judgedBridge) {
	byNet := map[string][]*nic{}
	var order []string
	for _, n := range p.homeTaps(b) {
		if len(n.iface.VLANs) > 0 || n.iface.Network == "" {
			continue
		}
		if len(byNet[n.iface.Network]) == 0 {
			order = append(order, n.iface.Network)
		}
		byNet[n.iface.Network] = append(byNet[n.iface.Network], n)
	}
	for _, name := range order {
		var lost []*nic
		shared, agree := 0, 0
		for _, n := range byNet[name] {
			set := spell(p.inside().vlans[n.port.Name])
			switch id := set.pvid(); {
			case id == *b.DefaultPVID && len(set) == 1:
				lost = append(lost, n)
			case shared == 0 || id == shared:
				shared, agree = id, agree+1
			default:
				agree = -len(p.nics) - 1 // they differ by design
			}
		}
		if agree < 2 || shared == 0 {
			continue
		}
		for _, n := range lost {
			if !p.on(n.subject) {
				continue
			}
			want, have := vlanSet{shared: {PVID: true, Untagged: true}}, spell(p.inside().vlans[n.port.Name])
			steps, _ := vlanSteps(n.port.Name, want, have)
			p.found(n.subject, Finding{
				Severity: Warning,
				Message:  fmt.Sprintf("port %s has only the default VLAN, and the other guests of network %s are in VLAN %d", n.title(), show(name), shared),
				Evidence: "IFLA_BRIDGE_VLAN_INFO of the ports of " + show(b.Name), Want: want.String(), Have: have.String(),
				Fix: Fix{Class: Guarded, Say: "set the VLAN of " + show(n.port.Name) + " as the others have it", Steps: steps},
			})
		}
	}
}

// uplinkVLANs reports VLANs that guests ask for and no uplink lets through.
func (p *pass) uplinkVLANs(b judgedBridge, wanted vlanSet) {
	if b.own || len(wanted) == 0 {
		return
	}
	links := p.uplinks(b.Name)
	missing := vlanSet{}
	for id := range wanted {
		if !slices.ContainsFunc(links, func(l *bridge.Link) bool { _, ok := spell(p.inside().vlans[l.Name])[id]; return ok }) {
			missing[id] = bridge.VLAN{}
		}
	}
	if len(links) == 0 || len(missing) == 0 {
		return
	}
	s := b.scope
	s.kind, s.link = aLink, links[0].Name
	if !p.on(s) {
		return
	}
	var steps []Step
	var texts []string
	missing.eachRange(func(first, last int, _ bridge.VLAN) {
		steps = append(steps, Step{Do: VLANAdd, On: s.link, With: idRange(first, last)})
		texts = append(texts, idRange(first, last))
	})
	p.found(s, Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("uplink %s of bridge %s does not let VLAN %s through, which guests are in: they reach nobody outside", show(s.link), show(b.Name), someTexts(texts)),
		Evidence: "IFLA_BRIDGE_VLAN_INFO of " + show(s.link), Want: "VLAN " + someTexts(texts) + " on an uplink", Have: spell(p.inside().vlans[s.link]).String(),
		Fix: Fix{Class: Guarded, Say: "let the VLAN through, unless it is meant to stay within this host", Steps: steps},
	})
}

func uplinkPromisc(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if b.own || len(b.nics) == 0 {
			return
		}
		for _, l := range p.uplinks(b.Name) {
			s := b.scope
			s.kind, s.link = aLink, l.Name
			if l.Promiscuity == nil || !l.Up || p.ports[l.Name] == nil || !p.on(s) || *l.Promiscuity > 0 || p.doesWithout(b, l) {
				continue
			}
			p.found(s, Finding{
				Message:  fmt.Sprintf("uplink %s of bridge %s is not promiscuous: the NIC may drop the frames for guests", show(l.Name), show(b.Name)),
				Evidence: "IFLA_PROMISCUITY of " + show(l.Name), Want: "promiscuity 1", Have: "promiscuity 0",
				Fix: Fix{Class: Safe, Say: "switch promiscuous mode on for " + show(l.Name), Steps: []Step{{Do: SetPromisc, On: l.Name, With: "on"}}},
			})
		}
	})
}

// doesWithout says whether the kernel left promiscuous mode on purpose
// (br_manage_promisc): nothing but the uplink learns or floods, so that all
// addresses behind the bridge are known, and every one is in the NIC's filter.
func (p *pass) doesWithout(b judgedBridge, uplink *bridge.Link) bool {
	if !b.VLANFiltering {
		return false
	}
	for _, l := range p.slaves[b.Name] {
		if port := p.ports[l.Name]; port != nil && l.Name != uplink.Name && (port.Learning || port.Flood) {
			return false
		}
	}
	for _, n := range p.homeTaps(b) {
		if n.iface.MAC != "" && !p.inside().static(n.port.Name, n.iface.MAC) {
			return false
		}
	}
	return true
}
