package verify

import (
	"net/netip"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// asNIC makes the demo's uplink a NIC of the machine.
func asNIC(s *Snapshot) *bridge.Link {
	l := s.link("eth0")
	l.Kind, l.Offloads = "", &bridge.Offloads{}
	return l
}

// bonded puts the demo's uplink into a bond, which takes its place in br0.
func bonded(s *Snapshot, mode string) {
	asNIC(s)
	s.unplug("eth0")
	addLink(s, bridge.Link{Name: "bond0", Kind: "bond", MAC: "52:54:00:10:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up", Bond: &bridge.Bond{Mode: mode, MIIMonitor: 100}})
	s.link("eth0").Master = "bond0"
	addLink(s, bridge.Link{Name: "eth9", MAC: "52:54:00:10:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up", Master: "bond0"})
	addPort(s, "bond0", "br0")
}

// onVLAN puts a VLAN of a NIC in place of the demo's uplink.
func onVLAN(s *Snapshot) {
	asNIC(s)
	s.unplug("eth0")
	addLink(s, bridge.Link{Name: "eth0.7", Kind: "vlan", Parent: "eth0", MAC: "52:54:00:10:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
	addPort(s, "eth0.7", "br0")
}

func vepaGuests(s *Snapshot) {
	macvtap(s)
	s.guest("mac").Interfaces[0].Mode, s.guest("mac").Interfaces[1].Mode = "vepa", "vepa"
	s.link("macvtap0").Mode, s.link("macvtap1").Mode = "vepa", "vepa"
}

// twoOnVEPA are two guests on one NIC in libvirt's default mode.
func twoOnVEPA(s *Snapshot) {
	vepaGuests(s)
	addGuest(s, "second", libvirtnet.Running, libvirtnet.Interface{Type: "direct", Dev: "eth2", Mode: "vepa", Source: "eth2", Target: "macvtap2", MAC: "52:54:00:cc:00:09", Managed: true})
}

// askedInVain is a host that looked for an address on the NIC below macvtaps.
func askedInVain(s *Snapshot) {
	macvtap(s)
	addAddress(s, "eth2", "198.51.100.2/24")
	s.Kernel.Neighbours = append(s.Kernel.Neighbours,
		bridge.Neighbour{Link: "eth2", IP: netip.MustParseAddr("fe80::9"), State: "failed"},
		bridge.Neighbour{Link: "eth2", IP: netip.MustParseAddr("198.51.100.77"), State: "failed"})
}

// throttled gives the demo's guest limits, and the kernel what libvirt makes of
// them.
func throttled(s *Snapshot) {
	s.guest("centos").Interfaces[0].Bandwidth = xml.Bandwidth{Inbound: xml.Rate{Average: 1000, Peak: 2000, Burst: 1024}, Outbound: xml.Rate{Average: 128}}
	s.network("default").Live.Bandwidth = xml.Bandwidth{Inbound: xml.Rate{Average: 10_000}}
	s.network("default").Config.Bandwidth = s.network("default").Live.Bandwidth
	s.Kernel.Qdiscs = []bridge.Qdisc{
		{Link: "virbr0", Kind: "sfq", Handle: "2:", Parent: "1:2"},
		{Link: "virbr0", Kind: "htb", Handle: "1:", Parent: "root", Classes: []bridge.Class{
			{Handle: "1:1", Parent: "root", Rate: 10_000_000, Ceil: 10_000_000}, {Handle: "1:2", Parent: "1:1", Rate: 10_000_000, Ceil: 10_000_000},
		}},
		{Link: "vnet0", Kind: "sfq", Handle: "2:", Parent: "1:1"},
		{Link: "vnet0", Kind: "ingress", Handle: "ffff:", Parent: "ingress", Police: []bridge.Police{{Rate: 128_000}}},
		{Link: "vnet0", Kind: "htb", Handle: "1:", Parent: "root", Classes: []bridge.Class{{Handle: "1:1", Parent: "root", Rate: 1_000_000, Ceil: 2_000_000}}},
	}
}

// virtualFunctions makes the demo's uplink a physical function, one of whose
// functions a guest has.
func virtualFunctions(s *Snapshot) {
	asNIC(s).VFs = []bridge.VF{
		{Index: 0, MAC: "00:00:00:00:00:00", LinkState: "auto"},
		{Index: 1, MAC: "52:54:00:dd:dd:01", LinkState: "auto", VLAN: 7, SpoofCheck: ptr(true), Trust: ptr(false)},
	}
	addGuest(s, "fast", libvirtnet.Running, libvirtnet.Interface{Type: "hostdev", MAC: "52:54:00:dd:dd:01", VLANs: []int{7}, Managed: true})
}

// filterKnows gives the NIC's own filter the MACs of the guests on br0.
func filterKnows(s *Snapshot, macs ...string) {
	for _, mac := range macs {
		s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Port: "eth0", MAC: mac, State: "permanent", Self: true})
	}
}

// virtualMachine is a host in a cloud.
func virtualMachine(s *Snapshot, vendor string) {
	asNIC(s)
	s.Services = healthyServices(s)
	s.Services.Machine = &services.Machine{Hypervisor: true, Vendor: vendor, Product: "machine"}
}

// inCloud is a virtual machine with macvtaps of one mode, and nothing else.
func inCloud(vendor, mode string) Snapshot {
	s := emptyHost()
	macvtap(&s)
	virtualMachine(&s, vendor)
	s.link("macvtap0").Mode, s.link("macvtap1").Mode = mode, mode
	return s
}

func heardOn(s *Snapshot, port, mac string) {
	s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: "br0", Port: port, MAC: mac, State: "learned", Age: 1000})
}

// kvmWithoutVhost is a host whose KVM guests work without vhost.
func kvmWithoutVhost(s *Snapshot) {
	for i := range s.Libvirt.Guests {
		s.Libvirt.Guests[i].Virt = "kvm"
	}
	s.Services = healthyServices(s)
	s.Services.Devices[1].Node = false
}

// configuredBridge is a host whose configuration puts a NIC into br0.
func configuredBridge(s *Snapshot, link string) {
	s.Services = healthyServices(s)
	s.Services.Ports = []services.ConfiguredPort{
		{Link: link, Bridge: "br0", File: "/etc/network/interfaces"},
		{Link: "eth77", Bridge: "br77", File: "/etc/network/interfaces"},
	}
}
