package verify

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// show writes a name from outside for a message: as it is when it is plain
// and short, quoted and escaped when not.
func show(name string) string {
	const limit = 80
	cut := ""
	if len(name) > limit {
		end := limit
		for end > 0 && !utf8.RuneStart(name[end]) {
			end--
		}
		name, cut = name[:end], "..."
	}
	if name == "" {
		return `""`
	}
	for _, r := range name {
		if !strconv.IsPrint(r) || r == '"' || r == utf8.RuneError {
			return strconv.Quote(name) + cut
		}
	}
	return name + cut
}

// orNone is show, with a word for nothing.
func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return show(value)
}

// someNames writes a list of names for a message, the first few and how many
// more.
func someNames(names []string) string {
	const limit = 4
	shown := make([]string, 0, limit)
	for i, n := range names {
		if i == limit {
			return strings.Join(shown, ", ") + fmt.Sprintf(" and %d more", len(names)-limit)
		}
		shown = append(shown, show(n))
	}
	return strings.Join(shown, ", ")
}

// someTexts is someNames for what is already printable.
func someTexts(texts []string) string {
	const limit = 4
	if len(texts) <= limit {
		return strings.Join(texts, ", ")
	}
	return strings.Join(texts[:limit], ", ") + fmt.Sprintf(" and %d more", len(texts)-limit)
}

// oneLine makes a text from outside, such as an error, printable.
func oneLine(text string) string {
	const limit = 300
	var b strings.Builder
	for _, r := range text {
		if b.Len() > limit {
			b.WriteString("...")
			break
		}
		if !strconv.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// onOff writes a switch.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// seconds writes milliseconds as seconds: 2 s, 0.5 s.
func seconds(milliseconds int) string {
	return strconv.FormatFloat(float64(milliseconds)/1000, 'f', -1, 64) + " s"
}
