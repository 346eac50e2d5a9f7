package verify

import (
	"slices"
	"testing"
)

// TestJudgeOnlyIsAPart: what is said of some checks or some of the host is what
// is said of all.
func TestJudgeOnlyIsAPart(t *testing.T) {
	checks := Checks()
	n := 0
	for name, s := range goldenHosts() {
		s = whole(s)
		full := map[string][]string{}
		all := map[string]bool{}
		for _, f := range Judge(s).Findings {
			text := string(encode(t, f))
			full[f.Check], all[text] = append(full[f.Check], text), true
		}
		n++
		ids := []string{checks[n%len(checks)].ID, checks[(n+len(checks)/2)%len(checks)].ID}
		for id := range full {
			ids = append(ids, id)
		}
		for _, id := range ids {
			if announcedOnDemand(id) {
				continue
			}
			var have []string
			for _, f := range JudgeOnly(s, Options{Checks: []string{id}}).Findings {
				have = append(have, string(encode(t, f)))
			}
			if !slices.Equal(have, full[id]) {
				t.Errorf("%s: %s alone says\n%s\nand with the others\n%s", name, id, have, full[id])
			}
		}
		for _, subject := range someSubjects(&s) {
			for _, f := range JudgeOnly(s, Options{Subjects: []string{subject}}).Findings {
				if text := string(encode(t, f)); !all[text] {
					t.Errorf("%s: of %s alone is said, and of all is not:\n%s", name, subject, text)
				}
			}
		}
	}
}

func announcedOnDemand(id string) bool {
	return slices.ContainsFunc(Checks(), func(c Check) bool { return c.ID == id && c.OnDemand })
}

// someSubjects are the first names of each kind.
func someSubjects(s *Snapshot) []string {
	var names []string
	if len(s.Libvirt.Networks) > 0 {
		names = append(names, s.Libvirt.Networks[0].Name, s.Libvirt.Networks[len(s.Libvirt.Networks)-1].Name)
	}
	if len(s.Libvirt.Guests) > 0 {
		names = append(names, s.Libvirt.Guests[0].Name, s.Libvirt.Guests[len(s.Libvirt.Guests)-1].Name)
	}
	if len(s.Kernel.Bridges) > 0 {
		names = append(names, s.Kernel.Bridges[0].Name)
	}
	return names
}
