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
