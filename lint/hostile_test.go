package lint

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kvnet/kvnet/xml"
)

// Names from outside end up in messages: on one line, short, with nothing
// that a terminal obeys.
func TestHostileNames(t *testing.T) {
	const evil = "\u001b[31m" // not even XML
	name := "'&quot;&lt;&#10;\u202e" + strings.Repeat("x", 10000)
	found := Check([]File{
		{"a.xml", "<network color=\"" + name + "\"><name>" + name + "</name><forward mode=\"" + name + "\"/><bridge name=\"" + name + "\"/>" +
			"<portgroup name=\"" + name + "\"/><portgroup name=\"" + name + "\"/><ip address=\"" + name + "\"/></network>"},
		{"b.xml", "<domain><name>" + name + "</name><devices><interface type=\"" + name + "\"><target dev=\"" + name + "\"/></interface>" +
			"<interface type='network'><source network=\"" + name + "\" portgroup=\"" + name + "2\"/></interface></devices></domain>"},
		{"c.xml", "<network>" + evil + "</network>"},
	})
	if len(found) < 8 {
		t.Errorf("%d findings", len(found))
	}
	for _, f := range found {
		if len(f.Message) > 1000 || strings.ContainsFunc(f.Message+f.Object, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) {
			t.Errorf("%s: message of %d bytes: %.300q", f.Rule, len(f.Message), f.Message)
		}
	}
}

// A document of 4 MiB with as many elements as fit is judged, with no more
// than a few findings for each element.
func TestLargeDocuments(t *testing.T) {
	many := func(head, element, tail string) (string, int) {
		var b strings.Builder
		b.WriteString("<network><name>n</name>" + head)
		i := 0
		for ; b.Len() < 3<<20; i++ {
			fmt.Fprintf(&b, element, i>>8&255, i&255)
		}
		return b.String() + tail + "</network>", i
	}
	for _, parts := range [][3]string{
		{"", "<ip address='10.%d.%d.1' prefix='8'/>", ""},
		{"<ip address='10.0.0.1' prefix='8'><dhcp>", "<range start='10.1.%d.%d' end='10.1.255.254'/>", "</dhcp></ip>"},
		{"<ip address='10.0.0.1' prefix='8'><dhcp>", "<host mac='52:54:00:00:00:01' ip='10.1.%d.%d'/>", "</dhcp></ip>"},
		{"", "<x a='%d' b='%d'/>", ""},
		{"", "<bridge name='b%d.%d'/>", ""},
		{"<forward mode='private'>", "<interface dev='b%d.%d'/>", "</forward>"},
	} {
		doc, elements := many(parts[0], parts[1], parts[2])
		if found := Check([]File{{"large.xml", doc}}); len(found) == 0 || len(found) > 3*elements {
			t.Errorf("%d findings in %d elements of %s", len(found), elements, parts[1])
		}
	}
}

// FuzzCheck: no document makes lint panic, and every finding has a place
// within the file.
func FuzzCheck(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		f.Fatalf("no documents: %v", err)
	}
	for _, name := range archives {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			f.Add(string(file.Data))
		}
	}
	f.Fuzz(func(t *testing.T, doc string) {
		lines := strings.Count(doc, "\n") + 1
		for _, found := range Check([]File{{"a.xml", doc}, {"b.xml", doc}}) {
			if found.Line < 1 || found.Line > lines || found.Column < 1 || found.Message == "" || byID()[found.Rule].ID == "" {
				t.Errorf("%+v", found)
			}
		}
	})
}

// Neither a large document nor a large host makes the judge slow, or its
// report endless.
func TestLargeHosts(t *testing.T) {
	var h Host
	var doc strings.Builder
	doc.WriteString("<domain type='kvm'><name>g</name><devices>")
	for i := range 30000 {
		bridge := fmt.Sprintf("br%d", i)
		h.Devices = append(h.Devices, Device{Name: bridge, Kind: "bridge"})
		h.Networks = append(h.Networks, HostNetwork{Name: bridge, Definitions: []xml.Network{{Name: bridge, Mode: xml.HostBridge, Bridge: bridge}}})
		h.Routes = append(h.Routes, HostRoute{To: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 32), Words: fmt.Sprintf("route %d", i)})
		fmt.Fprintf(&doc, "<interface type='bridge'><source bridge='no%d'/></interface>", i)
	}
	doc.WriteString("</devices></domain>")
	net := "<network><name>n</name><ip address='10.0.0.1' prefix='8'/></network>"
	if found := CheckOn([]File{{"g.xml", doc.String()}, {"n.xml", net}}, h); len(found) != 30000+mostClaims {
		t.Errorf("%d findings", len(found))
	}
}
