package verify

import (
	"testing"
	"time"

	"github.com/kvnet/kvnet/bridge"
)

// TestSecondLook: only what several looks can decide is looked at again, and a
// healthy host never is.
func TestSecondLook(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		looks  int           // 0: none
		span   time.Duration // at most
	}{
		{"healthy", func(*Snapshot) {}, 0, 0},
		{"a few drops at boot", func(s *Snapshot) { s.Kernel.Counters = []bridge.Counter{{Link: "vnet0", TXDropped: oldDrops}} }, 0, 0},
		{"many drops", func(s *Snapshot) { s.Kernel.Counters = []bridge.Counter{{Link: "vnet0", TXDropped: oldDrops + 1}} }, 2, 300 * time.Millisecond},
		{"drops of a paused guest", func(s *Snapshot) {
			s.Kernel.Counters = []bridge.Counter{{Link: "vnet0", TXDropped: 1000}}
			s.guest("centos").State = "paused"
		}, 0, 0},
		{"drops of an uplink", func(s *Snapshot) { s.Kernel.Counters = []bridge.Counter{{Link: "eth0", TXDropped: 1000}} }, 0, 0},
		{"a guest's address at the uplink", func(s *Snapshot) { learned(s, "eth0", "52:54:00:e4:75:84") }, 8, 2 * time.Second},
		{"of long ago", func(s *Snapshot) {
			learned(s, "eth0", "52:54:00:e4:75:84")
			s.Kernel.FDB[0].Age = recent.Milliseconds() + 1
		}, 0, 0},
		{"two ways out", func(s *Snapshot) { twin(s); learned(s, "eth1", "02:00:00:00:00:99") }, 10, 20 * time.Millisecond},
		{"two ways out with spanning tree", func(s *Snapshot) {
			twin(s)
			learned(s, "eth1", "02:00:00:00:00:99")
			s.bridge("br0").STP = 1
		}, 0, 0},
		{"two ways out, and nobody there", func(s *Snapshot) { twin(s) }, 0, 0},
		{"several reasons", func(s *Snapshot) {
			twin(s)
			learned(s, "eth1", "02:00:00:00:00:99")
			s.Kernel.Counters = []bridge.Counter{{Link: "vnet0", TXDropped: 1000}}
		}, 10, 300 * time.Millisecond},
		{"looked already", func(s *Snapshot) {
			learned(s, "eth0", "52:54:00:e4:75:84")
			s.Kernel.Watch = &bridge.Watch{}
		}, 0, 0},
		{"another kernel", func(s *Snapshot) {
			learned(s, "eth0", "52:54:00:e4:75:84")
			s.Kernel.Namespace++
		}, 0, 0},
	} {
		s := healthyHost()
		test.change(&s)
		i, ok := LookAt(s).SecondLook()
		if ok != (test.looks > 0) || i.Looks != test.looks || time.Duration(i.Looks)*i.Every > test.span {
			t.Errorf("%s: %d looks, one every %s; want %d within %s", test.name, i.Looks, i.Every, test.looks, test.span)
		}
	}
}

// TestUnsettledWhileAnAddressIsProven: duplicate address detection is waited
// for, a failed one is not.
func TestUnsettledWhileAnAddressIsProven(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*bridge.Address, *bridge.Link)
		want   time.Duration
	}{
		{"in use", func(*bridge.Address, *bridge.Link) {}, 0},
		{"tentative", func(a *bridge.Address, _ *bridge.Link) { a.Tentative = true }, proof},
		{"failed", func(a *bridge.Address, _ *bridge.Link) { a.Tentative, a.DADFailed = true, true }, 0},
		{"without carrier", func(a *bridge.Address, l *bridge.Link) { a.Tentative, l.Carrier = true, false }, 0},
		{"behind a port that learns", func(a *bridge.Address, l *bridge.Link) { a.Tentative, l.Carrier = true, false }, 5*time.Second + proof},
	} {
		s := healthyHost()
		six(&s)
		test.change(s.address("virbr6", "fd00:6::1"), s.link("virbr6"))
		s.Libvirt.Networks = s.Libvirt.Networks[len(s.Libvirt.Networks)-1:]
		if test.name == "behind a port that learns" {
			addGuest(&s, "fresh", "running", onNetwork("six", "vnet7", "52:54:00:aa:00:09"))
			s.port("vnet7").State = bridge.PortLearning
		}
		if wait, ok := LookAt(s).Unsettled(); wait != test.want || ok != (test.want > 0) {
			t.Errorf("%s: wait %s, %v; want %s", test.name, wait, ok, test.want)
		}
	}
}

// TestAnOldSnapshotSaysLess: what a snapshot of an earlier version lacks is no
// fault, and none is named.
func TestAnOldSnapshotSaysLess(t *testing.T) {
	var ids []string
	for _, c := range append(insideChecks(), bridgeIPv6Checks()...) {
		ids = append(ids, c.ID)
	}
	for name, inject := range insideFaults() {
		s := healthyHost()
		inject(&s)
		s.Kernel.Switching = bridge.Switching{}
		for i := range s.Kernel.Links {
			s.Kernel.Links[i].Promiscuity = nil
		}
		for i := range s.Kernel.Bridges {
			b := &s.Kernel.Bridges[i]
			b.DefaultPVID, b.Querier4, b.Querier6, b.GroupMax, b.FDBLearned, b.FDBMax = nil, "", "", 0, 0, 0
		}
		for _, key := range []string{"autoconf", "accept_ra"} {
			delete(s.Kernel.Sysctls, "net.ipv6.conf.virbr0."+key)
		}
		for _, f := range JudgeOnly(s, Options{Checks: ids}).Findings {
			if f.Severity == Unknown || !oldKnows[f.Check] {
				t.Errorf("%s: %s %s: %s", name, f.Check, f.Subject, f.Message)
			}
		}
	}
}

// oldKnows are checks whose evidence the first version of the snapshot has.
var oldKnows = map[string]bool{
	"bridge-ipv6-broken": true, "bridge-accept-ra": true, "port-flood-off": true, "hub-mode": true, "fdb-aging-zero": true,
	"group-fwd-mask": true, "fdb-mac-wrong-port": true, "fdb-unknown-mac": true, "bridge-loop": true, "bridge-port-limit": true, "rogue-dhcp": true,
}
