package xml

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const portDocument = `<networkport>
  <uuid>1c3cf5e1-0f9b-4b3c-a3c5-5e4f3a1c0b0d</uuid>
  <owner>
    <name>it's a &lt;guest&gt;</name>
    <uuid>5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2</uuid>
  </owner>
  <mac address='52:54:00:e4:75:83'/>
  <rxfilters trustGuest='yes'/>
  <bandwidth>
    <inbound average='5' peak='4' floor='3'/>
  </bandwidth>
  <vlan trunk='yes'>
    <tag id='6'/>
    <tag id='7' nativeMode='tagged'/>
  </vlan>
</networkport>
`

func TestPort(t *testing.T) {
	guest := Guest{Name: "it's a <guest>", UUID: "5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2"}
	port := PortFor(guest, Interface{
		Type: "network", Network: "default", PortID: "1c3cf5e1-0f9b-4b3c-a3c5-5e4f3a1c0b0d", MAC: "52:54:00:e4:75:83", Target: "vnet0",
		Bandwidth: Bandwidth{Inbound: Rate{Average: 5, Peak: 4}}, Floor: 3, VLANs: []int{6, 7}, Trunk: true, NativeVLAN: 7, NativeTagged: true, TrustRxFilters: true,
	})
	doc, err := BuildPort(port)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(portDocument, doc); diff != "" {
		t.Error(diff)
	}
	have, err := ParsePort(doc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(port, have); diff != "" {
		t.Error(diff)
	}
}

func TestParsePort(t *testing.T) {
	have, err := ParsePort(`<networkport>
  <uuid>1C3CF5E1-0f9b-4b3c-a3c5-5e4f3a1c0b0d</uuid>
  <owner><uuid>5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2</uuid><name>g</name></owner>
  <mac address='52:54:00:E4:75:83'/><group>p</group><rxfilters trustGuest='no'/>
  <bandwidth><inbound average='5' peak='6' burst='7'/></bandwidth>
  <vlan trunk='yes'><tag id='0'/><tag id='4095'/></vlan><port isolated='yes'/>
  <plug type='direct' dev='eth0' mode='vepa'/></networkport>`)
	if err != nil {
		t.Fatal(err)
	}
	want := Port{
		UUID: "1c3cf5e1-0f9b-4b3c-a3c5-5e4f3a1c0b0d", OwnerName: "g", OwnerUUID: "5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2",
		MAC: "52:54:00:e4:75:83", Group: "p", Isolated: ptr(true), VLANs: []int{0, 4095}, Trunk: true, Bandwidth: Bandwidth{Inbound: Rate{5, 6, 7}},
		Plug: &Plug{Type: "direct", Dev: "eth0", Mode: "vepa"},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	doc, err := BuildPort(have)
	if err != nil || strings.Contains(doc, "plug") {
		t.Errorf("%v: the plug is libvirt's to work out:\n%s", err, doc)
	}
	again, err := ParsePort(doc)
	want.Plug = nil
	if diff := cmp.Diff(want, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestPortRefuses(t *testing.T) {
	for doc, want := range map[string]string{
		"<network/>":     "document is a <network>, want <networkport>",
		"<networkport/>": "no <mac>",
		"<networkport><uuid>1</uuid></networkport>":             `UUID "1"`,
		"<networkport><mac address='x'/></networkport>":         `<mac address="x">`,
		"<networkport><port isolated='x'/></networkport>":       "want yes or no",
		"<networkport><vlan><tag id='x'/></vlan></networkport>": "want a number",
	} {
		if _, err := ParsePort(doc); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
	good, err := ParsePort(portDocument)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Port){
		"UUID":              func(p *Port) { p.UUID = "" },
		"owner: read UUID":  func(p *Port) { p.OwnerUUID = "x" },
		"has no name":       func(p *Port) { p.OwnerName = "" },
		"control character": func(p *Port) { p.OwnerName = "a\nb" },
		"multicast":         func(p *Port) { p.MAC = "01:00:00:00:00:00" },
		"VLAN 4096":         func(p *Port) { p.VLANs = []int{4096} },
		"needs an average":  func(p *Port) { p.Bandwidth.Outbound.Peak = 1 },
	} {
		p := good
		change(&p)
		if _, err := BuildPort(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}

func FuzzParsePort(f *testing.F) {
	f.Add(portDocument)
	f.Add("<networkport><plug/></networkport>")
	f.Fuzz(func(t *testing.T, doc string) {
		p, err := ParsePort(doc)
		if err != nil {
			return
		}
		built, err := BuildPort(p)
		if err != nil {
			return // odd, and libvirt's to judge
		}
		p.Plug = nil
		again, err := ParsePort(built)
		if diff := cmp.Diff(p, again); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}
