package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func vlanChecks() []Check {
	return []Check{
		{
			ID: "bridge-vlanfilter-drift", Title: "a bridge whose table libvirt manages has lost what libvirt set", Severity: Error, Class: Safe, Recorded: true,
			Needs: []Need{Networks, Guests, Links, FDB}, After: noPort,
			Doc: Doc{
				Symptom:  "A guest sends and gets nothing back.",
				Cause:    "Its tap was put back into the bridge by hand, or by a daemon that restarted: neither sets again what macTableManager='libvirt' asks for.",
				Evidence: "VLAN filtering of the bridge, learning and flooding of the guests' taps, and a static forwarding entry for each guest's MAC. An error where frames to the guest can go nowhere, else a warning. A kernel without VLAN filtering is not judged.",
				Cure:     "Set the flags and the entry that libvirt sets when it plugs the tap in.",
			},
			run: vlanFilterDrift,
		},
		{
			ID: "port-vlan-mismatch", Title: "a port of a VLAN-aware bridge has other VLANs than its guest", Severity: Error, Class: Guarded, Recorded: true,
			Needs: []Need{Networks, Guests, Links, VLANs}, After: append([]string{"bridge-vlanfilter-drift"}, noPort...),
			Doc: Doc{
				Symptom:  "After a restart the guest reaches nobody, or the wrong segment.",
				Cause:    "VLANs that were set with bridge vlan add are gone when libvirt makes the tap anew; libvirt itself sets them from 11.0 on.",
				Evidence: "The port's VLANs and the <vlan> of the interface; where it has none, a port left at the default VLAN while all others of the network share another. An uplink without a guest's VLAN is a warning. Kernels and bridges without VLAN filtering are not judged.",
				Cure:     "Set the VLANs of the port.",
			},
			run: portVLANMismatch,
		},
		{
			ID: "uplink-promisc-missing", Title: "a bridge's uplink takes only its own frames", Severity: Warning, Class: Safe, Recorded: true,
			Needs: []Need{Networks, Guests, Links, FDB}, After: []string{"if-source-not-a-bridge", "uplink-down"},
			Doc: Doc{
				Symptom:  "Bridged guests send, and no answer reaches them.",
				Cause:    "The kernel left promiscuous mode because libvirt manages the table, and an entry is missing; or a driver dropped it.",
				Evidence: "The uplink's promiscuity is 0. Where VLAN filtering is on, all other ports neither learn nor flood, and every running guest has a static entry, the kernel does well without it.",
				Cure:     "Switch promiscuous mode on for the uplink.",
			},
			run: uplinkPromisc,
		},
	}
}

// canFilter says whether the kernel knows VLAN filtering; one that does not has
// no default PVID to tell.
func canFilter(b *bridge.Bridge) bool { return b != nil && b.DefaultPVID != nil }

func vlanFilterDrift(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if !b.macTable || !canFilter(b.Bridge) {
			return
		}
		if b.own && p.on(b.scope) && !b.VLANFiltering {
			p.found(b.scope, Finding{
				Severity: Warning,
				Message:  fmt.Sprintf("bridge %s does not filter VLANs, and network %s has libvirt manage its table", show(b.Name), show(b.network)),
				Evidence: "IFLA_BR_VLAN_FILTERING of " + show(b.Name), Want: "vlan_filtering 1", Have: "vlan_filtering 0",
				Fix: Fix{
					Class: Safe, Say: "switch VLAN filtering on for " + show(b.Name),
					Steps: []Step{{Do: SetBridge, On: b.Name, Args: []string{"vlan_filtering", "1"}}},
				},
			})
		}
		for _, n := range p.homeTaps(b) {
			if n.iface.MAC != "" && p.on(n.subject) {
				p.tapDrift(n)
			}
		}
	})
}

// tapDrift holds a tap against what libvirt sets when it plugs one in
// (qemuInterfaceBridgeConnect, qemuInterfaceStartDevice).
func (p *pass) tapDrift(n *nic) {
	static := p.inside().static(n.port.Name, n.iface.MAC)
	if static && !n.port.Learning && !n.port.Flood {
		return
	}
	entry := "static entry for " + show(n.iface.MAC)
	f := Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("port %s learns or floods, and libvirt manages the table of its bridge", n.title()),
		Evidence: fmt.Sprintf("IFLA_BRPORT_LEARNING, IFLA_BRPORT_UNICAST_FLOOD of %s; forwarding entries of %s", show(n.port.Name), show(n.bridge)),
		Want:     "learning off, flood off, " + entry,
		Have:     fmt.Sprintf("learning %s, flood %s, %s", onOff(n.port.Learning), onOff(n.port.Flood), entry),
	}
	var steps []Step
	if !static {
		f.Have = strings.Replace(f.Have, entry, "no "+entry, 1)
		f.Message = fmt.Sprintf("port %s has no static entry for %s, and libvirt manages the table of its bridge", n.title(), show(n.iface.MAC))
		steps = append(steps, Step{Do: FDBStaticAdd, On: n.port.Name, With: n.iface.MAC})
	}
	if !static && !n.port.Flood {
		f.Severity = Error
		f.Message += ": no frame finds the guest"
	}
	if n.port.Learning || n.port.Flood {
		steps = append(steps, Step{Do: SetPort, On: n.port.Name, Args: []string{"learning", "off", "flood", "off"}})
	}
	f.Fix = Fix{Class: Safe, Say: "set for " + show(n.port.Name) + " what libvirt sets when it plugs the tap in", Steps: steps}
	p.found(n.subject, f)
}

// vlanSet are the VLANs of a port by id; the ranges are spelt out.
type vlanSet map[int]bridge.VLAN

func spell(list []bridge.VLAN) vlanSet {
	set := vlanSet{}
	for _, v := range list {
		for id := max(v.First, 1); id <= v.Last && id <= 4094; id++ {
			set[id] = bridge.VLAN{PVID: v.PVID, Untagged: v.Untagged}
		}
	}
	return set
}

func (s vlanSet) pvid() int {
	for id, v := range s {
		if v.PVID {
			return id
		}
	}
	return 0
}

// String writes a set as bridge(8) takes it: "100 pvid untagged, 200".
func (s vlanSet) String() string {
	if len(s) == 0 {
		return "no VLAN"
	}
	var texts []string
	s.eachRange(func(first, last int, v bridge.VLAN) {
		texts = append(texts, strings.Join(append([]string{idRange(first, last)}, flagsOf(v)...), " "))
	})
	return "VLAN " + someTexts(texts)
}

// eachRange visits the set in order, neighbours with the same flags together.
func (s vlanSet) eachRange(visit func(first, last int, v bridge.VLAN)) {
	ids := slices.Sorted(maps.Keys(s))
	for i := 0; i < len(ids); {
		j := i + 1
		for j < len(ids) && ids[j] == ids[j-1]+1 && s[ids[j]] == s[ids[i]] {
			j++
		}
		visit(ids[i], ids[j-1], s[ids[i]])
		i = j
	}
}

// idRange writes ids as bridge(8) takes them.
func idRange(first, last int) string {
	if first == last {
		return strconv.Itoa(first)
	}
	return strconv.Itoa(first) + "-" + strconv.Itoa(last)
}

// flagsOf are the flags in bridge(8)'s words.
func flagsOf(v bridge.VLAN) []string {
	var words []string
	if v.PVID {
		words = append(words, "pvid")
	}
	if v.Untagged {
		words = append(words, "untagged")
	}
	return words
}
