package xml

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parsed(t *testing.T, doc string) Network {
	t.Helper()
	n, err := Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// liveDefault is "default" as a running libvirt shows it: with a UUID, a MAC,
// connections and NAT ports that nobody wished.
const liveDefault = `<network connections='1'>
  <name>default</name>
  <uuid>5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:0a:0b:0c'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
`

func TestChanges(t *testing.T) {
	have := parsed(t, liveDefault)
	for _, test := range []struct {
		name string
		want Network
		list []Change
	}{
		{"the classic network", Classic("default"), []Change{}},
		{"nothing", Network{}, []Change{}},
		{"the defaults, spelled out", Network{
			STP: ptr(true), Delay: ptr(0), MACTable: "kernel", PortsIsolated: ptr(false), DNS: &DNS{Enabled: ptr(true)},
			NAT: &NATSpec{FirstPort: 1024, LastPort: 65535}, MAC: "52:54:00:0A:0B:0C", UUID: "5DC8AE5B-a6fe-4750-bdbe-bac6a6c603d2",
		}, []Change{}},
		{"none of what it does not have", Network{ForwardDevs: []string{}, Routes: []Gateway{}, VLANs: []int{}, PortGroups: []string{}, DNS: &DNS{Hosts: []DNSHost{}, Forwarders: []netip.Addr{}}}, []Change{}},
		{"values", Network{MTU: 1400, STP: ptr(false), Delay: ptr(3), Mode: Route, Bridge: "virbr9", Domain: "a.b"}, []Change{
			{"mode", "nat", "route"},
			{"bridge", "virbr0", "virbr9"},
			{"stp", "on", "off"},
			{"delay", "0", "3"},
			{"mtu", "", "1400"},
			{"domain", "", "a.b"},
		}},
		{"no subnet", Network{IPs: []IP{}}, []Change{{"ip[192.168.122.1/24]", "present", ""}}},
		{"another subnet", Network{IPs: []IP{{Address: netip.MustParsePrefix("10.0.0.1/24"), Ranges: []Range{}}}}, []Change{
			{"ip[10.0.0.1/24]", "", "present"},
			{"ip[192.168.122.1/24]", "present", ""},
		}},
		{"no DHCP", Network{IPs: []IP{{Address: netip.MustParsePrefix("192.168.122.1/24"), Ranges: []Range{}}}}, []Change{
			{"ip[192.168.122.1/24].ranges", "192.168.122.2-192.168.122.254", ""},
		}},
		{"a reservation", Network{IPs: []IP{{
			Address: netip.MustParsePrefix("192.168.122.1/24"),
			Hosts:   []Host{host("52:54:00:E4:75:83", "192.168.122.169", "centos")},
		}}}, []Change{{
			"ip[192.168.122.1/24].host[52:54:00:e4:75:83]", "", "mac=52:54:00:e4:75:83,ip=192.168.122.169,name=centos",
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.list, Changes(have, test.want)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Elements of a list are compared one by one, in no order.
func TestChangesOfLists(t *testing.T) {
	have := parsed(t, `<network><name>n</name><dns><host ip='10.0.0.9'><hostname>b</hostname></host>
	<host ip='10.0.0.9'><hostname>a</hostname></host><host ip='10.0.0.8'><hostname>c</hostname></host></dns>
	<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'/><range start='10.0.0.5' end='10.0.0.6'/>
	<host mac='52:54:00:00:00:01' ip='10.0.0.11'/><host mac='52:54:00:00:00:02' ip='10.0.0.12'/></dhcp></ip>
	<route address='10.9.0.0' prefix='16' gateway='10.0.0.5'/><vlan><tag id='2'/><tag id='1'/></vlan></network>`)
	same := Network{
		VLANs: []int{1, 2},
		DNS: &DNS{Hosts: []DNSHost{
			{IP: netip.MustParseAddr("10.0.0.8"), Names: []string{"c"}},
			{IP: netip.MustParseAddr("10.0.0.9"), Names: []string{"a", "b"}},
		}},
		IPs: []IP{{
			Address: netip.MustParsePrefix("10.0.0.1/24"),
			Hosts:   []Host{host("52:54:00:00:00:02", "10.0.0.12", ""), host("52:54:00:00:00:01", "10.0.0.11", "")},
			Ranges: []Range{
				{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")},
				{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")},
			},
		}},
		Routes: []Gateway{{To: netip.MustParsePrefix("10.9.7.0/16"), Via: netip.MustParseAddr("10.0.0.5")}},
	}
	if changes := Changes(have, same); len(changes) > 0 {
		t.Errorf("%v", changes)
	}
	same.DNS.Hosts = same.DNS.Hosts[1:]
	same.IPs[0].Hosts[0].IP = netip.MustParseAddr("10.0.0.13")
	same.IPs[0].Hosts = same.IPs[0].Hosts[:1]
	same.Routes[0].Metric = 5
	want := []Change{
		{"ip[10.0.0.1/24].host[52:54:00:00:00:02]", "mac=52:54:00:00:00:02,ip=10.0.0.12", "mac=52:54:00:00:00:02,ip=10.0.0.13"},
		{"route[10.9.0.0/16]", "via 10.0.0.5", "via 10.0.0.5 metric 5"},
		{"dns.host[10.0.0.8]", "c", ""},
		{"ip[10.0.0.1/24].host[52:54:00:00:00:01]", "mac=52:54:00:00:00:01,ip=10.0.0.11", ""},
	}
	if diff := cmp.Diff(want, Changes(have, same)); diff != "" {
		t.Error(diff)
	}
}

func TestDrift(t *testing.T) {
	live := parsed(t, liveDefault)
	for _, test := range []struct {
		name, config string
		want         []Change
	}{
		{"what libvirt adds is none", `<network><name>default</name><forward/><ip address='192.168.122.1' prefix='24'>
			<dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>`, []Change{}},
		{"both ways", `<network><name>default</name><forward mode='nat'/><bridge name='virbr1' stp='off'/><mtu size='1400'/>
			<ip address='192.168.122.1'/></network>`, []Change{
			{"bridge", "virbr0", "virbr1"},
			{"stp", "on", "off"},
			{"mtu", "", "1400"},
			{"ip[192.168.122.1/24].ranges", "192.168.122.2-192.168.122.254", ""},
		}},
		{"what has no field", `<network><name>default</name><forward/><dns><txt name='a' value='b'/></dns><ip address='192.168.122.1' prefix='24'>
			<dhcp><range start='192.168.122.2' end='192.168.122.254'><lease expiry='0'/></range></dhcp></ip></network>`, []Change{
			{"dns/txt[a]@name", "", "a"},
			{"dns/txt[a]@value", "", "b"},
			{"ip[192.168.122.1]/dhcp/range[192.168.122.2 192.168.122.254]/lease@expiry", "", "0"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := parsed(t, test.config)
			if diff := cmp.Diff(test.want, Drift(live, config)); diff != "" {
				t.Error(diff)
			}
			if back := Drift(config, live); len(back) != len(test.want) {
				t.Errorf("the other way round: %v", back)
			}
		})
	}
	if drift := Drift(live, live); len(drift) > 0 {
		t.Errorf("with itself: %v", drift)
	}
}

// A pool by physical function has its VFs in the live document only.
func TestDriftOfPool(t *testing.T) {
	live := parsed(t, `<network connections='1'><name>n</name><forward mode='hostdev' managed='yes'><pf dev='eth0'/>
	<address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x1' connections='1'/></forward></network>`)
	config := parsed(t, `<network><name>n</name><forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward></network>`)
	if drift := Drift(live, config); len(drift) > 0 {
		t.Errorf("%v", drift)
	}
	devs := parsed(t, `<network><name>n</name><forward mode='vepa' dev='eth0'/></network>`)
	other := parsed(t, `<network><name>n</name><forward mode='vepa' dev='eth1'/></network>`)
	if diff := cmp.Diff([]Change{{"forward.dev", "eth0", "eth1"}}, Drift(devs, other)); diff != "" {
		t.Error(diff)
	}
	managed := parsed(t, `<network><name>n</name><forward mode='hostdev'/></network>`)
	if drift := Drift(parsed(t, `<network><name>n</name><forward mode='hostdev' managed='no'/></network>`), managed); len(drift) > 0 {
		t.Errorf("a default spelled out: %v", drift)
	}
	config.PF = "eth1"
	if drift := Drift(live, config); len(drift) == 0 {
		t.Error("another physical function is none")
	}
}

func ExampleChanges() {
	have, _ := Parse(liveDefault)
	for _, c := range Changes(have, Network{MTU: 1400, STP: new(bool)}) {
		fmt.Println(c)
	}
	// Output:
	// stp: on, want off
	// mtu: none, want 1400
}

// TestStatements: what a definition says is told, and what libvirt does by
// default is not.
func TestStatements(t *testing.T) {
	n := parsed(t, `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='virbr7' stp='off'/>
  <ip address='10.7.0.1' prefix='24'><dhcp><range start='10.7.0.2' end='10.7.0.99'/></dhcp><tftp root='/srv'/></ip>
  <dnsmasq:options><dnsmasq:option value='log-queries'/></dnsmasq:options>
</network>`)
	want := []Change{
		{Path: "mode", Want: "nat"},
		{Path: "bridge", Want: "virbr7"},
		{Path: "stp", Want: "off"},
		{Path: "ip[10.7.0.1/24]", Want: "present"},
		{Path: "ip[10.7.0.1/24].ranges", Want: "10.7.0.2-10.7.0.99"},
		{Path: "ip[10.7.0.1/24].tftp", Want: "/srv"},
		{Path: "dnsmasq:options/dnsmasq:option@value", Want: "log-queries"},
	}
	if diff := cmp.Diff(want, Statements(n)); diff != "" {
		t.Errorf("statements (-want +have):\n%s", diff)
	}
}

// What has no field belongs to the entry that it stands in.
func TestDriftOfWhatChangesPlaces(t *testing.T) {
	for have, want := range map[string]string{
		"<portgroup name='a' default='yes'/><portgroup name='b'/>":                                        "<portgroup name='a'/><portgroup name='b' default='yes'/>",
		"<dns><txt name='a' value='1'/><txt name='b' value='2'/></dns>":                                   "<dns><txt name='a' value='2'/><txt name='b' value='1'/></dns>",
		"<dns><forwarder domain='a' addr='10.0.0.1'/><forwarder domain='b' addr='10.0.0.2'/></dns>":       "<dns><forwarder domain='b' addr='10.0.0.1'/><forwarder domain='a' addr='10.0.0.2'/></dns>",
		"<ip address='10.0.0.1' prefix='24' localPtr='yes'/><ip address='10.1.0.1' prefix='24'/>":         "<ip address='10.0.0.1' prefix='24'/><ip address='10.1.0.1' prefix='24' localPtr='yes'/>",
		"<dns><srv service='a' protocol='tcp' port='1'/><srv service='b' protocol='tcp' port='2'/></dns>": "<dns><srv service='a' protocol='tcp' port='2'/><srv service='b' protocol='tcp' port='1'/></dns>",
	} {
		a, b := parsed(t, "<network><name>n</name>"+have+"</network>"), parsed(t, "<network><name>n</name>"+want+"</network>")
		if drift := Drift(a, b); len(drift) < 2 {
			t.Errorf("%s\n%s\nhave %v", have, want, drift)
		}
		if drift := Drift(b, b); len(drift) > 0 {
			t.Errorf("with itself: %v", drift)
		}
	}
}
