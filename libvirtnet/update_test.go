package libvirtnet

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/xml"
)

// An update that fails in the second layer, or in the check, is taken back in
// the first: an added entry goes, a deleted one comes back as it was, and a
// modified one says what it said.
func TestUpdateUndoes(t *testing.T) {
	lab := Network{Name: "lab", Active: true, Persistent: true}
	update := func(c UpdateCommand) Plan {
		u := SectionUpdate{Command: c, Section: xml.DHCPHosts, Former: "<old/>"}
		return PlanUpdate(lab, u, "<new/>", false).With(PlanUpdate(lab, u, "<new/>", true))
	}
	no := errors.New("no")
	for _, test := range []struct {
		command UpdateCommand
		want    []string
	}{
		{UpdateAdd, []string{"add ip-dhcp-host config <new/> lab", "add ip-dhcp-host live <new/> lab", "delete ip-dhcp-host config <new/> lab"}},
		{UpdateDelete, []string{"delete ip-dhcp-host config <new/> lab", "delete ip-dhcp-host live <new/> lab", "add ip-dhcp-host config <old/> lab"}},
		{UpdateModify, []string{"modify ip-dhcp-host config <new/> lab", "modify ip-dhcp-host live <new/> lab", "modify ip-dhcp-host config <old/> lab"}},
	} {
		h := newHost()
		h.fail[test.want[1]] = no
		err := apply(t.Context(), h, update(test.command), nil)
		undone := (*UndoneError)(nil)
		if !errors.As(err, &undone) || !errors.Is(err, no) || len(undone.Undone) != 1 || len(undone.Left) != 0 {
			t.Errorf("%s: %v", test.command, err)
		}
		if diff := cmp.Diff(test.want, h.log); diff != "" {
			t.Errorf("%s: %s", test.command, diff)
		}
	}
}

// Effects are counted over all updates of the running network, and name the
// guests on it.
func TestEffects(t *testing.T) {
	lab := Network{Name: "lab", Active: true, Persistent: true}
	guest := func(name string) Guest {
		return Guest{Name: name, State: Running, Interfaces: []Interface{{Network: "lab", Target: "vnet0"}}}
	}
	plan := func(live bool, sections ...xml.Section) (p Plan) {
		for _, s := range sections {
			p = p.With(PlanUpdate(lab, SectionUpdate{Command: UpdateAdd, Section: s}, "<x/>", live))
		}
		return p
	}
	for name, test := range map[string]struct {
		plan   Plan
		guests []Guest
		want   []string
	}{
		"the definition": {plan(false, xml.DHCPHosts, xml.DNSTexts), nil, []string{}},
		"names":          {plan(true, xml.DNSHosts, xml.PortGroups), nil, []string{}},
		"a reservation":  {plan(true, xml.DHCPHosts), []Guest{guest("a")}, []string{"libvirt removes and adds the firewall rules of network lab: new connections of guest a may fail for a moment"}},
		"a range and more": {plan(true, xml.DHCPRanges, xml.DHCPHosts, xml.DNSTexts), []Guest{guest("a"), guest("b")}, []string{
			"libvirt removes and adds the firewall rules of network lab 2 times: new connections of guests a, b may fail for a moment",
			"the DHCP and DNS server of network lab is restarted 2 times",
		}},
	} {
		if diff := cmp.Diff(test.want, Effects(lab, test.guests, test.plan)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What libvirt changes in place is planned entry by entry; the rest is left for
// a restart.
func TestPlanLive(t *testing.T) {
	doc := func(mtu, dhcp string) string {
		return "<network><name>lab</name><mtu size='" + mtu + "'/><ip address='10.7.0.1' prefix='24'><dhcp>" + dhcp + "</dhcp></ip></network>"
	}
	host := "<host mac='52:54:00:00:00:01' ip='10.7.0.5'/>"
	p, err := PlanLive(Network{Name: "lab"}, doc("1500", "<range start='10.7.0.2' end='10.7.0.9'/>"), doc("1400", host), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []PlanStep{
		{Do: Update, Object: "lab", Document: "<range start='10.7.0.2' end='10.7.0.9'/>", Live: true, Say: "delete ip-dhcp-range in running network lab", Why: "it is there",
			Update: &SectionUpdate{Command: UpdateDelete, Section: xml.DHCPRanges, Former: "<range start='10.7.0.2' end='10.7.0.9'/>"}},
		{Do: Update, Object: "lab", Document: host, Live: true, Say: "add ip-dhcp-host in running network lab", Why: "it is not there",
			Update: &SectionUpdate{Command: UpdateAdd, Section: xml.DHCPHosts}},
	}
	if diff := cmp.Diff(want, p.Steps); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Change{{Path: "mtu", Have: "1500", Want: "1400"}}, p.Later); diff != "" {
		t.Error(diff)
	}
	if len(p.Disturbs) != 2 {
		t.Errorf("disturbs %q", p.Disturbs)
	}
	if same, err := PlanLive(Network{Name: "lab"}, doc("1500", host), doc("1500", host), nil); err != nil || !same.Empty() || len(same.Later) > 0 {
		t.Errorf("nothing to do: have %+v, %v", same, err)
	}
}
