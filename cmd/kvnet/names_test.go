package main

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestClean(t *testing.T) {
	for have, want := range map[string]string{
		"vnet0": "vnet0", "Büro 網": "Büro 網", "a\nb": `a\nb`, "\x1b[31m": `\x1b[31m`,
		"a\u202eb": `a\u202eb`, "\xff\xfe": `\xff\xfe`, "tab\t": `tab\t`, "": "", `back\slash`: `back\slash`,
		"\u00a0": `\u00a0`,
	} {
		if have := clean(have); have != want {
			t.Errorf("clean: %q, want %q", have, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x00\x7f\u2028\xc0")
	f.Fuzz(func(t *testing.T, s string) {
		out := clean(s)
		for _, r := range out {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q became %q, which holds %q", s, out, r)
			}
		}
		if clean(out) != out {
			t.Fatalf("%q is not clean", out)
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"default", "defaults", "lan", "wan", "storage-net", "Default2", ""}
	for _, tt := range []struct {
		have string
		want []string
	}{
		{"defualt", []string{"default", "Default2", "defaults"}},
		{"default", []string{"default", "Default2", "defaults"}},
		{"lab", []string{"lan"}},
		{"stor", []string{"storage-net"}},
		{"nothing", nil},
		{"", nil},
		{strings.Repeat("x", 10000), nil},
	} {
		if diff := cmp.Diff(tt.want, nearest(tt.have, names)); diff != "" {
			t.Errorf("%.20q (-want +have):\n%s", tt.have, diff)
		}
	}
}
