package xml

import (
	"strings"
	"testing"
)

// TestWhatLibvirtLeavesOut: a definition says the same as what libvirt makes of
// it, to net-define (Drift) and in a running network (SectionChanges).
func TestWhatLibvirtLeavesOut(t *testing.T) {
	dhcp := func(inside string) string {
		return "<ip address='10.0.0.1' prefix='24'><dhcp>" + inside + "</dhcp></ip>"
	}
	for _, test := range []struct{ given, written string }{
		{"<dns><srv service='a' protocol='tcp' domain='d' target='t' port='01' priority='0' weight='0'/></dns>", "<dns><srv service='a' protocol='tcp' domain='d' target='t' port='1'/></dns>"},
		{"<dns><srv service='a' protocol='tcp' priority='01' weight='+5'/></dns>", "<dns><srv service='a' protocol='tcp' priority='1' weight='5'/></dns>"},
		{"<portgroup name='p' default='no'/>", "<portgroup name='p'/>"},
		{"<portgroup name='p'><bandwidth/><virtualport><parameters/></virtualport></portgroup>", "<portgroup name='p'/>"},
		{"<portgroup name='p'><bandwidth><inbound average='0100' peak='0' burst='0' floor='0'/></bandwidth></portgroup>", "<portgroup name='p'><bandwidth><inbound average='100'/></bandwidth></portgroup>"},
		{"<portgroup name='p'><vlan><tag id='05'/></vlan></portgroup>", "<portgroup name='p'><vlan><tag id='5'/></vlan></portgroup>"},
		{"<portgroup name='p'><vlan><tag id='5'/><tag id='6'/></vlan></portgroup>", "<portgroup name='p'><vlan trunk='yes'><tag id='5'/><tag id='6'/></vlan></portgroup>"},
		{"<dns><forwarder domain='d' addr='FD00::1'/></dns>", "<dns><forwarder domain='d' addr='fd00::1'/></dns>"},
		{dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='0' unit='hours'/></range>"), dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='0'/></range>")},
		{dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='60'/></range>"), dhcp("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='60' unit='minutes'/></range>")},
		{dhcp("<host mac='52:54:00:00:00:01' ip='10.0.0.5'><lease expiry='5'/></host>"), dhcp("<host mac='52:54:00:00:00:01' ip='10.0.0.5'><lease expiry='5' unit='minutes'/></host>")},
		{dhcp("<bootp file='x'/>"), "<ip address='10.0.0.1' prefix='24'/>"},
		{"<forward mode='route' managed='yes'/>", "<forward mode='route'/>"},
		{"<forward mode='bridge'/><bridge name='o'/><virtualport type='openvswitch'><parameters/></virtualport>", "<forward mode='bridge'/><bridge name='o'/><virtualport type='openvswitch'/>"},
		{
			"<virtualport type='openvswitch'><parameters interfaceid='09B11C53-8B5C-4EEB-8F00-D84EAA0AAA4F'/></virtualport>",
			"<virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>",
		},
		{"<virtualport type='802.1Qbg'><parameters managerid='0x0b' typeid='0x123457' typeidversion='02'/></virtualport>", "<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2'/></virtualport>"},
		{
			"<forward mode='hostdev' managed='no'><address type='pci' domain='0' bus='4' slot='16' function='1'/></forward>",
			"<forward mode='hostdev'><address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x1'/></forward>",
		},
	} {
		given, written := "<network><name>n</name>"+test.given+"</network>", "<network><name>n</name>"+test.written+"</network>"
		a, b := parsed(t, given), parsed(t, written)
		if drift := append(Drift(a, b), Drift(b, a)...); len(drift) > 0 {
			t.Errorf("%s: %v", test.given, drift)
		}
		for _, pair := range [][2]string{{given, written}, {written, given}} {
			if changes, left, err := SectionChanges(pair[0], pair[1]); err != nil || len(changes)+len(left) > 0 {
				t.Errorf("%s: %v %v %v", test.given, says(changes), left, err)
			}
		}
	}
}

// TestWhatSchemaRefuses: what libvirt reads past only without its schema is told, so
// that libvirt gets to judge it.
func TestWhatSchemaRefuses(t *testing.T) {
	const is = "<network><name>n</name><bridge name='b'/><dns><txt name='t'/></dns></network>"
	have := parsed(t, is)
	for text, path := range map[string]string{
		"<network xmlns='http://x'><name>n</name><bridge name='b'/><dns><txt name='t'/></dns></network>":            "@xmlns",
		"<x:network xmlns:x='http://x'><name>n</name><bridge name='b'/><dns><txt name='t'/></dns></x:network>":      "@xmlns",
		"<network><name>n</name><name>n</name><bridge name='b'/><dns><txt name='t'/></dns></network>":               "name#2",
		"<network><name>n</name><bridge name='b'/><bridge name='c' stp='off'/><dns><txt name='t'/></dns></network>": "bridge#2",
		"<network><name>n</name><bridge name='b'/><dns><txt name='t'/></dns><dns/></network>":                       "dns#2",
	} {
		if drift := Drift(have, parsed(t, text)); len(drift) != 1 || drift[0].Path != path {
			t.Errorf("%s: have %v, want %s", text, drift, path)
		}
	}
}

// TestPrefixes: a name is its namespace's, whatever prefix stands for it and wherever
// it is declared.
func TestPrefixes(t *testing.T) {
	for name, documents := range map[string][]string{
		"options": {
			"<network xmlns:dnsmasq='%s'><name>n</name><dnsmasq:options><dnsmasq:option value='a'/><dnsmasq:option value='b'/></dnsmasq:options></network>",
			"<network><name>n</name><dnsmasq:options xmlns:dnsmasq='%s'><dnsmasq:option value='a'/><dnsmasq:option value='b'/></dnsmasq:options></network>",
			"<network xmlns:d='%s'><name>n</name><d:options><d:option value='a'/><d:option value='b'/></d:options></network>",
			"<network><name>n</name><options xmlns='%s'><option value='a'/><option value='b'/></options></network>",
		},
		"no options": {
			"<network><name>n</name></network>",
			"<network xmlns:d='%s'><name>n</name><d:options/></network>",
			"<network><name>n</name><options xmlns='%s'/></network>",
		},
		"none of libvirt's": {
			"<network xmlns:d='urn:x'><name>n</name><d:options d:a='b'/><d:empty/></network>",
			"<network xmlns:dnsmasq='urn:x'><name>n</name><dnsmasq:options dnsmasq:a='b'/><dnsmasq:empty/></network>",
			"<network><name>n</name><q:options xmlns:q='urn:x' q:a='b'/><q:empty xmlns:q='urn:x'/></network>",
		},
		"no namespace at all": {"<network><name>n</name><options><option value='a'/></options></network>"},
	} {
		for i := range documents {
			documents[i] = strings.ReplaceAll(documents[i], "%s", DnsmasqNamespace)
			if drift := Drift(parsed(t, documents[0]), parsed(t, documents[i])); len(drift) > 0 {
				t.Errorf("%s: %s: %v", name, documents[i], drift)
			}
		}
		if drift := Drift(parsed(t, "<network><name>n</name></network>"), parsed(t, documents[0])); (len(drift) > 0) == (name == "no options") {
			t.Errorf("%s: said %v", name, drift)
		}
	}
	other := parsed(t, "<network xmlns:dnsmasq='urn:x'><name>n</name><dnsmasq:options><dnsmasq:option value='a'/></dnsmasq:options></network>")
	if drift := Drift(other, parsed(t, strings.ReplaceAll("<network xmlns:dnsmasq='%s'><name>n</name><dnsmasq:options><dnsmasq:option value='a'/></dnsmasq:options></network>", "%s", DnsmasqNamespace))); len(drift) != 2 {
		t.Errorf("one prefix for two namespaces: %v", drift)
	}
}

// TestWhatCounts: what differs from a default is told.
func TestWhatCounts(t *testing.T) {
	for given, written := range map[string]string{
		"<dns><srv service='a' protocol='tcp' priority='1'/></dns>":                              "<dns><srv service='a' protocol='tcp' priority='0'/></dns>",
		"<portgroup name='p' default='yes'/>":                                                    "<portgroup name='p' default='no'/>",
		"<portgroup name='p'><bandwidth><inbound average='1' peak='2'/></bandwidth></portgroup>": "<portgroup name='p'><bandwidth><inbound average='1' peak='0'/></bandwidth></portgroup>",
		"<forward mode='hostdev' managed='yes'/>":                                                "<forward mode='hostdev'/>",
		"<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'><lease expiry='5' unit='hours'/></range></dhcp></ip>": "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'><lease expiry='5'/></range></dhcp></ip>",
		"<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'/><bootp file='x'/></dhcp></ip>":                       "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp></ip>",
	} {
		a, b := "<network><name>n</name>"+given+"</network>", "<network><name>n</name>"+written+"</network>"
		if len(Drift(parsed(t, a), parsed(t, b))) == 0 || len(Drift(parsed(t, b), parsed(t, a))) == 0 {
			t.Errorf("no drift between %s and %s", given, written)
		}
		if strings.Contains(given, "hostdev") || strings.Contains(given, "bootp") {
			continue // of no section
		}
		if changes, _, err := SectionChanges(a, b); err != nil || len(changes) == 0 {
			t.Errorf("no change from %s to %s: %v", given, written, err)
		}
	}
}
