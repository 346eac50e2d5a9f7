package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/services"
)

func nestedChecks() []Check {
	return []Check{
		{
			ID: "nested-mac-filter", Title: "guests are bridged out of a machine that is a virtual one itself", Severity: Warning, Class: Manual, Recorded: true,
			Needs: []Need{Networks, Guests, Links},
			After: []string{"if-source-not-a-bridge", "uplink-missing", "uplink-down", "uplink-no-carrier", "uplink-renamed", "uplink-wireless", "macvtap-lower-down"},
			Doc: Doc{
				Symptom:  "A bridged guest asks and asks (ARP, DHCP), and nothing comes back.",
				Cause:    "The hypervisor or cloud below lets a machine send and receive with its own MAC only: VMware's port group policy, OpenStack's port security, the networks of the large clouds.",
				Evidence: "The processor says that it is virtual (CPUID), and a NIC of the machine is the uplink of a bridge with running guests. It is said if the bridge hears guests and has learned nothing at all from outside (a warning where the firmware names a hypervisor that filters, else info), and as info in the clouds that always filter, where it is told of NICs below running guests' macvtaps as well. What the hypervisor does cannot be seen from here.",
				Cure:     "Use a network of mode nat or route; or have the other MACs allowed.",
			},
			run: nestedMACFilter,
		},
		{
			ID: "vhost-net-missing", Title: "virtio interfaces work without the kernel's help", Severity: Warning, Class: Manual, Recorded: true,
			Needs: []Need{Guests, Links, Devices},
			Doc: Doc{
				Symptom:  "virtio networking is slow, and QEMU uses a lot of processor time.",
				Cause:    "The module vhost_net is not loaded or not installed; libvirt then goes on without it, with a line in its log.",
				Evidence: "/dev/vhost-net is not there, and a KVM guest that runs has a virtio interface that does not ask for the driver qemu. Emulated guests never use it.",
				Cure:     "Load the module; guests use it when they start again.",
			},
			run: vhostNetMissing,
		},
	}
}

// cloud is a hypervisor that drops frames with another MAC than the machine's,
// by the vendor that its firmware names.
type cloud struct {
	vendor, name, way string
	always            bool // there is no switch that lets them pass
}

var clouds = []cloud{
	{"Amazon EC2", "Amazon EC2", "EC2 carries no frames of other MACs: put the guests on a network of mode nat or route", true},
	{"Google", "Google Compute Engine", "the network there is routed: put the guests on a network of mode nat or route", true},
	{"DigitalOcean", "DigitalOcean", "put the guests on a network of mode nat or route", true},
	{"Hetzner", "Hetzner Cloud", "put the guests on a network of mode nat or route", true},
	{"Microsoft Corporation", "Hyper-V", "switch MAC address spoofing on for the machine's network adapter; on Azure, which has no such switch, use a network of mode nat or route", false},
	{"OpenStack", "OpenStack", "have the guests' MACs allowed (openstack port set --allowed-address, or --disable-port-security), or use a network of mode nat or route", false},
	{"VMware", "VMware", "allow forged transmits and promiscuous mode, or MAC learning, for the port group; or use a network of mode nat or route", false},
}

// cloudOf is the cloud that a machine is in; without a name when it is in none
// of those.
func cloudOf(m *services.Machine) cloud {
	for _, c := range clouds {
		if strings.HasPrefix(m.Vendor, c.vendor) || strings.HasPrefix(m.Product, c.vendor) {
			return c
		}
	}
	return cloud{way: "have the hypervisor below allow other MACs on this machine's port, or use a network of mode nat or route"}
}

func nestedMACFilter(p *pass) {
	if p.snap.Services == nil || p.snap.Services.Machine == nil || !p.snap.Services.Machine.Hypervisor {
		return
	}
	below := cloudOf(p.snap.Services.Machine)
	p.eachHostBridge(func(b hostBridge) {
		var running []*nic
		for _, n := range b.active {
			if n.running() && n.tap != nil && n.tap.Master == b.name {
				running = append(running, n)
			}
		}
		ups := p.uplinks(b.name)
		if len(running) == 0 || len(ups) == 0 || !p.isBridge(b.name) {
			return
		}
		s := b.uplinkScope(ups[0])
		if !p.hardware(ups) || !p.on(s) {
			return
		}
		heard, answered := p.heard(b.name, running, ups)
		f := Finding{Evidence: "CPUID hypervisor flag, firmware vendor " + orNone(p.snap.Services.Machine.Vendor) + ", FDB of " + show(b.name), Fix: Fix{Class: Manual, Say: below.way}}
		switch {
		case heard > 0 && !answered:
			if below.name == "" {
				f.Severity = Info
			}
			f.Message = fmt.Sprintf("bridge %s hears %s and nothing from %s: the hypervisor below this machine drops what is not for its own MAC", show(b.name), plural(heard, "guest"), show(ups[0].Name))
			f.Want, f.Have = "MACs learned on "+show(ups[0].Name), "none"
		case below.always:
			f.Severity = Info
			f.Message = fmt.Sprintf("this machine is a virtual one (%s), where frames of bridged guests are dropped", below.name)
			f.Want, f.Have = "guests on a network of mode nat or route", "guests on bridge "+show(b.name)
		default:
			return
		}
		p.found(s, f)
	})
	if !below.always {
		return
	}
	for _, at := range p.lowers() {
		// In mode passthrough the NIC has the guest's MAC.
		guests := slices.DeleteFunc(slices.Clone(at.nics), func(n *nic) bool { return n.tap.Mode == "passthru" })
		if len(guests) == 0 || !p.hardware([]*bridge.Link{at.link}) || !p.on(at.scope) {
			continue
		}
		p.found(at.scope, Finding{
			Severity: Info,
			Message:  fmt.Sprintf("this machine is a virtual one (%s), where frames of macvtaps on %s are dropped: guest %s", below.name, show(at.link.Name), someNames(guestNames(guests))),
			Evidence: "CPUID hypervisor flag, firmware vendor " + orNone(p.snap.Services.Machine.Vendor) + ", IFLA_LINK of " + show(guests[0].tap.Name),
			Want:     "guests on a network of mode nat or route", Have: "guests on " + show(at.link.Name) + " by macvtap",
			Fix: Fix{Class: Manual, Say: below.way},
		})
	}
}

// hardware says whether a link, or what it stands on, is a NIC of the machine:
// a veth leads to another namespace and not to the hypervisor.
func (h *host) hardware(links []*bridge.Link) bool {
	for _, l := range links {
		for _, lower := range h.below(l) {
			if lower.Kind == "" && !lower.Loopback {
				return true
			}
		}
	}
	return false
}

// heard counts the guests whose MACs a bridge learned, and says whether it
// learned any on its uplinks.
func (h *host) heard(bridgeName string, nics []*nic, ups []*bridge.Link) (guests int, answered bool) {
	byTap := map[string]*nic{}
	for _, n := range nics {
		byTap[n.iface.Target] = n
	}
	seen := map[string]bool{}
	for i := range h.snap.Kernel.FDB {
		e := &h.snap.Kernel.FDB[i]
		if e.Bridge != bridgeName || e.State != "learned" || e.Self {
			continue
		}
		if n := byTap[e.Port]; n != nil && strings.EqualFold(n.iface.MAC, e.MAC) {
			seen[n.guest.Name] = true
		}
		for _, l := range ups {
			answered = answered || e.Port == l.Name
		}
	}
	return len(seen), answered
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func vhostNetMissing(p *pass) {
	device := p.deviceNode("/dev/vhost-net")
	if device == nil || device.Node {
		return
	}
	var slow []*nic
	for i := range p.nics {
		n := &p.nics[i]
		if n.running() && n.guest.Virt == "kvm" && strings.HasPrefix(n.iface.Model, "virtio") && n.iface.Driver != "qemu" && (n.kind == bridged || n.kind == direct) {
			slow = append(slow, n)
		}
	}
	if len(slow) == 0 {
		return
	}
	s := scope{kind: theHost, link: "host", network: slow[0].iface.Network, guest: slow[0].guest.Name}
	if !p.on(s) {
		return
	}
	f := Fix{
		Class: Safe, Say: "load the module, and name it in /etc/modules-load.d; guests use it when they start again",
		Steps: []Step{{Do: Modprobe, On: "vhost_net"}},
	}
	if device.Driver == services.DriverMissing {
		f = Fix{Class: Manual, Say: "the kernel that runs has no module vhost_net: install the full kernel package (linux-image, not a cloud or minimal one), or restart into the installed kernel"}
	}
	p.found(s, Finding{
		Message:  fmt.Sprintf("/dev/vhost-net does not exist: virtio interfaces of guest %s go through QEMU, which is slow", someNames(guestNames(slow))),
		Evidence: "/dev/vhost-net",
		Want:     "/dev/vhost-net", Have: "no such device", Fix: f,
	})
}
