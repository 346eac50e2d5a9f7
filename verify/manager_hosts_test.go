package verify

import (
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// The states of the managers are as services reads them from NetworkManager
// 1.42, systemd-networkd 252, firewalld 1.3 and Open vSwitch 3.1 beside libvirt
// 9.0.
func managerFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"manager-conflict-nm": func(s *Snapshot) {
			nm := underNM(s)
			nm.Devices[2] = services.NMDevice{Link: "virbr0", State: 70, Connection: "oops"}
		},
		"manager-conflict-nm+tap": func(s *Snapshot) {
			nm := underNM(s)
			nm.Devices = append(nm.Devices, services.NMDevice{Link: "vnet0", State: services.NMActivated, Connection: "Wired connection 1"})
		},
		"manager-conflict-networkd": func(s *Snapshot) {
			networkd := underNetworkd(s)
			for i := range networkd.Links {
				if l := &networkd.Links[i]; l.Index == s.link("virbr0").Index || l.Index == s.link("vnet0").Index {
					l.Admin, l.File, l.Match = "configuring", "/etc/systemd/network/20-all.network", []string{"Name=*"}
				}
			}
		},
		"firewalld-zone": func(s *Snapshot) { underFirewalld(s).Zones[0].Interfaces = nil },
		"firewalld-zone+nftables": func(s *Snapshot) {
			underFirewalld(s).Zones[0].Interfaces = nil
			*s = withRules(*s)
			s.Firewall.Tables = append(s.Firewall.Tables, firewall.Table{
				Family: "inet", Name: "firewalld", Handle: 91, Owner: firewall.OwnerFirewalld, Chains: []firewall.Chain{},
			})
		},
		"firewalld-zone+moved": func(s *Snapshot) {
			f := underFirewalld(s)
			f.Zones[0].Interfaces, f.Zones[2].Interfaces = nil, []string{"virbr0"}
		},
		"firewalld-zone+doubtful": func(s *Snapshot) {
			zoneOfOnesOwn(s, func() *ruleWriter {
				return newRule(false).add("ip saddr @guests", &firewall.Expr{Kind: "match", Key: "set", Unknown: true})
			})
		},
		"firewalld-zone+routed": func(s *Snapshot) {
			underFirewalld(s)
			routedNetwork(s)
			s.Services.Firewalld.Zones[0].Interfaces = []string{"virbr0", "virbr8"}
			s.Services.Firewalld.Zones[0].Target = "default"
		},
		"firewalld-zone+no-such-zone": func(s *Snapshot) {
			f := underFirewalld(s)
			f.Zones = f.Zones[2:]
		},
		"ovs-virtualport-missing": func(s *Snapshot) {
			underOVS(s)
			addGuest(s, "plain", libvirtnet.ShutOff, onBridge("ovsbr0", "", "52:54:00:00:00:41"))
		},
		"ovs-virtualport-missing+network": func(s *Snapshot) {
			underOVS(s)
			addNetwork(s, libvirtnet.Network{
				Name: "flat", Active: true, Persistent: true, Autostart: true,
				Config: &xml.Network{Name: "flat", Mode: xml.HostBridge, Bridge: "ovsbr0"},
			})
			addGuest(s, "plain", libvirtnet.ShutOff, libvirtnet.Interface{
				Type: "network", Network: "flat", Source: "flat", MAC: "52:54:00:00:00:41", Model: "virtio", Managed: true,
			})
		},
		"tap-missing+ovs": func(s *Snapshot) {
			underOVS(s)
			s.dropLink("vnet9")
		},
		"tap-admin-down+ovs": func(s *Snapshot) {
			underOVS(s)
			s.link("vnet9").Up = false
		},
		"ovs-port-missing": func(s *Snapshot) {
			b := underOVS(s)
			b.Ports = b.Ports[:1]
		},
		"ovs-port-missing+error": func(s *Snapshot) {
			i := &underOVS(s).Ports[1].Interfaces[0]
			i.OFPort, i.Error = ptr(-1), "could not open network device vnet9 (Device or resource busy)"
		},
		"ovs-port-missing+no-bridge": func(s *Snapshot) {
			underOVS(s)
			s.Services.OpenVSwitch.Bridges = []services.OVSBridge{}
		},
		"ovs-vlan-mismatch": func(s *Snapshot) { underOVS(s).Ports[1].Tag = nil },
		"ovs-vlan-mismatch+trunk": func(s *Snapshot) {
			underOVS(s)
			i := &s.guest("switched").Interfaces[0]
			i.VLANs, i.Trunk, i.NativeVLAN = []int{42, 5}, true, 42
		},
		"ovs-port-stale": func(s *Snapshot) {
			b := underOVS(s)
			b.Ports = append(b.Ports, services.OVSPort{Name: "vnet77", Tag: ptr(7), Interfaces: []services.OVSInterface{{
				Name: "vnet77", OFPort: ptr(-1), Error: "could not open network device vnet77 (No such device)",
				ExternalIDs: map[string]string{"attached-mac": "52:54:00:00:00:77", "iface-status": "active"},
			}}})
		},
	}
}

// managerHealthy are managers that do as they should.
func managerHealthy() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"ok-nm-connected-externally": func(s *Snapshot) { underNM(s) },
		"ok-nm-of-another-namespace": func(s *Snapshot) {
			nm := underNM(s)
			nm.Namespace++
			nm.Devices[2] = services.NMDevice{Link: "virbr0", State: services.NMActivated, Connection: "home"}
		},
		"ok-networkd-leaves-libvirt-alone": func(s *Snapshot) { underNetworkd(s) },
		"ok-firewalld": func(s *Snapshot) {
			underFirewalld(s)
			routedNetwork(s)
			s.Services.Firewalld.Zones[1].Interfaces = []string{"virbr8"}
			n := natNetwork("free", "virbr9", "10.9.0.1/24")
			n.Config.Mode = xml.Open
			addNetwork(s, n)
		},
		"ok-firewalld-trusted": func(s *Snapshot) {
			f := underFirewalld(s)
			f.Zones[0].Interfaces = nil
			f.Zones = append(f.Zones, services.Zone{Name: "trusted", Interfaces: []string{"virbr0"}, Target: "ACCEPT"})
		},
		"ok-firewalld-zone-of-the-network": func(s *Snapshot) {
			for _, def := range []*xml.Network{s.network("default").Live, s.network("default").Config} {
				def.Zone = "public"
			}
			f := underFirewalld(s)
			f.Zones[0].Interfaces, f.Zones[2].Interfaces = nil, []string{"virbr0"}
		},
		"ok-firewalld-zone-of-ones-own": func(s *Snapshot) {
			zoneOfOnesOwn(s, func() *ruleWriter { return newRule(false).device("iifname", "virbr0") })
		},
		"ok-open-vswitch": func(s *Snapshot) { underOVS(s) },
		"ok-open-vswitch-of-neutron": func(s *Snapshot) {
			b := underOVS(s)
			s.guest("switched").Interfaces[0].VLANs = nil
			b.Ports[1].Tag = ptr(3)
		},
		"ok-open-vswitch-of-neutrons-agents": func(s *Snapshot) {
			b := underOVS(s)
			port := func(name, kind string, of int, err string) services.OVSPort {
				return services.OVSPort{Name: name, Interfaces: []services.OVSInterface{{
					Name: name, Type: kind, OFPort: ptr(of), Error: err, ExternalIDs: map[string]string{"attached-mac": "fa:16:3e:00:00:01"},
				}}}
			}
			gone := "could not open network device (No such device)"
			b.Ports = append(b.Ports, port("tap5d0f6b1e-01", "internal", -1, gone), port("tap5d0f6b1e-02", "", 5, ""))
			s.Services.OpenVSwitch.Bridges = append(s.Services.OpenVSwitch.Bridges, services.OVSBridge{
				Name: "br-int", Ports: []services.OVSPort{port("tap5d0f6b1e-03", "", -1, gone)},
			})
		},
	}
}

func routedNetwork(s *Snapshot) {
	n := natNetwork("routed", "virbr8", "10.8.0.1/24")
	n.Config.Mode = xml.Route
	addNetwork(s, n)
}

// underNM is a host whose uplink NetworkManager has.
func underNM(s *Snapshot) *services.NetworkManager {
	s.around().NetworkManager = &services.NetworkManager{Namespace: namespace, Devices: []services.NMDevice{
		{Link: "br0", State: services.NMActivated, Connection: "br0"},
		{Link: "eth0", State: services.NMActivated, Connection: "br0 port 1"},
		{Link: "virbr0", State: services.NMActivated, Connection: "virbr0", External: true},
		{Link: "vnet1", State: services.NMActivated, Connection: "vnet1", External: true},
		{Link: "vnet2", State: services.NMUnmanaged},
		{Link: "vnet3", State: services.NMDisconnected},
	}}
	return s.Services.NetworkManager
}

// underNetworkd is a host whose uplink systemd-networkd has.
func underNetworkd(s *Snapshot) *services.Networkd {
	n := &services.Networkd{Namespace: namespace}
	for _, l := range s.Kernel.Links {
		link := services.NetworkdLink{Index: l.Index, Admin: "unmanaged"}
		if l.Name == "br0" || l.Name == "eth0" {
			link = services.NetworkdLink{Index: l.Index, Admin: "configured", File: "/etc/systemd/network/10-" + l.Name + ".network", Match: []string{"Name=" + l.Name}}
		}
		n.Links = append(n.Links, link)
	}
	s.around().Networkd = n
	return n
}

// underFirewalld is a host with firewalld as Debian 12 has it.
func underFirewalld(s *Snapshot) *services.Firewalld {
	s.around().Firewalld = &services.Firewalld{
		Namespace: namespace, DefaultZone: "public",
		Zones: []services.Zone{
			{Name: "libvirt", Interfaces: []string{"virbr0"}, Target: "ACCEPT", Services: []string{"dhcp", "dhcpv6", "dns", "ssh", "tftp"}},
			{Name: "libvirt-routed", Target: "default"},
			{Name: "public", Target: "default", Services: []string{"dhcpv6-client", "ssh"}},
		},
		Policies: []string{"allow-host-ipv6", "libvirt-routed-in", "libvirt-routed-out", "libvirt-to-host"},
	}
	return s.Services.Firewalld
}

// zoneOfOnesOwn has the bridge in a zone that an administrator made, and that
// accepts what matches.
func zoneOfOnesOwn(s *Snapshot, match func() *ruleWriter) {
	f := underFirewalld(s)
	f.Zones[0].Interfaces = nil
	f.Zones = append(f.Zones, services.Zone{Name: "guests", Interfaces: []string{"virbr0"}, Target: "default", Services: []string{"dhcp", "dns"}})
	*s = withRules(*s)
	addTable(s.Firewall, firewalldRules(match, "input", "forward"))
}

// firewalldRules is firewalld's table, shortened: it accepts what matches, and
// answers.
func firewalldRules(match func() *ruleWriter, hooks ...string) firewall.Table {
	t := firewall.Table{Family: "inet", Name: "firewalld", Owner: firewall.OwnerFirewalld}
	for _, hook := range hooks {
		c := baseChain("filter_"+strings.ToUpper(hook), hook, "accept")
		c.Owner = firewall.OwnerFirewalld
		newRule(false).states().jump("accept", "").into(&c)
		match().jump("accept", "").into(&c)
		newRule(false).reject().into(&c)
		t.Chains = append(t.Chains, c)
	}
	return t
}

// underOVS is a host with a guest on a bridge of Open vSwitch.
func underOVS(s *Snapshot) *services.OVSBridge {
	addLink(s, bridge.Link{Name: "ovs-system", Kind: "openvswitch", MTU: 1500})
	addLink(s, bridge.Link{Name: "ovsbr0", Kind: "openvswitch", MTU: 1500, Up: true, Carrier: true, Oper: "unknown"})
	i := onBridge("ovsbr0", "vnet9", "52:54:00:00:00:09")
	i.VirtualPort, i.InterfaceID, i.VLANs = "openvswitch", "56420d5d-5579-4d7e-bce8-b851e4fcbf1a", []int{42}
	addGuest(s, "switched", libvirtnet.Running, i)
	s.unplug("vnet9")
	s.link("vnet9").Master = "ovs-system"
	s.around().OpenVSwitch = &services.OpenVSwitch{Bridges: []services.OVSBridge{{
		Name: "ovsbr0", Ports: []services.OVSPort{
			{Name: "ovsbr0", Interfaces: []services.OVSInterface{{Name: "ovsbr0", Type: "internal", OFPort: ptr(65534)}}},
			{Name: "vnet9", Tag: ptr(42), Interfaces: []services.OVSInterface{{
				Name: "vnet9", OFPort: ptr(2), ExternalIDs: map[string]string{
					"attached-mac": "52:54:00:00:00:09", "iface-id": "56420d5d-5579-4d7e-bce8-b851e4fcbf1a", "iface-status": "active",
				},
			}}},
		},
	}}}
	return &s.Services.OpenVSwitch.Bridges[0]
}
