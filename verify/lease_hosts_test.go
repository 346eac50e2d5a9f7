package verify

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// The guests of the demo on its network: MACs and first addresses.
const (
	centosMAC = "52:54:00:e4:75:83"
	debianMAC = "52:54:00:aa:00:01"
	cloneMAC  = "52:54:00:aa:00:09"
)

// lease gives an address away for an hour.
func lease(s *Snapshot, mac, ip string) {
	n := s.network("default")
	n.LeasesKnown = true
	n.Leases = append(n.Leases, libvirtnet.Lease{
		Expires: s.Taken.Add(time.Hour), MAC: mac, IP: netip.MustParseAddr(ip), Prefix: 24, Interface: "virbr0",
	})
}

// meet adds a neighbour on virbr0 that was confirmed some milliseconds ago.
func meet(s *Snapshot, ip, mac, state string, age int64) {
	s.Kernel.Neighbours = append(s.Kernel.Neighbours, bridge.Neighbour{
		Link: "virbr0", IP: netip.MustParseAddr(ip), MAC: mac, State: state, Age: age, Updated: age,
	})
}

// hear has virbr0 learn a MAC behind a tap.
func hear(s *Snapshot, tap, mac string, age int64) {
	s.Kernel.FDB = append(s.Kernel.FDB, bridge.FDBEntry{Bridge: "virbr0", Port: tap, MAC: mac, State: "learned", Age: age})
}

// serve sets the range and the reservations of the default network.
func serve(s *Snapshot, from, to string, hosts ...xml.Host) {
	n := s.network("default")
	config := *n.Config
	config.IPs = []xml.IP{{
		Address: prefix("192.168.122.1/24"), Hosts: hosts,
		Ranges: []xml.Range{{Start: netip.MustParseAddr(from), End: netip.MustParseAddr(to)}},
	}}
	live := config
	live.Connections = n.Live.Connections
	n.Config, n.Live, n.LeasesKnown = &config, &live, true
}

func reserve(mac, ip, name string) xml.Host {
	return xml.Host{MAC: mac, IP: netip.MustParseAddr(ip), Name: name}
}

func leaseFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"dhcp-pool-exhausted": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.2")
			lease(s, centosMAC, "192.168.122.2")
		},
		"dhcp-pool-exhausted+nobody-waits": func(s *Snapshot) {
			lease(s, centosMAC, "192.168.122.2")
			lease(s, debianMAC, "192.168.122.3")
		},
		"dhcp-pool-exhausted+soon": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.21", reserve("52:54:00:00:00:77", "192.168.122.20", "later"))
			lease(s, centosMAC, "192.168.122.2")
			lease(s, debianMAC, "192.168.122.3")
			var fleet []libvirtnet.Interface
			for i := range byte(15) {
				mac := fmt.Sprintf("52:54:00:99:00:%02x", i)
				lease(s, mac, netip.AddrFrom4([4]byte{192, 168, 122, 4 + i}).String())
				fleet = append(fleet, onNetwork("default", "", mac))
			}
			addGuest(s, "fleet", libvirtnet.ShutOff, fleet...)
		},
		"dhcp-pool-exhausted+limit": func(s *Snapshot) {
			// Reservations outside of the range count against the server's limit.
			serve(s, "192.168.122.2", "192.168.122.3", reserve(debianMAC, "192.168.122.99", ""), reserve(cloneMAC, "192.168.122.98", ""))
			addGuest(s, "clone", libvirtnet.Running, onNetwork("default", "vnet7", cloneMAC))
			lease(s, debianMAC, "192.168.122.99")
			lease(s, cloneMAC, "192.168.122.98")
			lease(s, "52:54:00:aa:00:03", "192.168.122.2")
		},
		"dhcp-pool-exhausted+reservations-beyond-the-range": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.2", reserve(centosMAC, "192.168.122.50", "centos"), reserve(debianMAC, "192.168.122.51", "debian"))
			lease(s, centosMAC, "192.168.122.50")
		},
		"dhcp-static-bad": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve(centosMAC, "192.168.121.7", "centos"))
		},
		"dhcp-static-bad+gateway": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve(centosMAC, "192.168.122.1", `<"o'dd">`))
		},
		"dhcp-static-bad+broadcast": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve(centosMAC, "192.168.122.255", ""))
		},
		"dhcp-static-bad+twice": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve(centosMAC, "192.168.122.7", "a"), reserve(debianMAC, "192.168.122.7", "b"))
		},
		"dhcp-static-bad+one-mac": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve(centosMAC, "192.168.122.7", ""), reserve("52:54:00:E4:75:83", "192.168.122.8", ""))
		},
		"dhcp-static-bad+name": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve(centosMAC, "192.168.122.7", "web"), reserve(debianMAC, "192.168.122.8", "web"))
		},
		"dhcp-static-bad+inactive": func(s *Snapshot) {
			n := natNetwork("lab", "virbr7", "10.7.0.1/24")
			n.Active, n.Autostart = false, false
			n.Config.IPs[0].Hosts = []xml.Host{reserve(centosMAC, "10.8.0.7", "")}
			n.Config.IPs = append([]xml.IP{{Address: prefix("fd00:7::1/64")}}, n.Config.IPs...)
			addNetwork(s, n)
		},
		"dhcp-static-bad+new-mac": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve("52:54:00:01:02:03", "192.168.122.7", "centos"))
		},
		"dhcp-lease-stale": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, "52:54:00:de:ad:01", "192.168.122.50")
			lease(s, "52:54:00:de:ad:02", "192.168.122.51")
		},
		"dhcp-lease-stale+other-address": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.200", centosMAC, "reachable", 900)
			meet(s, "192.168.122.2", centosMAC, "stale", 3_600_000)
		},
		"guest-ip-dup": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.2", debianMAC, "reachable", 2000)
		},
		"guest-ip-dup+stranger": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.2", "02:00:00:00:00:77", "stale", 20_000)
		},
		"guest-ip-dup+host": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "203.0.113.2")
		},
		"guest-ip-off-subnet": func(s *Snapshot) { meet(s, "10.99.0.5", centosMAC, "stale", 7000) },
		"guest-ip-off-subnet+never-confirmed": func(s *Snapshot) {
			meet(s, "10.99.0.5", centosMAC, "stale", 60_400)
			s.Kernel.Neighbours[len(s.Kernel.Neighbours)-1].Updated = 400
		},
		"guest-ip-off-subnet+was-right": func(s *Snapshot) {
			s.network("default").Live.Mode, s.network("default").Config.Mode = xml.Route, xml.Route
			meet(s, "10.99.0.5", centosMAC, "reachable", 7000)
			meet(s, "192.168.122.2", centosMAC, "stale", 700_000)
		},
		"guest-neigh-failed": func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.2", "", "failed", 20_000)
			hear(s, "vnet0", centosMAC, 21_000)
		},
	}
}

func healthyLeases() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		"ok-leases": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9", reserve("52:54:00:01:02:03", "192.168.122.77", "printer"))
			lease(s, centosMAC, "192.168.122.2")
			lease(s, debianMAC, "192.168.122.3")
			lease(s, "52:54:00:aa:00:03", "192.168.122.4") // of the guest that is off
			meet(s, "192.168.122.2", centosMAC, "reachable", 10)
			meet(s, "192.168.122.3", debianMAC, "stale", 500_000)
			for i := range byte(6) { // run out since
				lease(s, cloneMAC, netip.AddrFrom4([4]byte{192, 168, 122, 5 + i}).String())
				s.network("default").Leases[3+i].Expires = s.Taken.Add(-time.Second)
			}
		}),
		"ok-lease-for-ever": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			s.network("default").Leases[0].Expires = time.Time{}
		}),
		"ok-all-reserved": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.3", reserve(centosMAC, "192.168.122.2", "centos"), reserve(debianMAC, "192.168.122.3", "debian"))
			lease(s, centosMAC, "192.168.122.2")
			lease(s, debianMAC, "192.168.122.3")
		}),
		"ok-reserved-and-static": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.2", reserve(centosMAC, "192.168.122.50", "centos"), reserve(debianMAC, "192.168.122.51", "debian"))
			lease(s, centosMAC, "192.168.122.50")
			meet(s, "192.168.122.51", debianMAC, "stale", 120_000)
		}),
		"ok-nested-clients": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			// A container in a guest of another hypervisor.
			lease(s, "02:42:00:00:00:05", "192.168.122.60")
			addTap(s, onBridge("virbr0", "tap0", "52:54:00:ab:00:01"))
			hear(s, "tap0", "02:42:00:00:00:05", 90_000)
		}),
		"ok-floating-address": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.2", "00:00:5e:00:01:07", "reachable", 10)
		}),
		"ok-old-neighbour": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.2", debianMAC, "stale", 900_000)
			meet(s, "10.99.0.5", debianMAC, "stale", 900_000)
		}),
		"ok-two-addresses": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			meet(s, "192.168.122.2", centosMAC, "stale", 500_000)
			meet(s, "192.168.122.202", centosMAC, "reachable", 10)
			meet(s, "10.99.0.5", centosMAC, "reachable", 10)
			meet(s, "169.254.7.7", debianMAC, "reachable", 10)
		}),
		"ok-routed-to-a-guest": with(func(s *Snapshot) {
			meet(s, "10.99.0.5", centosMAC, "reachable", 10)
			addRoute(s, "10.99.0.0/24", "", "virbr0")
		}),
		"ok-asleep": with(func(s *Snapshot) {
			// ARP failed, but the guests were silent then, or are off, or are still
			// being asked.
			serve(s, "192.168.122.2", "192.168.122.99")
			lease(s, centosMAC, "192.168.122.2")
			lease(s, "52:54:00:aa:00:03", "192.168.122.4")
			lease(s, debianMAC, "192.168.122.3")
			meet(s, "192.168.122.2", "", "failed", 20_000)
			hear(s, "vnet0", centosMAC, 60_000)
			meet(s, "192.168.122.4", "", "failed", 20_000)
			meet(s, "192.168.122.3", "", "incomplete", 500)
			hear(s, "vnet2", debianMAC, 100)
		}),
		"ok-second-interface": with(func(s *Snapshot) {
			// One guest with two interfaces answers for both by either.
			serve(s, "192.168.122.2", "192.168.122.99")
			addGuest(s, "twin", libvirtnet.Running, onNetwork("default", "vnet8", "52:54:00:bb:00:01"), onNetwork("default", "vnet9", "52:54:00:bb:00:02"))
			lease(s, "52:54:00:bb:00:01", "192.168.122.30")
			lease(s, "52:54:00:bb:00:02", "192.168.122.31")
			meet(s, "192.168.122.30", "52:54:00:bb:00:02", "reachable", 10)
		}),
		"ok-reserved-at-the-edge": with(func(s *Snapshot) {
			serve(s, "192.168.122.2", "192.168.122.9",
				reserve(centosMAC, "192.168.122.254", "centos"), reserve(debianMAC, "192.168.122.5", "debian"),
				reserve("52:54:00:01:02:03", "192.168.122.77", "spare"), reserve("52:54:00:aa:00:03", "192.168.122.78", ""))
		}),
	}
}
