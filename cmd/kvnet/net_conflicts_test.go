package main

import (
	"slices"
	"testing"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// Devices and bridges have several names, and all of them are there.
func TestNetworkConflictsOfDevices(t *testing.T) {
	w := testWorld(true)
	w.Kernel.Links = append(w.Kernel.Links, bridge.Link{Name: "lo", Loopback: true})
	host := func(bridge string) xml.Network {
		return xml.Network{Name: "new", Mode: xml.HostBridge, Bridge: bridge}
	}
	nat := func(dev string) xml.Network {
		return xml.Network{Name: "new", Mode: xml.NAT, Bridge: "virbr9", ForwardDevs: []string{dev}}
	}
	tests := []struct {
		what string
		def  xml.Network
		want []string
	}{
		{"a NIC", nat("eth0"), nil},
		{"a NIC by another name", nat("enp3s0"), nil},
		{"a bridge by another name", host("office"), nil},
		{"no NIC", nat("eth1"), []string{"the host has no device eth1 (it has both, br0, eth0, veth1, virbr0, virbr7)"}},
		{"the loopback device", nat("lo"), []string{"the host has no device lo (it has both, br0, eth0, veth1, virbr0, virbr7)"}},
		{"no bridge", host("br7"), []string{"the host has no bridge br7 (it has both, br0, virbr0, virbr7)"}},
		{"a new bridge", xml.Network{Name: "new", Mode: xml.NAT, Bridge: "enp3s0"}, []string{"the host has a device enp3s0 already (a NIC)"}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			if have := networkConflicts(w, tt.def, nil); !slices.Equal(have, tt.want) {
				t.Errorf("have %q\nwant %q", have, tt.want)
			}
		})
	}
}
