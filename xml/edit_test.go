package xml

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// strange has something unknown at every place.
const strange = `<?xml version="1.0" encoding="UTF-8"?>
<!-- kept -->
<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0' odd='1' ipv6='no'>
  <name>n</name>
  <uuid>5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2</uuid>
  <metadata>
    <app:x xmlns:app="urn:x" app:y='a"b'>  text <b/> tail </app:x>
    <other xmlns='urn:o'><![CDATA[a<b]]></other>
  </metadata>
  <forward mode='nat' odd='2'>
    <nat odd='3'><port start='1024' end='65535' odd='4'/></nat>
  </forward>
  <bridge name='virbr5' stp='on' delay='0' odd='5'/>
  <domain name='a' register='yes'/>
  <dns odd='6'>
    <forwarder domain='x.org' addr='192.0.2.1'/>
    <forwarder addr='192.0.2.2'/>
    <txt name='t' value='v'/>
    <host ip='10.0.0.9' odd='7'><hostname>a</hostname></host>
  </dns>
  <ip address='10.0.0.1' netmask='255.255.255.0' localPtr='yes'>
    <dhcp>
      <range start='10.0.0.2' end='10.0.0.99'><lease expiry='5' unit='hours'/></range>
      <host mac='52:54:00:00:00:01' ip='10.0.0.5'><lease expiry='6'/></host>
      <!-- kept too -->
      <bootp file='x'/>
    </dhcp>
  </ip>
  <portgroup name='p'><bandwidth><inbound average='5'/></bandwidth></portgroup>
  <dnsmasq:options><dnsmasq:option value='log-dhcp'/></dnsmasq:options>
</network>
`

func edit(t *testing.T, doc string, want Network) string {
	t.Helper()
	out, err := Edit(doc, want)
	if err != nil {
		t.Fatal(err)
	}
	have, err := Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if changes := Changes(have, want); len(changes) > 0 {
		t.Errorf("edited, and %v:\n%s", changes, out)
	}
	return out
}

// A wish that is fulfilled changes no byte but the quotes.
func TestEditNothing(t *testing.T) {
	n := parsed(t, strange)
	n.Connections = 0
	out := edit(t, strange, n)
	quotes := strings.NewReplacer(`"`, `'`, "&quot;", "'", "&apos;", "'")
	if diff := cmp.Diff(quotes.Replace(strange), quotes.Replace(out)); diff != "" {
		t.Error(diff)
	}
}

// Only the lines that a wish is about change.
func TestEditLines(t *testing.T) {
	for _, test := range []struct {
		name        string
		want        Network
		gone, added []string
	}{
		{"MTU", Network{MTU: 1400}, nil, []string{"  <mtu size='1400'/>"}},
		{
			"STP", Network{STP: ptr(false)},
			[]string{"  <bridge name='virbr5' stp='on' delay='0' odd='5'/>"},
			[]string{"  <bridge name='virbr5' stp='off' delay='0' odd='5'/>"},
		},
		{
			"another gateway", Network{IPs: []IP{{Address: netip.MustParsePrefix("10.0.0.254/24")}}},
			[]string{"  <ip address='10.0.0.1' netmask='255.255.255.0' localPtr='yes'>"},
			[]string{"  <ip address='10.0.0.254' netmask='255.255.255.0' localPtr='yes'>"},
		},
		{
			"another subnet takes ranges and reservations with it",
			Network{IPs: []IP{{Address: netip.MustParsePrefix("10.9.0.1/16")}}},
			[]string{
				"  <ip address='10.0.0.1' netmask='255.255.255.0' localPtr='yes'>",
				"      <range start='10.0.0.2' end='10.0.0.99'><lease expiry='5' unit='hours'/></range>",
				"      <host mac='52:54:00:00:00:01' ip='10.0.0.5'><lease expiry='6'/></host>",
			},
			[]string{"  <ip address='10.9.0.1' netmask='255.255.0.0' localPtr='yes'>"},
		},
		{
			"a second reservation, and a name for the first",
			Network{IPs: []IP{{Address: netip.MustParsePrefix("10.0.0.1/24"), Hosts: []Host{
				host("52:54:00:00:00:02", "10.0.0.6", ""), host("52-54-00-00-00-01", "10.0.0.7", "a"),
			}}}},
			[]string{"      <host mac='52:54:00:00:00:01' ip='10.0.0.5'><lease expiry='6'/></host>"},
			[]string{
				"      <host mac='52:54:00:00:00:01' ip='10.0.0.7' name='a'><lease expiry='6'/></host>",
				"      <host mac='52:54:00:00:00:02' ip='10.0.0.6'/>",
			},
		},
		{
			"a second subnet", Network{IPs: []IP{
				{Address: netip.MustParsePrefix("fd00::1/64"), Ranges: []Range{{netip.MustParseAddr("fd00::100"), netip.MustParseAddr("fd00::1ff")}}},
				{Address: netip.MustParsePrefix("10.0.0.1/24")},
			}},
			nil,
			[]string{
				"  <ip family='ipv6' address='fd00::1' prefix='64'>", "    <dhcp>",
				"      <range start='fd00::100' end='fd00::1ff'/>", "    </dhcp>", "  </ip>",
			},
		},
		{
			"forwarders: one with a domain is not ours", Network{DNS: &DNS{Forwarders: []netip.Addr{netip.MustParseAddr("192.0.2.3")}}},
			[]string{"    <forwarder addr='192.0.2.2'/>"}, []string{"    <forwarder addr='192.0.2.3'/>"},
		},
		{
			"DNS off", Network{DNS: &DNS{Enabled: ptr(false), Hosts: []DNSHost{}, Forwarders: []netip.Addr{}}},
			[]string{"  <dns odd='6'>", "    <forwarder addr='192.0.2.2'/>", "    <host ip='10.0.0.9' odd='7'><hostname>a</hostname></host>"},
			[]string{"  <dns odd='6' enable='no'>"},
		},
		{
			"bandwidth", Network{Bandwidth: Bandwidth{Outbound: Rate{Average: 5}}}, nil,
			[]string{"  <bandwidth>", "    <outbound average='5'/>", "  </bandwidth>"},
		},
		{
			"NAT off", Network{Mode: Route},
			[]string{"  <forward mode='nat' odd='2'>", "    <nat odd='3'><port start='1024' end='65535' odd='4'/></nat>", "  </forward>"},
			[]string{"  <forward mode='route' odd='2'/>"},
		},
		{
			"a trunk", Network{VLANs: []int{5, 6}}, nil,
			[]string{"  <vlan trunk='yes'>", "    <tag id='5'/>", "    <tag id='6'/>", "  </vlan>"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, err := Edit(strange, Network{})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(test.gone)
			slices.Sort(test.added)
			gone, added := lineDiff(base, edit(t, strange, test.want))
			if diff := cmp.Diff(test.gone, gone); diff != "" {
				t.Errorf("gone: %s", diff)
			}
			if diff := cmp.Diff(test.added, added); diff != "" {
				t.Errorf("added: %s", diff)
			}
		})
	}
}

// lineDiff are the lines only in a, and only in b, counted and sorted.
func lineDiff(a, b string) (gone, added []string) {
	count := map[string]int{}
	for line := range strings.SplitSeq(b, "\n") {
		count[line]++
	}
	for line := range strings.SplitSeq(a, "\n") {
		if count[line]--; count[line] < 0 {
			gone = append(gone, line)
		}
	}
	for line := range strings.SplitSeq(b, "\n") {
		if count[line] > 0 {
			added = append(added, line)
			count[line]--
		}
	}
	slices.Sort(gone)
	slices.Sort(added)
	return gone, added
}

// A document is edited in its own style: this one stands on one line.
func TestEditCompact(t *testing.T) {
	out := edit(t, "<network><name>n</name><ip address='10.0.0.1' prefix='8'/></network>", Network{MTU: 1400, Domain: "a", IPs: []IP{
		{Address: netip.MustParsePrefix("10.0.0.1/8"), Ranges: []Range{{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}}},
	}})
	want := "<network><name>n</name><mtu size='1400'/><domain name='a'/>" +
		"<ip address='10.0.0.1' prefix='8'><dhcp><range start='10.0.0.2' end='10.0.0.3'/></dhcp></ip></network>"
	if out != want {
		t.Errorf("have %s\nwant %s", out, want)
	}
}

func TestEditMode(t *testing.T) {
	nat := edit(t, strange, Network{})
	bridged := edit(t, nat, Network{Mode: HostBridge, Bridge: "br0"})
	n := parsed(t, bridged)
	if err := Check(n); err != nil || n.Bridge != "br0" || n.IPs != nil || n.STP != nil {
		t.Errorf("%v\n%s", err, bridged)
	}
	for _, kept := range []string{"app:x", "dnsmasq:option", "<portgroup name='p'><bandwidth>", "odd='2'", "odd='5'"} {
		if !strings.Contains(bridged, kept) {
			t.Errorf("%s is lost:\n%s", kept, bridged)
		}
	}
	pool := parsed(t, edit(t, bridged, Network{Mode: VEPA, ForwardDevs: []string{"eth0", "eth1"}}))
	if err := Check(pool); err != nil || pool.Bridge != "" {
		t.Errorf("%v: %+v", err, pool)
	}
	limited := edit(t, bridged, Network{Bandwidth: Bandwidth{Inbound: Rate{Average: 5}}})
	for _, mode := range []Mode{VEPA, Passthrough} {
		if n := parsed(t, edit(t, limited, Network{Mode: mode})); n.Bandwidth != (Bandwidth{}) || len(n.PortGroups) != 1 ||
			slices.ContainsFunc(n.Other, func(s Setting) bool { return strings.HasPrefix(s.Path, "portgroup/bandwidth") }) {
			t.Errorf("mode %s has no bandwidth: %+v", mode, n)
		}
	}
	devices := "<network><name>n</name><forward mode='bridge' dev='eth0'/></network>"
	if _, err := Edit(devices, Network{Bandwidth: Bandwidth{Inbound: Rate{Average: 5}}}); err == nil {
		t.Error("libvirt limits at a bridge: devices have none")
	}
	back := parsed(t, edit(t, bridged, Network{Mode: NAT, ForwardDevs: []string{"eth0"}, IPs: []IP{{Address: netip.MustParsePrefix("10.0.0.1/24")}}}))
	if err := Check(back); err != nil || back.Bridge != "" || len(back.ForwardDevs) != 1 {
		t.Errorf("%v: %+v", err, back)
	}
	isolated := parsed(t, edit(t, nat, Network{Mode: Isolated}))
	if isolated.Mode != Isolated || len(isolated.IPs) != 1 {
		t.Errorf("%+v", isolated)
	}
	devs := edit(t, "<network><name>n</name><forward mode='bridge'/><bridge name='br0'/></network>", Network{ForwardDevs: []string{"eth0"}})
	if strings.Contains(devs, "br0") {
		t.Errorf("a bridge and a device:\n%s", devs)
	}
	bridge := edit(t, "<network><name>n</name><forward mode='bridge' dev='eth0'><interface dev='eth0'/></forward></network>", Network{Bridge: "br0"})
	if strings.Contains(bridge, "eth0") {
		t.Errorf("a bridge and a device:\n%s", bridge)
	}
}

func TestEditRefuses(t *testing.T) {
	for _, test := range []struct {
		doc, want string
		wish      Network
	}{
		{"<domain/>", "want <network>", Network{}},
		{strange, "MTU 5", Network{MTU: 5}},
		{strange, "white space", Network{Name: " "}},
		{strange, "more than 15", Network{Bridge: "virbr01234567890"}},
		{strange, "mode nat needs a subnet", Network{IPs: []IP{}}},
		{strange, "is not within", Network{IPs: []IP{{Address: netip.MustParsePrefix("10.0.0.1/30")}, {Address: netip.MustParsePrefix("10.0.1.1/24"), Ranges: []Range{{netip.MustParseAddr("10.2.0.2"), netip.MustParseAddr("10.2.0.5")}}}}}},
		{strange, "mode isolated has no NAT", Network{Mode: Isolated, NAT: &NATSpec{IPv6: true}}},
		{"<network><name>n</name></network>", "mode isolated has no forward device", Network{ForwardDevs: []string{"eth0"}}},
		{"<network><name>n</name><forward mode='bridge'/></network>", "mode bridge has no MTU", Network{MTU: 1400}},
		{strange, "gateway 192.0.2.1 is in no subnet", Network{Routes: []Gateway{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("192.0.2.1")}}}},
		{strange, "DNS: is off", Network{DNS: &DNS{Enabled: ptr(false)}}},
		{strange, "document has another UUID", Network{UUID: "00000000-0000-0000-0000-000000000001"}},
	} {
		out, err := Edit(test.doc, test.wish)
		if err == nil || !strings.Contains(err.Error(), test.want) || out != "" {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

// A break written as a reference stays one, and one that XML reads as a space
// becomes it.
func TestEditKeepsBreaks(t *testing.T) {
	out := edit(t, "<network odd='a&#10;b&#9;c'\n  even='a\nb'><name>n</name><t>&#13;</t></network>", Network{})
	for _, want := range []string{`odd="a&#xA;b&#x9;c"`, `even="a b"`, "&#xD;"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is lost: %s", want, out)
		}
	}
}

func TestKeepIdentity(t *testing.T) {
	const uuid, mac = "5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2", "52:54:00:0a:0b:0c"
	out, err := KeepIdentity("<network>\n  <name>n</name>\n  <odd/>\n</network>", uuid, mac)
	want := "<network>\n  <name>n</name>\n  <uuid>" + uuid + "</uuid>\n  <mac address='" + mac + "'/>\n  <odd/>\n</network>"
	if out != want || err != nil {
		t.Errorf("%v\nhave %s\nwant %s", err, out, want)
	}
	again, err := KeepIdentity(out, strings.ToUpper(uuid), "52:54:00:00:00:01")
	if again != out || err != nil {
		t.Errorf("its own UUID and MAC: %v\n%s", err, again)
	}
	if _, err := KeepIdentity(out, "00000000-0000-0000-0000-000000000001", ""); !errors.Is(err, ErrOtherUUID) {
		t.Errorf("another UUID: %v", err)
	}
	bridged, err := KeepIdentity("<network><name>n</name><forward mode='bridge'/><bridge name='br0'/></network>", uuid, mac)
	if strings.Contains(bridged, mac) || err != nil {
		t.Errorf("the MAC of a host's bridge is the host's: %v\n%s", err, bridged)
	}
	latin, err := KeepIdentity("<?xml version='1.0' encoding='ISO-8859-1'?><network><name>\xe9</name></network>", "", "")
	if !strings.Contains(latin, "<name>é</name>") || !strings.Contains(latin, `encoding="UTF-8"`) || err != nil {
		t.Errorf("%v\n%s", err, latin)
	}
	for _, bad := range [][3]string{{"<a/>", "", ""}, {"<network/>", uuid, ""}, {out, "x", ""}, {"<network><name>n</name></network>", "", "x"}} {
		if out, err := KeepIdentity(bad[0], bad[1], bad[2]); err == nil || out != "" {
			t.Errorf("%q: %q", bad, out)
		}
	}
}
