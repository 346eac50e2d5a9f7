package verify

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// movedFaults are hosts on which one thing was moved, renamed or made anew,
// and much looks odd because of it.
func movedFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"bridge-ip-missing+on-another-networks-bridge": func(s *Snapshot) {
			addNetwork(s, natNetwork("blue", "virbr1", "10.2.0.1/24"))
			moveAddress(s, "virbr0", "virbr1")
			// The server of blue takes every address of its bridge.
			args := []string{"/usr/sbin/dnsmasq", "--conf-file=/var/lib/libvirt/dnsmasq/blue.conf"}
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{
				Protocol: "tcp", Address: netip.MustParseAddr("192.168.122.1"), Port: 53, PID: 177, Command: "dnsmasq", Args: args,
			})
		},
		"bridge-ip-missing+on-a-host-bridge": func(s *Snapshot) { moveAddress(s, "virbr0", "br0") },
		"bridge-ip-mismatch+ipv6": func(s *Snapshot) {
			n := natNetwork("six", "virbr6", "fd00::1/64")
			n.Config.Mode = xml.Isolated
			addNetwork(s, n)
			for i := range s.Kernel.Addresses {
				if a := &s.Kernel.Addresses[i]; a.Link == "virbr6" {
					a.Prefix = prefix("fd00::1/48")
				}
			}
		},
		"bridge-missing+renamed": func(s *Snapshot) {
			addNetwork(s, natNetwork("six", "virbr6", "fd00::1/64"))
			renameLink(s, "virbr6", "foo")
			renameLink(s, "virbr0", "bar")
		},
		"bridge-missing+transient": func(s *Snapshot) {
			transient(s.network("default"))
			s.dropLink("virbr0")
		},
		"bridge-missing+nftables": func(s *Snapshot) { nftables(s); s.dropLink("virbr0") },
		"bridge-missing+nftables-isolated": func(s *Snapshot) {
			n := natNetwork("alone", "virbr6", "10.66.0.1/24")
			n.Config.Mode = xml.Isolated
			addNetwork(s, n)
			nftables(s)
			s.dropLink("virbr6")
		},
		"bridge-missing+address-elsewhere": func(s *Snapshot) {
			moveAddress(s, "virbr0", "br0")
			s.dropLink("virbr0")
		},
		"bridge-stp-mismatch+delay": func(s *Snapshot) {
			// A bridge made by hand has the kernel's delay of 15 s.
			s.bridge("virbr0").STP, s.bridge("virbr0").ForwardDelay = 0, 15000
			n := natNetwork("quick", "virbr7", "10.7.0.1/24")
			n.Config.STP = ptr(false)
			addNetwork(s, n)
			s.bridge("virbr7").STP, s.bridge("virbr7").ForwardDelay = 1, 2000
		},
		"tap-not-enslaved+bounced-bridge-guest": func(s *Snapshot) {
			addGuest(s, "direct", libvirtnet.Running, onBridge("virbr0", "vnet7", "52:54:00:aa:00:09"))
			for _, tap := range []string{"vnet0", "vnet2", "vnet7"} {
				s.unplug(tap)
			}
			n := s.network("default")
			n.Ports, n.Live.Connections = []string{}, 0
		},
		"dnsmasq-port-conflict+outlived": func(s *Snapshot) {
			// The bridge was deleted and libvirt's daemon restarted.
			left := slices.Clone(s.Kernel.Sockets)
			s.stop("default")
			for _, k := range left {
				if k.Port == 67 {
					k.Device = ""
					s.Kernel.Sockets = append(s.Kernel.Sockets, k)
				}
			}
		},
		"tap-missing+choosy": func(s *Snapshot) {
			i := onNetwork("default", "vnet7", "52:54:00:aa:00:09")
			i.PortGroup, i.Isolated, i.Alias, i.Link, i.MTU, i.Filter = "staff", ptr(true), "ua-second", "up", 1400, "clean-traffic"
			addGuest(s, "choosy", libvirtnet.Running, i)
			s.dropLink("vnet7")
		},
		"dnsmasq-port-conflict+autostart": func(s *Snapshot) {
			s.stop("default")
			s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 67, PID: 66, Command: "dhcpd"})
		},
	}
}

// movedHealthy are healthy hosts with IPv6.
func movedHealthy() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-ipv6-before-the-first-guest": with(func(s *Snapshot) {
			n := natNetwork("six", "virbr6", "fd00::1/64")
			n.Config.Mode = xml.Route
			addNetwork(s, n)
			s.link("virbr6").Carrier, s.link("virbr6").Oper = false, "down"
			for i := range s.Kernel.Addresses {
				if a := &s.Kernel.Addresses[i]; a.Link == "virbr6" {
					a.Tentative = true
				}
			}
			s.Kernel.Sockets = slices.DeleteFunc(s.Kernel.Sockets, func(k bridge.Socket) bool { return k.Address.Is6() })
		}),
		"ok-name-server-on-ipv6": with(func(s *Snapshot) {
			s.Kernel.Sockets = append(s.Kernel.Sockets,
				bridge.Socket{Protocol: "udp", Address: netip.IPv6Unspecified(), V6Only: true, Port: 53, PID: 66, Command: "unbound"})
		}),
		"ok-name-server-on-ipv4": func() Snapshot {
			s := emptyHost()
			n := natNetwork("six", "virbr6", "fd00::1/64")
			n.Config.Mode = xml.Isolated
			addNetwork(&s, n)
			s.Kernel.Sockets = append(s.Kernel.Sockets,
				bridge.Socket{Protocol: "udp", Address: netip.IPv4Unspecified(), Port: 53, PID: 66, Command: "unbound"})
			return s
		},
	}
}

func moveAddress(s *Snapshot, from, to string) {
	for i := range s.Kernel.Addresses {
		if a := &s.Kernel.Addresses[i]; a.Link == from {
			a.Link = to
		}
	}
	for i := range s.Kernel.Routes {
		if r := &s.Kernel.Routes[i]; r.Link == from {
			r.Link = to
		}
	}
}

func renameLink(s *Snapshot, from, to string) {
	moveAddress(s, from, to)
	s.link(from).Name = to
	s.bridge(from).Name = to
	for i := range s.Kernel.Links {
		if l := &s.Kernel.Links[i]; l.Master == from {
			l.Master = to
		}
	}
	for i := range s.Kernel.Ports {
		if p := &s.Kernel.Ports[i]; p.Bridge == from {
			p.Bridge = to
		}
	}
}

// TestBridgeMadeAnew: what a bridge made by hand lacks is told, and why.
func TestBridgeMadeAnew(t *testing.T) {
	s := healthyHost()
	s.unplug("vnet0")
	s.link("virbr0").MAC = "02:00:00:00:00:99"
	for _, f := range judge(s).Findings {
		switch {
		case f.Check == "bridge-mac-mismatch":
		case f.Check != "tap-not-enslaved":
			t.Errorf("also fires: %s: %s", f.Check, f.Message)
		case f.Message != "vnet0 of guest centos is in no bridge: bridge virbr0 was made anew by somebody, without its ports":
			t.Errorf("wrong cause: %s", f.Message)
		}
	}
}
