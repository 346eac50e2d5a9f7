package xml

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// namespace is what a prefix stands for at an element, "" for nothing; the
// prefix "" is that of elements without one.
func namespace(e *etree.Element, prefix string) string {
	for ; e != nil; e = e.Parent() {
		for _, a := range e.Attr {
			if name, ok := declares(a); ok && name == prefix {
				return a.Value
			}
		}
	}
	return ""
}

// declares says for which prefix an attribute declares a namespace.
func declares(a etree.Attr) (prefix string, ok bool) {
	switch {
	case a.Space == "xmlns":
		return a.Key, true
	case a.Space == "" && a.Key == "xmlns":
		return "", true
	}
	return "", false
}

// each walks an element and all below it.
func each(e *etree.Element, do func(*etree.Element)) {
	do(e)
	for _, c := range e.ChildElements() {
		each(c, do)
	}
}

// declared refuses prefixes without a namespace, which libxml2 lets pass and
// nobody reads again, and elements that nest too deep.
func declared(e *etree.Element, level int) error {
	if level > maxMetadataDepth {
		return fmt.Errorf("the element nests deeper than %d elements", maxMetadataDepth)
	}
	for _, p := range prefixes(e) {
		if p != "" && namespace(e, p) == "" {
			return fmt.Errorf("prefix %s in <%s> is not declared", Show(p), clip(e.FullTag()))
		}
	}
	for _, c := range e.ChildElements() {
		if err := declared(c, level+1); err != nil {
			return err
		}
	}
	return nil
}

// prefixes are those that an element itself uses, "" for none.
func prefixes(e *etree.Element) []string {
	used := map[string]bool{e.Space: true}
	for _, a := range e.Attr {
		if a.Space != "" {
			used[a.Space] = true
		}
	}
	delete(used, "xml")
	delete(used, "xmlns")
	return slices.Sorted(maps.Keys(used))
}

// bareElement writes an element as virXMLExtractNamespaceXML does: by itself,
// without the prefixes of its namespace. It keeps them where it would mean
// something else without.
func bareElement(e *etree.Element, uri string) (string, error) {
	made := e.Copy()
	around := map[string]string{} // what is declared outside of it
	each(e, func(c *etree.Element) {
		for _, p := range prefixes(c) {
			if value := namespace(e.Parent(), p); value != "" {
				around[p] = value
			}
		}
	})
	for _, p := range slices.Sorted(maps.Keys(around)) {
		if namespace(made, p) == "" {
			made.CreateAttr(strings.TrimSuffix("xmlns:"+p, ":"), around[p])
		}
	}
	if strippable(made, uri) {
		strip(made, uri)
	}
	dedent(made, indentation(e))
	tree := etree.NewDocument()
	tree.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	tree.SetRoot(made)
	return tree.WriteToString()
}

// strippable says whether an element means the same without its namespace's
// prefixes: none of them stands where another namespace has none, and no attribute
// is there twice then.
func strippable(e *etree.Element, uri string) bool {
	fine := true
	each(e, func(e *etree.Element) {
		names := map[string]bool{}
		for _, a := range e.Attr {
			prefix, declaration := declares(a)
			name := a.FullKey()
			switch {
			case declaration:
				fine = fine && (prefix != "" || a.Value == uri || !prefixed(e, uri))
				continue
			case namespace(e, a.Space) == uri && a.Space != "":
				name = a.Key
			}
			fine = fine && !names[name]
			names[name] = true
		}
	})
	return fine
}

// hasBare says whether an element without a namespace stands in one that has one
// and no prefix.
func hasBare(e *etree.Element) bool {
	found := false
	each(e, func(e *etree.Element) {
		found = found || e.Space == "" && e.Parent() != nil && namespace(e, "") == "" && namespace(e.Parent(), "") != ""
	})
	return found
}

// prefixed says whether an element, or one below it, has a prefix of the namespace.
func prefixed(e *etree.Element, uri string) bool {
	found := false
	each(e, func(e *etree.Element) { found = found || e.Space != "" && namespace(e, e.Space) == uri })
	return found
}

func strip(e *etree.Element, uri string) {
	for _, c := range e.ChildElements() {
		strip(c, uri) // while the declarations above it are there
	}
	mine := func(prefix string) bool { return prefix != "" && namespace(e, prefix) == uri }
	for i, a := range e.Attr {
		if _, declaration := declares(a); !declaration && mine(a.Space) {
			e.Attr[i].Space = ""
		}
	}
	if mine(e.Space) {
		e.Space = ""
	}
	e.Attr = slices.DeleteFunc(e.Attr, func(a etree.Attr) bool {
		_, declaration := declares(a)
		return declaration && a.Value == uri
	})
}

// indentation is the white space before an element on its line.
func indentation(e *etree.Element) string {
	if e.Parent() == nil || e.Index() == 0 {
		return ""
	}
	before, ok := e.Parent().Child[e.Index()-1].(*etree.CharData)
	if !ok {
		return ""
	}
	at := strings.LastIndexByte(before.Data, '\n')
	if at < 0 || strings.TrimSpace(before.Data[at:]) != "" {
		return ""
	}
	return before.Data[at+1:]
}

// dedent takes an indentation from the lines between elements.
func dedent(e *etree.Element, indent string) {
	each(e, func(e *etree.Element) {
		for _, t := range e.Child {
			if c, ok := t.(*etree.CharData); ok && isBlank(c) {
				c.Data = strings.ReplaceAll(c.Data, "\n"+indent, "\n")
			}
		}
	})
}

// canonical writes what an element says: without comments, white space between
// elements, the order of attributes and the choice of prefixes. Elements without a
// namespace are of uri.
func canonical(e *etree.Element, uri string) string {
	var b strings.Builder
	writeCanonical(&b, e, uri)
	return b.String()
}

func writeCanonical(b *strings.Builder, e *etree.Element, own string) {
	var attrs []string
	for _, a := range e.Attr {
		if _, declaration := declares(a); declaration {
			continue
		}
		uri := a.Space // xml: is declared nowhere
		if a.Space != "" && a.Space != "xml" {
			uri = namespace(e, a.Space)
		}
		attrs = append(attrs, fmt.Sprintf("%q", []string{uri, a.Key, a.Value}))
	}
	slices.Sort(attrs)
	fmt.Fprintf(b, "(%q %q %s", cmp.Or(namespace(e, e.Space), own), e.Tag, strings.Join(attrs, " "))
	words := ""
	flush := func() {
		if strings.TrimSpace(words) != "" {
			fmt.Fprintf(b, " %q", words)
		}
		words = ""
	}
	for _, t := range e.Child {
		switch c := t.(type) {
		case *etree.CharData:
			words += c.Data
		case *etree.Element:
			flush()
			writeCanonical(b, c, own)
		}
	}
	flush()
	b.WriteString(")")
}
