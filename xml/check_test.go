package xml

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// wish is a sound NAT network to spoil.
func wish() Network {
	n := Network{Name: "n", IPs: []IP{
		{Address: netip.MustParsePrefix("10.0.0.1/24")},
		{Address: netip.MustParsePrefix("fd00::1/64")},
	}}
	return n.Default()
}

func hostWish(h ...Host) func(*Network) {
	return func(n *Network) { n.IPs[0].Hosts = h }
}

func rangeWish(start, end string) func(*Network) {
	return func(n *Network) { n.IPs[0].Ranges = []Range{{netip.MustParseAddr(start), netip.MustParseAddr(end)}} }
}

func ipWish(prefixes ...string) func(*Network) {
	return func(n *Network) {
		n.IPs = nil
		for _, p := range prefixes {
			n.IPs = append(n.IPs, IP{Address: netip.MustParsePrefix(p)})
		}
	}
}

func host(mac, ip, name string) Host {
	return Host{MAC: mac, IP: netip.MustParseAddr(ip), Name: name}
}

func TestCheckRefuses(t *testing.T) {
	for _, test := range []struct {
		want  string
		spoil func(*Network)
	}{
		{"network name: empty", func(n *Network) { n.Name = "" }},
		{"holds a /", func(n *Network) { n.Name = "../../etc/passwd" }},
		{"names a folder", func(n *Network) { n.Name = ".." }},
		{"control character", func(n *Network) { n.Name = "a\nb" }},
		{"control character", func(n *Network) { n.Name = "a\x1b[31mb" }},
		{"control character", func(n *Network) { n.Name = "a\uffffb" }},
		{"is not UTF-8", func(n *Network) { n.Name = "a\xffb" }},
		{"white space", func(n *Network) { n.Name = " a" }},
		{"10000 bytes, more than 240", func(n *Network) { n.Name = strings.Repeat("'", 10000) }},
		{"UUID", func(n *Network) { n.UUID = "x" }},
		{"16 bytes, more than 15", func(n *Network) { n.Bridge = "virbr01234567890" }},
		{`"a/b": holds : or /`, func(n *Network) { n.Bridge = "a/b" }},
		{"holds white space", func(n *Network) { n.Bridge = "a b" }},
		{"control character", func(n *Network) { n.Bridge = "a\x7fb" }},
		{"names a folder", func(n *Network) { n.Bridge = "." }},
		{`"all": is what the kernel calls`, func(n *Network) { n.Bridge = "all" }},
		{`"default": is what the kernel calls`, func(n *Network) { n.Bridge = "default" }},
		{"MTU 67", func(n *Network) { n.MTU = 67 }},
		{"MTU 65536", func(n *Network) { n.MTU = 65536 }},
		{"MTU -1", func(n *Network) { n.MTU = -1 }},
		{"MTU 1279: IPv6 needs 1280", func(n *Network) { n.MTU = 1279 }},
		{"multicast", func(n *Network) { n.MAC = "01:00:5e:00:00:01" }},
		{"belongs to nobody", func(n *Network) { n.MAC = "00:00:00:00:00:00" }},
		{"six bytes", func(n *Network) { n.MAC = "52:54:00" }},
		{"forward delay 31", func(n *Network) { n.Delay = ptr(31) }},
		{"forward delay -1", func(n *Network) { n.Delay = ptr(-1) }},
		{"want kernel or libvirt", func(n *Network) { n.MACTable = "x" }},
		{"no label", func(n *Network) { n.Domain = "a..b" }},
		{"no label", func(n *Network) { n.Domain = "-a" }},
		{"no label", func(n *Network) { n.Domain = "é.org" }},
		{"more than 253", func(n *Network) { n.Domain = strings.Repeat("a.", 130) }},
		{"needs a name", func(n *Network) { n.DomainLocal = true }},
		{"none that libvirt has", func(n *Network) { n.Mode = "warp" }},
		{"mode route has no NAT", func(n *Network) { n.Mode, n.NAT = Route, &NATSpec{} }},
		{"mode open has no forward device", func(n *Network) { n.Mode, n.ForwardDevs = Open, []string{"eth0"} }},
		{"mode isolated has no forward device", func(n *Network) { n.Mode, n.ForwardDevs = Isolated, []string{"eth0"} }},
		{"at most one forward device", func(n *Network) { n.ForwardDevs = []string{"eth0", "eth1"} }},
		{"there twice", func(n *Network) { n.ForwardDevs = []string{"eth0", "eth0"} }},
		{"mode nat has no physical function", func(n *Network) { n.PF = "eth0" }},
		{"NAT ports 0-5", func(n *Network) { n.NAT = &NATSpec{LastPort: 5} }},
		{"NAT ports 5-4", func(n *Network) { n.NAT = &NATSpec{FirstPort: 5, LastPort: 4} }},
		{"NAT ports 1-65536", func(n *Network) { n.NAT = &NATSpec{FirstPort: 1, LastPort: 65536} }},
		{"NAT addresses", func(n *Network) { n.NAT = &NATSpec{Start: netip.MustParseAddr("10.0.0.1")} }},
		{"NAT addresses", func(n *Network) {
			n.NAT = &NATSpec{Start: netip.MustParseAddr("fd00::1"), End: netip.MustParseAddr("fd00::2")}
		}},
		{"is the address of the network", ipWish("10.0.0.0/24")},
		{"is the broadcast address", ipWish("10.0.0.255/24")},
		{"whole internet", ipWish("10.0.0.1/0")},
		{"no host can have", ipWish("127.0.0.1/8")},
		{"no host can have", ipWish("0.0.0.1/24")},
		{"an IPv6 subnet of /64 or longer", func(n *Network) {
			ipWish("fd00::1/63")(n)
			rangeWish("fd00::2", "fd00::9")(n)
		}},
		{"no host can have", ipWish("224.0.0.1/24")},
		{"no host can have", ipWish("ff02::1/64")},
		{"no valid address", func(n *Network) { n.IPs = []IP{{}} }},
		{"10.0.0.1/24 and 10.0.0.129/25 overlap", ipWish("10.0.0.1/24", "10.0.0.129/25")},
		{"fd00::1/64 and fd00::2/64 overlap", ipWish("fd00::1/64", "10.0.0.1/24", "fd00::2/64")},
		{"one subnet of a family", func(n *Network) {
			n.IPs = append(n.IPs, IP{
				Address: netip.MustParsePrefix("10.1.0.1/24"),
				Hosts:   []Host{host("52:54:00:00:00:01", "10.1.0.5", "")},
			})
		}},
		{"is not within 10.0.0.0/24", rangeWish("10.0.0.2", "10.0.1.9")},
		{"is not within 10.0.0.0/24", rangeWish("fd00::2", "fd00::3")},
		{"ends before it starts", rangeWish("10.0.0.9", "10.0.0.2")},
		{"starts at the address of the network", rangeWish("10.0.0.0", "10.0.0.9")},
		{"ends at the broadcast", rangeWish("10.0.0.2", "10.0.0.255")},
		{"overlap", func(n *Network) { n.IPs[0].Ranges = append(n.IPs[0].Ranges, n.IPs[0].Ranges[0]) }},
		{"more than 65535", func(n *Network) {
			n.IPs[0] = IP{
				Address: netip.MustParsePrefix("10.0.0.1/8"),
				Ranges:  []Range{{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.1.0.1")}},
			}
		}},
		{"is not within", hostWish(host("52:54:00:00:00:01", "10.9.0.5", ""))},
		{"is not within", hostWish(Host{MAC: "52:54:00:00:00:01"})},
		{"is the address of the host", hostWish(host("52:54:00:00:00:01", "10.0.0.1", ""))},
		{"the broadcast address", hostWish(host("52:54:00:00:00:01", "10.0.0.255", ""))},
		{"for nobody", hostWish(host("", "10.0.0.5", ""))},
		{"multicast", hostWish(host("53:54:00:00:00:01", "10.0.0.5", ""))},
		{"no label", hostWish(host("", "10.0.0.5", "a b"))},
		{"not both", hostWish(Host{MAC: "52:54:00:00:00:01", ID: "1:2", IP: netip.MustParseAddr("10.0.0.5")})},
		{"mac 52:54:00:00:00:01 is also", hostWish(host("52:54:00:00:00:01", "10.0.0.5", ""), host("52-54-00-00-00-01", "10.0.0.6", ""))},
		{"ip 10.0.0.5 is also", hostWish(host("52:54:00:00:00:01", "10.0.0.5", ""), host("52:54:00:00:00:02", "10.0.0.5", ""))},
		{"name a is also", hostWish(host("", "10.0.0.5", "A"), host("", "10.0.0.6", "a"))},
		{"hexadecimal", func(n *Network) { n.IPs[1].Hosts = []Host{{ID: "zz", IP: netip.MustParseAddr("fd00::5")}} }},
		{"IPv4 goes by MAC", hostWish(Host{ID: "0:1", IP: netip.MustParseAddr("10.0.0.5")})},
		{"IPv6 by id", func(n *Network) { n.IPs[1].Hosts = []Host{host("52:54:00:00:00:01", "fd00::5", "")} }},
		{"TFTP over IPv4", func(n *Network) { n.IPs[1].TFTP = "/x" }},
		{"is off", func(n *Network) {
			n.DNS = &DNS{Enabled: ptr(false), Forwarders: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
		}},
		{"virtual port", func(n *Network) { n.VirtualPort = "x" }},
		{"in no subnet", func(n *Network) {
			n.Routes = []Gateway{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.8.0.5")}}
		}},
		{"mixes families", func(n *Network) {
			n.Routes = []Gateway{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("fd00::5")}}
		}},
		{"wants a subnet", func(n *Network) { n.Routes = []Gateway{{To: netip.MustParsePrefix("10.9.0.0/16")}} }},
		{"whole internet", ipWish("10.0.0.1/0", "10.1.0.1/24")},
		{"is the broadcast address", ipWish("10.0.0.1/0", "10.1.0.255/24")},
		{"wants a subnet", func(n *Network) { n.Routes = []Gateway{{}} }},
		{"no address of a server", func(n *Network) { n.DNS = &DNS{Forwarders: []netip.Addr{{}}} }},
		{"has no name", func(n *Network) { n.DNS = &DNS{Hosts: []DNSHost{{IP: netip.MustParseAddr("10.0.0.1")}}} }},
		{"no label", func(n *Network) {
			n.DNS = &DNS{Hosts: []DNSHost{{IP: netip.MustParseAddr("10.0.0.1"), Names: []string{"a'b"}}}}
		}},
		{"needs an average", func(n *Network) { n.Bandwidth.Inbound.Peak = 5 }},
		{"below average", func(n *Network) { n.Bandwidth.Inbound = Rate{Average: 9, Peak: 5} }},
		{"VLAN 0", func(n *Network) { n.VLANs = []int{0} }},
		{"there twice", func(n *Network) { n.PortGroups = []string{"a", "a"} }},
	} {
		n := wish()
		if err := Check(n); err != nil {
			t.Fatal(err)
		}
		test.spoil(&n)
		err := Check(n)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%q: the error has %d bytes", test.want, len(err.Error()))
		}
		if doc, err := Build(n); err == nil {
			t.Errorf("%q: built\n%s", test.want, doc)
		}
	}
}

// What a mode whose bridge is not libvirt's cannot have.
func TestCheckCombinations(t *testing.T) {
	for _, test := range []struct {
		mode  Mode
		want  string
		spoil func(*Network)
	}{
		{HostBridge, "no STP", func(n *Network) { n.STP = ptr(true) }},
		{HostBridge, "no forward delay", func(n *Network) { n.Delay = ptr(0) }},
		{HostBridge, "no firewall zone", func(n *Network) { n.Zone = "z" }},
		{HostBridge, "no MTU", func(n *Network) { n.MTU = 1400 }},
		{HostBridge, "no bridge MAC", func(n *Network) { n.MAC = "52:54:00:00:00:01" }},
		{HostBridge, "no subnet", ipWish("10.0.0.1/24")},
		{HostBridge, "no domain", func(n *Network) { n.Domain = "a" }},
		{HostBridge, "no DNS", func(n *Network) { n.DNS = &DNS{Enabled: ptr(false)} }},
		{HostBridge, "no route", func(n *Network) {
			n.Routes = []Gateway{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.8.0.5")}}
		}},
		{HostBridge, "not both", func(n *Network) { n.Bridge, n.ForwardDevs = "br0", []string{"eth0"} }},
		{Private, "no bridge", func(n *Network) { n.Bridge = "br0" }},
		{VEPA, "no MAC table", func(n *Network) { n.MACTable = "kernel" }},
		{Passthrough, "no bandwidth", func(n *Network) { n.Bandwidth.Inbound.Average = 1 }},
		{HostDev, "no isolated ports", func(n *Network) { n.PortsIsolated = ptr(true) }},
	} {
		n := Network{Name: "n", Mode: test.mode}
		if err := Check(n); err != nil {
			t.Fatal(err)
		}
		test.spoil(&n)
		if err := Check(n); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("mode %s: %v, want %q", test.mode, err, test.want)
		}
	}
}

// Odd, and sound: libvirt takes each of these.
func TestCheckAccepts(t *testing.T) {
	for name, spoil := range map[string]func(*Network){
		"a name with everything":   func(n *Network) { n.Name = `a 'b' "c" <d> & é.` },
		"a domain of 253 bytes":    func(n *Network) { n.Domain = strings.Repeat("a.", 126) + "b" },
		"a hidden name":            func(n *Network) { n.Name = ".b" },
		"a brq name":               func(n *Network) { n.Bridge = "brqc39c1348-5a" },
		"a range with the gateway": rangeWish("10.0.0.1", "10.0.0.254"),
		"two ranges": func(n *Network) {
			n.IPs[0].Ranges = []Range{
				{netip.MustParseAddr("10.0.0.50"), netip.MustParseAddr("10.0.0.60")},
				{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.49")},
				{netip.MustParseAddr("10.0.0.61"), netip.MustParseAddr("10.0.0.61")},
			}
		},
		"a /31":                    ipWish("10.0.0.0/31"),
		"a /30":                    ipWish("10.0.0.2/30"),
		"several subnets":          ipWish("10.0.0.1/24", "10.0.1.1/24", "fd00::1/64", "fd00:0:0:1::1/64"),
		"a /48 without DHCP":       ipWish("fd00::1/48"),
		"a small MTU without IPv6": func(n *Network) { ipWish("10.0.0.1/24")(n); n.MTU = 68 },
		"a link-local subnet":      ipWish("fe80::1/64"),
		"a name for two families": func(n *Network) {
			n.IPs[0].Hosts = []Host{host("52:54:00:00:00:01", "10.0.0.5", "a")}
			n.IPs[1].Hosts = []Host{{ID: "0:1", IP: netip.MustParseAddr("fd00::5"), Name: "a"}}
		},
		"no wish at all": func(n *Network) { *n = Network{Name: "n"} },
		"macvtap pool":   func(n *Network) { *n = Network{Name: "n", Mode: VEPA, ForwardDevs: []string{"eth0", "eth1"}} },
		"host bridge":    func(n *Network) { *n = Network{Name: "n", Mode: HostBridge, Bridge: "br0", VLANs: []int{1, 4094}} },
	} {
		n := wish()
		spoil(&n)
		if err := Check(n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// All faults are told at once.
func TestCheckNamesAll(t *testing.T) {
	err := Check(Network{MTU: 1, Bridge: "a/b", IPs: []IP{{}}})
	for _, want := range []string{"network name", "MTU 1", "a/b", "subnet"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestKernelDelay(t *testing.T) {
	for _, test := range []struct {
		stp           bool
		seconds, want int
	}{{true, 0, 2000}, {true, 1, 2000}, {true, 2, 2000}, {true, 15, 15000}, {false, 0, 0}, {false, 1, 1000}} {
		if have := KernelDelay(test.stp, test.seconds); have != test.want {
			t.Errorf("KernelDelay(%v, %d) = %d, want %d", test.stp, test.seconds, have, test.want)
		}
	}
}

func TestParseMAC(t *testing.T) {
	for in, want := range map[string]string{
		"52:54:00:e4:75:83": "52:54:00:e4:75:83",
		"52-54-00-E4-75-83": "52:54:00:e4:75:83",
		"52:54:0:a:b:1":     "52:54:00:0a:0b:01",
	} {
		if have, err := ParseMAC(in); have != want || err != nil {
			t.Errorf("ParseMAC(%q) = %q, %v", in, have, err)
		}
	}
	for _, in := range []string{
		"", "52:54:00:e4:75", "52:54:00:e4:75:83:00", "52:54:00:e4:75:8g", "52:54:00:e4:75:083", "52:54-00:e4:75:83",
		"52:54:00:e4:75:+3", ":::::", "525400e47583", strings.Repeat("5:", 10000),
	} {
		if have, err := ParseMAC(in); err == nil || have != "" || len(err.Error()) > 500 {
			t.Errorf("ParseMAC(%.30q) = %q, %v", in, have, err)
		}
	}
}

// What a message quotes is short, and never ends within a character.
func TestClip(t *testing.T) {
	for _, s := range []string{strings.Repeat("é", 1000), "a" + strings.Repeat("é", 1000), strings.Repeat("\xff", 1000)} {
		have := clip(s)
		head := strings.TrimSuffix(have, "...")
		if len(have) > 123 || !strings.HasPrefix(s, head) || head == have || utf8.ValidString(s) && len(head) < 118 {
			t.Errorf("clip(%.5q...) = %q", s, have)
		}
	}
	if clip("é") != "é" {
		t.Error("a short text is clipped")
	}
}
