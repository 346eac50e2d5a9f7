package xml

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// plain compares addresses by value.
var plain = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

func ptr[T any](v T) *T { return &v }

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, doc string
		want      Network
	}{
		{"least", "<network><name>n</name></network>", Network{Name: "n", Mode: Isolated}},
		{"forward is nat", "<network><name>n</name><forward/></network>", Network{Name: "n", Mode: NAT}},
		{"none is isolated", "<network><name>n</name><forward mode='none'/></network>", Network{Name: "n", Mode: Isolated}},
		{
			"a mode of tomorrow",
			"<network><name>n</name><forward mode='warp'/></network>", Network{Name: "n", Mode: "warp"},
		},
		{
			"everything",
			`<?xml version='1.0'?>
<network connections='2' ipv6='yes'>
  <name>a&amp;b</name><uuid>5DC8AE5Ba6fe4750bdbebac6a6c603d2</uuid><title>T</title><description>d</description>
  <metadata><x:y xmlns:x='urn:x' z='1'/></metadata>
  <forward dev='eth0' mode='nat'>
    <nat ipv6='yes'><address start='192.0.2.1' end='192.0.2.9'/><port start='1024' end='65535'/></nat>
    <interface dev='eth0' connections='1'/>
  </forward>
  <bridge name='virbr7' stp='off' delay='3' macTableManager='libvirt' zone='z'/>
  <mtu size='1400'/><mac address='52:54:0:AA:bb:01'/>
  <domain name='example.com' localOnly='yes' register='yes'/>
  <dns enable='yes'><forwarder addr='192.0.2.53'/><forwarder domain='x.org' addr='192.0.2.54'/>
    <txt name='t' value='v'/><host ip='10.0.0.9'><hostname>a</hostname><hostname>b</hostname></host></dns>
  <ip address='10.0.0.1' netmask='255.255.255.0'>
    <tftp root='/t'/>
    <dhcp><range start='10.0.0.2' end='10.0.0.9'><lease expiry='5'/></range>
      <host mac='52:54:00:AA:00:01' name='h' ip='10.0.0.3'/><host id='0:1' ip='10.0.0.4'/></dhcp>
  </ip>
  <ip family='ipv6' address='fd00::1' prefix='96'/>
  <route address='10.9.0.0' prefix='16' gateway='10.0.0.5' metric='7'/>
  <bandwidth><inbound average='1' peak='2' burst='3' floor='4'/><outbound average='5'/></bandwidth>
  <vlan><tag id='5'/><tag id='6'/></vlan>
  <port isolated='yes'/><virtualport type='openvswitch'/>
  <portgroup name='p' default='yes'/><portgroup name='q'/>
  <bogus/>
</network>`,
			Network{
				Name: "a&b", UUID: "5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2", Title: "T", IPv6: true, Connections: 2,
				Mode: NAT, ForwardDevs: []string{"eth0"},
				NAT: &NATSpec{
					IPv6: true, FirstPort: 1024, LastPort: 65535,
					Start: netip.MustParseAddr("192.0.2.1"), End: netip.MustParseAddr("192.0.2.9"),
				},
				Bridge: "virbr7", STP: ptr(false), Delay: ptr(3), MACTable: "libvirt", Zone: "z", MTU: 1400,
				MAC: "52:54:00:aa:bb:01", Domain: "example.com", DomainLocal: true,
				DNS: &DNS{
					Enabled: ptr(true), Forwarders: []netip.Addr{netip.MustParseAddr("192.0.2.53")},
					Hosts: []DNSHost{{IP: netip.MustParseAddr("10.0.0.9"), Names: []string{"a", "b"}}},
				},
				IPs: []IP{
					{
						Address: netip.MustParsePrefix("10.0.0.1/24"), TFTP: "/t",
						Ranges: []Range{{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.9")}},
						Hosts: []Host{
							{MAC: "52:54:00:aa:00:01", Name: "h", IP: netip.MustParseAddr("10.0.0.3")},
							{ID: "0:1", IP: netip.MustParseAddr("10.0.0.4")},
						},
					},
					{Address: netip.MustParsePrefix("fd00::1/96")},
				},
				Routes: []Gateway{{
					To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.5"), Metric: 7,
				}},
				PortsIsolated: ptr(true), VirtualPort: "openvswitch", VLANs: []int{5, 6}, PortGroups: []string{"p", "q"},
				Bandwidth: Bandwidth{Inbound: Rate{1, 2, 3}, Outbound: Rate{Average: 5}},
				Other: []Setting{
					{"bandwidth/inbound@floor", "4", ""},
					{"bogus", "", ""},
					{"dns/forwarder@addr", "192.0.2.54", "dns/forwarder[x.org]@addr"},
					{"dns/forwarder@domain", "x.org", "dns/forwarder[x.org]@domain"},
					{"dns/txt@name", "t", "dns/txt[t]@name"},
					{"dns/txt@value", "v", "dns/txt[t]@value"},
					{"domain@register", "yes", ""},
					{"ip/dhcp/range/lease@expiry", "5", "ip[10.0.0.1]/dhcp/range[10.0.0.2 10.0.0.9]/lease@expiry"},
					{"portgroup@default", "yes", "portgroup[p]@default"},
				},
			},
		},
		{
			"a prefix of somebody else is not libvirt's",
			"<network xmlns:o='urn:o'><o:name>x</o:name><name>n</name><o:bridge name='x'/><bridge o:name='y' name='b'/></network>",
			Network{Name: "n", Mode: Isolated, Bridge: "b", Other: []Setting{{Path: "bridge@{urn:o}name", Value: "y"}, {Path: "{urn:o}bridge@name", Value: "x"}, {Path: "{urn:o}name", Value: "x"}}},
		},
		{
			"VFs of a physical function",
			"<network><name>n</name><forward mode='passthrough'><pf dev='eth0'/><interface dev='eth1'/></forward></network>",
			Network{Name: "n", Mode: Passthrough, PF: "eth0", ForwardDevs: []string{"eth1"}},
		},
		{"declared ISO-8859-1", "<?xml version='1.0' encoding='ISO-8859-1'?><network><name>\xe9</name></network>", Network{Name: "é", Mode: Isolated}},
		{
			"declared ISO-8859-1, written as UTF-8: libvirt takes it so",
			"<?xml version='1.0' encoding='ISO-8859-1'?><network><name>é</name></network>", Network{Name: "é", Mode: Isolated},
		},
		{"declared KOI8-R, ASCII", "<?xml version='1.0' encoding='KOI8-R'?><network><name>n</name></network>", Network{Name: "n", Mode: Isolated}},
		{"byte order mark", "\ufeff<network><name>n</name></network>", Network{Name: "n", Mode: Isolated}},
		{"comments and CDATA in a name", "<network><name>a<!-- x --><![CDATA[<b>]]></name></network>", Network{Name: "a<b>", Mode: Isolated}},
	} {
		t.Run(test.name, func(t *testing.T) {
			have, err := Parse(test.doc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, have, plain); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseMask(t *testing.T) {
	for attributes, want := range map[string]string{
		"address='10.24.10.1'":                                     "10.24.10.1/8",
		"address='127.0.0.1'":                                      "127.0.0.1/8",
		"address='128.0.0.1'":                                      "128.0.0.1/16",
		"address='172.16.0.1'":                                     "172.16.0.1/16",
		"address='192.168.122.1'":                                  "192.168.122.1/24",
		"address='192.168.122.1' prefix='0'":                       "192.168.122.1/24",
		"address='10.0.0.1' prefix='30'":                           "10.0.0.1/30",
		"address='10.0.0.1' netmask='255.255.255.252'":             "10.0.0.1/30",
		"address='10.0.0.1' netmask='255.255.254.0' prefix='24'":   "10.0.0.1/23",
		"family='ipv6' address='fd00::1'":                          "fd00::1/64",
		"family='ipv6' address='fd00::1' prefix='48'":              "fd00::1/48",
		"family='ipv6' address='FD00:0:0::00:1' prefix='128'":      "fd00::1/128",
		"address='10.0.0.1' netmask='255.255.255.255'":             "10.0.0.1/32",
		"address='10.0.0.1' netmask='255.255.255.0' localPtr='no'": "10.0.0.1/24",
	} {
		n, err := Parse("<network><name>n</name><ip " + attributes + "/></network>")
		if err != nil || len(n.IPs) != 1 || n.IPs[0].Address.String() != want {
			t.Errorf("%s: %v, %v, want %s", attributes, n.IPs, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const document = "<network><name>n</name>%s</network>"
	for _, test := range []struct{ doc, want string }{
		{"", "document is empty, want <network>"},
		{"hello", "text outside of the root"},
		{"<domain><name>n</name></domain>", "read network: document is a <domain>, want <network>"},
		{"<network/>", "no <name>"},
		{"<network><name/></network>", "no <name>"},
		{"<network>\n<name>n</name>\n<ip>\n</network>", "line 4: malformed XML"},
		{"<network>\n<name>n</name>", "line 2: malformed XML"},
		{"<network><name>n</name></network><network/>", "second root element"},
		{"<network><name>n</name></network>tail", "text outside of the root"},
		{"<network><name>n</name>\n<bridge name='a' name='b'/></network>", "line 2: malformed XML: attribute name of <bridge> is given twice"},
		{"<!DOCTYPE network [<!ENTITY a 'b'>]><network><name>&a;</name></network>", "document type is not read"},
		{"<network><name>&a;</name></network>", "malformed XML"},
		{"\xff\xfe<\x00", "UTF-16"},
		{"<network><name>\xe9</name></network>", "not UTF-8"},
		{"<?xml version='1.0' encoding='koi8-r'?><network><name>\xe9</name></network>", `"koi8-r", which is not read`},
		{"<network><name>" + strings.Repeat("a", 10<<20) + "</name></network>", "more than the 4194304"},
		{strings.Repeat("<network>", 100000), "nests deeper"},
		{fmt.Sprintf(document, "<uuid>123</uuid>"), `UUID "123"`},
		{fmt.Sprintf(document, "<ip/>"), `<ip address="">: want an IP address`},
		{fmt.Sprintf(document, "<ip address='10.0.0.256'/>"), `<ip address="10.0.0.256">`},
		{fmt.Sprintf(document, "<ip address='10.0.0.1' prefix='33'/>"), "want 0 to 32"},
		{fmt.Sprintf(document, "<ip address='10.0.0.1' prefix='-1'/>"), "want a number"},
		{fmt.Sprintf(document, "<ip address='10.0.0.1' netmask='255.0.255.0'/>"), "netmask"},
		{fmt.Sprintf(document, "<ip address='10.0.0.1' netmask='fd00::'/>"), "netmask"},
		{fmt.Sprintf(document, "<ip address='10.0.0.1' netmask='x'/>"), "netmask"},
		{fmt.Sprintf(document, "<ip address='fd00::1' netmask='255.255.0.0'/>"), "netmask"},
		{fmt.Sprintf(document, "<ip address='10.0.0.1'><dhcp><range start='x' end='10.0.0.2'/></dhcp></ip>"), `<range start="x">`},
		{fmt.Sprintf(document, "<ip address='10.0.0.1'><dhcp><host mac='5'/></dhcp></ip>"), `<host mac="5">`},
		{fmt.Sprintf(document, "<mtu size='99999999999'/>"), "want a number"},
		{fmt.Sprintf(document, "<bridge stp='maybe'/>"), "want on or off"},
		{fmt.Sprintf(document, "<bridge delay=' 5'/>"), "want a number"},
		{fmt.Sprintf(document, "<vlan><tag id='x'/></vlan>"), "<tag id"},
		{fmt.Sprintf(document, "<route address='10.0.0.0'/>"), `<route gateway=""`},
	} {
		n, err := Parse(test.doc)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%.60q) = %v, want %q", test.doc, err, test.want)
		}
		if err != nil && (len(err.Error()) > 500 || n.Name != "") {
			t.Errorf("Parse(%.60q) = %+v and an error of %d bytes", test.doc, n, len(err.Error()))
		}
	}
}

// An error names every value that is wrong, not only the first.
func TestParseNamesAll(t *testing.T) {
	_, err := Parse("<network><mtu size='x'/><ip address='y'/></network>")
	for _, want := range []string{"no <name>", `size="x"`, `address="y"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestParseNamesSome(t *testing.T) {
	_, err := Parse("<network><name>n</name>" + strings.Repeat("<ip address='x'/>", 100000) + "</network>")
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "and 99990 more") {
		t.Errorf("%.2000v", err)
	}
}

// A document cut off anywhere is an error.
func TestParseCut(t *testing.T) {
	doc := strings.TrimSpace(strange)
	for i := range len(doc) {
		if n, err := Parse(doc[:i]); err == nil {
			t.Fatalf("%d bytes: %+v", i, n)
		}
	}
}
