package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text from outside fit for one line of a terminal: what does not
// print (control characters, newlines, direction marks, broken UTF-8) is
// written as an escape.
func clean(s string) string {
	plain := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i, w := 0, 0; i < len(s); i += w {
		var r rune
		r, w = utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && w == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// quote shows a word of the command line in an error, at a bearable length.
func quote(s string) string {
	return strconv.Quote(shorten(s))
}

// quoteWord shows a flag as it was typed, without quotes where it is plain.
func quoteWord(s string) string {
	return clean(shorten(s))
}

func shorten(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// meant is the hint "did you mean X?", or otherwise where nothing is near.
func meant(word string, among []string, otherwise string) string {
	if near := nearest(word, among); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	return otherwise
}

// suggestion is "; did you mean X?" for a mistyped word, or nothing.
func suggestion(word string, among []string) string {
	if near := nearest(word, among); len(near) > 0 {
		return "; did you mean " + strings.Join(near, ", ") + "?"
	}
	return ""
}

// nearest returns at most three names that word may have been meant to be,
// the nearest first: by letters changed, or because one begins with the other.
func nearest(word string, among []string) []string {
	type match struct {
		name     string
		distance int
	}
	var matches []match
	limit := max(1, min(len(word)/3, 3))
	for _, name := range among {
		if name == "" || word == "" {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(name), limit); d <= limit {
			matches = append(matches, match{name, d})
		} else if len(word) > 2 && strings.HasPrefix(strings.ToLower(name), strings.ToLower(word)) {
			matches = append(matches, match{name, limit + 1})
		}
	}
	slices.SortFunc(matches, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, m := range matches[:min(3, len(matches))] {
		out = append(out, m.name)
	}
	return slices.Compact(out)
}

// distance is the number of letters to insert, delete, change or swap with
// their neighbour to get from a to b (optimal string alignment), or limit+1
// when it is more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		best := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			best = min(best, row[j])
		}
		if best > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
