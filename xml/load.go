package xml

import (
	"bytes"
	"cmp"
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// MaxDocument is the longest document read, in bytes. libvirt's own protocol
// carries no longer string (VIR_NET_MESSAGE_STRING_MAX, 4 MiB, in
// src/rpc/virnetprotocol.x).
const MaxDocument = 4 << 20

// maxDepth bounds how deep elements nest; libxml2 stops at 256.
const maxDepth = 256

// ErrDocumentType says that a document has a document type, which is not read:
// libvirt needs none, and its entities grow without bound.
var ErrDocumentType = errors.New("a document type is not read: write its entities out")

// load reads a document whose root element is want into a tree.
func load(doc, want string) (*etree.Document, error) {
	text, err := utf8Text(doc)
	if err != nil {
		return nil, err
	}
	clean, err := wellFormed(text, want)
	if err != nil {
		return nil, err
	}
	tree := etree.NewDocument()
	tree.ReadSettings.PreserveCData = true
	tree.ReadSettings.MaxDepth = maxDepth
	if err := tree.ReadFromBytes(clean); err != nil {
		return nil, err
	}
	for _, t := range tree.Child {
		if p, ok := t.(*etree.ProcInst); ok && p.Target == "xml" {
			p.Inst = `version="1.0" encoding="UTF-8"`
		}
	}
	return tree, nil
}

// utf8Text returns the document as UTF-8 without a byte order mark.
//
// libvirt reads the strings it is given as UTF-8, whatever encoding they
// declare (seen with 9.0.0: bytes of ISO-8859-1 are refused although
// declared, UTF-8 is taken). So a declaration counts only where the bytes are
// not UTF-8.
func utf8Text(doc string) (string, error) {
	if len(doc) > MaxDocument {
		return "", fmt.Errorf("document has %d bytes, more than the %d that libvirt takes", len(doc), MaxDocument)
	}
	if strings.HasPrefix(doc, "\xfe\xff") || strings.HasPrefix(doc, "\xff\xfe") {
		return "", errors.New("document is UTF-16: save it as UTF-8")
	}
	if utf8.ValidString(doc) {
		return strings.TrimPrefix(doc, "\ufeff"), nil
	}
	switch enc := strings.ToLower(declaredEncoding(doc)); enc {
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1":
		var b strings.Builder
		for i := range len(doc) {
			b.WriteRune(rune(doc[i]))
		}
		return b.String(), nil
	case "", "utf-8", "utf8":
		return "", errors.New("document is not UTF-8")
	default:
		return "", fmt.Errorf("document is %q, which is not read: save it as UTF-8", enc)
	}
}

// declaredEncoding is the encoding named by the XML declaration, or "".
func declaredEncoding(doc string) string {
	decl, _, found := strings.Cut(doc, "?>")
	if !found || !strings.HasPrefix(decl, "<?xml") {
		return ""
	}
	_, rest, found := strings.Cut(decl, "encoding")
	if !found {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return value
}

// wellFormed refuses what libxml2 would refuse and the tree reader would let
// through: a second root, text around the root, an attribute given twice,
// wrong nesting. Document types are refused too: libvirt needs none, and their
// entities grow without bound. The text comes back with white space in tags
// normalised (XML 1.0 §3.3.3), so that a line break left in an attribute is
// one that was written as a reference. The root is want, or any where that is
// "".
func wellFormed(text, want string) ([]byte, error) {
	out := []byte(text)
	dec := stdxml.NewDecoder(strings.NewReader(text))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	depth, roots := 0, 0
	for {
		from := dec.InputOffset()
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntax(err, dec)
		}
		switch t := token.(type) {
		case stdxml.StartElement:
			if depth == 0 {
				roots++
				if err := checkRoot(t, want, roots); err != nil {
					return nil, err
				}
			}
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("document nests deeper than %d elements", maxDepth)
			}
			if name := twice(t.Attr); name != "" {
				return nil, malformed(dec, fmt.Sprintf("attribute %s of <%s> is given twice", name, t.Name.Local))
			}
			spaces(out[from:dec.InputOffset()])
		case stdxml.EndElement:
			depth--
		case stdxml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return nil, malformed(dec, "text outside of the root element")
			}
		case stdxml.Directive:
			return nil, misplaced(dec, ErrDocumentType)
		}
	}
	if roots == 0 {
		return nil, fmt.Errorf("document is empty, want <%s>", cmp.Or(want, "network> or <domain"))
	}
	return out, nil
}

func checkRoot(t stdxml.StartElement, want string, roots int) error {
	switch {
	case roots > 1:
		return fmt.Errorf("document has a second root element <%s>", clip(t.Name.Local))
	case want != "" && t.Name.Local != want:
		return fmt.Errorf("document is a <%s>, want <%s>", clip(t.Name.Local), want)
	}
	return nil
}

// syntax words an error of the decoder with its place.
func syntax(err error, dec *stdxml.Decoder) error {
	_, column := dec.InputPos()
	var s *stdxml.SyntaxError
	if errors.As(err, &s) {
		return &SyntaxError{Place{s.Line, column}, &clippedError{s.Msg, err}}
	}
	return fmt.Errorf("malformed XML: %w", err)
}

// clippedError shortens the message of an error which may quote the document.
type clippedError struct {
	message string
	cause   error
}

func (c *clippedError) Error() string { return clip(c.message) }
func (c *clippedError) Unwrap() error { return c.cause }

func malformed(dec *stdxml.Decoder, message string) error {
	return misplaced(dec, errors.New(clip(message)))
}

func misplaced(dec *stdxml.Decoder, err error) error {
	line, column := dec.InputPos()
	return &SyntaxError{Place{line, column}, err}
}

// twice is the name of an attribute that occurs more than once, or "".
func twice(attrs []stdxml.Attr) string {
	if len(attrs) < 2 {
		return ""
	}
	seen := make(map[stdxml.Name]bool, len(attrs))
	for _, a := range attrs {
		if seen[a.Name] {
			return a.Name.Local
		}
		seen[a.Name] = true
	}
	return ""
}

func spaces(tag []byte) {
	for i, c := range tag {
		if c == '\n' || c == '\t' || c == '\r' {
			tag[i] = ' '
		}
	}
}

// clip shortens text from outside for a message.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// write renders a tree. Attributes are quoted as virsh does, unless a value
// holds a tab or line break: those survive only as references, which the
// double-quoted form writes.
func write(tree *etree.Document) (string, error) {
	tree.WriteSettings = etree.WriteSettings{CanonicalText: true, AttrSingleQuote: true}
	if root := tree.Root(); root != nil && hasBreaks(root) {
		tree.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	}
	return tree.WriteToString()
}

func hasBreaks(e *etree.Element) bool {
	for _, a := range e.Attr {
		if strings.ContainsAny(a.Value, "\t\r\n") {
			return true
		}
	}
	for _, c := range e.ChildElements() {
		if hasBreaks(c) {
			return true
		}
	}
	return false
}
