package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
)

func TestChecksAreComplete(t *testing.T) {
	want := strings.Fields(`
		fw-legacy-shadow fw-backend-mixed fw-nft-stale-ifindex br-nf-call fw-bridge-family-drop nat-forward-dev
		port-forward-rejected dhcp-checksum-missing fw-scale
		route-shadow routed-no-return policy-route-steals rp-filter-strict ipv6-forward accept-ra-lost conntrack-full neigh-table-overflow
		host-dns guest-neigh-failed guest-ip-dup guest-ip-off-subnet dhcp-pool-exhausted dhcp-static-bad dhcp-lease-stale
		change-half-done
		net-daemon-down fw-backend-unavailable dnsmasq-binary-missing tun-unavailable session-bridge-acl
		manager-conflict-nm manager-conflict-networkd firewalld-zone
		ovs-virtualport-missing ovs-port-missing ovs-vlan-mismatch ovs-port-stale
		nwfilter-broken nwfilter-orphan
		dnsmasq-config-drift ra-missing dns-loop dns-upstream-unusable
		net-undefined net-inactive net-no-autostart net-live-config-drift net-bridge-name-dup net-subnet-overlap
		net-subnet-collision net-ports-stale if-source-not-a-bridge bridge-missing bridge-leftover bridge-admin-down
		bridge-ip-missing bridge-ip-mismatch bridge-mac-mismatch bridge-stp-mismatch bridge-delay-mismatch
		bridge-mtu-mismatch static-route-missing bridge-foreign-port tap-missing tap-not-enslaved tap-wrong-bridge tap-admin-down
		tap-no-carrier tap-orphan tap-mac-equals-guest guest-mac-dup guest-link-down guest-paused port-not-forwarding
		port-isolated-unexpected uplink-missing uplink-down uplink-no-carrier uplink-has-ip ip-forward-off
		uplink-wireless uplink-bond-mode uplink-lro-on uplink-renamed mtu-tap-vs-guest mtu-uplink-smaller mtu-path-smaller qos-drift
		macvtap-lower-missing macvtap-lower-down macvtap-rxfilter macvtap-vepa-no-hairpin macvtap-host-isolation
		sriov-pf-bridge nested-mac-filter vhost-net-missing
		bridge-ipv6-broken bridge-accept-ra bridge-vlanfilter-drift port-vlan-mismatch uplink-promisc-missing
		port-flood-off hub-mode fdb-aging-zero mcast-snooping-no-querier mcast-hash-max fdb-limit group-fwd-mask
		fdb-flap fdb-mac-wrong-port fdb-unknown-mac bridge-loop bridge-port-limit tap-tx-drops rogue-dhcp
		ip-forward-per-if-off host-no-default-route dnsmasq-dead dnsmasq-port-conflict
		fw-rules-missing fw-chains-missing nat-missing nat-wrong-subnet fw-jump-order fw-foreign-drop-forward
		fw-foreign-drop-input ufw-blocks vpn-killswitch isolated-leak inter-network-reject fw-guest-drop fw-dns-out nat-source-unanswered bridge-arp-off bridge-mac-lost uplink-ip-missing neighbour-wrong xfrm-blocks-guests gateway-unreachable`)
	var have []string
	for _, c := range Checks() {
		have = append(have, c.ID)
		if c.Title == "" || c.Doc.Symptom == "" || c.Doc.Cause == "" || c.Doc.Evidence == "" || c.Doc.Cure == "" {
			t.Errorf("%s is not explained", c.ID)
		}
		if c.Severity.rank() >= Unknown.rank() || len(c.Needs) == 0 || c.run == nil {
			t.Errorf("%s has no severity, needs or function", c.ID)
		}
		for _, after := range c.After {
			if !slices.Contains(want, after) {
				t.Errorf("%s stands after %s, which is no check", c.ID, after)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("ids (-want +have):\n%s", diff)
	}
}

// TestAfterHasNoCircle: a check must stand behind all of its causes.
func TestAfterHasNoCircle(t *testing.T) {
	checks := Checks()
	done := map[string]bool{}
	for _, i := range inOrder(checks) {
		for _, id := range checks[i].After {
			if !done[id] {
				t.Errorf("%s is made before its cause %s", checks[i].ID, id)
			}
		}
		done[checks[i].ID] = true
	}
	if len(done) != len(checks) {
		t.Errorf("%d checks are made, want %d", len(done), len(checks))
	}
}

// unknownChecks are the checks that answered unknown; any other finding is a
// failure.
func unknownChecks(t *testing.T, r Report) []string {
	t.Helper()
	var ids []string
	for _, f := range r.Findings {
		if f.Severity != Unknown {
			t.Errorf("false alarm: %s %s: %s", f.Check, f.Subject, f.Message)
			continue
		}
		checkFinding(t, f)
		ids = append(ids, f.Check)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) {
		t.Errorf("a check answers unknown twice: %v", ids)
	}
	return ids
}

func needing(needs ...Need) []string {
	var ids []string
	for _, c := range Checks() {
		if !c.OnDemand && slices.ContainsFunc(needs, func(n Need) bool { return slices.Contains(c.Needs, n) }) {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// TestGapsAnswerUnknown takes parts of a healthy host away, one at a time: the
// checks that need them say so, and nothing else is said.
func TestGapsAnswerUnknown(t *testing.T) {
	kernel := []Need{Links, Addresses, Routes, Rules, Forwarding, Sysctls, Sockets, PacketFilter}
	services := append(slices.Clone(kernel), servicesNeeds...)
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		want   []string
	}{
		{"services of before they were read", func(s *Snapshot) { s.Services = nil }, needing(append(servicesNeeds[:len(servicesNeeds):len(servicesNeeds)], Daemons)...)},
		{"services of another daemon", func(s *Snapshot) { s.Services.ProvenFor++ }, needing(servicesNeeds...)},
		{"services of a daemon that is not known", func(s *Snapshot) { s.Libvirt.Daemon.PID, s.Services.ProvenFor = 0, 0 }, needing(servicesNeeds...)},
		{"the bridge helper's list", func(s *Snapshot) { servicesGap(s, "bridge helper") }, needing(Helper)},
		{"files of dnsmasq", func(s *Snapshot) { servicesGap(s, "dnsmasq") }, needing(DnsmasqFiles)},
		{"a new part", func(s *Snapshot) { servicesGap(s, "something new") }, nil},
		{"links", func(s *Snapshot) { k := &s.Kernel; k.Links, k.Bridges, k.Ports = nil, nil, nil; kernelGap(s, "links") }, needing(Links)},
		{"addresses", func(s *Snapshot) { s.Kernel.Addresses = nil; kernelGap(s, "addresses") }, needing(Addresses)},
		{"routes", func(s *Snapshot) { s.Kernel.Routes = nil; kernelGap(s, "routes") }, needing(Routes)},
		{"rules", func(s *Snapshot) { s.Kernel.Rules = nil; kernelGap(s, "rules") }, needing(Rules)},
		{"forwarding", func(s *Snapshot) { s.Kernel.Forwarding = nil; kernelGap(s, "forwarding") }, needing(Forwarding)},
		{"sysctls", func(s *Snapshot) { s.Kernel.Sysctls = nil; kernelGap(s, "sysctls") }, needing(Sysctls)},
		{"sockets", func(s *Snapshot) { s.Kernel.Sockets = nil; kernelGap(s, "sockets") }, needing(Sockets)},
		{"firewall", func(s *Snapshot) { kernelGap(s, FirewallGap+" (nftables)") }, needing(PacketFilter)},
		{"firewall of before it was read", func(s *Snapshot) { s.Firewall = nil }, needing(PacketFilter)},
		{"neighbours", func(s *Snapshot) { kernelGap(s, "neighbours") }, needing(Neighbours)},
		{"fdb", func(s *Snapshot) { s.Kernel.FDB = nil; kernelGap(s, "fdb") }, needing(FDB)},
		{"counters", func(s *Snapshot) { kernelGap(s, "counters") }, needing(Counters)},
		{"vlans", func(s *Snapshot) { kernelGap(s, "vlans") }, needing(VLANs)},
		{"groups", func(s *Snapshot) { kernelGap(s, "groups") }, needing(Groups)},
		{"owners are not needed", func(s *Snapshot) { kernelGap(s, "socket owners"); kernelGap(s, "holders") }, nil},
		{"a sysctl without a gap", func(s *Snapshot) { delete(s.Kernel.Sysctls, ipForward) }, []string{"ip-forward-off"}},
		{"networks", func(s *Snapshot) { s.Libvirt.Networks = nil; libvirtGap(s, "networks") }, needing(Networks, EveryNetwork)},
		{"guests", func(s *Snapshot) { s.Libvirt.Guests = nil; libvirtGap(s, "guests") }, needing(Guests, EveryGuest)},
		{"one network", func(s *Snapshot) {
			s.Libvirt.Networks = s.Libvirt.Networks[1:]
			libvirtGap(s, "network default")
		}, needing(Networks, EveryNetwork)},
		{"one guest", func(s *Snapshot) { s.Libvirt.Guests = s.Libvirt.Guests[1:]; libvirtGap(s, "guest centos") }, needing(Guests, EveryGuest)},
		{"ports of a network", func(s *Snapshot) {
			s.network("default").PortsKnown, s.network("default").Ports = false, nil
			libvirtGap(s, "ports of default")
		}, []string{"net-ports-stale"}},
		{"no connection", func(s *Snapshot) {
			s.Libvirt = libvirtnet.State{Gaps: []libvirtnet.Gap{{Source: "connection", Message: "refused"}}}
		}, needing(append(services, Networks, EveryNetwork, Guests, EveryGuest)...)},
		{"remote host", func(s *Snapshot) { s.Libvirt.Daemon.Local = false; s.Kernel = bridge.State{} }, needing(services...)},
		{"test driver", func(s *Snapshot) { s.Libvirt.Driver = "TEST" }, needing(services...)},
		{"other namespace", func(s *Snapshot) { s.Kernel.Namespace++ }, needing(kernel...)},
		{"namespace of the daemon unknown", func(s *Snapshot) { s.Libvirt.Daemon.Namespace = 0 }, needing(kernel...)},
		{"namespace of the kernel unknown", func(s *Snapshot) { s.Kernel.Namespace = 0 }, needing(kernel...)},
		{"both unknown", func(s *Snapshot) { s.Kernel.Namespace, s.Libvirt.Daemon.Namespace = 0, 0 }, needing(kernel...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := whole(healthyHost())
			test.change(&s)
			r := Judge(s)
			if diff := cmp.Diff(test.want, unknownChecks(t, r)); diff != "" {
				t.Errorf("unknown (-want +have):\n%s", diff)
			}
			if len(test.want) > 0 && test.name != "a sysctl without a gap" && len(r.Gaps) == 0 {
				t.Error("the report has no gap")
			}
		})
	}
}

func kernelGap(s *Snapshot, source string) {
	s.Kernel.Gaps = append(s.Kernel.Gaps, bridge.Gap{Source: source, Message: "read " + source + ": operation not permitted"})
}

func libvirtGap(s *Snapshot, source string) {
	s.Libvirt.Gaps = append(s.Libvirt.Gaps, libvirtnet.Gap{Source: source, Message: "read " + source + ": timed out"})
}

// TestPartialGapJudgesTheRest: one guest that could not be read does not hide
// the faults of the others.
func TestPartialGapJudgesTheRest(t *testing.T) {
	s := healthyHost()
	s.unplug("vnet3")
	s.Libvirt.Guests = s.Libvirt.Guests[1:]
	libvirtGap(&s, "guest centos")
	found := false
	for _, f := range judge(s).Findings {
		found = found || f.Check == "tap-not-enslaved" && f.Severity == Error && f.Subject == "vnet3"
	}
	if !found {
		t.Error("the fault of another guest is not named")
	}
}

// TestFollowersAreSilent breaks a host in several ways at once and wants only
// the causes.
func TestFollowersAreSilent(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		want   []string
	}{
		{"network stopped, a tap deleted", func(s *Snapshot) {
			s.stop("default")
			s.dropLink("vnet0")
		}, []string{"net-inactive default", "tap-missing vnet0"}},
		{"bridge deleted, its taps down", func(s *Snapshot) {
			s.dropLink("virbr0")
			s.link("vnet0").Up = false
			s.network("default").Ports = nil
			s.Kernel.Sockets = nil
		}, []string{"bridge-missing virbr0"}},
		{"tap gone, its port lost", func(s *Snapshot) {
			s.dropLink("vnet0")
			s.network("default").Ports = s.network("default").Ports[1:]
		}, []string{"tap-missing vnet0"}},
		{"tap out and down", func(s *Snapshot) {
			s.unplug("vnet0")
			s.link("vnet0").Up, s.link("vnet0").Carrier = false, false
		}, []string{"tap-not-enslaved vnet0"}},
		{"network restarted, one of its taps down", func(s *Snapshot) {
			s.unplug("vnet0")
			s.unplug("vnet2")
			s.network("default").Ports = []string{}
			s.link("vnet2").Up = false
		}, []string{"tap-not-enslaved default"}},
		{"network restarted, and then a guest came whose tap is down", func(s *Snapshot) {
			s.unplug("vnet0")
			s.unplug("vnet2")
			s.network("default").Ports = []string{}
			addGuest(s, "late", libvirtnet.Running, onNetwork("default", "vnet7", "52:54:00:aa:00:09"))
			s.link("vnet7").Up = false
			s.port("vnet7").State = bridge.PortDisabled
		}, []string{"tap-not-enslaved default", "tap-admin-down vnet7"}},
		{"two taps, two causes", func(s *Snapshot) {
			s.unplug("vnet0")
			s.link("vnet2").Up = false
			s.port("vnet2").State = bridge.PortDisabled
		}, []string{"tap-not-enslaved vnet0", "tap-admin-down vnet2"}},
		{"no address, so no name server", func(s *Snapshot) {
			hostIPLost(s)
			s.Kernel.Sockets = slices.DeleteFunc(s.Kernel.Sockets, func(k bridge.Socket) bool { return k.Port != 67 })
		}, []string{"bridge-ip-missing virbr0"}},
		{"no server, and nobody for it to ask", func(s *Snapshot) {
			s.Kernel.Sockets = nil
			s.around().Resolver = services.Resolver{Found: true, Servers: []string{}}
		}, []string{"dnsmasq-dead default", "dns-upstream-unusable default"}},
		{"stp off and its delay", func(s *Snapshot) {
			s.bridge("virbr0").STP, s.bridge("virbr0").ForwardDelay = 0, 15000
		}, []string{"bridge-stp-mismatch virbr0"}},
		{"network of the name of a bridge", func(s *Snapshot) {
			// A fault of the network virbr0 says nothing of the bridge virbr0.
			n := natNetwork("virbr0", "virbr7", "10.7.0.1/24")
			addNetwork(s, n)
			s.stop("virbr0")
			s.guest("spare").Interfaces[0].Network = "virbr0"
			s.link("virbr0").MAC = "02:00:00:00:00:01"
		}, []string{"bridge-mac-mismatch virbr0", "net-inactive virbr0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthyHost()
			test.change(&s)
			if diff := cmp.Diff(test.want, names(judge(s))); diff != "" {
				t.Errorf("findings (-want +have):\n%s", diff)
			}
		})
	}
}

func hostIPLost(s *Snapshot) {
	s.Kernel.Addresses = slices.DeleteFunc(s.Kernel.Addresses, func(a bridge.Address) bool { return a.Link == "virbr0" })
	dropRoutes(s, "virbr0")
}

func names(r Report) []string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, f.Check+" "+f.Subject)
	}
	return list
}

// TestOrder: severity first, then the order of the checks, then the subject.
func TestOrder(t *testing.T) {
	s := healthyHost()
	s.network("default").Autostart = false
	s.guest("centos").Interfaces[0].Link = "down"
	s.unplug("vnet3")
	s.unplug("vnet1")
	s.Kernel.Sockets = nil
	kernelGap(&s, "forwarding")
	want := []string{
		"tap-not-enslaved vnet1", "tap-not-enslaved vnet3", "dnsmasq-dead default",
		"guest-link-down vnet0", "net-no-autostart default", "uplink-lro-on kernel forwarding", "ip-forward-per-if-off kernel forwarding",
		"rp-filter-strict kernel forwarding", "accept-ra-lost kernel forwarding",
	}
	first := judge(s)
	if diff := cmp.Diff(want, names(first)); diff != "" {
		t.Errorf("order (-want +have):\n%s", diff)
	}
	if first.Worst() != Error {
		t.Errorf("worst %q, want error", first.Worst())
	}
	for range 20 {
		if string(encode(t, judge(s))) != string(encode(t, first)) {
			t.Fatal("two judgements of one snapshot differ")
		}
	}
}

func TestJudgeLeavesTheSnapshotAlone(t *testing.T) {
	for name, s := range goldenHosts() {
		before := encode(t, s)
		judge(s)
		LookAt(s).Unsettled()
		if string(before) != string(encode(t, s)) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestReportRoundTrip(t *testing.T) {
	for name, s := range goldenHosts() {
		want := encode(t, judge(s))
		var r Report
		if err := json.Unmarshal(want, &r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(encode(t, r))); diff != "" {
			t.Errorf("%s (-want +have):\n%s", name, diff)
		}
	}
}

// TestConflictOfAnInactiveNetwork: the port is taken before the network starts.
func TestConflictOfAnInactiveNetwork(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		want   Severity
	}{
		{"shut-off guest", func(s *Snapshot) { s.network("lab").Autostart = false }, Warning},
		{"starts with the host", func(*Snapshot) {}, Error},
		{"autostart guest", func(s *Snapshot) { s.network("lab").Autostart, s.guest("spare").Autostart = false, true }, Error},
	} {
		s := healthyHost()
		n := natNetwork("lab", "virbr7", "10.7.0.1/24")
		n.Active = false
		addNetwork(&s, n)
		s.guest("spare").Interfaces[0].Network = "lab"
		s.Kernel.Sockets = append(s.Kernel.Sockets, bridge.Socket{Protocol: "udp", Address: n.Config.IPs[0].Address.Addr(), Port: 53, PID: 66, Command: "named"})
		test.change(&s)
		r := judgeOnly(s, Options{Checks: []string{"dnsmasq-port-conflict"}})
		if len(r.Findings) != 1 || r.Findings[0].Severity != test.want || r.Findings[0].Subject != "lab" {
			t.Errorf("%s: %+v, want one %s on lab", test.name, r.Findings, test.want)
		}
	}
}

// TestNoConnectionIsTheReason: when libvirt did not answer, the kernel's gap
// says so, and does not blame the host.
func TestNoConnectionIsTheReason(t *testing.T) {
	s := healthyHost()
	s.Libvirt = libvirtnet.State{Gaps: []libvirtnet.Gap{{Source: "connection", Message: "refused"}}}
	want := Gap{Source: "kernel", Message: "without libvirt's answer there is nothing to hold the kernel against"}
	if r := judge(s); !slices.Contains(r.Gaps, want) {
		t.Errorf("have %v, want %v among them", r.Gaps, want)
	}
}

// A bridge that should have no IPv6 loses it with its router advertisements,
// unless somebody gave it an address.
func TestIPv6IsSwitchedOffWhereNobodyWantsIt(t *testing.T) {
	for name, c := range map[string]struct {
		own  string
		want []string
	}{
		"nobody's":       {"fe80::1/64", []string{"sysctl -w net.ipv6.conf.virbr0.accept_ra=0", "sysctl -w net.ipv6.conf.virbr0.disable_ipv6=1"}},
		"somebody's own": {"fd00:122::1/64", []string{"sysctl -w net.ipv6.conf.virbr0.accept_ra=0"}},
	} {
		s := healthyHost()
		s.Kernel.Sysctls["net.ipv6.conf.virbr0.accept_ra"], s.Kernel.Sysctls["net.ipv6.conf.virbr0.disable_ipv6"] = "1", "0"
		s.Kernel.Addresses = append(s.Kernel.Addresses, bridge.Address{Link: "virbr0", Prefix: prefix(c.own)})
		for _, f := range judgeOnly(s, Options{Checks: []string{"bridge-accept-ra"}}).Findings {
			if diff := cmp.Diff(c.want, f.Fix.Commands()); diff != "" {
				t.Errorf("%s: cure (-want +have):\n%s", name, diff)
			}
			c.want = nil
		}
		if c.want != nil {
			t.Errorf("%s: no finding", name)
		}
	}
}
