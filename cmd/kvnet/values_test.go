package main

import (
	"strings"
	"testing"

	"github.com/kvnet/kvnet/xml"
)

func TestParseValues(t *testing.T) {
	if r, err := parseRange("10.0.0.2-10.0.0.9"); err != nil || r.String() != "10.0.0.2-10.0.0.9" {
		t.Errorf("range: have %s, %v", r, err)
	}
	if r, err := parseRate("1000,,300"); err != nil || r != (xml.Rate{Average: 1000, Burst: 300}) {
		t.Errorf("rate: have %+v, %v", r, err)
	}
	if a, b, err := parsePorts("1024-65535"); err != nil || a != 1024 || b != 65535 {
		t.Errorf("ports: have %d-%d, %v", a, b, err)
	}
	if h, err := parseHost("name=web, mac=52-54-0-AA-0-1 ,ip=10.0.0.9"); err != nil || h.String() != "mac=52:54:00:aa:00:01,ip=10.0.0.9,name=web" {
		t.Errorf("host: have %s, %v", h, err)
	}
	if d, err := parseDNSHost("ip=fd00::1,name=a,name=b"); err != nil || d.IP.String() != "fd00::1" || strings.Join(d.Names, " ") != "a b" {
		t.Errorf("DNS host: have %+v, %v", d, err)
	}
}

// Whatever stands behind a flag: no panic, an error of bearable length, and
// what is accepted reads the same when it is written and read again.
func FuzzValues(f *testing.F) {
	for _, s := range []string{
		"", "-", ",", "=", "10.0.0.2-10.0.0.9", "fd00::1-fd00::2", "10.0.0.0/24", "::/0", "fe80::1%eth0", "1,2,3", "1-2",
		"mac=52:54:00:00:00:01,ip=10.0.0.9,name=web", "ip=10.0.0.9,name=a,name=b", "ip=,name=", "\x00\x1b[31m", strings.Repeat("9", 400),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		bearable := func(err error) {
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		}
		if r, err := parseRange(s); err == nil {
			if again, err := parseRange(r.String()); err != nil || again != r {
				t.Errorf("range %q became %s and then %s, %v", s, r, again, err)
			}
		} else {
			bearable(err)
		}
		if r, err := parseRate(s); err == nil {
			if again, err := parseRate(r.String()); err != nil || again != r {
				t.Errorf("rate %q became %s and then %s, %v", s, r, again, err)
			}
		} else {
			bearable(err)
		}
		if h, err := parseHost(s); err == nil && !strings.ContainsAny(h.ID+h.Name, ", ") {
			if again, err := parseHost(h.String()); err != nil || again != h {
				t.Errorf("host %q became %s and then %s, %v", s, h, again, err)
			}
		} else {
			bearable(err)
		}
		_, err := parseSubnet(s)
		bearable(err)
		_, _, err = parsePorts(s)
		bearable(err)
		_, err = parseDNSHost(s)
		bearable(err)
	})
}
