package xml

import (
	"errors"
	"strings"
	"testing"
)

func TestElements(t *testing.T) {
	const doc = "<network><name>n</name><!-- kept --><bridge name='br7' stp='on' delay='0'/><domain name='old'/>" +
		"<ip address='10.0.0.1' prefix='24'/><ip family='ipv6' address='fd00:0::1' prefix='64'/><metadata/></network>"
	for name, test := range map[string]struct {
		edit      func(doc, tag, text string) (string, error)
		tag, text string
		want, not string
		err       error
	}{
		"another domain":   {SetElement, "domain", "<domain name='new' localOnly='yes'/>", "<!-- kept --><bridge name='br7' stp='on' delay='0'/><domain name='new' localOnly='yes'/>", "old", nil},
		"a first forward":  {SetElement, "forward", "<forward mode='route'/>", "<forward mode='route'/>", "", nil},
		"the same address": {SetElement, "ip", "<ip address='fd00::1' family='ipv6' prefix='64'><dhcp/></ip>", "<ip address='fd00::1' family='ipv6' prefix='64'><dhcp/></ip><metadata/>", "fd00:0::1", nil},
		"another address":  {SetElement, "ip", "<ip address='10.1.0.1' prefix='24'/>", "10.1.0.1", "", nil},
		"an ip goes":       {DropElement, "ip", "<ip address='10.0.0.1'/>", "fd00:0::1", "10.0.0.1", nil},
		"none such":        {DropElement, "ip", "<ip address='10.9.0.1'/>", "", "", ErrNoElement},
	} {
		have, err := test.edit(doc, test.tag, test.text)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: have error %v, want %v", name, err, test.err)
		}
		if !strings.Contains(have, test.want) || test.not != "" && strings.Contains(have, test.not) {
			t.Errorf("%s: have %s", name, have)
		}
	}
	for name, bad := range map[string]struct{ tag, text string }{
		"another element":   {"domain", "<bridge name='x'/>"},
		"nothing":           {"domain", ""},
		"broken":            {"domain", "<domain"},
		"not whole":         {"uuid", "<uuid/>"},
		"an unsound result": {"bridge", "<bridge name='a-name-that-is-too-long'/>"},
	} {
		if _, err := SetElement(doc, bad.tag, bad.text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
