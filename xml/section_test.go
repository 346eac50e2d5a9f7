package xml

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sectionDocument = `<network><name>n</name>
<dns><txt name='t' value='v'/><host ip='10.0.0.9'><hostname>b</hostname><hostname> a </hostname></host></dns>
<ip address='10.1.0.1' prefix='24'/>
<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'/>
<host mac='52-54-00-00-00-0A' ip='10.0.0.5'><lease expiry='5'/></host></dhcp></ip>
<portgroup name='p'><bandwidth><inbound  average='5'/></bandwidth></portgroup></network>`

func TestEntries(t *testing.T) {
	for section, want := range map[Section][]Entry{
		DHCPHosts: {{Text: "<host mac='52-54-00-00-00-0A' ip='10.0.0.5'><lease expiry='5'/></host>", Parent: 1, Inside: "lease(expiry=5 )",
			Values: map[string][]string{"mac": {"52:54:00:00:00:0a"}, "ip": {"10.0.0.5"}}}},
		DHCPRanges: {{Text: "<range start='10.0.0.2' end='10.0.0.9'/>", Parent: 1, Values: map[string][]string{"start": {"10.0.0.2"}, "end": {"10.0.0.9"}}}},
		DNSHosts: {{Text: "<host ip='10.0.0.9'><hostname>b</hostname><hostname> a </hostname></host>", Parent: -1,
			Values: map[string][]string{"ip": {"10.0.0.9"}, "hostname": {"a", "b"}}}},
		PortGroups: {{Text: "<portgroup name='p'><bandwidth><inbound average='5'/></bandwidth></portgroup>", Parent: -1,
			Inside: "bandwidth(inbound(average=5 ) )", Values: map[string][]string{"name": {"p"}}}},
		ForwardInterfaces: {},
	} {
		have, err := Entries(sectionDocument, section)
		if err != nil {
			t.Fatal(err)
		}
		for i := range have {
			if len(have[i].Values["hostname"]) == 0 {
				delete(have[i].Values, "hostname")
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", section, diff)
		}
	}
	if _, err := Entries("<domain/>", DNSHosts); err == nil {
		t.Error("a domain has no sections")
	}
	if _, err := ParseEntry("<host/><host/>", DNSHosts); err == nil {
		t.Error("two elements are no entry")
	}
}

func TestOwned(t *testing.T) {
	const hosts = "<ip address='10.0.0.1' prefix='24'><dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.5' name='a'/><host mac='52:54:00:00:00:02' ip='10.0.0.6'/></dhcp></ip>" +
		"<ip address='fd00::1' prefix='64'><dhcp><host id='0:1:0:1:2' ip='fd00::5' name='a'/></dhcp></ip>"
	const services = "<dns><srv service='a' protocol='tcp'/><srv service='a' protocol='tcp' domain='d' target='t'/><srv service='a' protocol='tcp' domain='d' target='u' port='5'/>" +
		"<srv service='b' protocol='tcp' domain='d' port='5'/><srv service='c' protocol='tcp' domain='d'/><srv service='c' protocol='tcp' domain='e'/></dns>"
	for _, test := range []struct {
		section Section
		wanted  string
		owned   []int
	}{
		{DHCPHosts, "<host mac='52-54-00-00-00-02' ip='10.0.0.5'/>", []int{1}},
		{DHCPHosts, "<host ip='10.0.0.6' name='b'/>", []int{1}},
		{DHCPHosts, "<host mac='52:54:00:00:00:03' ip='10.0.0.6'/>", []int{1}},
		{DHCPHosts, "<host ip='10.0.0.9' name='a'/>", []int{0}},
		{DHCPHosts, "<host ip='fd00::9' name='a'/>", []int{2}},
		{DHCPHosts, "<host id='0:1:0:1:2' name='b'/>", []int{2}},
		{DHCPHosts, "<host id='0:1:0:1:3' name='a'/>", []int{0, 2}},
		{DHCPHosts, "<host ip='10.0.0.7' name='b'/>", nil},
		{DNSServices, "<srv service='a' protocol='tcp' port='5'/>", []int{0}},
		{DNSServices, "<srv service='a' protocol='tcp' domain='d' port='5'/>", []int{1, 2}},
		{DNSServices, "<srv service='a' protocol='tcp' domain='d' target='u' port='6'/>", []int{2}},
		{DNSServices, "<srv service='a' protocol='tcp' domain='d' target='v'/>", []int{1, 2}},
		{DNSServices, "<srv service='b' protocol='tcp' port='6'/>", []int{3}},
		{DNSServices, "<srv service='c' protocol='tcp' port='6'/>", []int{4, 5}},
		{DNSServices, "<srv service='a' protocol='udp' port='6'/>", nil},
	} {
		list, err := Entries("<network><name>n</name>"+services+hosts+"</network>", test.section)
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := ParseEntry(test.wanted, test.section)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.owned, test.section.Owned(list, wanted, true)); diff != "" {
			t.Errorf("%s: %s", test.wanted, diff)
		}
	}
	list, _ := Entries("<network><name>n</name>"+services+"</network>", DNSServices)
	if owned := DNSServices.Owned(list, list[0], false); !cmp.Equal(owned, []int{0}) {
		t.Errorf("whole entries: %v", owned)
	}
	if owned := DNSServices.Owned(list[3:], Entry{Values: map[string][]string{"service": {"b"}, "protocol": {"tcp"}}}, false); owned != nil {
		t.Errorf("a whole entry of another domain: %v", owned)
	}
}

func TestClashAndFits(t *testing.T) {
	entry := func(s Section, text string) Entry {
		e, err := ParseEntry(text, s)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, test := range []struct {
		section Section
		a, b    string
		clash   string
		fits    bool // b names a
	}{
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5' name='x'/>", "<host mac='52-54-00-00-00-0A' ip='10.0.0.6'/>", "mac 52:54:00:00:00:0a", false},
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5' name='x'/>", "<host ip='10.0.0.5'/>", "ip 10.0.0.5", true},
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5' name='x'/>", "<host name='X' ip='10.0.0.6'/>", "name x", false},
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5'/>", "<host mac='52:54:00:00:00:0b' ip='10.0.0.6'/>", "", false},
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5'/>", "<host/>", "", false},
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5' name='x'/>", "<host id='0:1:2' name='x' ip='fd00::5'/>", "", false},
		{DHCPHosts, "<host mac='52:54:00:00:00:0a' ip='10.0.0.5' name='x'/>", "<host mac='52:54:00:00:00:0b' name='x'/>", "name x", false},
		{DHCPRanges, "<range start='10.0.0.2' end='10.0.0.9'/>", "<range start='10.0.0.9' end='10.0.0.20'/>", "range 10.0.0.9-10.0.0.20", false},
		{DHCPRanges, "<range start='10.0.0.2' end='10.0.0.9'/>", "<range start='10.0.0.10' end='10.0.0.20'/>", "", false},
		{DHCPRanges, "<range start='10.0.0.2' end='10.0.0.9'/>", "<range start='10.0.0.2' end='10.0.0.9'/>", "range 10.0.0.2-10.0.0.9", true},
		{DNSHosts, "<host ip='10.0.0.9'><hostname>a</hostname></host>", "<host ip='10.0.0.8'><hostname>A</hostname></host>", "hostname a", false},
		{DNSServices, "<srv service='a' protocol='tcp'/>", "<srv service='a' protocol='udp'/>", "", false},
		{DNSServices, "<srv service='a' protocol='tcp' port='5'/>", "<srv service='a' protocol='tcp'/>", "", true},
		{PortGroups, "<portgroup name='p'/>", "<portgroup name='p' default='yes'/>", "name p", true},
	} {
		a, b := entry(test.section, test.a), entry(test.section, test.b)
		if have := test.section.Clash(a, b); have != test.clash {
			t.Errorf("%s and %s: clash %q, want %q", test.a, test.b, have, test.clash)
		}
		if have := test.section.Fits(a, b); have != test.fits {
			t.Errorf("%s for %s: fits %v", test.a, test.b, have)
		}
	}
}
