package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/services"
)

func ovsChecks() []Check {
	return []Check{
		{
			ID: "ovs-virtualport-missing", Title: "a guest is to be plugged into Open vSwitch as if it were a Linux bridge", Severity: Error, Class: Manual, Recorded: true,
			Needs: []Need{Networks, Guests, Links, OVS},
			Doc: Doc{
				Symptom:  "The guest does not start: unable to add bridge port: Operation not supported.",
				Cause:    "The interface or network names a bridge of Open vSwitch without <virtualport type='openvswitch'/>.",
				Evidence: "The bridge of interfaces and networks of mode bridge without that element is one of Open vSwitch: its link's kind, or a row of table Bridge. Port groups may bring the element along and are left alone.",
				Cure:     "Add the element to the interface or to the network.",
			},
			run: ovsVirtualPort,
		},
		{
			ID: "ovs-port-missing", Title: "a guest's tap is no port of its Open vSwitch bridge", Severity: Error, Class: Guarded, Recorded: true,
			Needs: []Need{Networks, Guests, Links, OVS}, After: []string{"tap-missing"},
			Doc: Doc{
				Symptom:  "The guest is silent, often since Open vSwitch was restarted with a new database.",
				Cause:    "The port was deleted, the bridge was made anew, or the switch could not open the tap.",
				Evidence: "The tap exists; in ovsdb, no port of the bridge has an interface of its name, or that has an error or port number -1.",
				Cure:     "Add the port again, with its VLANs and with what identifies the guest.",
			},
			run: ovsPortMissing,
		},
		{
			ID: "ovs-vlan-mismatch", Title: "a guest's Open vSwitch port has other VLANs than the guest's interface", Severity: Error, Class: Guarded, Recorded: true,
			Needs: []Need{Networks, Guests, Links, OVS}, After: []string{"ovs-port-missing", "tap-missing"},
			Doc: Doc{
				Symptom:  "The guest reaches nobody, or the wrong network.",
				Cause:    "The port was edited by hand or added again without its tag.",
				Evidence: "tag, trunks and vlan_mode of the port against <vlan> of the interface. Without that element nothing is compared: OVN and Neutron tag by themselves, and bridge br-int is theirs.",
				Cure:     "Set what the interface says.",
			},
			run: ovsVLAN,
		},
		{
			ID: "ovs-port-stale", Title: "Open vSwitch keeps a port of a guest that is gone", Severity: Warning, Class: Guarded, Recorded: true,
			Needs: []Need{EveryGuest, Links, OVS},
			Doc: Doc{
				Symptom:  "ovs-vsctl show says: could not open network device; a new guest that gets the name inherits the port.",
				Cause:    "The host or the guest crashed, and nobody took the port out.",
				Evidence: "A port whose interface carries attached-mac, as libvirt writes it, has an error or port number -1, and is neither a link here nor a tap of a guest. Those with a type are none of libvirt's: Neutron's agents keep internal ports in namespaces of their own. Bridge br-int is theirs, and is left alone.",
				Cure:     "Delete the port.",
			},
			run: ovsPortStale,
		},
	}
}

// ovsBridge is a bridge of Open vSwitch; nil for another, or when none is known.
func (h *host) ovsBridge(name string) *services.OVSBridge {
	if h.snap.Services == nil || h.snap.Services.OpenVSwitch == nil {
		return nil
	}
	for i := range h.snap.Services.OpenVSwitch.Bridges {
		if b := &h.snap.Services.OpenVSwitch.Bridges[i]; b.Name == name {
			return b
		}
	}
	return nil
}

// into is the bridge that an interface names, itself or by its network; ovs
// says whether it asks for Open vSwitch.
func (n *nic) into() (name string, isOVS bool) {
	def := definition(n.net)
	name = n.iface.Bridge
	if name == "" && n.iface.Type == "bridge" && n.iface.Network == "" {
		name = n.iface.Source
	}
	if name == "" {
		name = def.Bridge
	}
	asks := n.iface.VirtualPort
	if asks == "" {
		asks = def.VirtualPort
	}
	return name, asks == "openvswitch"
}

func ovsVirtualPort(p *pass) {
	for i := range p.nics {
		n := &p.nics[i]
		name, asks := n.into()
		def := definition(n.net)
		switch {
		case n.iface.Type != "bridge" && n.iface.Type != "network", asks, ovs(n.iface.VirtualPort) || ovs(def.VirtualPort):
			continue
		case n.iface.PortGroup != "" || len(def.PortGroups) > 0 || n.iface.Type == "network" && def.Managed():
			continue
		case n.active && n.tap != nil && p.isOVS(n.tap.Master): // somebody else plugged it in
			continue
		case !p.isOVS(name) || !p.on(n.subject):
			continue
		}
		where := "interface"
		if n.iface.Network != "" {
			where = "network " + show(n.iface.Network)
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("%s belongs into %s, which is a bridge of Open vSwitch, and says nothing of it", n.title(), show(name)),
			Evidence: fmt.Sprintf("kind of link %s, table Bridge of Open vSwitch, <virtualport> of the %s", show(name), where),
			Want:     "<virtualport type='openvswitch'/>", Have: "none",
			Fix: Fix{Class: Manual, Say: "add <virtualport type='openvswitch'/> to the " + where + " (virsh edit, virsh net-edit)"},
		})
	}
}

// onSwitch are the taps of active guests that belong into Open vSwitch, with
// the port in the bridge they belong into; nil when that has none.
func (p *pass) onSwitch(judge func(n *nic, bridge string, port *services.OVSPort, i *services.OVSInterface)) {
	for k := range p.nics {
		n := &p.nics[k]
		name, asks := n.into()
		if !asks || !n.active || n.tap == nil || name == "" {
			continue
		}
		if p.snap.Services.OpenVSwitch == nil {
			p.cannot("services Open vSwitch", "ovsdb-server has no socket on this host")
			return
		}
		if !p.on(n.subject) {
			continue
		}
		var port *services.OVSPort
		var iface *services.OVSInterface
		if b := p.ovsBridge(name); b != nil {
			port, iface = portOf(b, n.iface.Target)
		}
		judge(n, name, port, iface)
	}
}

func portOf(b *services.OVSBridge, tap string) (*services.OVSPort, *services.OVSInterface) {
	for i := range b.Ports {
		for j := range b.Ports[i].Interfaces {
			if b.Ports[i].Interfaces[j].Name == tap {
				return &b.Ports[i], &b.Ports[i].Interfaces[j]
			}
		}
	}
	return nil, nil
}

func ovsPortMissing(p *pass) {
	p.onSwitch(func(n *nic, bridge string, port *services.OVSPort, i *services.OVSInterface) {
		have := "no port"
		switch {
		case i != nil && unopened(i):
			have = "port with error " + orNone(i.Error)
		case i != nil:
			return
		case p.ovsBridge(bridge) == nil:
			have = "no bridge " + show(bridge)
		}
		tap := n.iface.Target
		f := Finding{
			Message:  fmt.Sprintf("%s is no working port of Open vSwitch bridge %s: the guest is cut off", n.title(), show(bridge)),
			Evidence: "tables Bridge, Port and Interface of Open vSwitch",
			Want:     "port " + show(tap) + " in " + show(bridge), Have: have,
			Fix: Fix{Class: Guarded, Say: "add the port again, with its VLANs"},
		}
		if p.ovsBridge(bridge) == nil {
			f.Fix.Say = "make the bridge again, then add the port"
			f.Fix.Steps = append(f.Fix.Steps, vsctl("--may-exist", "add-br", bridge))
		}
		f.Fix.Steps = append(f.Fix.Steps, vsctl("--if-exists", "del-port", tap), addOVSPort(n, bridge))
		p.found(n.subject, f)
	})
}

// unopened says whether the switch could not open an interface.
func unopened(i *services.OVSInterface) bool {
	return i.Error != "" || i.OFPort != nil && *i.OFPort < 0
}

func vsctl(args ...string) Step { return Step{Do: RunArgs, On: "ovs-vsctl", Args: args} }

// addOVSPort is how libvirt adds a tap (virNetDevOpenvswitchAddPort).
func addOVSPort(n *nic, bridge string) Step {
	tap := n.iface.Target
	args := append([]string{"add-port", bridge, tap}, wantedVLAN(n).assign(false)...)
	args = append(args, "--", "set", "Interface", tap)
	for _, id := range [][2]string{
		{"attached-mac", n.iface.MAC}, {"iface-id", n.iface.InterfaceID}, {"vm-id", n.guest.UUID}, {"port-profile", n.iface.ProfileID}, {"iface-status", "active"},
	} {
		if id[1] != "" {
			args = append(args, "external_ids:"+id[0]+"="+strconv.Quote(id[1]))
		}
	}
	return vsctl(args...)
}

// vlan is what a port of Open vSwitch does with VLANs.
type vlan struct {
	tag    int // 0: none
	trunks []int
	mode   string
}

// wantedVLAN is what libvirt makes of <vlan> (virNetDevOpenvswitchConstructVlans).
func wantedVLAN(n *nic) vlan {
	var v vlan
	switch ids := n.iface.VLANs; {
	case len(ids) == 0:
	case len(ids) == 1 && !n.iface.Trunk && n.iface.NativeVLAN == 0:
		v.tag = ids[0]
	default:
		v.trunks = slices.Sorted(slices.Values(ids))
		if v.tag = n.iface.NativeVLAN; v.tag > 0 {
			v.mode = "native-untagged"
			if n.iface.NativeTagged {
				v.mode = "native-tagged"
			}
		}
	}
	return v
}

// assign writes the columns for ovs-vsctl; all of them, or only those that say
// something.
func (v vlan) assign(all bool) []string {
	var trunks []string
	for _, id := range v.trunks {
		trunks = append(trunks, strconv.Itoa(id))
	}
	tag := ""
	if v.tag > 0 {
		tag = strconv.Itoa(v.tag)
	}
	var list []string
	for _, c := range [][2]string{{"tag", tag}, {"trunks", strings.Join(trunks, ",")}, {"vlan_mode", v.mode}} {
		switch {
		case c[1] != "":
			list = append(list, c[0]+"="+c[1])
		case all:
			list = append(list, c[0]+"=[]")
		}
	}
	return list
}

// neutrons is the bridge that OVN and Neutron manage.
const neutrons = "br-int"

func ovsVLAN(p *pass) {
	p.onSwitch(func(n *nic, bridge string, port *services.OVSPort, _ *services.OVSInterface) {
		if port == nil || len(n.iface.VLANs) == 0 || bridge == neutrons {
			return
		}
		want := wantedVLAN(n)
		have := vlan{trunks: port.Trunks, mode: port.VLANMode}
		if port.Tag != nil {
			have.tag = *port.Tag
		}
		implied := have.mode == "access" && len(want.trunks) == 0 || have.mode == "trunk" && want.tag == 0
		if have.tag == want.tag && slices.Equal(have.trunks, want.trunks) && (have.mode == want.mode || want.mode == "" && implied) {
			return
		}
		p.found(n.subject, Finding{
			Message:  fmt.Sprintf("%s has the VLANs %s in Open vSwitch, and its interface says %s", n.title(), have, want),
			Evidence: "tag, trunks and vlan_mode of port " + show(port.Name) + " in Open vSwitch",
			Want:     want.String(), Have: have.String(),
			Fix: Fix{
				Class: Guarded, Say: "set what the interface says",
				Steps: []Step{vsctl(append([]string{"set", "Port", port.Name}, want.assign(true)...)...)},
			},
		})
	})
}

func (v vlan) String() string { return orNone(strings.Join(v.assign(false), " ")) }

func ovsPortStale(p *pass) {
	if p.snap.Services.OpenVSwitch == nil {
		return
	}
	for _, b := range p.snap.Services.OpenVSwitch.Bridges {
		if b.Name == neutrons {
			continue
		}
		for _, port := range b.Ports {
			s := scope{kind: aLink, link: port.Name, bridge: b.Name, free: true}
			if len(port.Interfaces) != 1 || port.Interfaces[0].ExternalIDs["attached-mac"] == "" || !p.on(s) {
				continue
			}
			i := port.Interfaces[0]
			if i.Type != "" || !unopened(&i) || p.links[i.Name] != nil || p.byTap[i.Name] != nil {
				continue
			}
			p.found(s, Finding{
				Message:  fmt.Sprintf("Open vSwitch bridge %s keeps port %s of a guest's interface that is gone (MAC %s)", show(b.Name), show(port.Name), show(i.ExternalIDs["attached-mac"])),
				Evidence: "error and external_ids of interface " + show(i.Name) + " in Open vSwitch",
				Want:     "a link " + show(i.Name) + ", or no port", Have: "a port without a link",
				Fix: Fix{Class: Guarded, Say: "delete the port", Steps: []Step{vsctl("--if-exists", "del-port", b.Name, port.Name)}},
			})
		}
	}
}
