package verify

import (
	"github.com/kvnet/kvnet/services"
)

// whole gives a document the parts that it does not tell as a healthy host has
// them: libvirt's own rules, and the services around it.
func whole(s Snapshot) Snapshot {
	s = withRules(s)
	if s.Services == nil {
		s.Services = healthyServices(&s)
	}
	return s
}

// healthyServices is what a Debian host with libvirt has.
func healthyServices(s *Snapshot) *services.State {
	pid := s.Libvirt.Daemon.PID
	return &services.State{
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
}
