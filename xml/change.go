package xml

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Change is one difference between two networks. Path names what differs, in
// the order of [Network]'s fields; an element of a list has a path of its own,
// such as "ip[10.0.0.1/24].host[52:54:00:e4:75:83]". Have or Want is "" where
// that side has nothing.
type Change struct {
	Path string `json:"path"`
	Have string `json:"have"`
	Want string `json:"want"`
}

// String is the change in one line: mtu: 1400, want 1500.
func (c Change) String() string {
	switch {
	case c.Have == "":
		return fmt.Sprintf("%s: none, want %s", c.Path, c.Want)
	case c.Want == "":
		return fmt.Sprintf("%s: %s, want none", c.Path, c.Have)
	}
	return fmt.Sprintf("%s: %s, want %s", c.Path, c.Have, c.Want)
}

// Changes are the wishes of want that have does not fulfil, in a fixed order.
// A field that want leaves unset is no wish; an empty list that is not nil
// wishes for none. Two spellings of one thing are no change: a netmask and its
// prefix, hosts in another order, a default and its absence (STP on, delay 0,
// NAT ports 1024-65535).
func Changes(have, want Network) []Change {
	h, w := list(have), list(want)
	changes := []Change{}
	for _, f := range w.facts {
		if f.wished && h.values[f.path] != f.value {
			changes = append(changes, Change{f.path, h.values[f.path], f.value})
		}
	}
	for _, f := range h.facts {
		_, both := w.values[f.path]
		if !both && f.in != "" && w.wished[f.in] && f.value != "" {
			changes = append(changes, Change{f.path, f.value, ""})
		}
	}
	return changes
}

// Drift are the differences between the live document of a network (Have) and
// its configuration (Want), as the next start would undo them. What libvirt
// adds to live documents is none: connections, the NAT ports' default, the
// VFs of a physical function, a name, MAC or UUID where the other side is
// silent. It also tells a definition in force from a file.
func Drift(live, config Network) []Change {
	if live.PF != "" && live.PF == config.PF {
		live.ForwardDevs, config.ForwardDevs = nil, nil
		live.Other = slices.DeleteFunc(slices.Clone(live.Other), func(s Setting) bool {
			return strings.HasPrefix(s.Path, "forward/address@")
		})
	}
	h, w := list(live), list(config)
	changes := []Change{}
	for _, f := range w.facts {
		if have := h.values[f.path]; have != f.value && !(f.given && (have == "" || f.value == "")) {
			changes = append(changes, Change{f.path, have, f.value})
		}
	}
	for _, f := range h.facts {
		if _, both := w.values[f.path]; !both && f.value != "" {
			changes = append(changes, Change{f.path, f.value, ""})
		}
	}
	return append(changes, otherDrift(live.Other, config.Other)...)
}

// Statements are all that a definition says, as changes of one that says
// nothing. What libvirt does by default is none, nor is the name.
func Statements(n Network) []Change {
	changes := []Change{}
	for _, f := range list(n).facts {
		if f.wished && f.value != "" && f.path != "name" {
			changes = append(changes, Change{Path: f.path, Want: f.value})
		}
	}
	return append(changes, otherDrift(nil, n.Other)...)
}

// otherDrift compares what neither side has a field for, by path.
func otherDrift(live, config []Setting) []Change {
	values := func(settings []Setting) map[string]string {
		m := map[string]string{}
		for _, s := range settings {
			value := s.Value
			if value == "" {
				value = "present"
			}
			if before, ok := m[s.place()]; ok {
				value = before + ", " + value
			}
			m[s.place()] = value
		}
		return m
	}
	h, w := values(live), values(config)
	changes := []Change{}
	for path, value := range h {
		if w[path] != value {
			changes = append(changes, Change{path, value, w[path]})
		}
	}
	for path, value := range w {
		if _, both := h[path]; !both {
			changes = append(changes, Change{path, "", value})
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Path < changes[j].Path })
	return changes
}

// Value is what a network says at a path of [Change]; "" for nothing.
func Value(n Network, path string) string {
	if value, known := list(n).values[path]; known {
		return value
	}
	var values []string
	for _, s := range n.Other {
		if s.place() == path {
			if s.Value == "" {
				return "present"
			}
			values = append(values, s.Value)
		}
	}
	return strings.Join(values, ", ")
}
