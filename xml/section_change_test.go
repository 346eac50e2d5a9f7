package xml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// says are changes of sections in short: "+ip-dhcp-host ip 0 <host .../>".
func says(list []EntryChange) []string {
	words := []string{}
	for _, c := range list {
		switch {
		case c.Have == nil:
			words = append(words, fmt.Sprintf("+%s %d %s", c.Section, c.Want.Parent, c.Want.Text))
		case c.Want == nil:
			words = append(words, fmt.Sprintf("-%s %d %s", c.Section, c.Have.Parent, c.Have.Text))
		default:
			words = append(words, fmt.Sprintf("~%s %d %s", c.Section, c.Want.Parent, c.Want.Text))
		}
	}
	return words
}

func TestSectionChanges(t *testing.T) {
	const head, tail = "<network><name>n</name>", "</network>"
	ip := func(inside string) string { return "<ip address='10.0.0.1' prefix='24'>" + inside + "</ip>" }
	for name, test := range map[string]struct {
		have, want string
		changes    []string
		left       []string // paths
	}{
		"nothing": {ip("<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>"), "<ip netmask='255.255.255.0' address='10.0.0.1'><dhcp><range end='10.0.0.9' start='10.0.0.2'/></dhcp></ip>", []string{}, nil},
		"DHCP begins": {
			ip(""), ip("<dhcp><range start='10.0.0.2' end='10.0.0.9'/><host mac='52:54:00:00:00:01' ip='10.0.0.5'/></dhcp>"),
			[]string{"+ip-dhcp-range 0 <range start='10.0.0.2' end='10.0.0.9'/>", "+ip-dhcp-host 0 <host mac='52:54:00:00:00:01' ip='10.0.0.5'/>"}, nil,
		},
		"DHCP ends":       {ip("<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>"), ip(""), []string{"-ip-dhcp-range 0 <range start='10.0.0.2' end='10.0.0.9'/>"}, nil},
		"a guest's other": {ip("<dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.5'/></dhcp>"), ip("<dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.6' name='a'/></dhcp>"), []string{"~ip-dhcp-host 0 <host mac='52:54:00:00:00:01' ip='10.0.0.6' name='a'/>"}, nil},
		"two guests swap": {
			ip("<dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.5'/><host mac='52:54:00:00:00:02' ip='10.0.0.6'/></dhcp>"),
			ip("<dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.6'/><host mac='52:54:00:00:00:02' ip='10.0.0.5'/></dhcp>"),
			[]string{
				"-ip-dhcp-host 0 <host mac='52:54:00:00:00:01' ip='10.0.0.5'/>", "-ip-dhcp-host 0 <host mac='52:54:00:00:00:02' ip='10.0.0.6'/>",
				"+ip-dhcp-host 0 <host mac='52:54:00:00:00:01' ip='10.0.0.6'/>", "+ip-dhcp-host 0 <host mac='52:54:00:00:00:02' ip='10.0.0.5'/>",
			}, nil,
		},
		"another lease time": {
			ip("<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>"), ip("<dhcp><range start='10.0.0.2' end='10.0.0.9'><lease expiry='5'/></range></dhcp>"),
			[]string{"-ip-dhcp-range 0 <range start='10.0.0.2' end='10.0.0.9'/>", "+ip-dhcp-range 0 <range start='10.0.0.2' end='10.0.0.9'><lease expiry='5'/></range>"}, nil,
		},
		"the subnet of the same address": {
			"<ip address='10.9.0.1' prefix='24'/>" + ip(""), ip("<dhcp><host name='a' ip='10.0.0.5'/></dhcp>") + "<ip address='10.9.0.1' prefix='24'/>",
			[]string{"+ip-dhcp-host 1 <host name='a' ip='10.0.0.5'/>"}, nil,
		},
		"another subnet": {
			ip("<dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp>"), "<ip address='10.1.0.1' prefix='24'><dhcp><range start='10.1.0.2' end='10.1.0.9'/></dhcp></ip>",
			[]string{}, []string{"ip[10.1.0.1/24]", "ip[10.1.0.1/24].ranges", "ip[10.0.0.1/24]", "ip[10.0.0.1/24].ranges"},
		},
		"names": {
			"<dns><host ip='10.0.0.7'><hostname>a</hostname><hostname>b</hostname></host><txt name='t' value='1'/></dns>",
			"<dns><host ip='10.0.0.7'><hostname>b</hostname></host><txt name='t' value='2'/><srv service='s' protocol='tcp'/></dns>",
			[]string{
				"-dns-host -1 <host ip='10.0.0.7'><hostname>a</hostname><hostname>b</hostname></host>", "+dns-host -1 <host ip='10.0.0.7'><hostname>b</hostname></host>",
				"-dns-txt -1 <txt name='t' value='1'/>", "+dns-txt -1 <txt name='t' value='2'/>", "+dns-srv -1 <srv service='s' protocol='tcp'/>",
			}, nil,
		},
		"a port group's bandwidth": {
			"<portgroup name='p'/>", "<portgroup name='p'><bandwidth><inbound average='9'/></bandwidth></portgroup>",
			[]string{"~portgroup -1 <portgroup name='p'><bandwidth><inbound average='9'/></bandwidth></portgroup>"}, nil,
		},
		"a way out, as an attribute": {
			"<forward mode='nat' dev='eth0'><interface dev='eth0'/></forward>", "<forward mode='nat' dev='eth1'/>",
			[]string{"-forward-interface -1 <interface dev='eth0'/>", "+forward-interface -1 <interface dev='eth1'/>"}, nil,
		},
		"another mode":   {"<forward mode='nat' dev='eth0'/>", "<forward mode='route' dev='eth1'/>", []string{}, []string{"mode", "forward.dev", "nat.ports"}},
		"beside a list":  {"<mtu size='1400'/>" + ip(""), "<mtu size='1500'/>" + ip("<dhcp><host name='a' ip='10.0.0.5'/></dhcp>"), []string{"+ip-dhcp-host 0 <host name='a' ip='10.0.0.5'/>"}, []string{"mtu"}},
		"foreign things": {"<dns enable='no'/>" + ip("<tftp root='/t'/>"), ip("<tftp root='/u'/>"), []string{}, []string{"dns.enabled", "ip[10.0.0.1/24].tftp"}},
	} {
		t.Run(name, func(t *testing.T) {
			changes, left, err := SectionChanges(head+test.have+tail, head+test.want+tail)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.changes, says(changes)); diff != "" {
				t.Error(diff)
			}
			var paths []string
			for _, c := range left {
				paths = append(paths, c.Path)
			}
			if diff := cmp.Diff(test.left, paths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever two documents have in their sections, the changes lead from one to
// the other, and from there nowhere.
func TestSectionChangesLeadThere(t *testing.T) {
	document := rapid.Custom(func(t *rapid.T) string {
		var hosts, names strings.Builder
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(1, 6), 0, 4, rapid.ID[int]).Draw(t, "guests") {
			fmt.Fprintf(&hosts, "<host mac='52:54:00:00:00:%02d' ip='10.0.0.%d'/>", n, 10+(n+rapid.IntRange(0, 1).Draw(t, "shift")*7))
		}
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(1, 6), 0, 4, rapid.ID[int]).Draw(t, "names") {
			fmt.Fprintf(&names, "<host ip='10.0.1.%d'><hostname>h%d</hostname></host>", n, n+rapid.IntRange(0, 1).Draw(t, "shift")*10)
		}
		if last := rapid.IntRange(0, 3).Draw(t, "range"); last > 0 {
			fmt.Fprintf(&hosts, "<range start='10.0.0.100' end='10.0.0.%d'/>", 100+last)
		}
		return "<network><name>n</name><dns>" + names.String() + "</dns><ip address='10.0.0.1' prefix='24'><dhcp>" + hosts.String() + "</dhcp></ip></network>"
	})
	rapid.Check(t, func(t *rapid.T) {
		have, want := document.Draw(t, "have"), document.Draw(t, "want")
		changes, left, err := SectionChanges(have, want)
		if err != nil || len(left) > 0 {
			t.Fatalf("left %v, %v", left, err)
		}
		for _, s := range []Section{DHCPHosts, DHCPRanges, DNSHosts} {
			list, _ := Entries(have, s)
			for _, c := range changes {
				if c.Section != s {
					continue
				}
				if c.Have != nil {
					at := indexOf(list, *c.Have)
					if at < 0 {
						t.Fatalf("%s is not there to go", c.Have.Text)
					}
					list = append(list[:at:at], list[at+1:]...)
				}
				if c.Want != nil {
					for _, other := range list {
						if clash := s.Clash(*c.Want, other); clash != "" {
							t.Fatalf("%s meets %s", c.Want.Text, other.Text)
						}
					}
					list = append(list, *c.Want)
				}
			}
			goal, _ := Entries(want, s)
			for _, e := range goal {
				at := indexOf(list, e)
				if at < 0 {
					t.Fatalf("%s is missing", e.Text)
				}
				list = append(list[:at:at], list[at+1:]...)
			}
			if len(list) > 0 {
				t.Fatalf("%s is too much", list[0].Text)
			}
		}
		if again, _, _ := SectionChanges(want, want); len(again) > 0 {
			t.Fatalf("from there to there: %v", says(again))
		}
	})
}

func indexOf(list []Entry, e Entry) int {
	for i := range list {
		if list[i].same(e) {
			return i
		}
	}
	return -1
}
