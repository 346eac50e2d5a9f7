package verify

import (
	"slices"
	"strings"
	"testing"

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

// TestRejects: libvirt's for the one bridge, not those of another network, nor a
// rule of somebody's in a chain of libvirt's.
func TestRejects(t *testing.T) {
	for name, c := range map[string]struct {
		backend func(*Snapshot) *firewall.Ruleset
		want    []string
	}{
		"iptables": {func(s *Snapshot) *firewall.Ruleset {
			more := "-A LIBVIRT_FWI -d 192.168.122.9/32 -o virbr0 -j ACCEPT\n-A LIBVIRT_FWI -d 192.168.122.9/32 -o virbr0 -j REJECT --reject-with icmp-port-unreachable\n" +
				"-A FORWARD -i virbr0 -j REJECT --reject-with icmp-port-unreachable\n"
			return iptablesRules(s, more)
		}, []string{"ip filter LIBVIRT_FWI", "ip filter LIBVIRT_FWO"}},
		"nftables": {nftRules, []string{"ip libvirt_network guest_input", "ip libvirt_network guest_output"}},
	} {
		s := healthyHost()
		addNetwork(&s, natNetwork("lab", "virbr7", "10.7.0.1/24"))
		addBridge(&s, "virbr7", "52:54:00:00:07:07", 1, 2000)
		s.Firewall = c.backend(&s)
		s.Firewall.Describe()
		var have []string
		for _, place := range Rejects(s, "virbr0") {
			have = append(have, place.Family+" "+place.Table+" "+place.Chain)
			if text := textAt(s.Firewall, place); !strings.Contains(text, "virbr0") || !strings.Contains(strings.ToLower(text), "reject") {
				t.Errorf("%s: have %q", name, text)
			}
		}
		slices.Sort(have)
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: have %q, want %q", name, have, c.want)
		}
		if len(Rejects(s, "nothere")) > 0 {
			t.Errorf("%s: rules for no bridge", name)
		}
		for i := range s.Firewall.Tables {
			s.Firewall.Tables[i].Legacy = true
		}
		if len(Rejects(s, "virbr0")) > 0 {
			t.Errorf("%s: rules without a number", name)
		}
	}
}

func textAt(rs *firewall.Ruleset, place firewall.Place) string {
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				if (firewall.Place{Family: t.Family, Table: t.Name, Chain: c.Name, Handle: r.Handle}) == place {
					return r.Text
				}
			}
		}
	}
	return ""
}
