package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/verify"
)

// broken is a report with a finding of each severity and a hostile name.
var broken = verify.Report{
	Checks: 34, Networks: 1, Guests: 2, Interfaces: 3, URI: "qemu:///system",
	Findings: []verify.Finding{
		{Check: "tap-not-enslaved", Severity: verify.Error, Subject: "vnet0", Network: "default", Domain: "cent\nos", Message: "vnet0 is in no bridge", Want: "master virbr0", Have: "no master",
			Fix: verify.Fix{Class: verify.Guarded, Say: "put vnet0 back", Steps: []verify.Step{{Do: verify.SetMaster, On: "vnet0", With: "virbr0"}, {Do: verify.LinkUp, On: "vnet0"}}}},
		{Check: "net-no-autostart", Severity: verify.Warning, Subject: "default", Network: "default", Message: "it will not start", Have: "off"},
		{Check: "net-live-config-drift", Severity: verify.Info, Subject: "lan", Message: "runs with another MTU"},
		{Check: "dnsmasq-dead", Severity: verify.Unknown, Subject: "kernel sockets", Message: "not checked"},
		{Check: "ip-forward-off", Severity: verify.Unknown, Subject: "host", Message: "not checked"},
	},
	Gaps:  []verify.Gap{{Source: "kernel sockets", Message: "permission denied"}, {Source: "kernel sysctls", Message: "gone"}},
	Hints: []verify.Hint{{ID: "return-route", Message: "who knows", Probe: "ping -c 3 HOST"}},
}

func TestPrintReport(t *testing.T) {
	want := `error    tap-not-enslaved  vnet0 (guest cent\nos, network default): vnet0 is in no bridge
         want master virbr0, have no master
         put vnet0 back (guarded)
         cure: ip link set dev vnet0 master virbr0
         cure: ip link set dev vnet0 up
warning  net-no-autostart  default: it will not start
         want -, have off
info     net-live-config-drift  lan: runs with another MTU
unknown  kernel sockets: permission denied
         not checked: dnsmasq-dead
unknown  kernel sysctls: gone
         not checked: ip-forward-off

1 error, 1 warning, 1 remark: 34 checks on 1 network, 2 guests, 3 interfaces; 2 checks could not be made
hint     return-route: who knows; ask: ping -c 3 HOST
`
	show := func(e env, limit verify.Severity) string {
		var out bytes.Buffer
		e.out = &out
		if err := printReport(&e, broken, verifyOptions{minSeverity: limit}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if diff := cmp.Diff(want, show(env{}, verify.Unknown)); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	data, count, _ := strings.Cut(want, "\n\n")
	if have := show(env{quiet: true}, verify.Unknown); have != data+"\n" {
		t.Errorf("quiet:\n%s", have)
	}
	if have := show(env{colour: true}, verify.Unknown); !strings.Contains(have, "\x1b[1;31merror  \x1b[0m  ") {
		t.Errorf("coloured: %q", have)
	}
	// What is not shown is counted.
	if have := show(env{}, verify.Error); strings.Contains(have, "warning  ") || !strings.HasSuffix(have, "\n\n"+count) {
		t.Errorf("errors only:\n%s", have)
	}
}

func TestSummaryOfHealth(t *testing.T) {
	healthy := verify.Report{Checks: 1, Networks: 2, Guests: 1}
	if have := summary(healthy, false); have != "ok: 1 check on 2 networks, 1 guest, 0 interfaces, nothing wrong" {
		t.Errorf("healthy: %s", have)
	}
	// A gap alone is no proof of health.
	healthy.Gaps = broken.Gaps
	if have := summary(healthy, false); have != "1 check on 2 networks, 1 guest, 0 interfaces, nothing wrong found" {
		t.Errorf("with a gap: %s", have)
	}
}

func TestWrap(t *testing.T) {
	if diff := cmp.Diff("  aa bb\n  cc\n  dddddddddd\n", wrap("aa bb\ncc  dddddddddd", "  ", 8)); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}
