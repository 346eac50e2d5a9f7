package xml

import (
	"strings"
	"testing"
)

func TestParseMetadata(t *testing.T) {
	m, err := ParseMetadata(`<network>
  <name>n</name>
  <title>a &lt;b&gt;</title>
  <description>one
two</description>
  <metadata xmlns:o="urn:o">
    <k:a xmlns:k="urn:x" k:y="1" o:z="2">
      <k:b>t</k:b>
    </k:a>
    <c xmlns="urn:y"/>
    <nobody/>
  </metadata>
</network>`)
	if err != nil || m.Title != "a <b>" || m.Description != "one\ntwo" || len(m.Elements) != 2 {
		t.Fatalf("%+v %v", m, err)
	}
	for uri, want := range map[string]MetadataElement{
		"urn:x": {"urn:x", "k", "<a xmlns:o=\"urn:o\" o:z=\"2\" y=\"1\">\n  <b>t</b>\n</a>"},
		"urn:y": {"urn:y", "", "<c/>"},
		"urn:z": {},
	} {
		if have := m.Element(uri); !have.Same(want) || strings.Contains(have.Text, "k:") {
			t.Errorf("%s: have %+v, want %+v", uri, have, want)
		}
	}
}

func TestMetadataDrift(t *testing.T) {
	read := func(inner string) Metadata {
		m, err := ParseMetadata("<network><name>n</name>" + inner + "</network>")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	have := read(`<title>a</title><metadata><k:x xmlns:k="urn:x"><k:d/></k:x></metadata>`)
	for _, test := range []struct {
		want  string
		notes bool
		paths string
	}{
		{`<title>a</title><metadata> <k:x xmlns:k="urn:x"> <k:d> </k:d> </k:x> </metadata>`, true, ""},
		{`<title>a</title><metadata><x xmlns="urn:x"><o:d xmlns:o="urn:x"/></x></metadata>`, true, ""},
		{`<title>a</title><metadata><k:x xmlns:k="urn:x"><k:d xmlns:k="urn:y"/></k:x></metadata>`, true, "metadata[urn:x]"},
		{`<title>b</title><description>c</description><metadata><k:x xmlns:k="urn:x"><k:d/></k:x></metadata>`, true, "title description"},
		{`<title>b</title><metadata><k:x xmlns:k="urn:x"><k:d/></k:x></metadata>`, false, ""},
		{`<title>a</title><metadata><k:x xmlns:k="urn:x"/><k:y xmlns:k="urn:y"/></metadata>`, true, "metadata[urn:x] metadata[urn:y]"},
		{``, false, "metadata[urn:x]"},
	} {
		var paths []string
		for _, c := range have.Drift(read(test.want), test.notes) {
			paths = append(paths, c.Path)
		}
		if strings.Join(paths, " ") != test.paths {
			t.Errorf("%s: have %q, want %q", test.want, paths, test.paths)
		}
	}
}

func TestNewMetadataElement(t *testing.T) {
	for _, test := range []struct{ uri, key, text, want string }{
		{"urn:x", "k", `<a b='c'><d/></a>`, `<a b="c"><d/></a>`},
		{"urn:x", "k", `<k:a xmlns:k="urn:x" k:b="c"><k:d/></k:a>`, `<a b="c"><d/></a>`},
		{"urn:x", "k", `<a xmlns="urn:x"/>`, `<a/>`},
		{"urn:x", "k", `<k:a xmlns:k="urn:x"><q xmlns="urn:q"/></k:a>`, `<a><q xmlns="urn:q"/></a>`},
	} {
		if have, err := NewMetadataElement(test.uri, test.key, test.text); err != nil || have.Text != test.want {
			t.Errorf("%s: %v\nhave %s\nwant %s", test.text, err, have.Text, test.want)
		}
	}
	for _, test := range []struct{ uri, key, text, want string }{
		{"urn:x", "k", `<a/><b/>`, "second root"},
		{"urn:x", "k", `<k:a xmlns:k="urn:x" k:b="1" b="2"/>`, "does not keep"},
		{"urn:x", "k", `<k:a xmlns:k="urn:x"><q xmlns="urn:q"><k:r/></q></k:a>`, "does not keep"},
		{"urn:x", "k", `<a><q xmlns="urn:q"><r xmlns=""/></q></a>`, "does not keep"},
		{"urn:x", "k", `<a`, "malformed"},
		{"urn:x", "k", ``, "empty"},
		{"urn:x", "k", `<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`, "document type"},
		{"urn:x", "k", `<a xmlns="urn:other"/>`, "is of namespace urn:other"},
		{"urn:x", "k", `<a><p:b/></a>`, "prefix p in <p:b> is not declared"},
		{"urn:x", "k", strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200), "nests deeper"},
		{"urn:x", "k", "<a>" + strings.Repeat("x", MaxMetadata) + "</a>", "more than"},
		{"urn:'x", "k", `<a/>`, "no URI"},
		{"", "k", `<a/>`, "no URI"},
		{"urn:x", "xmlns", `<a/>`, "no prefix"},
		{"urn:x", "a b", `<a/>`, "no prefix"},
	} {
		if have, err := NewMetadataElement(test.uri, test.key, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: have %+v %v, want %q", shortened(test.text), have, err, test.want)
		}
	}
}

func shortened(s string) string { return s[:min(len(s), 60)] }

func TestSameMetadata(t *testing.T) {
	is := MetadataElement{"u", "k", "<a x='1' y='2'><b>t</b></a>"}
	for text, want := range map[string]bool{
		"<a y='2' x='1'>\n <b>t</b>\n</a>": true, "<a x='1' y='2'><b>u</b></a>": false, "<a x='1'><b>t</b></a>": false, "": false,
	} {
		if have := is.Same(MetadataElement{"u", "k", text}); have != want {
			t.Errorf("%q: same %v, want %v", text, have, want)
		}
	}
	if is.Same(MetadataElement{"u", "other", is.Text}) {
		t.Error("another prefix is the same")
	}
	// As libvirt 11.3 writes it, and one in which the element is of no namespace at all.
	mixed := MetadataElement{"urn:x", "k", `<p a="1"><q xmlns="urn:q">t</q></p>`}
	if !mixed.Same(MetadataElement{"urn:x", "k", `<k:p xmlns:k="urn:x" a="1"><q xmlns="urn:q">t</q></k:p>`}) {
		t.Error("the same names with another prefix are not the same")
	}
	if mixed.Same(MetadataElement{"urn:x", "k", `<k:p xmlns:k="urn:x" a="1"><k:q>t</k:q></k:p>`}) {
		t.Error("an element of another namespace is the same")
	}
}

func TestCheckNote(t *testing.T) {
	for text, fine := range map[string]bool{"a": true, "": true, "\n ": false, "a\nb": false, "a\x1bb": false, "\xff": false, "a\rb": false} {
		if err := CheckNote(text, true); (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := CheckNote("a\nb", false); err != nil {
		t.Error(err)
	}
}
