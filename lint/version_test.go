package lint

import "testing"

// TestVLANsByVersion: what libvirt 9.0 and 11.3 said to each of these.
func TestVLANsByVersion(t *testing.T) {
	const vlan, ip = "<vlan><tag id='5'/></vlan>", "<ip address='10.9.0.1' prefix='24'/>"
	const openVSwitch = "<virtualport type='openvswitch'/>"
	group := func(inside string) string { return "<portgroup name='p'>" + inside + "</portgroup>" }
	for _, test := range []struct {
		network  string
		old, new bool // refused
	}{
		{"<forward mode='nat'/>" + ip + group(vlan), true, true},
		{ip + vlan, true, true},
		{"<forward mode='private'><interface dev='e'/></forward>" + group(vlan), true, true},
		{"<forward mode='bridge'/><bridge name='br0'/>" + group(vlan), true, false},
		{"<forward mode='bridge'/><bridge name='br0'/>" + vlan, true, false},
		{"<forward mode='bridge'><interface dev='e'/></forward>" + vlan, true, false},
		{"<forward mode='bridge'/><bridge name='br0'/>" + group(openVSwitch+vlan), false, false},
		{"<forward mode='bridge'/><bridge name='br0'/>" + openVSwitch + group(vlan), false, false},
		{"<forward mode='passthrough'><interface dev='e'/></forward>" + group(vlan), false, false},
		{"<forward mode='passthrough'><interface dev='e'/></forward>" + group(openVSwitch+vlan), true, true},
	} {
		files := []File{{Name: "n.xml", Text: "<network><name>n</name>" + test.network + "</network>"}}
		for version, want := range map[int]bool{0: test.old, 9_000_000: test.old, 10_010_000: test.old, 11_003_000: test.new} {
			found := CheckFor(files, version)
			if on := CheckOn(files, Host{Version: version}); len(on) != len(found) {
				t.Errorf("%s, libvirt %d: on a host %v, else %v", test.network, version, on, found)
			}
			if len(found) > 0 != want || len(found) > 0 && found[0].Rule != "vlan-unsupported" {
				t.Errorf("%s, libvirt %d: refused %v, found %v", test.network, version, want, found)
			}
		}
	}
	guest := []File{{Name: "g.xml", Text: "<domain type='kvm'><name>g</name><devices><interface type='bridge'><source bridge='br0'/>" + vlan + "</interface></devices></domain>"}}
	if len(CheckFor(guest, 9_000_000)) != 1 || len(CheckFor(guest, 11_003_000)) != 0 {
		t.Errorf("a guest: %v, %v", CheckFor(guest, 9_000_000), CheckFor(guest, 11_003_000))
	}
}

// What libvirt 9.0 and 11.3 said to each of these, and from which release on
// others differ. Where none is known, what one release refuses is no error.
func TestNetworksByVersion(t *testing.T) {
	const ip = "<ip address='10.9.0.1' prefix='24'/>"
	type by map[int]string // "": taken
	for document, want := range map[string]by{
		"<title>T</title>" + ip:                               {0: "", 9_000_000: "element-unknown", 9_007_000: "", 11_003_000: ""},
		"<description>D</description>" + ip:                   {0: "", 9_000_000: "element-unknown", 9_007_000: "", 11_003_000: ""},
		"<domain name='x' register='no'/>":                    {0: "", 9_000_000: "element-unknown", 10_001_000: "", 11_003_000: ""},
		"<domain name='x' register='yes'/>":                   {0: "dns-register-not-local", 10_001_000: "dns-register-not-local", 11_003_000: "dns-register-not-local"},
		"<forward mode='open'/>":                              {9_000_000: "subnet-missing", 10_007_000: "subnet-missing", 10_008_000: "", 11_003_000: ""},
		"<forward mode='open'/>" + ip:                         {0: "", 9_000_000: "", 11_003_000: ""},
		"<forward mode='nat'/>":                               {0: "subnet-missing", 9_000_000: "subnet-missing", 11_003_000: "subnet-missing"},
		"<domain name='x' localOnly='yes' register='yes'/>":   {0: "", 9_000_000: "element-unknown", 11_003_000: ""},
		"<dns><forwarder addr='1.1.1.1' port='5353'/></dns>":  {0: "", 9_000_000: "element-unknown", 11_003_000: "element-unknown", 12_000_000: ""},
		"<dns><forwarder addr='1.1.1.1' port='70000'/></dns>": {0: "value-invalid", 9_000_000: "element-unknown", 12_000_000: "value-invalid"},
	} {
		files := []File{{Name: "n.xml", Text: "<network><name>n</name>" + document + "</network>"}}
		for version, rule := range want {
			have := ""
			if found := CheckFor(files, version); len(found) > 0 {
				have = found[0].Rule
			}
			if have != rule {
				t.Errorf("%s, libvirt %d: %q, want %q", document, version, have, rule)
			}
		}
	}
	files := []File{{Name: "n.xml", Text: "<network><name>n</name><forward mode='open'/></network>"}}
	if found := Check(files); len(found) != 1 || found[0].Severity != Warning {
		t.Errorf("mode open without a subnet, libvirt not known: %v", found)
	}
}
