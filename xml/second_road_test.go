package xml

import (
	"fmt"
	"net/netip"
	"testing"

	"libvirt.org/go/libvirtxml"
)

// TestBuildReadByLibvirtXML: a document built here says the same to libvirt's
// own Go types. They are the second road; documents are not edited through
// them, since they lose what they do not know.
func TestBuildReadByLibvirtXML(t *testing.T) {
	on, delay := true, 0
	doc, err := Build(Network{
		Name: "lab", Mode: NAT, Bridge: "virbr5", STP: &on, Delay: &delay, MTU: 1400, MAC: "52:54:00:aa:bb:cc", Domain: "lab.example",
		IPs: []IP{{
			Address: netip.MustParsePrefix("10.5.0.1/24"),
			Ranges:  []Range{{Start: netip.MustParseAddr("10.5.0.10"), End: netip.MustParseAddr("10.5.0.20")}},
			Hosts:   []Host{{MAC: "52:54:00:00:00:01", IP: netip.MustParseAddr("10.5.0.30"), Name: "db"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var n libvirtxml.Network
	if err := n.Unmarshal(doc); err != nil {
		t.Fatal(err)
	}
	if len(n.IPs) != 1 || n.IPs[0].DHCP == nil || len(n.IPs[0].DHCP.Ranges) != 1 || len(n.IPs[0].DHCP.Hosts) != 1 {
		t.Fatalf("addresses are missing:\n%s", doc)
	}
	ip := n.IPs[0]
	mask, mtu := ip.Netmask, uint(0)
	if n.MTU != nil {
		mtu = n.MTU.Size
	}
	for _, field := range []struct{ what, have, want string }{
		{"name", n.Name, "lab"},
		{"mode", n.Forward.Mode, "nat"},
		{"bridge", n.Bridge.Name, "virbr5"},
		{"STP", n.Bridge.STP, "on"},
		{"delay", n.Bridge.Delay, "0"},
		{"MTU", fmt.Sprint(mtu), "1400"},
		{"MAC", n.MAC.Address, "52:54:00:aa:bb:cc"},
		{"domain", n.Domain.Name, "lab.example"},
		{"address", ip.Address, "10.5.0.1"},
		{"netmask", mask, "255.255.255.0"},
		{"range", ip.DHCP.Ranges[0].Start + "-" + ip.DHCP.Ranges[0].End, "10.5.0.10-10.5.0.20"},
		{"reservation", ip.DHCP.Hosts[0].MAC + " " + ip.DHCP.Hosts[0].IP + " " + ip.DHCP.Hosts[0].Name, "52:54:00:00:00:01 10.5.0.30 db"},
	} {
		if field.have != field.want {
			t.Errorf("%s: libvirtxml reads %q, want %q", field.what, field.have, field.want)
		}
	}
}
