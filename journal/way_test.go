package journal_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/journal"
)

const (
	lab    = "<network><name>lab</name><bridge name='virbr1'/><ip address='10.0.0.1' prefix='24'/></network>"
	labMTU = "<network><name>lab</name><bridge name='virbr1'/><mtu size='1400'/><ip address='10.0.0.1' prefix='24'/></network>"
)

// way is a way as text: what libvirt does, the commands, the rest.
func way(b journal.Back) []string {
	lines := []string{}
	for _, s := range b.Plan.Steps {
		lines = append(lines, s.Say)
	}
	for _, s := range b.Steps {
		lines = append(lines, s.Command())
	}
	for _, n := range b.Restarts {
		lines = append(lines, "restart "+n)
	}
	return append(lines, b.Lost...)
}

func TestWay(t *testing.T) {
	yes, no, off, delay, slow := true, false, 0, 2000, 15000
	idle := journal.Network{Name: "lab", Persistent: true, Config: lab}
	active := journal.Network{Name: "lab", Persistent: true, Active: true, Autostart: true, Config: lab, Live: lab}
	plug := journal.Interface{Guest: "web", MAC: "52:54:00:00:00:01", Active: true, Live: "<interface/>", Config: "<interface/>"}
	bare := journal.Interface{Guest: "web", MAC: "52:54:00:00:00:01", Active: true}
	tap := journal.Link{Name: "vnet0", Exists: true, Up: true, MTU: 1500, MAC: "fe:54:00:00:00:01", Master: "br0", Isolated: &yes}
	br := journal.Link{Name: "br0", Exists: true, Up: true, MTU: 1500, STP: &off, Delay: &delay,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}
	nets := func(n ...journal.Network) journal.Image { return journal.Image{Networks: n} }
	ifs := func(i ...journal.Interface) journal.Image { return journal.Image{Interfaces: i} }
	links := func(l ...journal.Link) journal.Image { return journal.Image{Links: l} }
	out := tap
	out.Master, out.Isolated, out.MTU, out.Up = "", nil, 1400, false
	loose := tap
	loose.Isolated = &no
	other := br
	other.Addresses, other.Delay = []netip.Prefix{netip.MustParsePrefix("10.9.9.1/24")}, &slow
	running := active
	running.Live = labMTU
	changed := active
	changed.Config = labMTU
	// A restart that was cut off: the network is stopped, its bridge had an
	// address of somebody's, and the guest's port went with it.
	const labNew = "<network><name>lab</name><bridge name='virbr2'/><ip address='10.0.1.1' prefix='24'/></network>"
	plain, given := journal.Link{Name: "virbr1", Exists: true, Up: true, STP: &off, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}, br
	given.Name, given.Addresses = "virbr1", append([]netip.Prefix{netip.MustParsePrefix("10.9.9.1/24")}, plain.Addresses...)
	inside := tap
	inside.Master, inside.Isolated = "virbr1", nil
	port := journal.Port{Network: "lab", UUID: "1", Guest: "web", Exists: true, Document: "<networkport/>"}
	lost, unclaimed := port, port
	lost.Exists, unclaimed.Exists, unclaimed.Document = false, false, ""
	cut := func(n journal.Network, p journal.Port, l ...journal.Link) journal.Image {
		return journal.Image{Networks: []journal.Network{n}, Ports: []journal.Port{p}, Links: l}
	}
	elsewhere := journal.Network{Name: "lab", Persistent: true, Active: true, Autostart: true, Config: labNew, Live: labNew}
	ours, theirs := idle, active
	ours.UUID, theirs.UUID = "1", "2"
	marked := idle
	marked.Autostart = true
	for _, c := range []struct {
		name       string
		want, have journal.Image
		way        []string
	}{
		{"nothing happened", nets(active), nets(active), []string{}},
		{"was not there", nets(journal.Network{Name: "lab"}), nets(active), []string{"stop network lab", "undefine network lab"}},
		{"was there", nets(active), nets(), []string{"define network lab", "mark network lab for autostart", "start network lab"}},
		{"another of the name", nets(ours), nets(theirs), []string{"stop network lab", "undefine network lab", "define network lab"}},
		{"was idle", nets(idle), nets(active), []string{"stop network lab", "unmark network lab for autostart"}},
		{"was transient", nets(journal.Network{Name: "lab", Active: true, Live: lab}), nets(), []string{"create network lab"}},
		{"had another definition", nets(active), nets(changed), []string{"redefine network lab"}},
		{"runs with another", nets(active), nets(running), []string{"restart lab"}},
		{"ran with another", nets(running), nets(idle), []string{"mark network lab for autostart", "start network lab", "network lab ran with another definition than the one it has"}},
		{"plugged in", ifs(bare), ifs(plug), []string{"detach interface 52:54:00:00:00:01 from guest web", "detach interface 52:54:00:00:00:01 from the configuration of guest web"}},
		{"unplugged", ifs(plug), ifs(bare), []string{"attach interface 52:54:00:00:00:01 to guest web", "attach interface 52:54:00:00:00:01 to the configuration of guest web"}},
		{"the guest stopped", ifs(plug), ifs(journal.Interface{Guest: "web", MAC: "52:54:00:00:00:01", Config: "<interface/>"}), []string{}},
		{"taken out", links(tap), links(out), []string{"ip link set dev vnet0 mtu 1500", "ip link set dev vnet0 master br0", "bridge link set dev vnet0 isolated on", "ip link set dev vnet0 up"}},
		{"put in", links(out), links(tap), []string{"ip link set dev vnet0 mtu 1400", "ip link set dev vnet0 nomaster", "ip link set dev vnet0 down"}},
		{"isolated", links(tap), links(loose), []string{"bridge link set dev vnet0 isolated on"}},
		{"a bridge", links(br), links(other), []string{"ip link set dev br0 type bridge forward_delay 200", "ip addr del 10.9.9.1/24 dev br0", "ip addr add 10.0.0.1/24 dev br0"}},
		{"gone", links(tap), links(), []string{"link vnet0 is gone"}},
		{"a bridge left behind", links(journal.Link{Name: "br0"}), links(br), []string{"ip link del dev br0"}},
		{"a bridge of a network that goes", journal.Image{Networks: []journal.Network{{Name: "lab"}}, Links: []journal.Link{{Name: "br0"}}},
			journal.Image{Networks: []journal.Network{active}, Links: []journal.Link{br}}, []string{"stop network lab", "undefine network lab"}},
		{"a restart cut off", cut(active, port, given, inside), cut(marked, lost, journal.Link{Name: "virbr1"}, out),
			[]string{"start network lab", "create the port of guest web in network lab again", "ip addr add 10.9.9.1/24 dev virbr1",
				"ip link set dev vnet0 mtu 1500", "ip link set dev vnet0 master virbr1", "ip link set dev vnet0 up"}},
		{"a guest that has gone", cut(active, port), cut(active, unclaimed), []string{}},
		{"onto another bridge", cut(active, port, given, inside), cut(elsewhere, port, journal.Link{Name: "virbr1"}, inside),
			[]string{"redefine network lab", "ip addr add 10.9.9.1/24 dev virbr2", "ip link set dev vnet0 master virbr2", "restart lab"}},
		{"new", links(journal.Link{Name: "vnet0"}), links(tap), []string{}},
		{"sysctl", journal.Image{Sysctls: map[string]string{"net.ipv4.ip_forward": "0"}}, journal.Image{Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}}, []string{"sysctl -w net.ipv4.ip_forward=0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.way, way(journal.Way(c.want, c.have))); diff != "" {
				t.Errorf("way (-want +have):\n%s", diff)
			}
		})
	}
}
