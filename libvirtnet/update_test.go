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

func TestPlanUpdateSaysWhatItDisturbs(t *testing.T) {
	lab := Network{Name: "lab", Active: true, Persistent: true}
	for section, disturbs := range map[xml.Section]int{xml.DHCPHosts: 1, xml.DHCPRanges: 1, xml.DNSTexts: 1, xml.DNSHosts: 0, xml.PortGroups: 0} {
		if p := PlanUpdate(lab, SectionUpdate{Command: UpdateAdd, Section: section}, "<x/>", true); len(p.Disturbs) != disturbs {
			t.Errorf("%s live: %v", section, p.Disturbs)
		}
		if p := PlanUpdate(lab, SectionUpdate{Command: UpdateAdd, Section: section}, "<x/>", false); len(p.Disturbs) != 0 {
			t.Errorf("%s in the definition: %v", section, p.Disturbs)
		}
	}
}
