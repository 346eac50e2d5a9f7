package verify

import (
	"net/netip"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// deviceHealthy are hosts with unusual NICs, MTUs and limits that are well.
func deviceHealthy() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-wireless": with(func(s *Snapshot) {
			// Four addresses carry other MACs. A station that only routes is fine.
			asNIC(s).Wireless = &bridge.Wireless{Type: "managed", FourAddress: true}
			addLink(s, bridge.Link{Name: "wlan2", MTU: 1500, Up: true, Carrier: true, Oper: "up", Wireless: &bridge.Wireless{Type: "managed"}})
			addAddress(s, "wlan2", "198.51.100.2/24")
		}),
		"ok-access-point": with(func(s *Snapshot) { asNIC(s).Wireless = &bridge.Wireless{Type: "AP"} }),
		"ok-bond": with(func(s *Snapshot) {
			bonded(s, bridge.BondLACP)
			// A bond that carries no guest may be of any mode.
			addLink(s, bridge.Link{Name: "bond1", Kind: "bond", MTU: 1500, Up: true, Carrier: true, Oper: "up", Bond: &bridge.Bond{Mode: bridge.BondALB, ARPInterval: 100}})
		}),
		"ok-bond-active-backup": with(func(s *Snapshot) {
			bonded(s, bridge.BondActiveBackup)
			s.link("eth9").Carrier = false
		}),
		"ok-lro-elsewhere": with(func(s *Snapshot) {
			// A NIC for storage neither bridges nor forwards for guests.
			addLink(s, bridge.Link{Name: "eth5", MAC: "52:54:00:10:00:05", MTU: 9000, Up: true, Carrier: true, Oper: "up", Offloads: &bridge.Offloads{LRO: true}})
			addAddress(s, "eth5", "198.51.100.2/24")
		}),
		"ok-jumbo": with(func(s *Snapshot) {
			for _, name := range []string{"eth0", "br0", "vnet1", "vnet3"} {
				s.link(name).MTU = 9000
			}
			s.guest("centos").Interfaces[1].MTU = 9000
		}),
		"ok-jumbo-uplink": with(func(s *Snapshot) { s.link("eth0").MTU = 9000 }),
		"ok-cloud-mtu": with(func(s *Snapshot) {
			for _, name := range []string{"eth0", "br0", "vnet1", "vnet3"} {
				s.link(name).MTU = 1450
			}
		}),
		"ok-narrow-way-out": with(func(s *Snapshot) {
			// The kernel's message arrives, whatever else is dropped.
			withoutPMTUD(s, "-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP\n")
		}),
		"ok-narrow-way-out-wireguard": with(func(s *Snapshot) { withoutPMTUD(s, "") }),
		"ok-narrow-way-out-clamped": with(func(s *Snapshot) {
			withoutPMTUD(s, "-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP\n-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\n")
		}),
		"ok-narrow-network": with(func(s *Snapshot) {
			s.network("default").Live.MTU, s.network("default").Config.MTU = 1400, 1400
			s.link("virbr0").MTU, s.link("vnet0").MTU, s.link("vnet2").MTU = 1400, 1400, 1400
			withoutPMTUD(s, "-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP\n")
		}),
		"ok-inherited-mtu": with(func(s *Snapshot) {
			// One interface wished less and pulled the bridge down; the next tap
			// has what the bridge had then.
			s.guest("centos").Interfaces[0].MTU = 1400
			s.link("vnet0").MTU, s.link("vnet2").MTU, s.link("virbr0").MTU = 1400, 1400, 1400
		}),
		"ok-guest-wishes-less": with(func(s *Snapshot) {
			s.guest("centos").Interfaces[1].MTU = 1300
			s.link("vnet1").MTU, s.link("br0").MTU = 1300, 1300
		}),
		"ok-bandwidth": with(throttled),
		"ok-bandwidth-rounded": with(func(s *Snapshot) {
			throttled(s)
			s.Kernel.Qdiscs[4].Classes[0].Rate = 999_424
		}),
		"ok-tc-of-others": with(func(s *Snapshot) {
			// libvirt's nftables backend has an htb on its bridges that limits
			// nothing; Cilium and others hang programs on links; a NIC of the
			// host is the host's own affair; a shut-off guest has no tap.
			s.guest("spare").Interfaces[0].Bandwidth.Inbound.Average = 1000
			s.Kernel.Qdiscs = []bridge.Qdisc{
				{Link: "virbr0", Kind: "htb", Handle: "1:", Parent: "root"},
				{Link: "vnet0", Kind: "clsact", Handle: "ffff:", Parent: "clsact"},
				{Link: "vnet1", Kind: "fq_codel", Handle: "8001:", Parent: "root"},
				{Link: "eth0", Kind: "tbf", Handle: "8002:", Parent: "root", Rate: 1000},
			}
		}),
		"ok-limits-of-openstack": func() Snapshot {
			s := openStack()
			s.Kernel.Qdiscs = []bridge.Qdisc{
				{Link: "tapdeadbeef-01", Kind: "tbf", Handle: "1:", Parent: "root", Rate: 125_000},
				{Link: "tapdeadbeef-01", Kind: "ingress", Handle: "ffff:", Parent: "ingress", Police: []bridge.Police{{Rate: 125_000}}},
			}
			return s
		},
		"ok-containers-mtu": with(func(s *Snapshot) {
			addBridge(s, "br1", "02:00:00:00:01:01", 0, 15000)
			addAddress(s, "br1", "10.9.0.1/24")
			addGuest(s, "inner", libvirtnet.Running, onBridge("br1", "vnet7", "52:54:00:aa:00:09"))
			addLink(s, bridge.Link{Name: "veth3a9f0c1", Kind: "veth", MAC: "0a:00:00:00:00:01", MTU: 1450, Up: true, Carrier: true, Oper: "up", ParentElsewhere: true})
			addPort(s, "veth3a9f0c1", "br1")
		}),
		"ok-bandwidth-not-read": with(func(s *Snapshot) { throttled(s); s.Kernel.Qdiscs = nil }),
		"ok-macvtap-bandwidth": with(func(s *Snapshot) {
			macvtap(s)
			s.guest("mac").Interfaces[0].Bandwidth.Outbound = xml.Rate{Average: 500}
			s.Kernel.Qdiscs = []bridge.Qdisc{{Link: "macvtap0", Kind: "htb", Handle: "1:", Parent: "root", Classes: []bridge.Class{{Handle: "1:1", Parent: "root", Rate: 500_000, Ceil: 500_000}}}}
		}),
		"ok-macvtap-vepa": with(vepaGuests),
		"ok-macvtap-trusted": with(func(s *Snapshot) {
			macvtap(s)
			i := &s.guest("mac").Interfaces[0]
			i.TrustRxFilters, i.CurrentMAC = true, "02:00:00:00:00:07"
			s.link("macvtap0").MAC = "02:00:00:00:00:07"
		}),
		"ok-macvtap-paused": with(func(s *Snapshot) {
			macvtap(s)
			s.guest("mac").State, s.guest("mac").Reason = libvirtnet.Paused, "migrating"
			s.link("eth2").Up, s.link("macvtap0").Up, s.link("macvtap1").Up = false, false, false
		}),
		"ok-macvtap-and-nat": with(func(s *Snapshot) {
			// The host asked in vain, but the guest has a way to it, or the host
			// one to the guest; a silent gateway is no guest.
			askedInVain(s)
			addLink(s, bridge.Link{Name: "mvhost", Kind: "macvlan", Parent: "eth2", Mode: "bridge", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
		}),
		"ok-macvtap-second-way": with(func(s *Snapshot) {
			askedInVain(s)
			i := onNetwork("default", "vnet9", "52:54:00:cc:00:19")
			i = plug(s, i)
			addTap(s, i)
			s.guest("mac").Interfaces = append(s.guest("mac").Interfaces, i)
		}),
		"ok-macvtap-silent-gateway": with(func(s *Snapshot) {
			askedInVain(s)
			addRoute(s, "10.0.0.0/8", "198.51.100.77", "eth2")
		}),
		"ok-macvtap-other-neighbour": with(func(s *Snapshot) {
			askedInVain(s)
			s.Kernel.Neighbours[1].State = "stale"
			s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "br0", IP: netip.MustParseAddr("203.0.113.9"), State: "failed"})
		}),
		"ok-nic-by-another-name": with(func(s *Snapshot) {
			macvtap(s)
			s.link("eth2").Name, s.link("eth2").AltNames = "enp2s0", []string{"eth2"}
			s.link("macvtap0").Parent, s.link("macvtap1").Parent = "enp2s0", "enp2s0"
			configuredBridge(s, "old0")
			s.link("eth0").AltNames = []string{"old0"}
		}),
		"ok-macvtap-lower-in-a-namespace": with(func(s *Snapshot) {
			macvtap(s)
			s.guest("mac").Interfaces[0].Dev, s.guest("mac").Interfaces[1].Dev = "eth7", "eth2"
			s.link("macvtap0").Parent, s.link("macvtap0").ParentElsewhere = "", true
		}),
		"ok-sriov": with(func(s *Snapshot) {
			virtualFunctions(s)
			filterKnows(s, brMACs...)
		}),
		"ok-sriov-without-taps": with(func(s *Snapshot) {
			virtualFunctions(s)
			s.unplug("eth0")
			addLink(s, bridge.Link{Name: "eth8", MAC: "52:54:00:10:00:08", MTU: 1500, Up: true, Carrier: true, Oper: "up"})
			addPort(s, "eth8", "br0")
		}),
		"ok-sriov-nobody-has-one": with(func(s *Snapshot) {
			virtualFunctions(s)
			s.guest("fast").State, s.guest("fast").ID = libvirtnet.ShutOff, -1
		}),
		"ok-nested-kvm": with(func(s *Snapshot) {
			virtualMachine(s, "QEMU")
			heardOn(s, "vnet1", "52:54:00:e4:75:84")
			heardOn(s, "eth0", "52:54:00:00:00:fe")
		}),
		"ok-nested-vmware-idle": with(func(s *Snapshot) { virtualMachine(s, "VMware, Inc.") }),
		"ok-cloud-passthrough":  func() Snapshot { return inCloud("Amazon EC2", "passthru") },
		"ok-nested-macvtap":     func() Snapshot { return inCloud("OpenStack", "bridge") },
		"ok-cloud-nat-only": func() Snapshot {
			s := emptyHost()
			addNetwork(&s, natNetwork("default", "virbr0", "192.168.122.1/24"))
			addGuest(&s, "centos", libvirtnet.Running, onNetwork("default", "vnet0", "52:54:00:e4:75:83"))
			virtualMachine(&s, "Google")
			return s
		},
		"ok-emulated-without-vhost": with(func(s *Snapshot) {
			kvmWithoutVhost(s)
			for i := range s.Libvirt.Guests {
				g := &s.Libvirt.Guests[i]
				for j := range g.Interfaces {
					g.Interfaces[j].Driver = "qemu"
				}
			}
			s.guest("debian").Virt, s.guest("debian").Interfaces[0].Driver = "qemu", ""
			s.guest("centos").Interfaces[0].Model, s.guest("centos").Interfaces[0].Driver = "e1000e", ""
		}),
		"ok-container-on-a-bridge": with(func(s *Snapshot) {
			// A router in a container: the gateway was heard behind its veth.
			containerLeft(s)
			s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{Link: "br0", IP: netip.MustParseAddr("203.0.113.1"), MAC: "0a:00:00:00:00:02", State: "reachable"})
			heardOn(s, "veth3a9f0c1", "0a:00:00:00:00:02")
		}),
		"ok-container-beside-the-uplink": with(func(s *Snapshot) {
			addLink(s, bridge.Link{Name: "vethAB12CD", Kind: "veth", MAC: "0a:00:00:00:00:01", MTU: 1500, Up: true, Carrier: true, Oper: "up", ParentElsewhere: true})
			addPort(s, "vethAB12CD", "br0")
		}),
	}
}
