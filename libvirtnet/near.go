package libvirtnet

import (
	"slices"
	"sort"
	"strings"
)

// Near returns those of names that look like name, nearest first, at most
// five: same letters in another case, one the start of the other, or a few
// edits apart.
func Near(name string, names []string) []string {
	type hit struct {
		name string
		away int
	}
	var hits []hit
	want := strings.ToLower(name)
	for _, n := range names {
		have := strings.ToLower(n)
		limit := max(1, min(len(want)/3, len(have)/3, 3))
		switch {
		case n == "" || want == "":
		case have == want:
			hits = append(hits, hit{n, 0})
		case len(want) > 1 && strings.HasPrefix(have, want), len(have) > 1 && strings.HasPrefix(want, have) && len(want) <= 2*len(have):
			hits = append(hits, hit{n, 1})
		case len(want)-len(have) <= limit && len(have)-len(want) <= limit:
			if d := distance(want, have); d <= limit {
				hits = append(hits, hit{n, d})
			}
		}
	}
	sort.Slice(hits, func(i, j int) bool {
		if hits[i].away != hits[j].away {
			return hits[i].away < hits[j].away
		}
		return hits[i].name < hits[j].name
	})
	var out []string
	for _, h := range hits[:min(5, len(hits))] {
		out = append(out, h.name)
	}
	return slices.Compact(out)
}

// distance counts insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment), byte by byte:
// good enough to find a typing error.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b)) // nobody types that; keep it cheap
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
