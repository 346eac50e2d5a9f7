package main

import "testing"

// A rule that is gone is no failure of its deletion; anything else that fails is one.
func TestGone(t *testing.T) {
	const missing = "Error: Could not process rule: No such file or directory\ndelete rule ip filter LIBVIRT_INP handle 19"
	for _, c := range []struct {
		argv  []string
		words string
		want  bool
	}{
		{[]string{"nft", "delete", "rule", "ip", "filter", "LIBVIRT_INP", "handle", "19"}, missing, true},
		{[]string{"nft", "delete", "rule", "ip", "filter", "LIBVIRT_INP", "handle", "19"}, "Error: Operation not permitted", false},
		{[]string{"nft", "insert", "rule", "ip", "filter", "LIBVIRT_INP", "accept"}, missing, false},
		{[]string{"nft"}, missing, false},
	} {
		if have := gone(c.argv, c.words); have != c.want {
			t.Errorf("%q, %q: have %v", c.argv, c.words, have)
		}
	}
}
