package verify

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

func serviceFaults() map[string]func(*Snapshot) {
	all := map[string]func(*Snapshot){}
	for _, family := range []map[string]func(*Snapshot){daemonFaults(), programFaults(), dnsmasqFileFaults(), dnsFaults(), managerFaults(), nwfilterFaults(), returnFaults()} {
		maps.Copy(all, family)
	}
	return all
}

func serviceHealthy() map[string]func() Snapshot {
	all := map[string]func() Snapshot{}
	changes := healthyChanges()
	maps.Copy(changes, managerHealthy())
	maps.Copy(changes, nwfilterHealthy())
	maps.Copy(changes, returnHealthy())
	for name, change := range changes {
		all[name] = func() Snapshot {
			s := healthyHost()
			change(&s)
			return s
		}
	}
	return all
}

func daemonFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"net-daemon-down": func(s *Snapshot) {
			s.around().Daemons = append(s.Services.Daemons, services.Daemon{
				Name: "virtnetworkd", PID: 77, Namespace: namespace, Socket: "/run/libvirt/virtnetworkd-sock", Listens: true,
			})
		},
		"net-daemon-down+on-demand": func(s *Snapshot) {
			s.Libvirt.Daemon.Name, s.Libvirt.Daemon.Systemd = "virtnetworkd", true
			s.around().Daemons = []services.Daemon{
				{Name: "virtnetworkd", PID: 42, Namespace: namespace, Socket: "/run/libvirt/virtnetworkd-sock", Listens: true, SocketEnabled: true},
				{Name: "virtqemud", PID: 43, Namespace: namespace, Socket: "/run/libvirt/virtqemud-sock", Listens: true, SocketEnabled: true},
			}
		},
	}
}

// stoppedLab stops a network whose guests are off, and lets it start with the host.
func stoppedLab(s *Snapshot, version int) {
	s.Libvirt.Version = version
	addNetwork(s, natNetwork("lab", "virbr7", "10.7.0.1/24"))
	s.stop("lab")
}

func programFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"dnsmasq-binary-missing": func(s *Snapshot) {
			stoppedLab(s, 9_000_000)
			s.uninstall("dnsmasq")
		},
		"dnsmasq-binary-missing+all-run": func(s *Snapshot) { s.uninstall("dnsmasq") },
		"fw-backend-unavailable": func(s *Snapshot) {
			stoppedLab(s, 9_000_000)
			s.uninstall("iptables")
		},
		"fw-backend-unavailable+ipv6": func(s *Snapshot) {
			n := natNetwork("six", "virbr6", "fd00:6::1/64")
			addNetwork(s, n)
			s.stop("six")
			s.uninstall("ip6tables")
		},
		"fw-backend-unavailable+configured": func(s *Snapshot) {
			stoppedLab(s, 11_003_000)
			s.uninstall("nft")
			s.Services.Backend = "nftables"
		},
		"fw-backend-unavailable+neither": func(s *Snapshot) {
			s.Libvirt.Version = 11_003_000
			s.uninstall("nft")
			s.uninstall("iptables")
		},
		"tun-unavailable": func(s *Snapshot) {
			s.around().Devices[0] = services.Device{Path: "/dev/net/tun", Driver: services.DriverLoaded}
		},
		"tun-unavailable+module": func(s *Snapshot) {
			s.around().Devices[0] = services.Device{Path: "/dev/net/tun", Driver: services.DriverModule}
		},
		"tun-unavailable+old-kernel": func(s *Snapshot) {
			s.around().Devices[0] = services.Device{Path: "/dev/net/tun", Node: true, Driver: services.DriverMissing}
			s.Services.Kernel.Modules = false
		},
		"session-bridge-acl": func(s *Snapshot) { sessionHost(s) },
		"session-bridge-acl+denied": func(s *Snapshot) {
			sessionHost(s)
			s.Services.Helper.Privileged, s.Services.Helper.File = true, "/etc/qemu/bridge.conf"
			s.Services.Helper.ACL = []services.ACLRule{{Allow: true, Bridge: "all"}, {Allow: false, Bridge: "br0"}}
		},
		"session-bridge-acl+no-helper": func(s *Snapshot) {
			sessionHost(s)
			s.Services.Helper = nil
		},
	}
}

// sessionHost is a host whose user has a guest of his own on br0.
func sessionHost(s *Snapshot) {
	*s = emptyHost()
	s.URI, s.Libvirt.URI = "qemu:///session", "qemu:///session"
	moveUplink(s, "br0")
	addGuest(s, "mine", libvirtnet.ShutOff, onBridge("br0", "", "52:54:00:00:00:31"))
	s.around().UID = 1000
}

func dnsmasqFileFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"dnsmasq-config-drift": func(s *Snapshot) {
			s.config("default", replaced("dhcp-range=", "dhcp-range=192.168.122.100,192.168.122.200,255.255.255.0"))
		},
		"dnsmasq-config-drift+option": func(s *Snapshot) {
			s.config("default", func(l []string) []string { return append(l, "dhcp-option=6,9.9.9.9") })
		},
		"dnsmasq-config-drift+written-later": func(s *Snapshot) {
			f := s.config("default", func(l []string) []string { return l })
			f.Modified = f.Started.Add(5 * time.Minute)
		},
		"dnsmasq-config-drift+no-process": func(s *Snapshot) {
			s.config("default", replaced("interface=", "interface=virbr9")).PID = 0
		},
		"dnsmasq-config-drift+hosts": func(s *Snapshot) {
			reservedFor(s)
			f := s.config("default", func(l []string) []string { return l })
			f.Hosts = []string{"52:54:00:00:00:01,192.168.122.9,web", "52:54:00:e4:75:83,ignore"}
		},
		"ra-missing": func(s *Snapshot) {
			addNetwork(s, natNetwork("six", "virbr6", "fd00:6::1/64"))
			s.config("six", replaced("dhcp-range=", ""))
		},
		"ra-missing+dhcp": func(s *Snapshot) {
			addNetwork(s, dhcp6Network())
			s.config("six", replaced("enable-ra", ""))
		},
		"ra-missing+mixed": func(s *Snapshot) {
			n := dhcp6Network()
			n.Config.IPs = append(n.Config.IPs, xml.IP{Address: prefix("fd00:7::1/64")})
			addNetwork(s, n)
		},
	}
}

// reservedFor has the default network keep addresses for two MACs and a name.
func reservedFor(s *Snapshot) {
	n := s.network("default")
	for _, def := range []*xml.Network{n.Config, n.Live} {
		ips := slices.Clone(def.IPs)
		ips[0].Hosts = []xml.Host{
			reserve("52:54:00:00:00:01", "192.168.122.9", "web"), reserve("52:54:00:e4:75:83", "192.168.122.10", ""), reserve("", "192.168.122.11", "db"),
		}
		def.IPs = ips
	}
}

// dhcp6Network serves IPv6 addresses by DHCP.
func dhcp6Network() libvirtnet.Network {
	n := natNetwork("six", "virbr6", "fd00:6::1/64")
	n.Config.IPs[0].Ranges = []xml.Range{{Start: netip.MustParseAddr("fd00:6::10"), End: netip.MustParseAddr("fd00:6::20")}}
	return n
}

func dnsFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"dns-loop": func(s *Snapshot) { s.around().Resolver.Servers = []string{"192.168.122.1"} },
		"dns-loop+resolved": func(s *Snapshot) {
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"127.0.0.53"}, Upstream: []string{"192.168.122.1"}}
			listens(s, "127.0.0.53")
		},
		"dns-loop+link-domain": func(s *Snapshot) {
			s.around().Resolver = services.Resolver{
				Found: true, Servers: []string{"127.0.0.53"}, Upstream: []string{"203.0.113.1", "192.168.122.1"},
				Links: []services.LinkDNS{{Index: 3, Servers: []string{"192.168.122.1"}, Domains: []string{"~vm.lab"}}},
			}
			listens(s, "127.0.0.53")
		},
		"dns-loop+dnsmasq": func(s *Snapshot) {
			s.around().Resolver = services.Resolver{
				Found: true, Servers: []string{"127.0.0.1"},
				Forwards: []services.Forward{{File: "/etc/dnsmasq.d/vm", Domain: "vm.lab", Server: "192.168.122.1"}, {File: "/etc/dnsmasq.conf", Server: "192.168.122.1"}},
			}
			listens(s, "127.0.0.1")
		},
		"dns-upstream-unusable": func(s *Snapshot) { s.around().Resolver = services.Resolver{Found: true, Servers: []string{}} },
		"dns-upstream-unusable+no-file": func(s *Snapshot) {
			s.around().Resolver = services.Resolver{Servers: []string{}}
		},
		"dns-upstream-unusable+nobody-listens": func(s *Snapshot) {
			s.around().Resolver.Servers = []string{"127.0.0.53"}
		},
	}
}

// listens puts a name server on an address of the host.
func listens(s *Snapshot, address string) {
	for _, protocol := range []string{"udp", "tcp"} {
		s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{
			Protocol: protocol, Address: netip.MustParseAddr(address), Port: 53, PID: 500, Command: "systemd-resolve",
		})
	}
}

// healthyChanges are states that look wrong and are well.
func healthyChanges() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"ok-daemons-on-demand": func(s *Snapshot) {
			// A guest that starts with the host wakes virtnetworkd.
			s.Libvirt.Daemon.Name, s.Libvirt.Daemon.Systemd = "virtnetworkd", true
			s.guest("centos").Autostart = true
			s.around().Daemons = []services.Daemon{
				{Name: "virtnetworkd", PID: 42, Namespace: namespace, Socket: "/run/libvirt/virtnetworkd-sock", Listens: true, SocketEnabled: true},
				{Name: "virtqemud", PID: 43, Namespace: namespace, Socket: "/run/libvirt/virtqemud-sock", Listens: true, Enabled: true, SocketEnabled: true},
			}
		},
		"ok-reservations": func(s *Snapshot) {
			reservedFor(s)
			f := s.config("default", func(l []string) []string { return l })
			f.Hosts = []string{"192.168.122.11,db,infinite", "52:54:00:E4:75:83,192.168.122.10,10m", "52:54:00:00:00:01,web,192.168.122.9"}
		},
		"ok-daemons-of-two-hosts": func(s *Snapshot) {
			// The other one is a container's.
			s.around().Daemons = append(s.Services.Daemons, services.Daemon{Name: "virtnetworkd", PID: 77, Namespace: namespace + 9})
		},
		"ok-no-dnsmasq-needed": func(s *Snapshot) {
			*s = emptyHost()
			bare := natNetwork("bare", "virbr5", "10.5.0.1/24")
			bare.Config.Mode, bare.Config.IPs = xml.Isolated, nil
			addNetwork(s, bare)
			mute := natNetwork("mute", "virbr6", "10.6.0.1/24")
			mute.Config.IPs[0].Ranges, mute.Config.DNS = nil, &xml.DNS{Enabled: ptr(false)}
			addNetwork(s, mute)
			s.Kernel.Sockets = nil
			s.uninstall("dnsmasq")
		},
		"ok-other-backend": func(s *Snapshot) {
			s.Libvirt.Version = 11_003_000
			s.uninstall("iptables")
			s.uninstall("ip6tables")
		},
		"ok-unused-network-without-tools": func(s *Snapshot) {
			*s = emptyHost()
			addNetwork(s, natNetwork("lab", "virbr7", "10.7.0.1/24"))
			s.stop("lab")
			s.network("lab").Autostart = false
			s.uninstall("dnsmasq")
			s.uninstall("iptables")
		},
		"ok-tun-on-demand": func(s *Snapshot) {
			s.around().Devices[0] = services.Device{Path: "/dev/net/tun", Node: true, Driver: services.DriverModule}
		},
		"ok-session": func(s *Snapshot) {
			sessionHost(s)
			s.Services.Helper = &services.BridgeHelper{
				Path: "/usr/lib/qemu/qemu-bridge-helper", Privileged: true, File: "/etc/qemu/bridge.conf",
				ACL: []services.ACLRule{{Allow: true, Bridge: "br0"}},
			}
		},
		"ok-session-of-root": func(s *Snapshot) {
			sessionHost(s)
			s.Services.UID = 0
		},
		"ok-dnsmasq-options": func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Config.Domain, n.Config.DomainLocal, n.Config.MTU = "lab.x", true, 1400
			n.Config.DNS = &xml.DNS{Forwarders: []netip.Addr{netip.MustParseAddr("9.9.9.9")}}
			n.Config.Other = []xml.Setting{
				{Path: "dns/forwarder@addr", Value: "1.2.3.4"}, {Path: "dns/forwarder@domain", Value: "a.b"},
				{Path: "dnsmasq:options/dnsmasq:option@value", Value: "dhcp-option=6,9.9.9.9"},
				{Path: "ip/dhcp/range/lease@expiry", Value: "20"},
			}
			addNetwork(s, n)
			s.config("lab", func(l []string) []string {
				return append([]string{"local=/lab.x/", "expand-hosts", "server=/a.b/1.2.3.4"}, l...)
			})
			s.config("lab", replaced("dhcp-range=", "dhcp-range=10.7.0.2,10.7.0.3,255.255.255.0,20m"))
		},
		"ok-isolated-ipv6": func(s *Snapshot) {
			n := natNetwork("six", "virbr6", "fd00:6::1/64")
			n.Config.Mode = xml.Isolated
			addNetwork(s, n)
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"203.0.113.1"}}
		},
		"ok-resolver-first-network-then-outside": func(s *Snapshot) {
			s.around().Resolver.Servers = []string{"192.168.122.1", "203.0.113.1"}
		},
		"ok-split-dns": func(s *Snapshot) {
			for _, def := range []*xml.Network{s.network("default").Live, s.network("default").Config} {
				def.Domain, def.DomainLocal = "vm.lab", true
			}
			s.around().Resolver = services.Resolver{
				Found: true, Servers: []string{"127.0.0.53"}, Upstream: []string{"203.0.113.1", "192.168.122.1"},
				Links:    []services.LinkDNS{{Index: 3, Servers: []string{"192.168.122.1"}, Domains: []string{"~vm.lab"}}},
				Forwards: []services.Forward{{File: "/etc/dnsmasq.d/unused", Domain: "web.vm.lab", Server: "192.168.122.1"}},
			}
			listens(s, "127.0.0.53")
		},
		"ok-host-asks-an-isolated-network": func(s *Snapshot) {
			*s = emptyHost()
			n := natNetwork("shut", "virbr5", "10.5.0.1/24")
			n.Config.Mode = xml.Isolated
			addNetwork(s, n)
			s.around().Resolver.Servers = []string{"10.5.0.1"}
		},
		"ok-network-with-forwarder": func(s *Snapshot) {
			for _, def := range []*xml.Network{s.network("default").Live, s.network("default").Config} {
				def.DNS = &xml.DNS{Forwarders: []netip.Addr{netip.MustParseAddr("9.9.9.9")}}
			}
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"127.0.0.53"}}
		},
		"ok-resolver-stub": func(s *Snapshot) {
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{"127.0.0.53"}, Upstream: []string{"203.0.113.1"}}
			listens(s, "127.0.0.53")
		},
	}
}
