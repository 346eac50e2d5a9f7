package verify

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
)

func TestSaveAndLoad(t *testing.T) {
	want := withRules(healthyHost())
	var b bytes.Buffer
	if err := Save(&b, want); err != nil {
		t.Fatal(err)
	}
	have, err := Load(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(encode(t, want), encode(t, have)); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	if diff := cmp.Diff(want.Libvirt.Guests, have.Libvirt.Guests, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("guests (-want +have):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	var good bytes.Buffer
	if err := Save(&good, healthyHost()); err != nil {
		t.Fatal(err)
	}
	whole := good.String()
	var filtered bytes.Buffer
	if err := Save(&filtered, withRules(healthyHost())); err != nil {
		t.Fatal(err)
	}
	ruled := filtered.String()
	for _, test := range []struct {
		name, text string
		want       error  // nil: any
		say        string // part of the message
	}{
		{"empty", "", ErrNotOne, "empty"},
		{"blank", " \n", ErrNotOne, "empty"},
		{"cut off", whole[:len(whole)/2], nil, "cut off"},
		{"something behind", whole + "{}", nil, "byte"},
		{"no JSON", "hello", nil, "byte 1"},
		{"list", "[]", nil, "array"},
		{"text", `"snapshot"`, nil, "string"},
		{"null", "null", ErrNotOne, "version"},
		{"another document", `{"findings":[]}`, ErrNotOne, "version"},
		{"a report", `{"version":1,"findings":[]}`, ErrNotOne, "libvirt"},
		{"version 0", strings.Replace(whole, `"version": 1`, `"version": 0`, 1), ErrNotOne, "version"},
		{"newer", strings.Replace(whole, `"version": 1`, `"version": 2`, 1), ErrNewer, "version 2"},
		{"wrong type", `{"version":1,"libvirt":{"guests":"many"},"kernel":{}}`, nil, "guests"},
		{"bad prefix", `{"version":1,"libvirt":{},"kernel":{"addresses":[{"prefix":"10.0.0.1/99"}]}}`, nil, "99"},
		{"newer ruleset", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":7,"tables":[]}}`, firewall.ErrNewer, "7"},
		{"no ruleset", `{"version":1,"libvirt":{},"kernel":{},"firewall":{}}`, nil, "not a ruleset"},
		{"ruleset of the wrong type", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":1,"tables":"all"}}`, nil, "tables"},
		{"ruleset with bad bytes", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":1,"tables":[{"chains":[{"rules":[{"exprs":[{"data":"xyz"}]}]}]}]}}`, nil, "bytes"},
		{"cut off in the ruleset", ruled[:strings.Index(ruled, "LIBVIRT_FWI")], nil, "cut off"},
		{"more elements than a reading holds", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":1,"tables":[{"sets":[{"elements":[` +
			strings.Repeat("{},", firewall.MaxElements) + `{}]}]}]}}`, nil, "more than"},
		{"more in memory than in the file", `{"version":1,"libvirt":{},"kernel":{"Links":[` + strings.Repeat("{},", 300_000) + `{}]}}`, ErrHeavy, "memory"},
		{"its name escaped", `{"version":1,"libvirt":{"g\u0075ests":[{"interfaces":[` + strings.Repeat("{},", 200_000) + `{}]}]},"kernel":{}}`, ErrHeavy, "memory"},
		{"a map", `{"version":1,"libvirt":{},"kernel":{"sysctls":{"a":""` + strings.Repeat(`,"a":""`, 900_000) + `}}}`, ErrHeavy, "memory"},
		{"texts that grow", `{"version":1,"libvirt":{"uri":"` + strings.Repeat("\xff", 20<<20) + `"},"kernel":{}}`, ErrHeavy, "memory"},
		{"rules by the million", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":1,"tables":[{"chains":[{"rules":[` + strings.Repeat("{},", 300_000) + `{}]}]}]}}`, ErrHeavy, "memory"},
		{"long rules", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":1,"exprs":[{}],"tables":[{"chains":[{"rules":[` +
			strings.Repeat(`{"exprs":"0`+strings.Repeat(" 0", 999)+`"},`, 5000) + `{}]}]}]}}`, nil, "expressions"},
		{"a rule without end", `{"version":1,"libvirt":{},"kernel":{},"firewall":{"version":1,"exprs":[{}],"tables":[{"chains":[{"rules":[{"exprs":"` + strings.Repeat(" 0", 1001) + `"}]}]}]}}`, nil, "expressions"},
		{"deep", strings.Repeat("[", 100000), nil, "depth"},
	} {
		_, err := Load(strings.NewReader(test.text))
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: error %v, want %v with %q", test.name, err, test.want, test.say)
		}
	}
	size := int64(len(whole))
	if _, err := load(strings.NewReader(whole), size); err != nil {
		t.Errorf("as big as may be: %v", err)
	}
	if _, err := load(strings.NewReader(whole), size-1); !errors.Is(err, ErrTooBig) {
		t.Errorf("too big: %v", err)
	}
	if _, err := Load(errReader{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("unreadable: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestLoadLeavesOutTheUnknown: a field of a later kvnet of the same version is
// no error.
func TestLoadLeavesOutTheUnknown(t *testing.T) {
	s, err := Load(strings.NewReader(`{"version":1,"later":[1],"libvirt":{"later":{}},"kernel":{"links":[{"name":"lo","later":true}]}}`))
	if err != nil || len(s.Kernel.Links) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func FuzzLoad(f *testing.F) {
	folders, err := filepath.Glob("testdata/*/snapshot.json")
	if err != nil || len(folders) == 0 {
		f.Fatal("no snapshots", err)
	}
	for _, path := range folders {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"version":1,"libvirt":{"driver":"QEMU","daemon":{"local":true,"namespace":1},"networks":[{"active":true}],"guests":[{"id":1,"interfaces":[{"type":"bridge"},{"type":"network"}]}]},"kernel":{"namespace":1,"links":[{}],"routes":[{}],"rules":[{"action":"lookup"}],"ports":[{}],"bridges":[{}],"sockets":[{"port":99999}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Load(bytes.NewReader(data))
		if err != nil {
			return
		}
		r := Judge(s)
		for _, finding := range r.Findings {
			for _, text := range append(finding.Fix.Commands(), finding.Message, finding.Evidence, finding.Want, finding.Have, finding.Fix.Say) {
				if strings.ContainsAny(text, "\n\r\x1b\x00") {
					t.Errorf("%s: not one printable line: %q", finding.Check, text)
				}
			}
		}
		for _, h := range r.Hints {
			if strings.ContainsAny(h.Message+h.Probe, "\n\r\x1b\x00") {
				t.Errorf("hint %s: not one printable line: %q %q", h.ID, h.Message, h.Probe)
			}
		}
		LookAt(s).Unsettled()
		JudgeOnly(s, Options{Subjects: []string{"default", "virbr0", "centos"}})
	})
}

func TestUnsettled(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Snapshot)
		want   time.Duration
	}{
		{"settled", func(*Snapshot) {}, 0},
		{"learning", func(s *Snapshot) { s.port("vnet0").State = bridge.PortLearning }, 5 * time.Second},
		{"listening on a slow bridge", func(s *Snapshot) {
			s.port("vnet0").State, s.port("eth0").State = bridge.PortLearning, bridge.PortListening
		}, 31 * time.Second},
		{"blocking is no waiting", func(s *Snapshot) { s.port("vnet0").State = bridge.PortBlocking }, 0},
		{"hostile delay", func(s *Snapshot) {
			s.port("vnet0").State, s.bridge("virbr0").ForwardDelay = bridge.PortLearning, 1<<62
		}, 61 * time.Second},
		{"bridge without attributes", func(s *Snapshot) {
			s.port("vnet0").State, s.Kernel.Bridges = bridge.PortLearning, nil
		}, 61 * time.Second},
		{"foreign bridge", func(s *Snapshot) {
			addBridge(s, "docker0", "02:00:00:00:00:05", 1, 2000)
			addTap(s, onBridge("docker0", "tap9", "52:54:00:00:00:05"))
			s.port("tap9").State = bridge.PortListening
		}, 0},
		{"a carrier that has just come", func(s *Snapshot) { s.port("vnet0").State = bridge.PortDisabled }, 2 * time.Second},
		{"disabled without a carrier", func(s *Snapshot) {
			s.port("vnet0").State, s.link("vnet0").Carrier = bridge.PortDisabled, false
		}, 0},
		{"dnsmasq about to start", func(s *Snapshot) { s.Kernel.Sockets = nil }, 3 * time.Second},
		{"dnsmasq of a network that is not active", func(s *Snapshot) {
			s.Kernel.Sockets, s.network("default").Active = nil, false
		}, 0},
		{"kernel of another host", func(s *Snapshot) {
			s.port("vnet0").State, s.Libvirt.Daemon.Local = bridge.PortLearning, false
		}, 0},
	} {
		s := healthyHost()
		test.change(&s)
		if wait, ok := LookAt(s).Unsettled(); wait != test.want || ok != (test.want > 0) {
			t.Errorf("%s: have %s %t, want %s", test.name, wait, ok, test.want)
		}
	}
}

// TestHostileNames judges a host whose every name is hostile.
func TestHostileNames(t *testing.T) {
	for _, evil := range []string{"a\nb", "<x>", `"'`, "-rf", "\x1b[2J", strings.Repeat("n", 10000), "", "ü\u202e"} {
		s := emptyHost()
		n := natNetwork(evil, evil, "192.168.122.1/24")
		addNetwork(&s, n)
		addGuest(&s, evil, libvirtnet.Running, onNetwork(evil, evil+"t", evil), onBridge(evil+"x", evil+"u", evil))
		addGuest(&s, evil, libvirtnet.Paused, onNetwork(evil+"gone", evil+"t", evil))
		s.guest(evil).Reason = evil
		s.dropLink(evil + "u")
		libvirtGap(&s, "guest "+evil)
		for _, f := range Judge(s).Findings {
			texts := append(f.Fix.Commands(), f.Message, f.Want, f.Have, f.Fix.Say)
			for _, text := range texts[len(f.Fix.Commands()):] {
				if oneLine(text) != text && len(text) < 300 || strings.ContainsAny(text, "\n\x1b") {
					t.Errorf("%q: %s: %q", evil, f.Check, text)
				}
			}
			for _, c := range f.Fix.Commands() {
				if strings.ContainsAny(c, "\n\x1b") {
					t.Errorf("%q: %s: command %q", evil, f.Check, c)
				}
			}
		}
	}
}

// TestLoadTakesBigHosts: what is unknown costs nothing, and a big host is no
// hostile document.
func TestLoadTakesBigHosts(t *testing.T) {
	unknown := `{"version":1,"libvirt":{},"kernel":{},"later":[` + strings.Repeat("{},", 1_000_000) + `{}]}`
	if _, err := Load(strings.NewReader(unknown)); err != nil {
		t.Errorf("a field of a later version: %v", err)
	}
	var doc bytes.Buffer
	if err := Save(&doc, generate(10_000, 100)); err != nil {
		t.Fatal(err)
	}
	s, err := Load(&doc)
	if err != nil || len(s.Libvirt.Guests) != 10_000 {
		t.Errorf("%d guests, %v", len(s.Libvirt.Guests), err)
	}
}

// TestManyRoutesToOnePrefix: as many as no host has are judged in no time.
func TestManyRoutesToOnePrefix(t *testing.T) {
	s := healthyHost()
	for len(s.Kernel.Routes) < 20_000 {
		s.Kernel.Routes = append(s.Kernel.Routes, s.Kernel.Routes...)
	}
	if r := Judge(s); r.Worst().AtLeast(Info) {
		t.Errorf("%+v", r.Findings[0])
	}
}
