package journal_test

import (
	"slices"
	"testing"

	"github.com/kvnet/kvnet/journal"
)

func TestHalfDone(t *testing.T) {
	entry := func(outcome journal.Outcome, network string, command ...string) journal.Entry {
		return journal.Entry{Outcome: outcome, Command: command, URI: "qemu:///system", Before: journal.Image{Networks: []journal.Network{{Name: network}}}}
	}
	for _, c := range []struct {
		name    string
		entries []journal.Entry
		want    []int
	}{
		{"cut off", []journal.Entry{entry(journal.Begun, "a", "net-start", "a")}, []int{1}},
		{"cut off, something else after it", []journal.Entry{entry(journal.Begun, "a", "net-start", "a"), entry(journal.Done, "a", "net-autostart", "a")}, []int{1}},
		{"cut off, made again", []journal.Entry{entry(journal.Begun, "a", "net-start", "a"), entry(journal.Done, "a", "net-start", "a")}, nil},
		{"cut off, made again in vain", []journal.Entry{entry(journal.Begun, "a", "net-start", "a"), entry(journal.Undone, "a", "net-start", "a")}, []int{1}},
		{"cut off, something else by the same command", []journal.Entry{
			{Outcome: journal.Begun, Op: "repair", Object: "ip-forward-off", Command: []string{"repair"}},
			{Outcome: journal.Done, Op: "repair", Object: "bridge-admin-down virbr0", Command: []string{"repair"}},
		}, []int{1}},
		{"failed", []journal.Entry{entry(journal.Done, "a"), entry(journal.Left, "a")}, []int{2}},
		{"failed, changed later", []journal.Entry{entry(journal.Left, "a", "net-start", "a"), entry(journal.Done, "a", "net-destroy", "a")}, nil},
		{"failed, another network changed", []journal.Entry{entry(journal.Left, "a", "net-start", "a"), entry(journal.Done, "b", "net-start", "b")}, []int{1}},
		{"taken back while it failed", []journal.Entry{entry(journal.Undone, "a")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var have []int
			for i := range c.entries {
				c.entries[i].ID = i + 1
			}
			for _, e := range journal.HalfDone(c.entries) {
				have = append(have, e.ID)
			}
			if !slices.Equal(have, c.want) {
				t.Errorf("half done: %v, want %v", have, c.want)
			}
		})
	}
}
