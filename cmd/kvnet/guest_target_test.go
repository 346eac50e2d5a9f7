package main

import (
	"testing"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// TestDifferenceOfNothing: what an interface does not have is none, not a zero.
func TestDifferenceOfNothing(t *testing.T) {
	src := source{kind: sourceNetwork, name: "default"}
	have := libvirtnet.Interface{Type: "network", Network: "default", Model: "virtio"}
	for want, wish := range map[string]xml.NewInterface{
		"with MTU none, not 1400":          {Model: "virtio", MTU: 1400},
		"with VLAN none, not 5":            {Model: "virtio", VLANs: []int{5}},
		"with VLAN none, not 5+6":          {Model: "virtio", VLANs: []int{5, 6}},
		"with port group none, not office": {Model: "virtio", PortGroup: "office"},
	} {
		if is := difference(wish, src, have); is != want {
			t.Errorf("have %q, want %q", is, want)
		}
	}
}
