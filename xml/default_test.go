package xml

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestDefaultRange(t *testing.T) {
	for _, test := range []struct{ prefix, gateway, want string }{
		{"192.168.122.0/24", "192.168.122.1", "192.168.122.2-192.168.122.254"},
		{"192.168.122.1/24", "192.168.122.1", "192.168.122.2-192.168.122.254"},
		{"192.168.122.0/24", "192.168.122.254", "192.168.122.1-192.168.122.253"},
		{"192.168.122.0/24", "192.168.122.100", "192.168.122.101-192.168.122.254"},
		{"192.168.122.0/24", "192.168.122.200", "192.168.122.1-192.168.122.199"},
		{"192.168.122.0/24", "10.0.0.1", "192.168.122.1-192.168.122.254"},
		{"10.0.0.0/30", "10.0.0.1", "10.0.0.2-10.0.0.2"},
		{"10.0.0.0/30", "10.0.0.2", "10.0.0.1-10.0.0.1"},
		{"10.0.0.0/8", "10.0.0.1", "10.0.0.2-10.1.0.0"},
		{"10.0.0.0/15", "10.1.255.254", "10.0.0.1-10.0.255.255"},
		{"fd00::/64", "fd00::1", "fd00::100-fd00::1ff"},
		{"fd00:0:0:5::/64", "fd00:0:0:5::1", "fd00:0:0:5::100-fd00:0:0:5::1ff"},
		{"fd00::/64", "fd00::100", "fd00::101-fd00::1ff"},
		{"fd00::/119", "fd00::1", "fd00::100-fd00::1ff"},
		{"fd00::/120", "fd00::1", "fd00::2-fd00::ff"},
		{"fd00::/126", "fd00::1", "fd00::2-fd00::3"},
	} {
		r := DefaultRange(netip.MustParsePrefix(test.prefix), netip.MustParseAddr(test.gateway))
		if r.String() != test.want {
			t.Errorf("DefaultRange(%s, %s) = %s, want %s", test.prefix, test.gateway, r, test.want)
		}
	}
	for _, none := range []string{"10.0.0.0/31", "10.0.0.1/32", "fd00::/127", "fd00::1/128", "fd00::/63"} {
		p := netip.MustParsePrefix(none)
		if r := DefaultRange(p, p.Addr()); r != (Range{}) {
			t.Errorf("DefaultRange(%s) = %s, want none", none, r)
		}
	}
	if r := DefaultRange(netip.Prefix{}, netip.Addr{}); r != (Range{}) {
		t.Errorf("DefaultRange of no subnet = %s", r)
	}
}

// The default range is one that Check accepts, whatever the subnet.
func TestDefaultRangeIsSound(t *testing.T) {
	for _, base := range []string{"10.20.30.40", "fd00:1:2:3:4:5:6:7"} {
		address := netip.MustParseAddr(base)
		least := 1
		if address.Is6() {
			least = 64
		}
		for bits := least; bits < address.BitLen()-1; bits++ {
			p := netip.PrefixFrom(address, bits)
			for _, gateway := range []netip.Addr{p.Masked().Addr().Next(), broadcast(p).Prev(), address} {
				ip := IP{Address: netip.PrefixFrom(gateway, bits)}
				n := Network{Name: "n", Mode: NAT, IPs: []IP{ip}}.Default()
				if Check(Network{Name: "n", IPs: []IP{ip}}) != nil {
					continue // the address itself cannot be a gateway
				}
				if err := Check(n); err != nil || len(n.IPs[0].Ranges) != 1 {
					t.Errorf("gateway %s of %s: %v, %v", gateway, p, n.IPs[0].Ranges, err)
				} else if r := n.IPs[0].Ranges[0]; r.Start.Compare(gateway) <= 0 && gateway.Compare(r.End) <= 0 {
					t.Errorf("gateway %s of %s: lies in %s", gateway, p, r)
				}
			}
		}
	}
}

func TestDefault(t *testing.T) {
	subnet := []IP{{Address: netip.MustParsePrefix("10.0.0.1/24")}}
	if n := Classic("other"); n.Bridge != "" || n.IPs != nil || n.Mode != NAT || !*n.STP || *n.Delay != 0 {
		t.Errorf("Classic(other) = %+v", n)
	}
	if n := (Network{Name: "default", Mode: HostBridge, Bridge: "br0"}).Default(); n.STP != nil || n.IPs != nil || n.Bridge != "br0" {
		t.Errorf("host bridge: %+v", n)
	}
	if n := (Network{Name: "default", Mode: Isolated}).Default(); n.IPs != nil {
		t.Errorf("isolated: %+v", n.IPs)
	}
	if n := (Network{Name: "default", Bridge: "br7", IPs: subnet}).Default(); n.Bridge != "br7" || n.IPs[0].Ranges[0].String() != "10.0.0.2-10.0.0.254" {
		t.Errorf("a wish is overruled: %+v", n)
	}
	if subnet[0].Ranges != nil {
		t.Error("Default changes the wish that it is given")
	}
	two := Network{Name: "n", IPs: []IP{
		{Address: netip.MustParsePrefix("10.0.0.1/24")},
		{Address: netip.MustParsePrefix("10.1.0.1/24")},
		{Address: netip.MustParsePrefix("fd00::1/64")},
	}}.Default()
	if len(two.IPs[0].Ranges) != 1 || two.IPs[1].Ranges != nil || len(two.IPs[2].Ranges) != 1 {
		t.Errorf("one range for each family: %+v", two.IPs)
	}
	none := Network{Name: "n", IPs: []IP{{Address: netip.MustParsePrefix("10.0.0.1/24"), Ranges: []Range{}}}}.Default()
	if len(none.IPs[0].Ranges) != 0 {
		t.Errorf("no DHCP was wished: %+v", none.IPs)
	}
	served := Network{Name: "n", IPs: []IP{
		{Address: netip.MustParsePrefix("10.0.0.1/24")},
		{Address: netip.MustParsePrefix("10.1.0.1/24"), Hosts: []Host{host("52:54:00:00:00:01", "10.1.0.5", "")}},
	}}.Default()
	if served.IPs[0].Ranges != nil || len(served.IPs[1].Ranges) != 1 {
		t.Errorf("the subnet with reservations serves: %+v", served.IPs)
	}
	if err := Check(served); err != nil {
		t.Error(err)
	}
}

func ExampleClassic() {
	doc, err := Build(Classic("default"))
	fmt.Print(doc, err)
	// Output:
	// <network>
	//   <name>default</name>
	//   <forward mode='nat'/>
	//   <bridge name='virbr0' stp='on' delay='0'/>
	//   <ip address='192.168.122.1' netmask='255.255.255.0'>
	//     <dhcp>
	//       <range start='192.168.122.2' end='192.168.122.254'/>
	//     </dhcp>
	//   </ip>
	// </network>
	// <nil>
}
