package xml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGuest(t *testing.T) {
	const devices = `<domain type='qemu' id='3'><name>a &lt;b&gt;</name><uuid>5DC8AE5B-a6fe-4750-bdbe-bac6a6c603d2</uuid>
<metadata><x:i xmlns:x='urn:x'><devices><interface type='bridge'><mac address='52:54:00:00:00:99'/></interface></devices></x:i>
<devices><interface type='network'/></devices></metadata>
<devices><!-- <interface type='bridge'/> -->%s</devices></domain>`
	for _, test := range []struct {
		name, doc string
		want      []Interface
	}{
		{"none", "", []Interface{}},
		{
			"network, live",
			`<interface type='network'>
			  <mac address='52:54:00:E4:75:83'/>
			  <source network='default' portid='1c3' bridge='virbr0'/>
			  <target dev='vnet0'/><model type='virtio'/><alias name='net0'/>
			  <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
			</interface>`,
			[]Interface{{
				Type: "network", Source: "default", Network: "default", Bridge: "virbr0", PortID: "1c3",
				Target: "vnet0", MAC: "52:54:00:e4:75:83", Model: "virtio", Alias: "net0", Managed: true,
			}},
		},
		{
			"network of mode bridge, live: a bridge to virsh, with the network's name",
			`<interface type='bridge'><source network='lan' portid='p' bridge='br0'/></interface>`,
			[]Interface{{Type: "bridge", Source: "lan", Network: "lan", Bridge: "br0", PortID: "p", Managed: true}},
		},
		{
			"source is the first in the document, whatever its name",
			`<interface type='bridge'><source bridge='br0' network='lan'/></interface>`,
			[]Interface{{Type: "bridge", Source: "br0", Network: "lan", Bridge: "br0", Managed: true}},
		},
		{
			"macvtap",
			`<interface type='direct'><source dev='eth0' mode='private'/><target dev='macvtap0'/></interface>`,
			[]Interface{{Type: "direct", Source: "eth0", Dev: "eth0", Mode: "private", Target: "macvtap0", Managed: true}},
		},
		{
			"vhostuser: a path; its mode is not macvtap's",
			`<interface type='vhostuser'><source type='unix' path='/tmp/a' mode='server'/></interface>`,
			[]Interface{{Type: "vhostuser", Source: "/tmp/a", Managed: true}},
		},
		{
			"a port that is not isolated, whatever its network says",
			`<interface type='bridge'><port isolated='no'/></interface>`,
			[]Interface{{Type: "bridge", Isolated: ptr(false), Managed: true}},
		},
		{
			"user and ethernet",
			`<interface type='user'/><interface type='ethernet'><target dev='t' managed='no'/></interface>`,
			[]Interface{{Type: "user", Managed: true}, {Type: "ethernet", Target: "t"}},
		},
		{
			"everything else",
			`<interface type='bridge'><source bridge="br&amp;0"/><link state='down'/><mtu size='1400'/><port isolated='yes'/>
			<virtualport type='openvswitch'><parameters type='x' interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f' profileid='p'/></virtualport><vlan trunk='yes'><tag id='5'/><tag nativeMode='tagged' id='6'/></vlan>
			<filterref filter='clean-traffic'><parameter name='a' value='b'/></filterref></interface>`,
			[]Interface{{
				Type: "bridge", Source: "br&0", Bridge: "br&0", Link: "down", MTU: 1400, Isolated: ptr(true),
				VirtualPort: "openvswitch", InterfaceID: "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f", ProfileID: "p",
				VLANs: []int{5, 6}, Trunk: true, NativeVLAN: 6, NativeTagged: true, Filter: "clean-traffic", FilterParameters: true, Managed: true,
			}},
		},
		{
			"what the kernel has to follow",
			`<interface type='direct' trustGuestRxFilters='yes'><mac address='52:54:00:00:00:01' currentAddress='02:AA:00:00:00:01'/>
			<driver name='qemu' queues='2'/><bandwidth><inbound average='1000' peak='5000' burst='5120' floor='200'/><outbound average='128'/></bandwidth></interface>`,
			[]Interface{{
				Type: "direct", MAC: "52:54:00:00:00:01", CurrentMAC: "02:aa:00:00:00:01", Driver: "qemu", TrustRxFilters: true, Managed: true,
				Bandwidth: Bandwidth{Inbound: Rate{Average: 1000, Peak: 5000, Burst: 5120}, Outbound: Rate{Average: 128}}, Floor: 200,
			}},
		},
		{
			"nested elements of the same names count for nothing",
			`<interface type='bridge'><source bridge='br0'><source bridge='no'/><mac address='no'/></source>
			<backend><interface type='network'/><target dev='no'/></backend></interface>
			<hostdev><interface type='network'/></hostdev>`,
			[]Interface{{Type: "bridge", Source: "br0", Bridge: "br0", Managed: true}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := ParseGuest(fmt.Sprintf(devices, test.doc))
			if err != nil {
				t.Fatal(err)
			}
			want := Guest{Name: "a <b>", Virt: "qemu", UUID: "5DC8AE5B-a6fe-4750-bdbe-bac6a6c603d2", Interfaces: test.want}
			if diff := cmp.Diff(want, g); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseGuestRefuses(t *testing.T) {
	for _, test := range []struct{ doc, want string }{
		{"", "document is empty, want <domain>"},
		{"<!-- a -->", "document is empty"},
		{"<network/>", "document is a <network>, want <domain>"},
		{"<domain/><domain/>", "second root"},
		{"<domain>\n<devices>", "ends inside"},
		{"<domain>\n\n</devices>", "line 3: malformed XML: </devices> closes nothing"},
		{"<domain a='", "ends inside"},
		{"<domain a=<b/></domain>", "does not end"},
		{"<domain/>x", "outside of the root"},
		{"<!DOCTYPE d [<!ENTITY a 'b'>]><domain/>", "document type"},
		{"<domain><!-- </domain>", "comment does not end"},
		{"<domain><![CDATA[ </domain>", "CDATA section does not end"},
		{"<domain><?a </domain>", "instruction does not end"},
		{"<domain><devices><interface type/></devices></domain>", "has no value"},
		{"<domain>< a/></domain>", "no name"},
		{strings.Repeat("<domain>", 300), "nests deeper"},
		{strings.Repeat(" ", MaxDocument) + "<domain/>", "more than"},
	} {
		if _, err := ParseGuest(test.doc); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseGuest(%.40q) = %v, want %q", test.doc, err, test.want)
		}
	}
}

// A document cut off anywhere is an error, never a guest with fewer
// interfaces.
func TestParseGuestCut(t *testing.T) {
	const doc = `<domain id='1'><name>a&lt;</name><!--- > --><?p <?><devices><![CDATA[<]]>` +
		`<interface type="a" b='>'><target dev='t'/><source network = 'n'></source ></interface></devices></domain>`
	if g, err := ParseGuest(doc); err != nil || len(g.Interfaces) != 1 {
		t.Fatalf("%v\n%s", err, doc)
	}
	for i := range len(doc) {
		if g, err := ParseGuest(doc[:i]); err == nil {
			t.Fatalf("%d bytes: %+v", i, g)
		}
	}
}

// domainDocument is a domain as libvirt prints it, with that many interfaces,
// about 6 kB.
func domainDocument(interfaces int) string {
	var b strings.Builder
	b.WriteString("<domain type='qemu' id='7'>\n  <name>guest</name>\n  <uuid>5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2</uuid>\n")
	for i := range 20 {
		fmt.Fprintf(&b, "  <memory unit='KiB'>%d</memory>\n", i)
	}
	b.WriteString("  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n")
	for i := range 24 {
		fmt.Fprintf(&b, `    <controller type='pci' index='%d' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='%d' port='0x8'/>
      <alias name='pci.%d'/>
    </controller>
`, i, i, i)
	}
	for i := range interfaces {
		fmt.Fprintf(&b, `    <interface type='network'>
      <mac address='52:54:00:e4:75:%02x'/>
      <source network='default' portid='739b2b3a-2831-4c1e-a26a-b020f50553d2' bridge='virbr0'/>
      <target dev='vnet%d'/>
      <model type='virtio'/>
      <alias name='net%d'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>
`, i, i, i)
	}
	b.WriteString("  </devices>\n</domain>\n")
	return b.String()
}

func BenchmarkParseGuest(b *testing.B) {
	doc := domainDocument(2)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseGuest(doc); err != nil {
			b.Fatal(err)
		}
	}
}

// slowGuest reads the same with encoding/xml, token by token.
func slowGuest(doc string) ([]Interface, error) {
	dec := xml.NewDecoder(strings.NewReader(doc))
	found := []Interface{}
	var path []string
	roots := 0
	for {
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) && len(path) == 0 && roots == 1 {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		switch tag := token.(type) {
		case xml.StartElement:
			path = append(path, rawName(tag.Name))
			if len(path) == 1 {
				roots++
			}
			values := map[string]string{}
			for _, a := range tag.Attr {
				values[rawName(a.Name)] = strings.Map(func(r rune) rune {
					if r == '\n' || r == '\t' || r == '\r' {
						return ' '
					}
					return r
				}, a.Value)
			}
			set := func(to *string, key string) {
				if value, given := values[key]; given {
					*to = value
				}
			}
			last := max(len(found)-1, 0)
			switch strings.Join(path, " ") {
			case "domain devices interface":
				found = append(found, Interface{Type: values["type"]})
			case "domain devices interface source":
				set(&found[last].Network, "network")
				set(&found[last].PortID, "portid")
				set(&found[last].Bridge, "bridge")
			case "domain devices interface target":
				set(&found[last].Target, "dev")
			case "domain devices interface mac":
				set(&found[last].MAC, "address")
			}
		case xml.EndElement:
			if len(path) == 0 || path[len(path)-1] != rawName(tag.Name) {
				return nil, errors.New("wrong nesting")
			}
			path = path[:len(path)-1]
		case xml.Directive:
			return nil, errors.New("document type")
		case xml.CharData:
			if len(path) == 0 && strings.TrimSpace(string(tag)) != "" {
				return nil, errors.New("text outside")
			}
		}
	}
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// FuzzParseGuest holds the scanner against encoding/xml: what that reads, the
// scanner reads too, and finds the same interfaces.
func FuzzParseGuest(f *testing.F) {
	f.Add(domainDocument(2))
	f.Add("<domain><name>a&#x41;<![CDATA[<]]></name><devices><interface type='a'><source network='x\ny'/></interface></devices></domain>")
	f.Add("<domain><devices><interface/></devices><devices><interface type=\"b\"><target dev='&lt;'/></interface></devices></domain>")
	f.Add("<domain><devices><x:interface xmlns:x='u'/><!-- > --><?p >?><interface type='>'></interface></devices></domain >")
	f.Fuzz(func(t *testing.T, doc string) {
		want, slow := slowGuest(doc)
		got, err := ParseGuest(doc)
		if slow != nil || strings.Contains(doc, "encoding") {
			return // encoding/xml knows fewer encodings
		}
		if err != nil {
			for _, stricter := range []string{"want <domain>", "nests deeper", "UTF-"} {
				if strings.Contains(err.Error(), stricter) {
					return
				}
			}
			t.Fatal(err)
		}
		have := []Interface{}
		for _, i := range got.Interfaces {
			have = append(have, Interface{
				Type: i.Type, Network: i.Network, PortID: i.PortID, Bridge: i.Bridge, Target: i.Target, MAC: i.MAC,
			})
		}
		for i := range want {
			want[i].MAC = strings.ToLower(want[i].MAC)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Error(diff)
		}
	})
}
