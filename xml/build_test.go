package xml

import (
	"strings"
	"testing"
)

func TestBuildVirtualPort(t *testing.T) {
	n := Network{Name: "n", Mode: HostBridge, Bridge: "br0", VirtualPort: "midonet"}
	if _, err := Build(n); err == nil || !strings.Contains(err.Error(), "has parameters") {
		t.Errorf("%v", err)
	}
	n.VirtualPort = "openvswitch"
	if doc, err := Build(n); err != nil || !strings.Contains(doc, "<virtualport type='openvswitch'/>") {
		t.Errorf("%v\n%s", err, doc)
	}
}
