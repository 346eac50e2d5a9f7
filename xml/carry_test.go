package xml

import (
	"strings"
	"testing"
)

// Others' entries stay, and so does all else of theirs; what is in the way, or more
// than entries, is not carried over.
func TestCarryOver(t *testing.T) {
	doc := func(mtu, names, hosts string) string {
		return "<network><name>n</name>" + mtu + "<dns>" + names + "</dns><ip address='10.0.0.1' prefix='24'><dhcp>" + hosts + "</dhcp></ip></network>"
	}
	name := func(ip, name string) string {
		return "<host ip='10.0.0." + ip + "'><hostname>" + name + "</hostname></host>"
	}
	host := func(mac, ip string) string {
		return "<host mac='52:54:00:00:00:0" + mac + "' ip='10.0.0." + ip + "'/>"
	}
	for _, test := range []struct {
		name, doc, have, want, result string
	}{
		{"an entry goes, another's stays", doc("", name("7", "a")+name("8", "b"), ""), doc("", name("7", "a"), ""), doc("", "", ""), doc("", name("8", "b"), "")},
		{"an entry comes back", doc("", name("8", "b"), ""), doc("", "", ""), doc("", name("7", "a"), ""), doc("", name("7", "a")+name("8", "b"), "")},
		{"one is as it was", doc("", "", host("1", "7")+host("2", "8")), doc("", "", host("1", "7")), doc("", "", host("1", "9")), doc("", "", host("1", "9")+host("2", "8"))},
		{"others changed the MTU", doc("<mtu size='1400'/>", name("7", "a"), ""), doc("", name("7", "a"), ""), doc("", "", ""), doc("<mtu size='1400'/>", "", "")},
		{"gone already", doc("", name("8", "b"), ""), doc("", name("7", "a"), ""), doc("", "", ""), doc("", name("8", "b"), "")},
		{"others changed it", doc("", name("7", "c"), ""), doc("", name("7", "a"), ""), doc("", "", ""), ""},
		{"another has the address", doc("", "", host("2", "7")), doc("", "", ""), doc("", "", host("1", "7")), ""},
		{"more than entries", doc("<mtu size='1400'/>", name("8", "b"), ""), doc("<mtu size='1400'/>", "", ""), doc("", "", ""), ""},
		{"no such subnet", strings.ReplaceAll(doc("", "", ""), "10.0.0.1'", "10.1.0.1'"), doc("", "", host("1", "7")), doc("", "", ""), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			have, ok := CarryOver(test.doc, test.have, test.want)
			if ok != (test.result != "") {
				t.Fatalf("carried over: %v: %s", ok, have)
			}
			if !ok {
				return
			}
			if changes, err := Differences(have, test.result); err != nil || len(changes) > 0 {
				t.Errorf("%v %v:\n%s", changes, err, have)
			}
		})
	}
}
