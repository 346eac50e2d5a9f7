package libvirtnet

import (
	"slices"
	"strings"
	"testing"
)

func TestNear(t *testing.T) {
	names := []string{"default", "lab", "lab-2", "isolated", "DEFAULT2", ""}
	tests := []struct {
		name string
		want []string
	}{
		{"defualt", []string{"default", "DEFAULT2"}},
		{"Default", []string{"default", "DEFAULT2"}},
		{"def", []string{"DEFAULT2", "default"}},
		{"la", []string{"lab", "lab-2"}},
		{"lab-3", []string{"lab", "lab-2"}},
		{"isolate", []string{"isolated"}},
		{"production", nil},
		{"", nil},
		{strings.Repeat("default", 2000), nil},
	}
	for _, tt := range tests {
		if have := Near(tt.name, names); !slices.Equal(have, tt.want) {
			t.Errorf("Near(%.20q): have %q, want %q", tt.name, have, tt.want)
		}
	}
	many := []string{"vm1", "vm2", "vm3", "vm4", "vm5", "vm6", "vm7"}
	if have := Near("vm", many); len(have) != 5 {
		t.Errorf("have %d names, want no more than 5", len(have))
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0},
		{"abc", "acb", 1}, {"abc", "axc", 1}, {"default", "defualt", 1}, {"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if have := distance(tt.a, tt.b); have != tt.want {
			t.Errorf("distance(%q, %q): have %d, want %d", tt.a, tt.b, have, tt.want)
		}
	}
}
