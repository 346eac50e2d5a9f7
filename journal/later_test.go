package journal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/journal"
)

func TestLater(t *testing.T) {
	net := func(name, doc string) journal.Image {
		return journal.Image{Networks: []journal.Network{{Name: name, Persistent: true, Config: doc}}}
	}
	one, two := net("lab", lab), net("lab", labMTU)
	first := journal.Entry{ID: 3, Outcome: journal.Done, Before: journal.Image{Networks: []journal.Network{{Name: "lab"}}}}
	then := func(id int, before journal.Image) journal.Entry {
		return journal.Entry{ID: id, Outcome: journal.Done, Before: before}
	}
	backs := func(e journal.Entry, id int) journal.Entry { e.Backs = id; return e }
	backed := func(e journal.Entry, id int) journal.Entry { e.BackedBy = id; return e }
	failed := then(4, one)
	failed.Outcome = journal.Undone
	for _, c := range []struct {
		name  string
		later []journal.Entry
		now   journal.Image
		want  []int
	}{
		{"none", nil, one, nil},
		{"a change", []journal.Entry{then(4, one)}, two, []int{4}},
		{"one without effect, as a restart", []journal.Entry{then(4, one)}, one, nil},
		{"of something else", []journal.Entry{then(4, net("web", lab))}, two, nil},
		{"two, of which the second has none", []journal.Entry{then(4, one), then(5, two)}, two, []int{4}},
		{"two", []journal.Entry{then(4, one), then(5, two)}, one, []int{4, 5}},
		{"taken back", []journal.Entry{backed(then(4, one), 5), backs(then(5, two), 4)}, one, nil},
		{"made again", []journal.Entry{backed(then(4, one), 5), backed(backs(then(5, two), 4), 6), backs(then(6, one), 5)}, two, []int{4}},
		{"itself, made again", []journal.Entry{backed(backs(then(4, one), 3), 5), backs(then(5, first.Before), 4)}, one, nil},
		{"failed", []journal.Entry{failed}, two, nil},
	} {
		entries := append([]journal.Entry{then(1, one), first}, c.later...)
		var have []int
		for _, e := range journal.Later(entries, first, c.now) {
			have = append(have, e.ID)
		}
		if diff := cmp.Diff(c.want, have); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestStands(t *testing.T) {
	e := func(id, backs, by int) journal.Entry {
		return journal.Entry{ID: id, Outcome: journal.Done, Backs: backs, BackedBy: by}
	}
	undone := e(1, 0, 0)
	undone.Outcome = journal.Undone
	for _, c := range []struct {
		name    string
		entries []journal.Entry
		want    bool
	}{
		{"made", []journal.Entry{e(1, 0, 0)}, true},
		{"failed", []journal.Entry{undone}, false},
		{"taken back", []journal.Entry{e(1, 0, 2), e(2, 1, 0)}, false},
		{"made again", []journal.Entry{e(1, 0, 2), e(2, 1, 3), e(3, 2, 0)}, true},
		{"taken back again", []journal.Entry{e(1, 0, 2), e(2, 1, 3), e(3, 2, 4), e(4, 3, 0)}, false},
		{"what took it back is gone", []journal.Entry{e(1, 0, 2)}, false},
		{"a journal that goes round", []journal.Entry{e(1, 0, 1)}, false},
	} {
		if have := journal.Stands(c.entries, c.entries[0]); have != c.want {
			t.Errorf("%s: have %v, want %v", c.name, have, c.want)
		}
	}
}
