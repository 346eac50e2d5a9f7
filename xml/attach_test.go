package xml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildInterface(t *testing.T) {
	for _, test := range []struct {
		wish NewInterface
		want string
	}{
		{
			NewInterface{Type: "bridge", Source: "br0", Model: "virtio", MAC: "52-54-00-E4-75-83"},
			`<interface type='bridge'>
  <mac address='52:54:00:e4:75:83'/>
  <source bridge='br0'/>
  <model type='virtio'/>
</interface>
`,
		},
		{
			NewInterface{
				Type: "network", Source: "it's <b>", PortGroup: "p", Target: "tap1", MTU: 1400, VLANs: []int{5, 6}, Link: "down",
				Filter: "clean-traffic", Alias: "ua-x_1", Isolated: true, Model: "e1000e",
				Bandwidth: Bandwidth{Inbound: Rate{Average: 1, Peak: 2, Burst: 3}, Outbound: Rate{Average: 4}},
			},
			`<interface type='network'>
  <source network='it&apos;s &lt;b&gt;' portgroup='p'/>
  <target dev='tap1'/>
  <model type='e1000e'/>
  <filterref filter='clean-traffic'/>
  <link state='down'/>
  <mtu size='1400'/>
  <alias name='ua-x_1'/>
  <port isolated='yes'/>
  <bandwidth>
    <inbound average='1' peak='2' burst='3'/>
    <outbound average='4'/>
  </bandwidth>
  <vlan trunk='yes'>
    <tag id='5'/>
    <tag id='6'/>
  </vlan>
</interface>
`,
		},
		{
			NewInterface{Type: "direct", Source: "eth0", Mode: "bridge"},
			"<interface type='direct'>\n  <source dev='eth0' mode='bridge'/>\n</interface>\n",
		},
	} {
		have, err := BuildInterface(test.wish)
		if err != nil {
			t.Errorf("%s: %v", test.wish, err)
		}
		if diff := cmp.Diff(test.want, have); diff != "" {
			t.Errorf("%s: %s", test.wish, diff)
		}
	}
}

// What is built is read back as what was wished.
func TestBuildInterfaceParsed(t *testing.T) {
	doc, err := BuildInterface(NewInterface{
		Type: "network", Source: `a"b'c&<d>`, MAC: "52:54:00:00:00:01", Model: "virtio", Target: "mine", MTU: 9000,
		VLANs: []int{7}, Link: "up", Filter: "f", Alias: "ua-a", Isolated: true, PortGroup: "g",
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := ParseGuest(fmt.Sprintf("<domain><devices>%s</devices></domain>", doc))
	if err != nil {
		t.Fatal(err)
	}
	want := []Interface{{
		Type: "network", Source: `a"b'c&<d>`, Network: `a"b'c&<d>`, MAC: "52:54:00:00:00:01", Model: "virtio",
		Target: "mine", MTU: 9000, VLANs: []int{7}, Link: "up", Filter: "f", Alias: "ua-a", Isolated: ptr(true), PortGroup: "g",
		Managed: true,
	}}
	if diff := cmp.Diff(want, g.Interfaces); diff != "" {
		t.Error(diff)
	}
}

func TestCheckInterface(t *testing.T) {
	good := func() NewInterface { return NewInterface{Type: "bridge", Source: "br0"} }
	for want, change := range map[string]func(*NewInterface){
		"want network, bridge or direct":            func(i *NewInterface) { i.Type = "user" },
		"device name: empty":                        func(i *NewInterface) { i.Source = "" },
		"more than 15":                              func(i *NewInterface) { i.Source = "brq0123456789abc" },
		"holds : or /":                              func(i *NewInterface) { i.Source = "../br0" },
		"holds white space":                         func(i *NewInterface) { i.Source = "br\n0" },
		"only a direct":                             func(i *NewInterface) { i.Mode = "vepa" },
		"want bridge, private, vepa or passthrough": func(i *NewInterface) { i.Type, i.Mode = "direct", "x" },
		"only a network has port":                   func(i *NewInterface) { i.PortGroup = "g" },
		"multicast":                                 func(i *NewInterface) { i.MAC = "01:00:5e:00:00:01" },
		"first byte of taps":                        func(i *NewInterface) { i.MAC = "FE:54:00:00:00:01" },
		"belongs to nobody":                         func(i *NewInterface) { i.MAC = "0:0:0:0:0:0" },
		"six bytes":                                 func(i *NewInterface) { i.MAC = "52:54:00" },
		"model":                                     func(i *NewInterface) { i.Model = "a b" },
		"begin with vnet itself":                    func(i *NewInterface) { i.Target = "vnet7" },
		"begin with macvtap itself":                 func(i *NewInterface) { i.Target = "macvtap0" },
		"a number to fill in":                       func(i *NewInterface) { i.Target = "tap%d" },
		"MTU 67: want 68 to 65535":                  func(i *NewInterface) { i.MTU = 67 },
		"that of its NIC":                           func(i *NewInterface) { i.Type, i.MTU = "direct", 1400 },
		"VLAN 4095":                                 func(i *NewInterface) { i.VLANs = []int{4095} },
		"VLAN 5: there twice":                       func(i *NewInterface) { i.VLANs = []int{5, 5} },
		"want up or down":                           func(i *NewInterface) { i.Link = "sideways" },
		"control character":                         func(i *NewInterface) { i.Filter = "a\x00" },
		"want ua-":                                  func(i *NewInterface) { i.Alias = "net0" },
		`alias "ua-a.b"`:                            func(i *NewInterface) { i.Alias = "ua-a.b" },
		"no port of a bridge":                       func(i *NewInterface) { i.Type, i.Isolated = "direct", true },
		"needs an average":                          func(i *NewInterface) { i.Bandwidth.Inbound.Burst = 5 },
	} {
		i := good()
		if err := CheckInterface(i); err != nil {
			t.Fatal(err)
		}
		change(&i)
		doc, err := BuildInterface(i)
		if err == nil || !strings.Contains(err.Error(), want) || doc != "" {
			t.Errorf("%+v: %v, want %q", i, err, want)
		}
	}
	long := good()
	long.Type, long.Source = "network", strings.Repeat("<'\n", 3400)
	if err := CheckInterface(long); err == nil || len(err.Error()) > 500 {
		t.Errorf("a name of 10,000 characters: %v", err)
	}
}

func TestNewInterfaceString(t *testing.T) {
	for want, i := range map[string]NewInterface{
		"bridge br0": {Type: "bridge", Source: "br0"},
		"network default, 52:54:00:00:00:01, VLAN 5+6": {
			Type: "network", Source: "default", MAC: "52:54:00:00:00:01", VLANs: []int{5, 6},
		},
	} {
		if i.String() != want {
			t.Errorf("have %s, want %s", i, want)
		}
	}
}

func ExampleBuildInterface() {
	doc, err := BuildInterface(NewInterface{Type: "network", Source: "default", Model: "virtio", MAC: GuestMAC([3]byte{0xe4, 0x75, 0x83})})
	fmt.Print(doc, err)
	// Output:
	// <interface type='network'>
	//   <mac address='52:54:00:e4:75:83'/>
	//   <source network='default'/>
	//   <model type='virtio'/>
	// </interface>
	// <nil>
}
