package xml

import (
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"
)

// Place is where something stands in a document. Both count from 1; the
// column counts characters, not bytes.
type Place struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Node is an element of a document with the place of its "<". It is for
// reading only: documents are edited by [Edit].
type Node struct {
	Prefix   string // as written; "" for libvirt's own elements
	Name     string // without the prefix
	Place    Place
	Attrs    []NodeAttr
	Children []*Node
	Text     string // directly below it, comments left out
}

// NodeAttr is an attribute with the place of its name.
type NodeAttr struct {
	Prefix, Name, Value string
	Place               Place
}

// SyntaxError says where a document is not well-formed.
type SyntaxError struct {
	Place
	Err error
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d: malformed XML: %s", e.Line, e.Err)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// ReadNodes reads any document into elements that know their place. What it
// refuses is what [Parse] refuses of every document: more than [MaxDocument],
// other encodings than UTF-8 and ISO-8859-1, document types, and what is not
// well-formed, which is a *SyntaxError.
func ReadNodes(doc string) (*Node, error) {
	text, err := utf8Text(doc)
	if err != nil {
		return nil, err
	}
	if _, err := wellFormed(text, ""); err != nil {
		return nil, err
	}
	b := nodeBuilder{text: text, lines: lineStarts(text)}
	return b.read()
}

// Child is the first child of that name without a prefix, or nil; of nil,
// nil.
func (n *Node) Child(name string) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c.Prefix == "" && c.Name == name {
			return c
		}
	}
	return nil
}

// All are the children of that name without a prefix.
func (n *Node) All(name string) []*Node {
	if n == nil {
		return nil
	}
	var found []*Node
	for _, c := range n.Children {
		if c.Prefix == "" && c.Name == name {
			found = append(found, c)
		}
	}
	return found
}

// Attr is the value of an attribute without a prefix, or "".
func (n *Node) Attr(name string) string {
	if a := n.attr(name); a != nil {
		return a.Value
	}
	return ""
}

// Has says whether the attribute is there, be it empty.
func (n *Node) Has(name string) bool { return n.attr(name) != nil }

// At is the place of an attribute, or of the element where it has none.
func (n *Node) At(name string) Place {
	if a := n.attr(name); a != nil {
		return a.Place
	}
	if n == nil {
		return Place{}
	}
	return n.Place
}

func (n *Node) attr(name string) *NodeAttr {
	if n == nil {
		return nil
	}
	for i := range n.Attrs {
		if n.Attrs[i].Prefix == "" && n.Attrs[i].Name == name {
			return &n.Attrs[i]
		}
	}
	return nil
}

// nodeBuilder walks through a document that is well-formed.
type nodeBuilder struct {
	text  string
	lines []int // where each line starts
	// A document may be a single line of a megabyte: characters are counted
	// on from the place before.
	last, lastLine, lastColumn int
}

func lineStarts(text string) []int {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// place turns an offset into line and column. Offsets mostly grow.
func (b *nodeBuilder) place(offset int) Place {
	line := sort.SearchInts(b.lines, offset+1)
	from, column := b.lines[line-1], 1
	if line == b.lastLine && b.last <= offset {
		from, column = b.last, b.lastColumn
	}
	column += utf8.RuneCountInString(b.text[from:offset])
	b.last, b.lastLine, b.lastColumn = offset, line, column
	return Place{Line: line, Column: column}
}

func (b *nodeBuilder) read() (*Node, error) {
	dec := stdxml.NewDecoder(strings.NewReader(b.text))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var root *Node
	var open []*Node
	for {
		from := int(dec.InputOffset())
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, syntax(err, dec)
		}
		switch t := token.(type) {
		case stdxml.StartElement:
			n := b.node(t, from, int(dec.InputOffset()))
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, n)
			} else {
				root = n
			}
			open = append(open, n)
		case stdxml.EndElement:
			open = open[:len(open)-1]
		case stdxml.CharData:
			// Indentation is kept where it may be all that an element says,
			// and not ten thousand times between children.
			if len(open) > 0 && (len(open[len(open)-1].Children) == 0 || len(strings.TrimSpace(string(t))) > 0) {
				open[len(open)-1].Text += string(t)
			}
		}
	}
}

func (b *nodeBuilder) node(t stdxml.StartElement, from, to int) *Node {
	n := &Node{Prefix: t.Name.Space, Name: t.Name.Local, Place: b.place(from)}
	at := attrOffsets(b.text[from:to])
	for i, a := range t.Attr {
		n.Attrs = append(n.Attrs, NodeAttr{a.Name.Space, a.Name.Local, a.Value, b.place(from + at[i])})
	}
	return n
}

// attrOffsets is where each attribute of a well-formed start tag begins.
func attrOffsets(tag string) []int {
	var at []int
	i := strings.IndexAny(tag, " \t\r\n/>")
	for i >= 0 && i < len(tag) {
		switch c := tag[i]; {
		case blank(c), c == '/', c == '>':
			i++
			continue
		}
		at = append(at, i)
		i += strings.IndexAny(tag[i:], `"'`)
		quote := tag[i]
		i += 1 + strings.IndexByte(tag[i+1:], quote) + 1
	}
	return at
}
