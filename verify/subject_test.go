package verify

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken has a fault of each bridge, tap and of the host.
func broken() Snapshot {
	s := healthyHost()
	s.unplug("vnet1")
	s.link("vnet2").Up = false
	s.link("virbr0").MAC = "02:00:00:00:00:01"
	s.Kernel.Sysctls[ipForward] = "0"
	s.port("eth0").Isolated = true
	return s
}

func TestJudgeOnlySubjects(t *testing.T) {
	for _, test := range []struct {
		subject string
		want    []string
	}{
		{"centos", []string{"tap-not-enslaved vnet1", "ip-forward-off net.ipv4.ip_forward", "bridge-mac-mismatch virbr0", "port-isolated-unexpected eth0"}},
		{"debian", []string{"tap-admin-down vnet2", "ip-forward-off net.ipv4.ip_forward", "bridge-mac-mismatch virbr0", "port-isolated-unexpected eth0"}},
		{"default", []string{"tap-admin-down vnet2", "ip-forward-off net.ipv4.ip_forward", "bridge-mac-mismatch virbr0"}},
		{"virbr0", []string{"tap-admin-down vnet2", "ip-forward-off net.ipv4.ip_forward", "bridge-mac-mismatch virbr0"}},
		{"br0", []string{"tap-not-enslaved vnet1", "port-isolated-unexpected eth0"}},
		{"lan", []string{"port-isolated-unexpected eth0"}},
		{"nothing of that name", nil},
	} {
		r := judgeOnly(broken(), Options{Subjects: []string{test.subject}})
		if diff := cmp.Diff(test.want, names(r)); diff != "" {
			t.Errorf("%s (-want +have):\n%s", test.subject, diff)
		}
		if whole := judge(broken()); r.Checks >= whole.Checks {
			t.Errorf("%s: %d verdicts, not fewer than the whole host's %d", test.subject, r.Checks, whole.Checks)
		}
	}
}

func TestJudgeOnlyCounts(t *testing.T) {
	for _, test := range []struct {
		options                               Options
		networks, guests, interfaces, bridges int
	}{
		{Options{}, 2, 3, 5, 2},
		{Options{Subjects: []string{"centos"}}, 1, 1, 2, 2},
		{Options{Subjects: []string{"default"}}, 1, 3, 3, 1},
		{Options{Subjects: []string{"default", "br0"}}, 2, 3, 5, 2},
	} {
		r := judgeOnly(healthyHost(), test.options)
		have := []int{r.Networks, r.Guests, r.Interfaces, r.Bridges}
		if diff := cmp.Diff([]int{test.networks, test.guests, test.interfaces, test.bridges}, have); diff != "" {
			t.Errorf("%v (-want +have):\n%s", test.options.Subjects, diff)
		}
	}
}

// TestJudgeOnlyChecks: asking for one check gives what the whole report has of
// it, with the followers as silent as there.
func TestJudgeOnlyChecks(t *testing.T) {
	s := broken()
	s.network("default").Ports = []string{}
	s.unplug("vnet0")
	sum := 0
	for _, c := range Checks() {
		if c.OnDemand {
			continue
		}
		var want []string
		for _, f := range judge(s).Findings {
			if f.Check == c.ID {
				want = append(want, f.Check+" "+f.Subject)
			}
		}
		r := judgeOnly(s, Options{Checks: []string{c.ID}})
		if diff := cmp.Diff(want, names(r)); diff != "" {
			t.Errorf("%s (-want +have):\n%s", c.ID, diff)
		}
		sum += r.Checks
	}
	if whole := judge(s).Checks; sum != whole {
		t.Errorf("the checks one by one reach %d verdicts, together %d", sum, whole)
	}
	if r := judgeOnly(s, Options{Checks: []string{"no-such-check"}}); len(r.Findings) != 0 || r.Checks != 0 {
		t.Errorf("an unknown check: %+v", r)
	}
}
