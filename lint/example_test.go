package lint_test

import (
	"fmt"

	"github.com/kvnet/kvnet/lint"
)

func ExampleCheck() {
	found := lint.Check([]lint.File{{Name: "lan.xml", Text: `<network>
  <name>lan</name>
  <forward mode='bridge'/>
  <bridge name='br0' stp='on'/>
</network>`}})
	for _, f := range found {
		fmt.Println(f)
	}
	// Output: lan.xml:4:22: error: mode bridge: the bridge is not libvirt's, and has no stp here [bridge-setting-of-host]
}

func ExampleCheckOn() {
	host := lint.Host{Devices: []lint.Device{{Name: "eth0"}, {Name: "br1", Kind: "bridge"}}}
	found := lint.CheckOn([]lint.File{{Name: "lan.xml", Text: `<network>
  <name>lan</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
</network>`}}, host)
	for _, f := range found {
		fmt.Println(f)
	}
	// Output: lan.xml:4:11: error: the host has no bridge br0 (it has br1) [bridge-not-on-host]
}
