package journal_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/journal"
)

// What others did stays where it can be told from what the change did; else it is
// named, and the way leads to how all was before.
func TestOwn(t *testing.T) {
	named := func(doc, name string) string {
		return strings.Replace(doc, "<ip ", "<dns><host ip='10.0.0."+name+"'><hostname>h"+name+"</hostname></host></dns><ip ", 1)
	}
	idle := journal.Network{Name: "lab", UUID: "1", Persistent: true, Config: lab}
	up := journal.Network{Name: "lab", UUID: "1", Persistent: true, Active: true, Config: lab, Live: lab}
	with := func(n journal.Network, config, live string) journal.Network {
		n.Config, n.Live = config, live
		return n
	}
	stopped := func(n journal.Network) journal.Network {
		n.Active, n.Live = false, ""
		return n
	}
	alone := journal.Network{Name: "lab", UUID: "1", Active: true, Live: lab}
	none := journal.Network{Name: "lab"}
	foreign := idle
	foreign.UUID = "2"
	marked := up
	marked.Autostart = true
	nine, eight := named(lab, "9"), named(lab, "8")
	both := strings.Replace(nine, "</dns>", "<host ip='10.0.0.8'><hostname>h8</hostname></host></dns>", 1)
	for _, c := range []struct {
		name               string
		before, after, now journal.Network
		want               journal.Network
		others             string // "" where all is told apart
	}{
		{"nobody else", up, with(up, labMTU, lab), with(up, labMTU, lab), up, ""},
		{"another entry", up, with(up, nine, nine), with(up, both, both), with(up, eight, eight), ""},
		{"another entry, not in what runs", up, with(up, nine, nine), with(up, both, nine), with(up, eight, lab), ""},
		{"another entry, of a change to what runs alone", with(up, nine, lab), with(up, nine, nine), with(up, both, both), with(up, both, eight), ""},
		{"another entry, behind a restart", with(up, labMTU, lab), with(up, labMTU, labMTU), with(up, named(labMTU, "8"), named(labMTU, "8")), with(up, labMTU, lab), "dns.host[10.0.0.8] h8, was none"},
		{"stopped", up, with(up, labMTU, lab), stopped(with(up, labMTU, lab)), idle, ""},
		{"started", idle, with(idle, labMTU, ""), with(up, labMTU, labMTU), up, ""},
		{"restarted", up, with(up, labMTU, lab), with(up, labMTU, labMTU), up, ""},
		{"restarted, and redefined", up, with(up, labMTU, lab), with(up, labMTU, strings.Replace(labMTU, "1400", "1300", 1)), up, ""},
		{"defined as it ran, and restarted", alone, up, up, alone, ""},
		{"another setting", up, marked, with(marked, labMTU, lab), with(up, labMTU, lab), ""},
		{"marked", up, with(up, labMTU, lab), with(marked, labMTU, lab), marked, ""},
		{"as it was, by hand", up, with(up, labMTU, lab), up, up, ""},
		{"made, and gone", none, idle, none, none, ""},
		{"taken away", idle, none, none, idle, ""},
		{"taken away, and back by hand", idle, none, idle, idle, ""},
		{"stopped by the change, and started", up, idle, up, up, ""},
		{"more than entries", up, with(up, labMTU, lab), with(up, named(labMTU, "8"), lab), up, "dns.host[10.0.0.8] h8, was none"},
		{"the same entry", up, with(up, nine, nine), with(up, strings.ReplaceAll(nine, "h9", "h7"), nine), up, "dns.host[10.0.0.9] h7, was h9"},
		{"in what runs alone", up, with(up, labMTU, labMTU), with(up, labMTU, named(labMTU, "8")), up, "dns.host[10.0.0.8] h8, was none"},
		{"made, and used", none, idle, up, none, "it was started"},
		{"made, and marked", none, up, marked, none, "it was marked for autostart"},
		{"gone", up, with(up, labMTU, lab), none, up, "it is gone"},
		{"undefined", up, with(up, labMTU, lab), alone, up, "it was undefined"},
		{"taken away, and another", idle, none, foreign, idle, "it is another network, with UUID 2"},
		{"another", idle, with(idle, labMTU, ""), foreign, idle, "it is another network, with UUID 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, told := journal.Own(c.before, c.after, c.now)
			others := ""
			if !told {
				others = strings.Join(journal.Others(c.before, c.after, c.now), "; ")
			}
			if others != c.others {
				t.Errorf("others are %q, want %q", others, c.others)
			}
			for _, doc := range []struct{ have, want *string }{{&want.Config, &c.want.Config}, {&want.Live, &c.want.Live}} {
				if *doc.have != "" && *doc.want != "" && journal.Same(*doc.have, *doc.want) {
					*doc.have = *doc.want
				}
			}
			if !want.Active {
				want.Live = ""
			}
			if diff := cmp.Diff(c.want, want); diff != "" {
				t.Errorf("wanted (-want +have):\n%s", diff)
			}
		})
	}
}

// What a change left behind is kept also where it is larger than the room that was kept.
func TestAfterIsKept(t *testing.T) {
	j, dir := open(t)
	e := begin(t, j, "network lab")
	e.Outcome, e.After = journal.Done, []journal.Network{{Name: "lab", Config: strings.Repeat("x", 1<<20)}}
	if err := j.End(e); err != nil {
		t.Fatal(err)
	}
	have, err := j.Entry(e.ID)
	if err != nil || have.Outcome != journal.Done || len(have.After) != 1 {
		t.Errorf("entry %s with %d networks left behind, %v", have.Outcome, len(have.After), err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.end")); len(files) > 0 {
		t.Errorf("left over: %v", files)
	}
}
