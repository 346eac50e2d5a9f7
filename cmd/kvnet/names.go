package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kvnet/kvnet/libvirtnet"
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

// nearest returns at most three names that word may have been meant to be, the
// nearest first.
func nearest(word string, among []string) []string {
	near := libvirtnet.Near(word, among)
	return near[:min(3, len(near))]
}
