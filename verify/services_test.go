package verify

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// whole gives a document the parts that it does not tell as a healthy host has
// them: libvirt's own rules, and the services around it.
func whole(s Snapshot) Snapshot {
	s = withRules(s)
	if s.Services == nil {
		s.Services = healthyServices(&s)
	}
	if s.Libvirt.Filters == nil {
		s.Libvirt.Filters = quietFilters(&s)
	}
	return s
}

// quietFilters are the filters that guests refer to, without a rule; nil where
// none does.
func quietFilters(s *Snapshot) *libvirtnet.Filters {
	all := &libvirtnet.Filters{Defined: []libvirtnet.Filter{}, Bindings: []libvirtnet.FilterBinding{}}
	for i := range s.Libvirt.Guests {
		for _, nic := range s.Libvirt.Guests[i].Interfaces {
			if nic.Filter != "" {
				all.Defined = append(all.Defined, libvirtnet.Filter{Name: nic.Filter, Empty: true})
			}
		}
	}
	if len(all.Defined) == 0 {
		return nil
	}
	return all
}

// healthyServices is what a Debian host with libvirt has.
func healthyServices(s *Snapshot) *services.State {
	pid := s.Libvirt.Daemon.PID
	around := &services.State{
		ProvenFor: pid,
		Daemons: []services.Daemon{{
			Name: "libvirtd", PID: pid, Namespace: namespace, Socket: "/run/libvirt/libvirt-sock", Listens: true, Enabled: true,
		}},
		Programs: []services.Program{
			{Name: "dnsmasq", Path: "/usr/sbin/dnsmasq"}, {Name: "ebtables", Path: "/usr/sbin/ebtables"},
			{Name: "ip6tables", Path: "/usr/sbin/ip6tables"}, {Name: "iptables", Path: "/usr/sbin/iptables"},
			{Name: "nft", Path: "/usr/sbin/nft"}, {Name: "tc", Path: "/usr/sbin/tc"},
		},
		Devices: []services.Device{
			{Path: "/dev/net/tun", Node: true, Driver: services.DriverLoaded},
			{Path: "/dev/vhost-net", Node: true, Driver: services.DriverModule},
		},
		Kernel:   services.Kernel{Release: "6.1.0-28-amd64", Modules: true},
		Networks: []services.Network{},
		Resolver: services.Resolver{Found: true, Servers: []string{"203.0.113.1"}},
		Helper: &services.BridgeHelper{
			Path: "/usr/lib/qemu/qemu-bridge-helper", ACL: []services.ACLRule{},
		},
		Gaps: []services.Gap{},
	}
	for i := range s.Libvirt.Networks {
		if n := &s.Libvirt.Networks[i]; n.Active && runsDnsmasq(n.Def()) {
			around.Networks = append(around.Networks, dnsmasqFiles(s, n))
		}
	}
	around.OpenVSwitch = healthySwitch(s)
	return around
}

// healthySwitch has a port for each tap that belongs into Open vSwitch; nil
// where none does.
func healthySwitch(s *Snapshot) *services.OpenVSwitch {
	bridges := map[string]services.OVSBridge{}
	for i := range s.Libvirt.Guests {
		for j := range s.Libvirt.Guests[i].Interfaces {
			nic := &s.Libvirt.Guests[i].Interfaces[j]
			if nic.VirtualPort != "openvswitch" || nic.Target == "" {
				continue
			}
			b := bridges[nic.Bridge]
			b.Name = nic.Bridge
			b.Ports = append(b.Ports, services.OVSPort{
				Name: nic.Target, Interfaces: []services.OVSInterface{{Name: nic.Target, OFPort: ptr(len(b.Ports) + 1)}},
			})
			bridges[nic.Bridge] = b
		}
	}
	if len(bridges) == 0 {
		return nil
	}
	return &services.OpenVSwitch{Bridges: slices.Collect(maps.Values(bridges))}
}

// dnsmasqFiles are a network's files in the order in which libvirt writes the
// lines: see TestConfigOfLibvirt for its own.
func dnsmasqFiles(s *Snapshot, n *libvirtnet.Network) services.Network {
	def := n.Def()
	config := []string{"strict-order"}
	config = append(config, wantConfig(def)...)
	if def.Mode == xml.Isolated {
		config = append(config, "ra-param=*,0,0")
	}
	dhcp := false
	for _, ip := range def.IPs {
		dhcp = dhcp || ip.Address.Addr().Is6() && ip.DHCP()
	}
	if dhcp {
		config = append(config, "enable-ra")
	}
	for _, ip := range def.IPs {
		if ip.Address.Addr().Is6() && !dhcp {
			config = append(config, "dhcp-range="+ip.Address.Addr().String()+",ra-only")
		}
	}
	return services.Network{
		Name: n.Name, Config: append(config, options(def)...), PID: 119,
		Modified: s.Taken.Add(-time.Hour), Started: s.Taken.Add(-time.Hour + 30*time.Millisecond),
	}
}

// around gives a host the services of a healthy one, to break.
func (s *Snapshot) around() *services.State {
	if s.Services == nil {
		s.Services = healthyServices(s)
	}
	return s.Services
}

func (s *Snapshot) uninstall(name string) {
	for i := range s.around().Programs {
		if p := &s.Services.Programs[i]; p.Name == name {
			p.Path = ""
		}
	}
}

// config edits the file of a network's dnsmasq.
func (s *Snapshot) config(name string, edit func(lines []string) []string) *services.Network {
	for i := range s.around().Networks {
		if n := &s.Services.Networks[i]; n.Name == name {
			n.Config = edit(n.Config)
			return n
		}
	}
	return nil
}

// replaced changes a line that begins with the prefix, or takes it out.
func replaced(prefix, line string) func([]string) []string {
	return func(lines []string) []string {
		var out []string
		for _, l := range lines {
			switch {
			case !strings.HasPrefix(l, prefix):
				out = append(out, l)
			case line != "":
				out = append(out, line)
			}
		}
		return out
	}
}

func servicesGap(s *Snapshot, source string) {
	s.Services.Gaps = append(s.Services.Gaps, services.Gap{Source: source, Message: "open: permission denied"})
}
