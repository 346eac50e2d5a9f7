package main

import (
	"slices"
	"testing"

	"github.com/kvnet/kvnet/libvirtnet"
)

func TestPortsOf(t *testing.T) {
	n := libvirtnet.Network{Name: "n", Ports: []string{"b", "a"}}
	guests := []libvirtnet.Guest{{Name: "g", Interfaces: []libvirtnet.Interface{
		{PortID: "c", Target: "vnet9", MAC: "52:54:00:00:00:09"}, {PortID: "b", Target: "vnet1", MAC: "52:54:00:00:00:01"},
	}}}
	want := []netPort{{UUID: "a"}, {UUID: "b", Domain: "g", Interface: "vnet1", MAC: "52:54:00:00:00:01"}}
	if have := portsOf(n, guests); !slices.Equal(have, want) {
		t.Errorf("have %+v, want %+v", have, want)
	}
	if have := portsOf(libvirtnet.Network{}, guests); have == nil || len(have) != 0 {
		t.Errorf("no port: have %+v", have)
	}
}
