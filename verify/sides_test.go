package verify

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

const sidesDocument = `<network><name>n</name><uuid>5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2</uuid><forward mode='nat'/>
<bridge name='virbr7' stp='on' delay='0'/><mtu size='1400'/><mac address='52:54:00:0a:0b:0c'/>
<ip address='10.7.0.1' netmask='255.255.255.0'><dhcp><range start='10.7.0.2' end='10.7.0.9'/></dhcp></ip></network>`

func sidesKernel() bridge.State {
	return bridge.State{
		Links:   []bridge.Link{{Name: "virbr7", Kind: "bridge", MAC: "52:54:00:0a:0b:0c", MTU: 1400}},
		Bridges: []bridge.Bridge{{Name: "virbr7", STP: 1, ForwardDelay: 2000}},
		Addresses: []bridge.Address{
			{Link: "virbr7", Prefix: netip.MustParsePrefix("10.7.0.1/24"), Scope: "global"},
			{Link: "virbr7", Prefix: netip.MustParsePrefix("fe80::1/64"), Scope: "link"},
			{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.1/24"), Scope: "global"},
		},
	}
}

// sidesOf writes differences as "path config|live|kernel|file".
func sidesOf(s Sides) string {
	var lines []string
	word := func(v *string) string {
		if v == nil {
			return "?"
		}
		return *v
	}
	for _, d := range s.Differences() {
		lines = append(lines, d.Path+" "+word(d.Config)+"|"+word(d.Live)+"|"+word(d.Kernel)+"|"+word(d.File))
	}
	return strings.Join(lines, "\n")
}

func TestDifferences(t *testing.T) {
	const routed = "<route address='10.8.0.0' prefix='16' gateway='10.7.0.5'/>"
	parse := func(replace ...string) *xml.Network {
		n, err := xml.Parse(strings.NewReplacer(replace...).Replace(sidesDocument))
		if err != nil {
			t.Fatal(err)
		}
		return &n
	}
	for _, test := range []struct {
		name   string
		live   string // in the live document, too
		config *xml.Network
		file   *xml.Network
		kernel func(*bridge.State)
		want   string
	}{
		{name: "all the same", config: parse()},
		{name: "another spelling", config: parse("netmask='255.255.255.0'", "prefix='24'", " stp='on' delay='0'", "")},
		{name: "config", config: parse("1400", "1500"), want: "mtu 1500|1400|1400|?"},
		{name: "unknown to kvnet", config: parse("</network>", "<dns><txt name='a' value='b'/></dns></network>"), want: "dns/txt[a]@name a||?|?\ndns/txt[a]@value b||?|?"},
		{name: "transient", want: ""},
		{name: "file", config: parse(), file: parse("10.7.0.9", "10.7.0.99"),
			want: "ip[10.7.0.1/24].ranges 10.7.0.2-10.7.0.9|10.7.0.2-10.7.0.9|?|10.7.0.2-10.7.0.99"},
		{name: "kernel MTU and MAC", config: parse(), kernel: func(k *bridge.State) { k.Links[0].MTU, k.Links[0].MAC = 1500, "52:54:00:00:00:01" },
			want: "mtu 1400|1400|1500|?\nmac 52:54:00:0a:0b:0c|52:54:00:0a:0b:0c|52:54:00:00:00:01|?"},
		{name: "kernel address", config: parse(), kernel: func(k *bridge.State) { k.Addresses[0].Prefix = netip.MustParsePrefix("10.7.0.1/16") },
			want: "ip[10.7.0.1/24] present|present||?\nip[10.7.0.1/16] ||present|?"},
		{name: "kernel spanning tree", config: parse(), kernel: func(k *bridge.State) { k.Bridges[0].STP, k.Bridges[0].ForwardDelay = 0, 15000 },
			want: "stp on|on|off|?\ndelay 0|0|15|?"},
		{name: "kernel route", live: routed, config: parse("</network>", routed+"</network>"), want: "route[10.8.0.0/16] via 10.7.0.5|via 10.7.0.5||?"},
		{name: "kernel route that is there", live: routed, config: parse("</network>", routed+"</network>"), kernel: func(k *bridge.State) {
			k.Routes = []bridge.Route{{Dst: netip.MustParsePrefix("10.8.0.0/16"), Link: "virbr7"}}
		}},
		{name: "kernel routes not known", live: routed, config: parse("</network>", routed+"</network>"), kernel: func(k *bridge.State) {
			k.Gaps = []bridge.Gap{{Source: "routes"}}
		}},
		{name: "no bridge", config: parse(), kernel: func(k *bridge.State) { k.Links = nil }, want: "bridge virbr7|virbr7||?"},
		{name: "all three", config: parse("1400", "1300"), kernel: func(k *bridge.State) { k.Links[0].MTU = 1500 }, want: "mtu 1300|1400|1500|?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			kernel := sidesKernel()
			if test.kernel != nil {
				test.kernel(&kernel)
			}
			have := sidesOf(Sides{Config: test.config, Live: parse("</network>", test.live+"</network>"), Kernel: &kernel, File: test.file})
			if diff := cmp.Diff(test.want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A forward delay above the kernel's most is no difference, and neither is
// anything of a bridge that belongs to the host.
func TestDifferencesOfTheKernelsBounds(t *testing.T) {
	n, err := xml.Parse(strings.Replace(sidesDocument, "delay='0'", "delay='40'", 1))
	if err != nil {
		t.Fatal(err)
	}
	kernel := sidesKernel()
	kernel.Bridges[0].ForwardDelay = 30000
	if have := sidesOf(Sides{Config: &n, Live: &n, Kernel: &kernel}); have != "" {
		t.Error(have)
	}
	host := xml.Network{Name: "lan", Mode: xml.HostBridge, Bridge: "virbr7"}
	kernel.Addresses[0].Prefix = netip.MustParsePrefix("10.9.0.1/24")
	if have := sidesOf(Sides{Config: &host, Live: &host, Kernel: &kernel}); have != "" {
		t.Error(have)
	}
	inactive := Sides{Config: &n, Kernel: &bridge.State{}}
	if have := sidesOf(inactive); have != "" {
		t.Error(have)
	}
}
