package xml_test

import (
	"fmt"
	"net/netip"

	"github.com/kvnet/kvnet/xml"
)

// An element that this package does not know survives an edit.
func ExampleEdit() {
	doc := `<network>
  <name>lan</name>
  <forward mode='route'/>
  <dns>
    <txt name='site' value='attic'/>
  </dns>
  <ip address='10.0.0.1' netmask='255.255.255.0'/>
</network>
`
	reserve := xml.Host{MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("10.0.0.9"), Name: "centos"}
	doc, err := xml.Edit(doc, xml.Network{
		MTU: 1400,
		IPs: []xml.IP{{Address: netip.MustParsePrefix("10.0.0.1/24"), Hosts: []xml.Host{reserve}}},
	})
	fmt.Print(doc, err)
	// Output:
	// <network>
	//   <name>lan</name>
	//   <forward mode='route'/>
	//   <mtu size='1400'/>
	//   <dns>
	//     <txt name='site' value='attic'/>
	//   </dns>
	//   <ip address='10.0.0.1' netmask='255.255.255.0'>
	//     <dhcp>
	//       <host mac='52:54:00:e4:75:83' name='centos' ip='10.0.0.9'/>
	//     </dhcp>
	//   </ip>
	// </network>
	// <nil>
}

func ExampleParseGuest() {
	g, err := xml.ParseGuest(`<domain><name>centos</name><devices>
	  <interface type='network'><source network='default' bridge='virbr0'/><target dev='vnet0'/></interface>
	</devices></domain>`)
	fmt.Println(g.Name, g.Interfaces[0].Target, g.Interfaces[0].Source, g.Interfaces[0].Bridge, err)
	// Output: centos vnet0 default virbr0 <nil>
}

func ExampleDrift() {
	live, _ := xml.Parse("<network connections='1'><name>n</name><bridge name='virbr1' stp='on' delay='0'/></network>")
	config, _ := xml.Parse("<network><name>n</name><mtu size='9000'/></network>")
	fmt.Println(xml.Drift(live, config))
	// Output: [mtu: none, want 9000]
}
