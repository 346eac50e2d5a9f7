package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/verify"
)

// saved is a host of verify's golden folders.
func saved(name string) string { return "../../verify/testdata/" + name + "/snapshot.json" }

// The exit code is the verdict, whatever is printed of it.
func TestVerifyExitCodes(t *testing.T) {
	for _, tt := range []struct {
		line string
		code int
		part string // of standard output
	}{
		{"--snapshot " + saved("tap-not-enslaved"), exitFinding, "error    tap-not-enslaved"},
		{"-o junit --snapshot " + saved("tap-not-enslaved"), exitFinding, `failures="1"`},
		{"--check bridge-missing --snapshot " + saved("tap-not-enslaved"), 0, "nothing wrong"},
		{"--check bridge-missing,tap-not-enslaved --snapshot " + saved("tap-not-enslaved"), exitFinding, "1 error"},
		{"--snapshot " + saved("net-no-autostart"), 0, "warning  net-no-autostart"},
		{"--strict --snapshot " + saved("net-no-autostart"), exitFinding, "warning  net-no-autostart"},
		{"--strict --min-severity error --snapshot " + saved("net-no-autostart"), exitFinding, ""},
	} {
		out, errs, code := kvnet(t, append([]string{"verify"}, strings.Fields(tt.line)...)...)
		if code != tt.code || !strings.Contains(out, tt.part) || errs != "" {
			t.Errorf("verify %s: exit code %d, want %d with %q\n%s%s", tt.line, code, tt.code, tt.part, out, errs)
		}
	}
}

// Only what belongs to the names is judged, also by UUID.
func TestVerifySubjects(t *testing.T) {
	s, err := readSnapshot(t.Context(), &env{}, saved("tap-not-enslaved"))
	if err != nil {
		t.Fatal(err)
	}
	network := s.Libvirt.Networks[0]
	names, err := resolveSubjects(s, []string{network.UUID, strings.ToUpper(strings.ReplaceAll(network.UUID, "-", "")), network.Name, network.Def().Bridge, s.Libvirt.Guests[0].UUID})
	want := []string{network.Name, network.Name, network.Name, network.Def().Bridge, s.Libvirt.Guests[0].Name}
	if err != nil || strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("names %q, want %q, error %v", names, want, err)
	}
	if _, err := resolveSubjects(s, []string{network.Name + "x"}); err == nil || explain(err).hint == "" {
		t.Errorf("unknown name: error %v", err)
	}
}

func TestVerifyJSONIsTheReport(t *testing.T) {
	out, _, _ := kvnet(t, "verify", "-o", "json", "--snapshot", saved("tap-not-enslaved"))
	var have verify.Report
	if err := json.Unmarshal([]byte(out), &have); err != nil {
		t.Fatal(err)
	}
	if have.Worst() != verify.Error || len(have.Findings[0].Fix.Commands()) == 0 || strings.Contains(out, "null") {
		t.Errorf("report:\n%s", out)
	}
}

// The test driver has no kernel: this host's facts must not stand for one.
func TestGatherLeavesForeignKernelAlone(t *testing.T) {
	g := gather(context.Background(), "test:///default")
	if err := g.err(); err != nil {
		t.Fatal(err)
	}
	if len(g.Libvirt.Networks) == 0 || len(g.Kernel.Links) != 0 || g.Kernel.Links == nil {
		t.Errorf("%d networks, links %v", len(g.Libvirt.Networks), g.Kernel.Links)
	}
}

func TestPrefixOf(t *testing.T) {
	for ip, want := range map[string]int{"192.168.122.9": 24, "fd00::5": 64, "fe80::1": 128, "10.0.0.1": 32} {
		if have := prefixOf(sampleKernel, bridge.Neighbour{Link: "virbr0", IP: netip.MustParseAddr(ip)}); have != want {
			t.Errorf("%s: /%d, want /%d", ip, have, want)
		}
	}
}
