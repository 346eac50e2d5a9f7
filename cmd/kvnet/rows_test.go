package main

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

var sampleGuests = []libvirtnet.Guest{
	{Name: "centos", ID: 1, State: libvirtnet.Running, Interfaces: []libvirtnet.Interface{
		{Target: "vnet0", Type: "network", Source: "default", Network: "default", Model: "virtio", MAC: "52:54:00:e4:75:83"},
		{Type: "user", MAC: "52:54:00:00:00:09"},
	}},
	{Name: "idle", ID: -1, State: libvirtnet.ShutOff, Interfaces: []libvirtnet.Interface{
		{Type: "network", Source: "default", Network: "default", Model: "virtio", MAC: "52:54:00:16:36:7a", Link: "down"},
	}},
}

var sampleKernel = bridge.State{
	Links: []bridge.Link{
		{Name: "eth0", MAC: "52:54:00:11:11:11", Master: "br0"},
		{Name: "br0", Kind: "bridge", MAC: "52:54:00:11:11:11", AltNames: []string{"bridge-to-the-office"}},
		{Name: "virbr0", Kind: "bridge", MAC: "52:54:00:a1:dc:43"},
		{Name: "vnet0", Kind: "tun", MAC: "fe:54:00:e4:75:83", Master: "virbr0"},
	},
	Bridges: []bridge.Bridge{{Name: "br0", ID: "8000.525400111111"}, {Name: "virbr0", ID: "8000.525400a1dc43", STP: 1}},
	Ports:   []bridge.Port{{Name: "eth0", Bridge: "br0", State: bridge.PortForwarding}, {Name: "vnet0", Bridge: "virbr0", State: bridge.PortLearning}},
	Addresses: []bridge.Address{
		{Link: "virbr0", Prefix: netip.MustParsePrefix("192.168.122.1/24")}, {Link: "virbr0", Prefix: netip.MustParsePrefix("fd00::1/64")},
	},
	Neighbours: []bridge.Neighbour{
		{Link: "virbr0", IP: netip.MustParseAddr("192.168.122.169"), MAC: "52:54:00:e4:75:83", State: "reachable", Age: 12_500},
		{Link: "virbr0", IP: netip.MustParseAddr("fe80::1"), MAC: "52:54:00:e4:75:83", State: "stale", Age: 100},
		{Link: "virbr0", IP: netip.MustParseAddr("192.168.122.7"), MAC: "52:54:00:e4:75:83", State: "failed"},
		{Link: "br0", IP: netip.MustParseAddr("203.0.113.9"), MAC: "02:00:00:00:00:09", State: "stale"},
	},
}

// What is not there is "-", in virsh's shape.
func TestPrintInterfaces(t *testing.T) {
	rows := interfaceRows(sampleGuests, false)
	addKernelFacts(rows, sampleKernel)
	rows[0].addAddress(netip.MustParseAddr("192.168.122.20")) // a lease
	rows[0].addAddress(netip.MustParseAddr("192.168.122.169"))
	want := " Guest    Interface   Type      Source    Model    MAC                 Bridge   Link   Port       Address\n" +
		"------------------------------------------------------------------------------------------------------------------------------------------\n" +
		" centos   vnet0       network   default   virtio   52:54:00:e4:75:83   virbr0   up     learning   192.168.122.20,192.168.122.169,fe80::1\n" +
		" centos   -           user      -         -        52:54:00:00:00:09   -        up     -          -\n" +
		" idle     -           network   default   virtio   52:54:00:16:36:7a   -        down   -          -\n"
	var out bytes.Buffer
	printInterfaces(&out, rows, domifListOptions{wide: true, withGuest: true}, false)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	out.Reset()
	printInterfaces(&out, rows[2:], domifListOptions{}, false)
	want = " Interface   Type      Source    Model    MAC\n" +
		"-------------------------------------------------------------\n" +
		" -           network   default   virtio   52:54:00:16:36:7a\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

// The tap that a configuration names is none of the kernel's devices.
func TestStoredInterfaces(t *testing.T) {
	wishes := []libvirtnet.Interface{{Target: "eth0", Type: "bridge", Source: "virbr0", Bridge: "virbr0", MAC: "52:54:00:00:00:21"}}
	running := []libvirtnet.Guest{{Name: "a", ID: 1, State: libvirtnet.Running, Interfaces: wishes}}
	idle := []libvirtnet.Guest{{Name: "a", ID: -1, State: libvirtnet.ShutOff, Interfaces: wishes}}
	for _, rows := range [][]interfaceRow{interfaceRows(running, true), interfaceRows(idle, false), interfaceRows(idle, true)} {
		addKernelFacts(rows, sampleKernel)
		if have := rows[0]; have.Bridge != "virbr0" || have.PortState != "" {
			t.Errorf("have bridge %q, port %q, want bridge virbr0, no port", have.Bridge, have.PortState)
		}
	}
}

// brctl's columns, tab for tab; a guest's MAC stands for its tap's in JSON.
func TestBridgeRows(t *testing.T) {
	rows := bridgeRows(sampleKernel, ownersOf(sampleGuests))
	var out bytes.Buffer
	printBridgeList(&out, rows, false)
	want := "bridge name\tbridge id\t\tSTP enabled\tinterfaces\nbr0\t\t8000.525400111111\tno\t\teth0\nvirbr0\t\t8000.525400a1dc43\tyes\t\tvnet0\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	if diff := cmp.Diff([]portRow{{Name: "vnet0", State: "learning", MAC: "52:54:00:e4:75:83", Domain: "centos"}}, rows[1].Ports); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestMACOwners(t *testing.T) {
	leases := []libvirtnet.Lease{
		{MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("192.168.122.169")},
		{MAC: "52:54:00:77:77:77", IP: netip.MustParseAddr("192.168.122.7"), Hostname: "gone"},
	}
	owners := macOwners(sampleKernel, sampleGuests, leases)
	for mac, want := range map[string]string{
		"52:54:00:e4:75:83": "guest centos 192.168.122.169",
		"fe:54:00:e4:75:83": "tap vnet0 of guest centos",
		"52:54:00:11:11:11": "bridge br0",
		"52:54:00:77:77:77": "lease gone 192.168.122.7",
		"02:00:00:00:00:09": "neighbour 203.0.113.9",
		"52:54:00:16:36:7a": "-", // of a guest that is shut off
	} {
		if have := owners[mac].words(); have != want {
			t.Errorf("%s: %q, want %q", mac, have, want)
		}
	}
}

// Each source keeps its own row, the surest first; nothing known is told.
func TestAddressSearch(t *testing.T) {
	s := newAddressSearch(sampleGuests[0])
	s.neighbours(sampleKernel)
	s.agent([]libvirtnet.Address{
		{Interface: "lo", MAC: "00:00:00:00:00:00", IP: netip.MustParseAddr("127.0.0.1"), Prefix: 8},
		{Interface: "eth0", MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("192.168.122.169"), Prefix: 24},
		{Interface: "docker0", MAC: "02:42:00:00:00:01", IP: netip.MustParseAddr("172.17.0.1"), Prefix: 16},
	}, nil)
	s.add(addressRow{MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("192.168.122.169"), Prefix: 24, Source: libvirtnet.SourceLease})
	s.add(addressRow{MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("192.168.122.169"), Prefix: 24, Source: libvirtnet.SourceLease})
	var have []string
	for _, r := range s.rows() {
		have = append(have, r.Interface+" "+r.Source+" "+r.IP.String()+" "+r.Protocol)
	}
	want := []string{
		"vnet0 lease 192.168.122.169 ipv4", "vnet0 agent 192.168.122.169 ipv4", "vnet0 neighbour 192.168.122.169 ipv4", "vnet0 neighbour fe80::1 ipv6",
		"docker0 agent 172.17.0.1 ipv4",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	if prefix := s.rows()[2].Prefix; prefix != 24 {
		t.Errorf("prefix of the neighbour %d, want that of the bridge's address", prefix)
	}
	empty := newAddressSearch(sampleGuests[0])
	empty.neighbours(bridge.State{})
	empty.agent(nil, libvirtnet.ErrNoAgent)
	if diff := cmp.Diff([]string{"neighbour table: no entry with its MAC addresses", "agent: no guest agent answers"}, empty.tried); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

// Networks to ask for leases: by name, by the document's bridge, by the
// kernel's.
func TestAddressSearchNetworks(t *testing.T) {
	dhcp := func(name, bridge string) libvirtnet.Network {
		return libvirtnet.Network{Name: name, Active: true, Live: &xml.Network{Name: name, Bridge: bridge, IPs: []xml.IP{{Ranges: make([]xml.Range, 1)}}}}
	}
	quiet := dhcp("quiet", "virbr0")
	quiet.Live.IPs = nil
	guest := libvirtnet.Guest{Interfaces: []libvirtnet.Interface{{Target: "vnet0", Network: "default"}, {Target: "vnet1", Bridge: "virbr5"}}}
	s := newAddressSearch(guest)
	var have []string
	for _, n := range s.networks([]libvirtnet.Network{dhcp("default", "virbr9"), dhcp("direct", "virbr5"), dhcp("moved", "virbr0"), dhcp("other", "virbr7"), dhcp("none", ""), quiet}, sampleKernel) {
		have = append(have, n.Name)
	}
	if diff := cmp.Diff([]string{"default", "direct", "moved"}, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestAgeWords(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { x := now.Add(d); return &x }
	ms := func(n int64) *int64 { return &n }
	for want, row := range map[string]addressRow{
		"ends in 59m57s": {Expires: at(59*time.Minute + 57*time.Second + time.Millisecond)},
		"expired":        {Expires: at(-time.Second)},
		"12s reachable":  {Age: ms(12_500), State: "reachable"},
		"now":            {Age: ms(0)},
		"-":              {},
	} {
		if have := row.ageWords(now); have != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}

func TestLeaseRows(t *testing.T) {
	leases := []libvirtnet.Lease{
		{MAC: "52:54:00:e4:75:83", IP: netip.MustParseAddr("192.168.122.169"), Prefix: 24, Expires: time.Unix(1, 0)},
		{MAC: "52:54:00:00:00:01", IP: netip.MustParseAddr("fd00::2"), Prefix: 64},
		{MAC: "52:54:00:00:00:01", IP: netip.MustParseAddr("192.168.122.2"), Prefix: 24},
	}
	rows := leaseRows(leases, sampleGuests, "")
	want := []leaseRow{
		{MAC: "52:54:00:00:00:01", IP: leases[2].IP, Prefix: 24},
		{MAC: "52:54:00:00:00:01", IP: leases[1].IP, Prefix: 64},
		{MAC: "52:54:00:e4:75:83", IP: leases[0].IP, Prefix: 24, Expires: &leases[0].Expires, Domain: "centos"},
	}
	if diff := cmp.Diff(want, rows, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	if rows := leaseRows(leases, nil, "52:54:00:e4:75:83"); len(rows) != 1 {
		t.Errorf("%d rows of one MAC", len(rows))
	}
	if rows := leaseRows(nil, nil, ""); rows == nil {
		t.Error("no leases are null, want an empty list")
	}
}

func TestRangeSize(t *testing.T) {
	r := func(a, b string) xml.Range {
		return xml.Range{Start: netip.MustParseAddr(a), End: netip.MustParseAddr(b)}
	}
	have := rangeSize([]xml.Range{r("10.0.0.2", "10.0.0.254"), r("10.0.1.1", "10.0.1.1"), r("10.0.2.9", "10.0.2.1"), r("fd00::1", "fd00::ffff"), {}})
	if have != 254 {
		t.Errorf("%d addresses, want 254", have)
	}
	if have := rangeSize([]xml.Range{r("0.0.0.0", "255.255.255.255")}); have != 1<<32 {
		t.Errorf("%d addresses, want all", have)
	}
}

func TestFindBridge(t *testing.T) {
	for name, want := range map[string][2]string{
		"virbr1": {"find bridge virbr1: no such bridge", "did you mean virbr0?"},
		"vnet0":  {"find bridge vnet0: is not a bridge", "it is a port of virbr0"},
		"zzz":    {"find bridge zzz: no such bridge", "kvnet bridge-list lists the bridges"},
	} {
		_, err := findBridge(sampleKernel, name)
		f := (*failure)(nil)
		if !errors.As(err, &f) || f.Error() != want[0] || f.hint != want[1] {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{"br0", "bridge-to-the-office"} {
		if b, err := findBridge(sampleKernel, name); err != nil || b.Name != "br0" {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}
