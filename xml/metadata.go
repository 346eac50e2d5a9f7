package xml

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Metadata is what a network's document tells people and programs. libvirt
// keeps it and does nothing with it; before 9.7 it keeps the elements only.
type Metadata struct {
	Title       string
	Description string
	Elements    []MetadataElement // the children of <metadata>, in the document's order
}

// MetadataElement is what one program keeps in a network's document.
type MetadataElement struct {
	URI string // its namespace, whose element it is
	Key string // the prefix that the document has for the namespace
	// Text is the element as virNetworkSetMetadata takes and virsh
	// net-metadata prints it: without that prefix, which libvirt adds.
	Text string
}

// MaxMetadata is the longest text or element that is written into a document,
// in bytes: escaped, several of them still fit into [MaxDocument].
const MaxMetadata = 256 << 10

// maxMetadataDepth leaves room for the elements around: a document that nests
// deeper than libxml2 reads would be lost with the next start of the daemon.
const maxMetadataDepth = maxDepth / 2

// ParseMetadata reads the metadata of a network's document.
func ParseMetadata(doc string) (Metadata, error) {
	tree, err := load(doc, "network")
	if err != nil {
		return Metadata{}, fmt.Errorf("read metadata of network: %w", err)
	}
	root := tree.Root()
	m := Metadata{Title: text(child(root, "title")), Description: text(child(root, "description"))}
	if all := child(root, "metadata"); all != nil {
		for _, e := range all.ChildElements() {
			uri := namespace(e, e.Space)
			if uri == "" {
				continue // nobody's, and libvirt finds none without a namespace
			}
			words, err := bareElement(e, uri)
			if err != nil {
				return Metadata{}, fmt.Errorf("read metadata of network: %w", err)
			}
			m.Elements = append(m.Elements, MetadataElement{uri, e.Space, words})
		}
	}
	return m, nil
}

// Drift are the differences between the metadata that is (m) and that which is
// wished. Titles and descriptions count only where libvirt keeps them, and prefixes
// nowhere.
func (m Metadata) Drift(want Metadata, notes bool) []Change {
	var changes []Change
	if notes && m.Title != want.Title {
		changes = append(changes, Change{"title", m.Title, want.Title})
	}
	if notes && m.Description != want.Description {
		changes = append(changes, Change{"description", m.Description, want.Description})
	}
	seen := map[string]bool{}
	for _, e := range slices.Concat(m.Elements, want.Elements) {
		have, wish := m.Element(e.URI), want.Element(e.URI)
		if seen[e.URI] || have.says(wish) {
			continue
		}
		seen[e.URI] = true
		changes = append(changes, Change{"metadata[" + e.URI + "]", have.Text, wish.Text})
	}
	return changes
}

// Element is the element of a namespace, the first as in libvirt; the zero
// value where there is none.
func (m Metadata) Element(uri string) MetadataElement {
	for _, e := range m.Elements {
		if e.URI == uri {
			return e
		}
	}
	return MetadataElement{}
}

// Same says whether two elements of one namespace say the same under the same
// prefix: indentation, the order of attributes and other prefixes are nothing, and
// what has no namespace is in theirs, where libvirt puts it.
func (e MetadataElement) Same(other MetadataElement) bool {
	return e.Key == other.Key && e.says(other)
}

// says is Same under any prefix.
func (e MetadataElement) says(other MetadataElement) bool {
	if e.Text == "" || other.Text == "" {
		return e.Text == other.Text
	}
	a, errA := load(e.Text, "")
	b, errB := load(other.Text, "")
	if errA != nil || errB != nil {
		return e == other
	}
	return e.URI == other.URI && canonical(a.Root(), e.URI) == canonical(b.Root(), e.URI)
}

// NewMetadataElement reads an element that is to be kept for a namespace. It
// is the form that libvirt's API takes, or the one that a document has.
func NewMetadataElement(uri, key, element string) (MetadataElement, error) {
	if err := errors.Join(CheckMetadataURI(uri), checkMetadataKey(key)); err != nil {
		return MetadataElement{}, err
	}
	if len(element) > MaxMetadata {
		return MetadataElement{}, fmt.Errorf("the element has %d bytes, more than %d", len(element), MaxMetadata)
	}
	tree, err := load(element, "")
	if err != nil {
		return MetadataElement{}, err
	}
	root := tree.Root()
	if err := declared(root, 1); err != nil {
		return MetadataElement{}, err
	}
	if have := namespace(root, root.Space); have != "" && have != uri {
		return MetadataElement{}, fmt.Errorf("<%s> is of namespace %s, not of %s", clip(root.FullTag()), Show(have), Show(uri))
	}
	// libvirt gives the prefix to what has no namespace, and takes no element that
	// has it: what cannot be said so could not be written back either.
	if !strippable(root, uri) || hasBare(root) {
		return MetadataElement{}, fmt.Errorf("<%s> mixes what is of no namespace with others in a way that libvirt does not keep", clip(root.FullTag()))
	}
	words, err := bareElement(root, uri)
	return MetadataElement{uri, key, words}, err
}

// CheckMetadataURI refuses a namespace that libvirt cannot look for: it puts it
// into an XPath expression between quotes.
func CheckMetadataURI(uri string) error {
	const most = 1024
	odd := strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("'\"<>&`\\{}", r) })
	if uri == "" || len(uri) > most || odd || strings.HasPrefix(uri, "http://www.w3.org/XML/1998/") || strings.HasPrefix(uri, "http://www.w3.org/2000/xmlns") {
		return fmt.Errorf("%s is no URI of a namespace", Show(uri))
	}
	return nil
}

func checkMetadataKey(key string) error {
	const most, first = 100, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	odd := key == "" || strings.IndexByte(first, key[0]) < 0 || strings.Trim(key, first+"0123456789.-") != ""
	if odd || len(key) > most || len(key) > 2 && strings.EqualFold(key[:3], "xml") {
		return fmt.Errorf("%s is no prefix of a namespace", Show(key))
	}
	return nil
}

// CheckNote refuses a title or description that libvirt would not keep as it
// is. A title has one line.
func CheckNote(text string, oneLine bool) error {
	switch {
	case len(text) > MaxMetadata:
		return fmt.Errorf("it has %d bytes, more than %d", len(text), MaxMetadata)
	case text != "" && strings.TrimSpace(text) == "":
		return errors.New("it is nothing but white space")
	case oneLine && strings.ContainsAny(text, "\n"):
		return errors.New("it has more than one line")
	case strings.ContainsFunc(text, unwritable) || strings.ToValidUTF8(text, "") != text:
		return errors.New("it has characters that XML cannot hold")
	}
	return nil
}

// unwritable is outside of Char in XML 1.0, or a carriage return, which comes
// back as a line feed.
func unwritable(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff
}
