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
