package lint

import (
	"slices"
	"strings"
	"testing"
)

// TestValues: what each kind of value takes, and what it does not, as libvirt
// 9.0 has it.
func TestValues(t *testing.T) {
	const long = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // 40
	for kind, c := range map[string]struct{ is, not []string }{
		"any":             {[]string{"", "x y"}, nil},
		"some":            {[]string{"x", "\n"}, []string{""}},
		"int":             {[]string{"0", "007", "4294967295"}, []string{"", "+1", " 1", "1 ", "-1", "0x1", "4294967296"}},
		"positive":        {[]string{"1", "4294967295"}, []string{"0", "", "1.5"}},
		"long":            {[]string{"18446744073709551615"}, []string{"18446744073709551616", "-1", ""}},
		"speed":           {[]string{"1", "4294967296"}, []string{"0", "", "18014398509481985"}},
		"count":           {[]string{"0", " 1", "007"}, []string{"+1", "1 ", "-1", "", "1_0"}},
		"count64":         {[]string{"18446744073709551615", "\n2"}, []string{"+1", "2 "}},
		"short":           {[]string{"0", "+1", " 1", "65535"}, []string{"65536", "1 ", ""}},
		"port":            {[]string{"1", "65535"}, []string{"0", "65536"}},
		"prefix":          {[]string{"0", "128"}, []string{"129", "+1"}},
		"socket":          {[]string{"-1", "0", "65535"}, []string{"-2", "65536", "x"}},
		"blank-count":     {[]string{"1 ", " 1", "4294967295"}, []string{"+1", "-1", "", "x"}},
		"integer":         {[]string{"-7", "7"}, []string{"", "x"}},
		"byte":            {[]string{"0", "255", "0xff", "+1"}, []string{"256", "0x100", "ff", ""}},
		"byte3":           {[]string{"16777215", "0xffffff"}, []string{"16777216", "0x1000000"}},
		"pci-domain":      {[]string{"0x0000", "0", "65535"}, []string{"e1", "", "0x"}},
		"pci-slot":        {[]string{"0x1f", "31", "1f"}, []string{"0x20", "32"}},
		"pci-function":    {[]string{"0x7", "7", "007"}, []string{"8", "0x8"}},
		"usb-address":     {[]string{"0x3", "123"}, []string{"1234", ""}},
		"usb":             {[]string{"0x1d6b", "1d6b"}, []string{"0x1d6b0", ""}},
		"ip":              {[]string{"10.0.0.1", "::1", "::ffff:10.0.0.1"}, []string{"", "10.0.1", "256.1.1.1", "10.01.2.3", "fe80::1%eth0", "2001:db8:::5"}},
		"ipv4":            {[]string{"10.0.0.1"}, []string{"::1", "10.0.0"}},
		"server":          {[]string{"10.0.0.1", "10.1", "7", "0x1"}, []string{"::1", "boot.example", "256.1.1.1", "4294967296", "1.2.3.4.5", ""}},
		"portid":          {[]string{"5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2", "7"}, []string{"x", ""}},
		"mac":             {[]string{"52:54:00:e4:75:8A"}, []string{"52-54-00-e4-75-83", "52:54:00:e4:75", "5:4:0:0:0:1", ""}},
		"uuid":            {[]string{"5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2", "5dc8ae5ba6fe4750bdbebac6a6c603d2"}, []string{"", "5dc8", " 5dc8ae5ba6fe4750bdbebac6a6c603d2"}},
		"duid":            {[]string{"0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66", "00:04:58:fd:e4:15:1b:ca:4f:5c:9a:0b:7d:0c:44:0f:2e:aa", "0:2:0:0:0:9:1", "0:3:0:1:52:54:0:0:0:1"}, []string{"", "0:1", "0:5:0:1:1:1:1:1:1:1", "x"}},
		"device":          {[]string{"eth0", "br-a.7", strings.Repeat("a", 16), "a b"}, []string{"", "ä", "virbr%d", "a@b"}},
		"name":            {[]string{"eth0", strings.Repeat("a", 16)}, []string{"", "a b", "ä"}},
		"host-bridge":     {[]string{"", "br0", "a b"}, []string{"ä"}},
		"dns":             {[]string{"a.example", "-a"}, []string{"", "a_b", " a", "ä"}},
		"txt":             {[]string{"a.example", "a b", "a,b"}, []string{"", "a_b"}},
		"host":            {[]string{"web", "9x", "a b"}, []string{"", "-x", " a"}},
		"zone":            {[]string{"public_2"}, []string{"", "a.b"}},
		"protocol":        {[]string{"tcp", "udp", "a b"}, []string{"", "sctp"}},
		"profile":         {[]string{"", long[:39]}, []string{long}},
		"generic":         {[]string{"vfio-pci+1"}, []string{"", "a.b"}},
		"alias":           {[]string{"ua-x.1"}, []string{"", "a b"}},
		"ncname":          {[]string{"clean-traffic", "_x", "éa"}, []string{"", "9x", "a:b", "a b"}},
		"loadparm":        {[]string{"A 1."}, []string{"", "123456789"}},
		"path":            {[]string{"x"}, []string{""}},
		"absolute":        {[]string{"/x"}, []string{"x", "/", ""}},
		"parameter":       {[]string{"IP_1"}, []string{"", "a-b"}},
		"parameter-value": {[]string{"10.0.0.1", "a:b"}, []string{"", "a b"}},
		"on|off":          {[]string{"on", "off"}, []string{"", "ON", "yes", "on|off"}},
	} {
		v := valueOf(kind)
		for _, s := range c.is {
			if !v.is(s) {
				t.Errorf("%s: %q is none", kind, s)
			}
		}
		for _, s := range c.not {
			if v.is(s) {
				t.Errorf("%s: %q is one", kind, s)
			}
		}
		if v.want == "" && len(c.not) > 0 {
			t.Errorf("%s: no word for what is wanted", kind)
		}
	}
}

// TestKnownIsWhole: what the table names as a child, it describes; what it
// describes, it names; and its values are kinds, or words.
func TestKnownIsWhole(t *testing.T) {
	ofKind := map[string]bool{}
	for _, v := range values() {
		ofKind[v.want] = true
	}
	named, kinds := map[string]bool{"network": true, "interface": true}, map[string]bool{}
	var walk func(path string)
	walk = func(path string) {
		e := find(path)
		if e.open && len(e.children) == 0 && !strings.HasSuffix(path, "metadata") {
			t.Errorf("%s is not described", path)
		}
		for name := range e.children {
			walk(path + "/" + name)
		}
		for p := path; p != ""; _, p, _ = strings.Cut(p, "/") {
			if _, ok := known()[p]; ok {
				named[p] = true
				break
			}
		}
		for name, a := range e.attrs {
			kinds[a.want] = true
			if !ofKind[a.want] && !strings.Contains(a.want, " or ") && !slices.Contains([]string{"pci", "unix", "yes"}, a.want) {
				t.Errorf("%s@%s: no kind of value, and no words: %s", path, name, a.want)
			}
		}
	}
	walk("network")
	walk("interface")
	for path := range known() {
		if !named[path] {
			t.Errorf("%s is described and stands nowhere", path)
		}
	}
	for name, v := range values() {
		if !kinds[v.want] {
			t.Errorf("nothing is of the kind %q", name)
		}
	}
}
