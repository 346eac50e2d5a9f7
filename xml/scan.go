package xml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner walks a document tag by tag and copies nothing: encoding/xml takes
// several times as long and a hundred allocations for each kilobyte, and a
// host has hundreds of guests. It checks nesting and quoting, so that a
// document cut off is an error and never a guest without interfaces.
type scanner struct {
	doc  string
	pos  int
	open []string // names of the open elements
	// name and tag are the element of the last start or end tag, and its
	// attributes as written. empty says that a start tag ends itself: the end
	// follows as a token of its own.
	name, tag string
	empty     bool
	text      string // of the last text token, as written, or CDATA
	cdata     bool
}

type token int

const (
	end token = iota // of the document
	startTag
	endTag
	chars
)

var errCut = errors.New("malformed XML: document ends inside of an element")

// next moves to the next token. Comments and instructions are passed over.
func (s *scanner) next() (token, error) {
	if s.empty {
		s.empty = false
		s.open = s.open[:len(s.open)-1]
		return endTag, nil
	}
	for {
		if s.pos >= len(s.doc) {
			if len(s.open) > 0 {
				return end, errCut
			}
			return end, nil
		}
		rest := s.doc[s.pos:]
		if rest[0] != '<' {
			i := strings.IndexByte(rest, '<')
			if i < 0 {
				i = len(rest)
			}
			s.text, s.cdata = rest[:i], false
			s.pos += i
			return chars, nil
		}
		switch {
		case strings.HasPrefix(rest, "<?"):
			if !s.skip("?>") {
				return end, s.malformed("an instruction does not end")
			}
		case strings.HasPrefix(rest, "<!--"):
			s.pos += len("<!--")
			if !s.skip("-->") {
				return end, s.malformed("a comment does not end")
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			s.pos += len("<![CDATA[")
			from := s.pos
			if !s.skip("]]>") {
				return end, s.malformed("a CDATA section does not end")
			}
			s.text, s.cdata = s.doc[from:s.pos-len("]]>")], true
			return chars, nil
		case strings.HasPrefix(rest, "<!"):
			return end, s.malformed("a document type is not read")
		case strings.HasPrefix(rest, "</"):
			return s.endTag()
		default:
			return s.startTag()
		}
	}
}

// skip moves behind the next mark.
func (s *scanner) skip(mark string) bool {
	i := strings.Index(s.doc[s.pos:], mark)
	if i < 0 {
		return false
	}
	s.pos += i + len(mark)
	return true
}

func (s *scanner) endTag() (token, error) {
	from := s.pos + len("</")
	i := strings.IndexByte(s.doc[from:], '>')
	if i < 0 {
		return end, errCut
	}
	s.name = strings.TrimRight(s.doc[from:from+i], " \t\r\n")
	if len(s.open) == 0 || s.open[len(s.open)-1] != s.name {
		return end, s.malformed(fmt.Sprintf("</%s> closes nothing", clip(s.name)))
	}
	s.open = s.open[:len(s.open)-1]
	s.pos = from + i + 1
	return endTag, nil
}

func (s *scanner) startTag() (token, error) {
	from := s.pos + 1
	i := from
	for i < len(s.doc) && !blank(s.doc[i]) && s.doc[i] != '>' && s.doc[i] != '/' {
		i++
	}
	s.name = s.doc[from:i]
	if s.name == "" || strings.ContainsAny(s.name, "<'\"=&") {
		return end, s.malformed("a tag has no name")
	}
	from = i
	for quote := byte(0); ; i++ {
		if i >= len(s.doc) {
			return end, errCut
		}
		switch c := s.doc[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return end, s.malformed(fmt.Sprintf("<%s> does not end", clip(s.name)))
		case c == '>':
			s.tag = s.doc[from:i]
			if s.empty = strings.HasSuffix(s.tag, "/"); s.empty {
				s.tag = s.tag[:len(s.tag)-1]
			}
			s.pos = i + 1
			if len(s.open) >= maxDepth {
				return end, fmt.Errorf("document nests deeper than %d elements", maxDepth)
			}
			s.open = append(s.open, s.name)
			return startTag, nil
		}
	}
}

// attrs calls f with each attribute of the last start tag, in order.
func (s *scanner) attrs(f func(key, value string)) error {
	rest := strings.TrimLeft(s.tag, " \t\r\n")
	for rest != "" {
		key, after, found := strings.Cut(rest, "=")
		after = strings.TrimLeft(after, " \t\r\n")
		if !found || after == "" || after[0] != '"' && after[0] != '\'' {
			return s.malformed(fmt.Sprintf("an attribute of <%s> has no value", clip(s.name)))
		}
		value, behind, found := strings.Cut(after[1:], after[:1])
		if !found {
			return s.malformed(fmt.Sprintf("an attribute of <%s> does not end", clip(s.name)))
		}
		f(strings.TrimRight(key, " \t\r\n"), unescape(value, true))
		rest = strings.TrimLeft(behind, " \t\r\n")
	}
	return nil
}

func (s *scanner) malformed(what string) error {
	line := 1 + strings.Count(s.doc[:min(s.pos, len(s.doc))], "\n")
	return fmt.Errorf("line %d: malformed XML: %s", line, what)
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": `"`}

// unescape resolves references. What is no reference stays as written. In
// attributes, white space becomes a space (XML 1.0 §3.3.3).
func unescape(s string, attribute bool) string {
	if strings.IndexByte(s, '&') < 0 && !(attribute && strings.ContainsAny(s, "\t\r\n")) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if attribute && (c == '\t' || c == '\r' || c == '\n') {
			c = ' '
		}
		if c != '&' {
			b.WriteByte(c)
			continue
		}
		ref, _, found := strings.Cut(s[i+1:], ";")
		value, ok := reference(ref)
		if !found || !ok {
			b.WriteByte(c)
			continue
		}
		b.WriteString(value)
		i += len(ref) + 1
	}
	return b.String()
}

func reference(ref string) (string, bool) {
	if value, ok := entities[ref]; ok {
		return value, true
	}
	digits, isNumber := strings.CutPrefix(ref, "#")
	if !isNumber {
		return "", false
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return "", false
	}
	return string(rune(n)), true
}
