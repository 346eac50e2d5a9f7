package main

import "bufio"

// indenter passes compact JSON on as json.Indent writes it, with two spaces.
// Errors are out's, to be told by its Flush.
type indenter struct {
	out             *bufio.Writer
	depth           int
	opened          bool // the last token opens an object or list
	quoted, escaped bool // in a string, behind a backslash
}

func (i *indenter) Write(b []byte) (int, error) {
	start := 0 // of what was not written yet
	for at, c := range b {
		switch {
		case i.escaped:
			i.escaped = false
			continue
		case i.quoted:
			i.escaped, i.quoted = c == '\\', c != '"'
			continue
		}
		if closes := c == '}' || c == ']'; i.opened || closes {
			_, _ = i.out.Write(b[start:at])
			start = at
			switch {
			case !closes:
				i.depth++
				i.newline()
			case !i.opened:
				i.depth--
				i.newline()
			}
			i.opened = false
		}
		switch c {
		case '"':
			i.quoted = true
		case '{', '[':
			i.opened = true
		case ',', ':':
			_, _ = i.out.Write(b[start : at+1])
			start = at + 1
			if c == ':' {
				_ = i.out.WriteByte(' ')
			} else {
				i.newline()
			}
		}
	}
	_, _ = i.out.Write(b[start:])
	return len(b), nil
}

func (i *indenter) newline() {
	_ = i.out.WriteByte('\n')
	for range i.depth {
		_, _ = i.out.WriteString("  ")
	}
}
