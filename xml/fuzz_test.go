package xml

import (
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add(liveDefault)
	f.Add(strange)
	f.Fuzz(func(t *testing.T, doc string) {
		n, err := Parse(doc)
		if err != nil {
			if len(err.Error()) > 5000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if drift := Drift(n, n); len(drift) > 0 {
			t.Errorf("with itself: %v", drift)
		}
		if changes := Changes(n, n); len(changes) > 0 {
			t.Errorf("with itself: %v", changes)
		}
		built, err := Build(n)
		if err != nil {
			return // libvirt takes more than Build writes
		}
		again, err := Parse(built)
		if err != nil {
			t.Fatalf("%v\n%s", err, built)
		}
		if changes := Changes(again, n); len(changes) > 0 {
			t.Errorf("%v\n%s", changes, built)
		}
	})
}

func FuzzEdit(f *testing.F) {
	f.Add(liveDefault, 1400, "a.b", "virbr7", true)
	f.Add(strange, 0, "", "", false)
	f.Fuzz(func(t *testing.T, doc string, mtu int, domain, bridge string, stp bool) {
		want := Network{MTU: mtu, Domain: domain, Bridge: bridge, STP: &stp}
		out, err := Edit(doc, want)
		if err != nil {
			return
		}
		n, err := Parse(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if changes := Changes(n, want); len(changes) > 0 {
			t.Errorf("%v\n%s", changes, out)
		}
		before, _ := Parse(doc)
		before.STP, before.Delay, n.STP, n.Delay = nil, nil, nil, nil
		if mtu != 0 {
			before.MTU = mtu
		}
		if domain != "" {
			before.Domain = domain
		}
		if bridge != "" {
			before.Bridge = bridge
		}
		before.ForwardDevs, n.ForwardDevs = nil, nil // a bridge replaces them
		before.Connections, n.Connections = 0, 0
		for _, c := range Drift(before, n) {
			if !strings.HasPrefix(c.Path, "forward/") {
				t.Errorf("%s is not wished\n%s\nbecame\n%s", c, doc, out)
			}
		}
	})
}

// FuzzMetadata keeps an element in a document as libvirt does, and reads it back.
func FuzzMetadata(f *testing.F) {
	f.Add("urn:x", "k", `<k:a xmlns:k="urn:x" k:b="1"> <k:d>t&amp;</k:d><o:e xmlns:o="urn:o"/> </k:a>`, strange)
	f.Add("urn:y", "_", `<a b="&lt;'&#34;"><![CDATA[<]]></a>`, `<network><metadata><k:a xmlns:k="urn:x"><k:b/></k:a></metadata></network>`)
	f.Fuzz(func(t *testing.T, uri, key, text, doc string) {
		if m, err := ParseMetadata(doc); err == nil {
			if drift := m.Drift(m, true); len(drift) > 0 {
				t.Errorf("with itself: %v", drift)
			}
		}
		e, err := NewMetadataElement(uri, key, text)
		if err != nil {
			return
		}
		if again, err := NewMetadataElement(uri, key, e.Text); err != nil || !again.Same(e) {
			t.Errorf("%v: %q becomes %q", err, e.Text, again.Text)
		}
		tree, err := load(e.Text, "")
		if err != nil {
			t.Fatalf("%v: %q", err, e.Text)
		}
		if namespace(tree.Root(), "") == "" {
			tree.Root().CreateAttr("xmlns", uri)
		}
		kept, err := tree.WriteToString()
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMetadata("<network><metadata>" + kept + "</metadata></network>")
		if err != nil {
			t.Fatalf("%v: %q", err, kept)
		}
		have := m.Element(uri)
		have.Key = e.Key // libvirt's to choose, and none here
		if !have.Same(e) {
			t.Errorf("have %q, want %q", have.Text, e.Text)
		}
	})
}
