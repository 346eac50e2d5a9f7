package main

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// table prints rows in virsh's shape: a space before the first column, three
// between columns, a rule below the headings, no blanks behind the last
// column and no empty line behind the table. Cells are cleaned, so that a name
// cannot forge a row.
type table struct {
	headings []string
	rows     [][]string
}

func (t *table) add(cells ...string) {
	t.rows = append(t.rows, cells)
}

// write prints the table; quiet leaves headings and rule away and pads to the
// rows alone, as virsh -q does.
func (t *table) write(w io.Writer, quiet bool) {
	rows := make([][]string, 0, len(t.rows)+1)
	if !quiet {
		rows = append(rows, t.headings)
	}
	for _, row := range t.rows {
		cleaned := make([]string, len(row))
		for i, cell := range row {
			cleaned[i] = clean(cell)
		}
		rows = append(rows, cleaned)
	}
	widths := make([]int, len(t.headings))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			b.WriteByte(' ')
			b.WriteString(cell)
			if i < len(row)-1 {
				writeSpaces(&b, widths[i]-displayWidth(cell)+2)
			}
		}
		b.WriteByte('\n')
		if n == 0 && !quiet {
			writeRule(&b, widths)
		}
	}
	_, _ = io.WriteString(w, b.String()) // into print's buffer, which cannot fail
}

func writeRule(b *strings.Builder, widths []int) {
	for _, width := range widths {
		for range width + 3 {
			b.WriteByte('-')
		}
	}
	b.WriteByte('\n')
}

func writeSpaces(b *strings.Builder, n int) {
	for range n {
		b.WriteByte(' ')
	}
}

// displayWidth is the number of columns that s takes on a terminal, as wcwidth of
// POSIX counts them, which virsh asks.
func displayWidth(s string) int {
	columns := 0
	for _, r := range s {
		switch {
		case r < 0x80:
			columns++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf): // drawn over what is before
		case wide(r):
			columns += 2
		default:
			columns++
		}
	}
	return columns
}

// wide says whether a character takes two columns (Unicode, annex 11).
func wide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// dash is what virsh prints for nothing.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// pairs prints "Name:           value" lines in the shape of virsh net-info:
// values begin in the same column.
type pairs struct{ names, values []string }

func (p *pairs) add(name, value string) {
	p.names, p.values = append(p.names, name), append(p.values, value)
}

func (p *pairs) write(w io.Writer) {
	width := 15 // of virsh's "%-15s %s"
	for _, n := range p.names {
		width = max(width, len(n)+1)
	}
	var b strings.Builder
	for i, n := range p.names {
		b.WriteString(n + ":")
		writeSpaces(&b, width-len(n))
		b.WriteString(clean(p.values[i]) + "\n")
	}
	_, _ = io.WriteString(w, b.String())
}
