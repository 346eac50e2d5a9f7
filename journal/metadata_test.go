package journal_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/journal"
	"github.com/kvnet/kvnet/libvirtnet"
)

// A running network gets its metadata back in place; that of a definition comes
// with the document.
func TestWayOfMetadata(t *testing.T) {
	noted := func(inner string) journal.Image {
		doc := strings.Replace(lab, "<bridge", inner+"<bridge", 1)
		return journal.Image{Networks: []journal.Network{{Name: "lab", Persistent: true, Active: true, Config: lab, Live: doc}}}
	}
	const x, y = "<k:a xmlns:k='urn:x' b='1'/>", "<l:c xmlns:l='urn:y'/>"
	for _, test := range []struct {
		name, want, have string
		way              []string
	}{
		{"nothing happened", "<title>t</title><metadata>" + x + "</metadata>", "<title>t</title><metadata>" + x + "</metadata>", []string{}},
		{"another order", "<metadata>" + x + y + "</metadata>", "<metadata>" + y + x + "</metadata>", []string{}},
		{"new words", "", "<title>t</title><description>d</description>", []string{"remove title in running network lab", "remove description in running network lab"}},
		{"other words", "<title>t</title>", "<title>u</title>", []string{"set title in running network lab"}},
		{"a new element", "<metadata>" + x + "</metadata>", "<metadata>" + x + y + "</metadata>", []string{"remove metadata urn:y in running network lab"}},
		{"an element gone", "<metadata>" + x + y + "</metadata>", "<metadata>" + x + "</metadata>", []string{"set metadata urn:y in running network lab"}},
	} {
		back := journal.Way(noted(test.want), noted(test.have))
		if diff := cmp.Diff(test.way, way(back)); diff != "" {
			t.Errorf("%s (-want +have):\n%s", test.name, diff)
		}
		if old := back.WithoutMetadata(); len(old.Plan.Steps) > 0 || (len(old.Restarts) == 1) != (len(test.way) > 0) {
			t.Errorf("%s, where libvirt cannot: %v", test.name, way(old))
		}
	}

	// The step says what it takes away, so that it can be taken back itself.
	back := journal.Way(noted("<metadata><k:a xmlns:k='urn:x' b='1'/></metadata>"), noted("<metadata><other:z xmlns:other='urn:x'/></metadata>"))
	if len(back.Plan.Steps) != 1 {
		t.Fatal(way(back))
	}
	want := libvirtnet.MetadataUpdate{Kind: libvirtnet.Element, URI: "urn:x", Key: "k", Former: "<z/>", FormerKey: "other"}
	if s := back.Plan.Steps[0]; !s.Live || s.Config || s.Document != `<a b="1"/>` || *s.Metadata != want {
		t.Errorf("have %+v %+v", s, s.Metadata)
	}
}
