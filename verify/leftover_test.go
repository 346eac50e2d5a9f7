package verify

import (
	"slices"
	"testing"

	"github.com/kvnet/kvnet/bridge"
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
