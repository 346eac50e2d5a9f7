package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
)

// encodeYAML writes value as YAML with the keys and order of its JSON. It is
// done by hand because a string must come back as the same string from every
// reader, of YAML 1.1 too: what looks like anything else is quoted.
func encodeYAML(out *bufio.Writer, value any) error {
	return streamJSON(&yamlWriter{out: out}, value)
}

// yamlWriter passes compact JSON on as YAML. Errors are out's, to be told by
// its Flush.
type yamlWriter struct {
	out    *bufio.Writer
	stack  []collection
	behind byte // what stands in front of the next value on its line: ':', '-', or nothing
	opened byte // '{' or '[' of one of which nothing is known yet
}

// collection is an object or list that is being written.
type collection struct {
	object bool
	indent int  // of its keys or dashes
	inline bool // the next key stands behind a dash
	value  bool // what comes next belongs to a key
}

// Write takes whole tokens.
func (w *yamlWriter) Write(b []byte) (int, error) {
	for at := 0; at < len(b); {
		end := at + 1
		switch c := b[at]; c {
		case '{', '[':
			w.begin()
			w.opened = c
		case '}', ']':
			w.end(c)
		case ':', ',':
		case '"':
			for ; b[end] != '"'; end++ {
				if b[end] == '\\' {
					end++
				}
			}
			end++
			text, err := unquote(b[at:end])
			if err != nil {
				return at, err
			}
			w.scalar(quoteYAML(text))
		default:
			for end < len(b) && !strings.ContainsRune(",:]}", rune(b[end])) {
				end++
			}
			w.scalar(string(b[at:end]))
		}
		at = end
	}
	return len(b), nil
}

// unquote is the text of a string of JSON.
func unquote(b []byte) (text string, err error) {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1]), nil
	}
	err = json.Unmarshal(b, &text)
	return text, err
}

// begin starts a collection whose first item is coming, and an item where one
// is due.
func (w *yamlWriter) begin() {
	if w.opened != 0 {
		c := collection{object: w.opened == '{'}
		if n := len(w.stack); n > 0 {
			c.indent = w.stack[n-1].indent + 2
		}
		switch {
		case w.behind == ':' && !c.object:
			c.indent -= 2 // items stand at the indent of the key in front of them
			fallthrough
		case w.behind == ':', w.behind == '-' && !c.object:
			_ = w.out.WriteByte('\n')
		case w.behind == '-':
			_ = w.out.WriteByte(' ')
			c.inline = true
		}
		w.stack, w.opened, w.behind = append(w.stack, c), 0, 0
	}
	if n := len(w.stack); n > 0 && !w.stack[n-1].object {
		w.spaces(w.stack[n-1].indent)
		_ = w.out.WriteByte('-')
		w.behind = '-'
	}
}

func (w *yamlWriter) end(closing byte) {
	if w.opened != 0 { // it is empty
		w.opened = 0
		w.rest(map[byte]string{'}': "{}", ']': "[]"}[closing])
		return
	}
	w.stack = w.stack[:len(w.stack)-1]
	w.done()
}

func (w *yamlWriter) scalar(text string) {
	w.begin()
	if n := len(w.stack); n > 0 && w.stack[n-1].object && !w.stack[n-1].value {
		c := &w.stack[n-1]
		if !c.inline {
			w.spaces(c.indent)
		}
		_, _ = w.out.WriteString(text + ":")
		c.inline, c.value, w.behind = false, true, ':'
		return
	}
	w.rest(text)
}

// rest writes a value that ends its line.
func (w *yamlWriter) rest(text string) {
	if w.behind != 0 {
		_ = w.out.WriteByte(' ')
	}
	_, _ = w.out.WriteString(text)
	_ = w.out.WriteByte('\n')
	w.done()
}

// done says that a value was written: in an object a key comes next.
func (w *yamlWriter) done() {
	w.behind = 0
	if n := len(w.stack); n > 0 {
		w.stack[n-1].value = false
	}
}

func (w *yamlWriter) spaces(n int) {
	for range n {
		_ = w.out.WriteByte(' ')
	}
}

// quoteYAML leaves strings as they are that no reader of YAML takes for
// anything but a string: words that begin with a letter, and IPv4 addresses and
// prefixes. strconv's escapes are all YAML's, too.
func quoteYAML(s string) string {
	if plainWords(s) && !reserved[strings.ToLower(s)] || s != "" && s[0] <= '9' && isIPv4(s) {
		return s
	}
	return strconv.Quote(s)
}

// isIPv4 says whether s is an address or a prefix of IPv4.
func isIPv4(s string) bool {
	address, _, _ := strings.Cut(s, "/")
	a, err := netip.ParseAddr(address)
	if err == nil && address != s {
		_, err = netip.ParsePrefix(s)
	}
	return err == nil && a.Is4()
}

var reserved = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true}

// plainWords begin with a letter or a slash and end with no comma, quote,
// equals sign or blank.
func plainWords(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/'
		inside := letter || i > 0 && (c >= '0' && c <= '9' || strings.IndexByte("_.()+-", c) >= 0)
		if !inside && (i == 0 || i == len(s)-1 || strings.IndexByte(",=' ", c) < 0) || c == '-' && i == len(s)-1 {
			return false
		}
	}
	return s != ""
}
