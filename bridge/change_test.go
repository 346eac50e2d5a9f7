package bridge

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const changedHost = `
	ip link add br0 type bridge
	ip link add br1 type bridge
	ip link set br0 address 02:00:00:00:00:b0 up
	ip link set br1 address 02:00:00:00:00:b1 up
	ip addr add 10.0.0.1/24 dev br0
	ip addr add 10.0.0.2/24 dev br0
	ip addr add fd00::1/64 dev br0 nodad
	ip link add eth0 type veth peer name eth1
	ip link set eth0 master br1 up
	ip link set eth1 up
	ip addr add 10.5.0.1/24 dev eth1
	ip addr add fd05::1/64 dev eth1 nodad
	ip route add 10.77.0.0/16 via 10.0.0.9
	ip route add 10.78.0.0/16 via 10.77.0.1 onlink dev br0 src 10.0.0.1
	ip route add 10.79.0.0/16 via 10.5.0.9 metric 7
	ip route add 10.80.0.0/16 nexthop via 10.5.0.9 nexthop via 10.0.0.9
	ip -6 route add 2001:db8::/32 via fd05::9 dev eth1
	bridge link set dev eth0 isolated on learning off cost 77 priority 5 flood off
`

// facts are the parts of a state that changes touch and that are still once
// set: no operstates, no ages.
func facts(t *testing.T) State {
	t.Helper()
	s := read(t)
	if len(s.Gaps) > 0 {
		t.Fatalf("gaps: %+v", s.Gaps)
	}
	s.Neighbours, s.NeighbourTables, s.FDB, s.Gaps = nil, nil, nil, nil
	s.Switching = Switching{}
	for i := range s.Links {
		s.Links[i].Oper, s.Links[i].Carrier = "", false
	}
	for i := range s.Ports {
		s.Ports[i].State, s.Ports[i].DesignatedRoot, s.Ports[i].Number = "", "", 0
	}
	for i := range s.Bridges {
		s.Bridges[i].RootID, s.Bridges[i].FDBLearned = "", 0
	}
	var addresses []Address
	for _, a := range s.Addresses { // the kernel's own come and go with carriers
		if !a.Prefix.Addr().IsLinkLocalUnicast() {
			a.Tentative = false
			addresses = append(addresses, a)
		}
	}
	var routes []Route
	for _, r := range s.Routes {
		if !r.Dst.Addr().IsLinkLocalUnicast() {
			r.Down = false
			routes = append(routes, r)
		}
	}
	s.Addresses, s.Routes = addresses, routes
	delete(s.Sysctls, "net.netfilter.nf_conntrack_count")
	return s
}

// settle waits until the links that are up have their carrier and its
// followers: IPv6 takes up its addresses and routes only then.
func settle(t *testing.T) {
	t.Helper()
	until(t, "links that are up work", func() bool {
		s := read(t)
		up := 0
		for _, l := range s.Links {
			if l.Kind == "veth" && l.Up && l.Oper == "up" {
				up++
			}
		}
		// The kernel gives an IPv6 address its local route a moment later.
		if slices.ContainsFunc(s.Addresses, func(a Address) bool { return a.Unrouted }) {
			return false
		}
		return up == 2 || slices.ContainsFunc(s.Links, func(l Link) bool { return l.Kind == "veth" && !l.Up })
	})
}

// TestChangesAreUndone makes each change, sees it, makes it again, undoes it
// and compares everything with what was before.
func TestChangesAreUndone(t *testing.T) {
	p := netip.MustParsePrefix
	link := func(s State, name string) Link {
		return find(t, s.Links, func(l Link) bool { return l.Name == name })
	}
	port := func(s State, name string) string {
		for _, p := range s.Ports {
			if p.Name == name {
				return p.Bridge
			}
		}
		return ""
	}
	bridge := func(s State, name string) Bridge {
		return find(t, s.Bridges, func(b Bridge) bool { return b.Name == name })
	}
	addresses := func(s State, name string) string {
		var list []string
		for _, a := range s.Addresses {
			if a.Link == name && a.Prefix.Addr().Is4() {
				list = append(list, a.Prefix.String())
			}
		}
		return strings.Join(list, " ")
	}
	forwards := func(s State) string {
		var on []string
		for _, f := range s.Forwarding {
			if f.On {
				on = append(on, fmt.Sprintf("%s/%d", f.Link, f.Family))
			}
		}
		return strings.Join(on, " ")
	}
	for _, test := range []struct {
		name   string
		before string
		do     func() (Undo, error)
		see    func(State) any
		want   any
	}{
		{"SetUp", "ip link set eth1 down", func() (Undo, error) { return SetUp("eth1") }, func(s State) any { return link(s, "eth1").Up }, true},
		{"SetDown", "", func() (Undo, error) { return SetDown("eth1") }, func(s State) any { return link(s, "eth1").Up }, false},
		{"SetARP", "", func() (Undo, error) { return SetARP("eth1", false) }, func(s State) any { return link(s, "eth1").NoARP }, true},
		{"SetARP on", "ip link set eth1 arp off", func() (Undo, error) { return SetARP("eth1", true) }, func(s State) any { return link(s, "eth1").NoARP }, false},
		{"SetMTU", "", func() (Undo, error) { return SetMTU("eth1", 1400) }, func(s State) any { return link(s, "eth1").MTU }, 1400},
		{"SetMTU without IPv6", "", func() (Undo, error) { return SetMTU("eth1", 576) }, func(s State) any { return link(s, "eth1").MTU }, 576},
		{"SetMAC", "", func() (Undo, error) { return SetMAC("eth1", "52-54-00-AA-BB-CC") }, func(s State) any { return link(s, "eth1").MAC }, "52:54:00:aa:bb:cc"},
		{"SetMaster", "", func() (Undo, error) { return SetMaster("eth1", "br0") }, func(s State) any { return port(s, "eth1") }, "br0"},
		{"SetMaster from another", "", func() (Undo, error) { return SetMaster("eth0", "br0") }, func(s State) any { return port(s, "eth0") }, "br0"},
		{"ClearMaster", "", func() (Undo, error) { return ClearMaster("eth0") }, func(s State) any { return port(s, "eth0") }, ""},
		{"SetForwardDelay", "", func() (Undo, error) { return SetForwardDelay("br0", 2500*time.Millisecond) }, func(s State) any { return bridge(s, "br0").ForwardDelay }, 2500},
		{"SetSTP on raises the delay", "ip link set br0 type bridge forward_delay 0", func() (Undo, error) { return SetSTP("br0", true) }, func(s State) any {
			return fmt.Sprint(bridge(s, "br0").STP, bridge(s, "br0").ForwardDelay)
		}, "1 2000"},
		{"SetSTP off", "ip link set br0 type bridge stp_state 1", func() (Undo, error) { return SetSTP("br0", false) }, func(s State) any { return bridge(s, "br0").STP }, 0},
		{"SetIsolated", "", func() (Undo, error) { return SetIsolated("eth0", false) }, func(s State) any { return s.Ports[0].Isolated }, false},
		{"AddAddress", "", func() (Undo, error) { return AddAddress("br1", p("192.168.122.1/24")) }, func(s State) any { return addresses(s, "br1") }, "192.168.122.1/24"},
		{"DelAddress that others hang on", "", func() (Undo, error) { return DelAddress("br0", p("10.0.0.1/24")) }, func(s State) any { return addresses(s, "br0") }, "10.0.0.2/24"},
		{"DelAddress of a secondary", "", func() (Undo, error) { return DelAddress("br0", p("10.0.0.2/24")) }, func(s State) any { return addresses(s, "br0") }, "10.0.0.1/24"},
		{"DelAddress with promotion", "sysctl -qw net.ipv4.conf.br0.promote_secondaries=1", func() (Undo, error) { return DelAddress("br0", p("10.0.0.1/24")) }, func(s State) any { return addresses(s, "br0") }, "10.0.0.2/24"},
		{"DelAddress the last", "", func() (Undo, error) { return DelAddress("eth1", p("10.5.0.1/24")) }, func(s State) any { return addresses(s, "eth1") }, ""},
		{"DelAddress of IPv6", "", func() (Undo, error) { return DelAddress("eth1", p("fd05::1/64")) }, func(s State) any {
			for _, a := range s.Addresses {
				if a.Prefix == p("fd05::1/64") {
					return "still there"
				}
			}
			return ""
		}, ""},
		{"ReplaceAddress in its subnet", "", func() (Undo, error) { return ReplaceAddress("eth1", p("10.5.0.1/24"), p("10.5.0.3/24")) }, func(s State) any { return addresses(s, "eth1") }, "10.5.0.3/24"},
		{"ReplaceAddress by another length", "", func() (Undo, error) { return ReplaceAddress("eth1", p("10.5.0.1/24"), p("10.5.0.1/16")) }, func(s State) any { return addresses(s, "eth1") }, "10.5.0.1/16"},
		{"SetSysctl", "sysctl -qw net.ipv4.conf.br1.forwarding=1", func() (Undo, error) { return SetSysctl("net.ipv4.ip_forward", "1") }, func(s State) any { return s.Sysctls["net.ipv4.ip_forward"] }, "1"},
		{"SetForwarding", "", func() (Undo, error) { return SetForwarding("br1", 4, true) }, func(s State) any { return forwards(s) }, "br1/4"},
		{"SetForwarding of all in IPv6", "", func() (Undo, error) { return SetForwarding("all", 6, true) }, func(s State) any { return forwards(s) }, "all/6 br0/6 br1/6 default/6 eth0/6 eth1/6 lo/6"},
		{"AddBridge", "", func() (Undo, error) { return AddBridge("br9") }, func(s State) any { return len(s.Bridges) }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			inNamespace(t)
			sh(t, changedHost+test.before)
			settle(t)
			before := facts(t)
			if have := test.see(before); have == test.want {
				t.Fatalf("%v already before the change", have)
			}
			undo, err := test.do()
			if err != nil {
				t.Fatal(err)
			}
			check(t, "after the change", test.see(facts(t)), test.want)
			again, err := test.do()
			if err != nil {
				t.Fatalf("what is so already is success: %v", err)
			}
			if err := again(); err != nil {
				t.Fatal(err)
			}
			check(t, "after undoing a change that did nothing", test.see(facts(t)), test.want)
			if err := undo(); err != nil {
				t.Fatalf("undo: %v", err)
			}
			settle(t)
			d := "?"
			for begin := time.Now(); d != "" && time.Since(begin) < 10*time.Second; {
				d = cmp.Diff(before, facts(t), byValue)
			}
			if d != "" {
				t.Errorf("-before +after undo:\n%s", d)
			}
		})
	}
}

func TestBroadcastAddress(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge")
	for _, a := range []string{"192.168.122.1/24", "10.0.0.1/31", "10.1.1.1/32", "10.200.0.5/13"} {
		if _, err := AddAddress("br0", netip.MustParsePrefix(a)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]any{"192.168.122.1": "192.168.122.255", "10.0.0.1": nil, "10.1.1.1": nil, "10.200.0.5": "10.207.255.255"}
	for _, w := range tool(t, "ip -4 -j addr show dev br0") {
		for _, i := range w["addr_info"].([]any) {
			info := i.(map[string]any)
			check(t, info["local"].(string), info["broadcast"], want[info["local"].(string)])
		}
	}
}

func TestDeleteLink(t *testing.T) {
	inNamespace(t)
	sh(t, changedHost)
	if err := DeleteLink("br1"); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLink("br1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("have %v, want %v", err, ErrNotFound)
	}
	if err := DeleteLink("br1"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "br1") {
		t.Errorf("have %v, want %v with the name", err, ErrNotFound)
	}
}
