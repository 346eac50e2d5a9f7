package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
)

// TestLeftovers: what libvirt left of a network is taken away; what is, or may
// be, anybody else's is not.
func TestLeftovers(t *testing.T) {
	left := func(s *Snapshot) { // by a daemon that died while it started lab
		n := natNetwork("lab", "virbr7", "10.7.0.1/24")
		n.Active = false
		addNetwork(s, n)
		addBridge(s, "virbr7", n.Config.MAC, 1, 2000)
	}
	deleted := []string{"ip link set dev virbr7 down", "ip link del dev virbr7"}
	for _, c := range []struct {
		name   string
		change func(*Snapshot)
		bridge string
		want   []string
	}{
		{"active", func(*Snapshot) {}, "virbr0", nil},
		{"left", left, "virbr7", deleted},
		{"of another bridge", left, "virbr0", nil},
		{"made by somebody", func(s *Snapshot) { left(s); s.link("virbr7").MAC = "02:00:00:00:00:07" }, "virbr7", nil},
		{"with somebody's port", func(s *Snapshot) {
			left(s)
			addLink(s, bridge.Link{Name: "tap7", Kind: "tun", MTU: 1500, Up: true})
			addPort(s, "tap7", "virbr7")
		}, "virbr7", nil},
		{"a guest of another network plugs into it", func(s *Snapshot) {
			left(s)
			addGuest(s, "direct", libvirtnet.Running, onBridge("virbr7", "vnet7", "52:54:00:aa:00:09"))
		}, "virbr7", nil},
		{"a server", func(s *Snapshot) {
			sockets := slices.Clone(s.Kernel.Sockets)
			s.stop("default")
			s.Kernel.Sockets = sockets
		}, "virbr0", []string{"kill 100", "timeout 45 tail -s 0.1 --pid=100 -f /dev/null"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthyHost()
			c.change(&s)
			var have []string
			for _, step := range Leftovers(s, []string{c.bridge}) {
				have = append(have, step.Command())
			}
			if !slices.Equal(have, c.want) {
				t.Errorf("have %q\nwant %q", have, c.want)
			}
		})
	}
}

// TestRulesFor: what is left without them is what libvirt makes where that network
// is not active, and where one is not nf_tables' there are none.
func TestRulesFor(t *testing.T) {
	for name, backend := range map[string]func(*Snapshot) *firewall.Ruleset{
		"iptables": func(s *Snapshot) *firewall.Ruleset { return iptablesRules(s, "") },
		"nftables": nftRules,
	} {
		s := healthyHost()
		addNetwork(&s, natNetwork("lab", "virbr7", "10.7.0.1/24"))
		addBridge(&s, "virbr7", "52:54:00:00:07:07", 1, 2000)
		s.Firewall = backend(&s)
		places := RulesFor(s, "default")
		have := textsWithout(s.Firewall, places)
		if len(RulesFor(s, "nothere")) > 0 {
			t.Errorf("%s: rules of no network", name)
		}
		s.Firewall.Tables[0].Legacy = true
		if len(RulesFor(s, "default")) > 0 {
			t.Errorf("%s: rules without a number", name)
		}
		s.stop("default")
		want := textsWithout(backend(&s), nil)
		if diff := cmp.Diff(want, have); diff != "" || len(places) == 0 {
			t.Errorf("%s: %d rules; want -, have +:\n%s", name, len(places), diff)
		}
		if len(RulesFor(s, "default")) > 0 {
			t.Errorf("%s: rules of a network that is not active", name)
		}
	}
}

// textsWithout are the rules of a ruleset but for some.
func textsWithout(rs *firewall.Ruleset, without []firewall.Place) []string {
	rs.Describe()
	var list []string
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				if place := (firewall.Place{Family: t.Family, Table: t.Name, Chain: c.Name, Handle: r.Handle}); !slices.Contains(without, place) {
					list = append(list, strings.Join([]string{t.Family, t.Name, c.Name, r.Text}, " "))
				}
			}
		}
	}
	return list
}
