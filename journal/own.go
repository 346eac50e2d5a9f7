package journal

import (
	"cmp"

	"github.com/kvnet/kvnet/xml"
)

// Own is what a network is to be so that only what a change did to it is taken
// back: before and after are how it was before the change and behind it, now has
// what others did since. It is false, and before, where the two cannot be told apart.
func Own(before, after, now Network) (Network, bool) {
	same := len(Others(before, after, now)) == 0
	switch {
	case same, !now.exists() && !(before.exists() && after.exists()):
	case !before.exists(), !after.exists(), !now.exists(), now.UUID != cmp.Or(before.UUID, after.UUID):
		return before, false // it came or went as a whole
	}
	want := before
	if before.Active == after.Active {
		want.Active = now.Active
	}
	if before.Autostart == after.Autostart {
		want.Autostart = now.Autostart
	}
	var told bool
	if want.Config, told = ownDocument(before.Config, after.Config, now.Config); !told {
		return before, false
	}
	if want.Persistent = want.Config != ""; !want.Active || !now.Active {
		return want, true
	}
	if restarted(after, now) { // what runs follows the definition
		if want.Live = now.Live; !Same(before.Config, after.Config) {
			want.Live = cmp.Or(want.Config, now.Live)
		}
		return want, true
	}
	if want.Live, told = ownDocument(before.Live, after.Live, now.Live); !told {
		return before, false
	}
	return want, true
}

// restarted says whether a network runs with what a definition brought into force
// since: all as the present one says, which it did not, or more than entries are
// others.
func restarted(after, now Network) bool {
	if !now.Persistent || !differ(after.Live, now.Live) {
		return false
	}
	_, more, err := xml.SectionChanges(after.Live, now.Live)
	return differ(after.Live, after.Config) && !differ(now.Live, now.Config) || err != nil || len(more) > 0
}

func (n Network) exists() bool { return n.Active || n.Persistent }

// ownDocument is the same of a document, "" for none.
func ownDocument(before, after, now string) (string, bool) {
	switch {
	case Same(after, now):
		return before, true
	case Same(before, after), Same(before, now):
		return now, true
	case before == "" || after == "" || now == "":
		return "", false
	}
	return xml.CarryOver(now, after, before)
}

// Same says whether two documents of a network mean the same; none is like none.
func Same(one, other string) bool {
	changes, err := xml.Differences(one, other)
	return err == nil && len(changes) == 0
}

// Others are the differences, in words, between what a change left behind and what
// is now. A change that took the network away left nothing: any that is now is held
// against the one before.
func Others(before, after, now Network) []string {
	left := after
	if !after.exists() {
		left = before
	}
	switch {
	case !after.exists() && !now.exists():
		return nil
	case !now.exists():
		return []string{"it is gone"}
	case now.UUID != left.UUID:
		return []string{"it is another network, with UUID " + now.UUID}
	}
	var list []string
	say := func(changed bool, words string) {
		if changed {
			list = append(list, words)
		}
	}
	say(left.Active && !now.Active, "it was stopped")
	say(!left.Active && now.Active, "it was started")
	say(left.Persistent && !now.Persistent, "it was undefined")
	say(!left.Persistent && now.Persistent, "it was defined")
	say(left.Autostart && !now.Autostart && now.Persistent, "it was unmarked for autostart")
	say(!left.Autostart && now.Autostart, "it was marked for autostart")
	seen := map[string]bool{}
	settings := func(was, is string) {
		changes, err := xml.Differences(was, is)
		say(err != nil, "its document")
		for _, c := range changes {
			words := c.Path + " " + value(c.Want) + ", was " + value(c.Have)
			say(!seen[words], words)
			seen[words] = true
		}
	}
	if left.Persistent && now.Persistent {
		settings(left.Config, now.Config)
	}
	if left.Active && now.Active && !restarted(left, now) {
		settings(left.Live, now.Live)
	}
	return list
}

func value(v string) string {
	if v == "" {
		return "none"
	}
	return xml.Show(v)
}
