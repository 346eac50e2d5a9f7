package xml

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadNodes(t *testing.T) {
	root, err := ReadNodes("<?xml version='1.0'?>\n<!-- x -->\n<a b = '1'\n   c:d=\"é\"\te='>'><f/>\n  é<f g='2'/>x<!-- y -->y</a>")
	if err != nil {
		t.Fatal(err)
	}
	second := root.All("f")[1]
	for what, places := range map[string][2]Place{
		"root":                   {root.Place, {3, 1}},
		"b":                      {root.At("b"), {3, 4}},
		"an attribute of others": {root.Attrs[1].Place, {4, 4}},
		"behind a tab":           {root.At("e"), {4, 12}},
		"first child":            {root.Child("f").Place, {4, 18}},
		"behind a letter":        {second.Place, {5, 4}},
		"g":                      {second.At("g"), {5, 7}},
		"none":                   {second.At("h"), {5, 4}},
	} {
		if places[0] != places[1] {
			t.Errorf("%s: at %v, want %v", what, places[0], places[1])
		}
	}
	if root.Attr("b") != "1" || root.Attr("d") != "" || !root.Has("e") || root.Attrs[1].Prefix != "c" || root.Attrs[1].Value != "é" {
		t.Errorf("attributes: %+v", root.Attrs)
	}
	if text := strings.Join(strings.Fields(root.Text), " "); text != "éxy" {
		t.Errorf("text %q", text)
	}
	if root.Child("none").Child("x") != nil || root.Child("none").All("x") != nil || root.Child("none").Attr("x") != "" {
		t.Error("of nothing there is nothing")
	}
}

func TestReadNodesRefuses(t *testing.T) {
	for doc, want := range map[string]Place{
		"<a>\n  <b></a>": {2, 10},
		"<a>\n":          {2, 1},
		"<a/>\n<b/>":     {},
		"":               {},
		"<a b='\xff'/>":  {},
	} {
		_, err := ReadNodes(doc)
		s := (*SyntaxError)(nil)
		if placed := errors.As(err, &s); err == nil || placed != (want != Place{}) || placed && s.Place != want {
			t.Errorf("%q: %v, want one at %v", doc, err, want)
		}
	}
	if _, err := ReadNodes("<!DOCTYPE a><a/>"); !errors.Is(err, ErrDocumentType) {
		t.Errorf("document type: %v", err)
	}
}

// Both readers see the same elements in the same documents.
func TestReadNodesAsParse(t *testing.T) {
	files, err := filepath.Glob("testdata/network/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Parse(string(doc))
		if err != nil {
			t.Fatal(err)
		}
		root, err := ReadNodes(string(doc))
		if err != nil {
			t.Fatal(err)
		}
		if root.Child("name").Text != n.Name || len(root.All("ip")) != len(n.IPs) || root.Child("bridge").Attr("name") != n.Bridge {
			t.Errorf("%s: %+v", file, root)
		}
	}
}
