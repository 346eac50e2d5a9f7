package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/kvnet/kvnet/xml"
)

// File is a document with the name that findings call it by.
type File struct {
	Name string
	Text string
}

// Severity is how bad a finding is.
type Severity string

// An error does not work; a warning may be meant.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is a rule that a document breaks, and where.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	xml.Place
	// Object is what the document describes: "network default", "guest web".
	Object  string `json:"object"`
	Message string `json:"message"`
	// Refused is that of the rule.
	Refused Refusal `json:"refused"`
	// Other is the other place of two that do not go together; nil where there
	// is one.
	Other *Spot `json:"other,omitempty"`
}

// Spot is a place in a file.
type Spot struct {
	File string `json:"file"`
	xml.Place
}

// String is "file:line:column: severity: message [rule]", as compilers write
// it.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s [%s]", f.File, f.Line, f.Column, f.Severity, f.Message, f.Rule)
}

// Check judges documents, each for itself and all together. The findings are
// sorted by file, in the order given, then by place.
func Check(files []File) []Finding { return check(files, nil, 0) }

// CheckFor judges documents as [Check] does, for a libvirt of that version, in
// the form of [Host.Version].
func CheckFor(files []File, version int) []Finding { return check(files, nil, version) }

// CheckOn judges documents as [Check] does, and against a host.
func CheckOn(files []File, h Host) []Finding {
	h = h.indexed()
	return check(files, &h, h.Version)
}

func check(files []File, h *Host, version int) []Finding {
	p := &pass{findings: []Finding{}, version: version}
	w := world{host: h}
	order := map[string]int{}
	for i, f := range files {
		order[f.Name] = i
		p.file(f, &w)
	}
	p.together(&w)
	sort.SliceStable(p.findings, func(i, j int) bool {
		a, b := &p.findings[i], &p.findings[j]
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message)) < 0
	})
	return slices.CompactFunc(p.findings, func(a, b Finding) bool {
		return a.Rule == b.Rule && a.File == b.File && a.Place == b.Place && a.Message == b.Message
	})
}

// pass is one walk through the documents.
type pass struct {
	findings []Finding
	name     string // of the file
	object   string
	version  int // of the libvirt that is to take them; 0: of 9.0's kind
}

// world is what the documents say of each other, and what they are held
// against; nil is no host.
type world struct {
	host     *Host
	networks []*network
	guests   []*guest
}

// at notes a finding.
func (p *pass) at(rule string, place xml.Place, format string, args ...any) {
	p.note(rule, Spot{p.name, place}, p.object, nil, fmt.Sprintf(format, args...))
}

// maybe notes a finding that is one with some releases only: a warning where it
// is not known which is to take the document.
func (p *pass) maybe(rule string, place xml.Place, format string, args ...any) {
	if p.version == 0 {
		p.warn(rule, place, format, args...)
		return
	}
	p.at(rule, place, format, args...)
}

// warn notes a finding that is no error although its rule has errors.
func (p *pass) warn(rule string, place xml.Place, format string, args ...any) {
	p.at(rule, place, format, args...)
	p.findings[len(p.findings)-1].Severity = Warning
}

func (p *pass) note(rule string, spot Spot, object string, other *Spot, message string) {
	r := byID()[rule]
	p.findings = append(p.findings, Finding{Rule: rule, Severity: r.Severity, Refused: r.Refused,
		File: spot.File, Place: spot.Place, Object: object, Message: message, Other: other})
}

func (p *pass) file(f File, w *world) {
	p.name, p.object = f.Name, ""
	root, err := xml.ReadNodes(f.Text)
	if err != nil {
		s := (*xml.SyntaxError)(nil)
		switch placed := errors.As(err, &s); {
		case placed && errors.Is(err, xml.ErrDocumentType):
			p.at("document-type", s.Place, "%s", s.Err)
		case placed:
			p.at("document-malformed", s.Place, "malformed XML: %s", s.Err)
		default:
			p.at("document-malformed", xml.Place{Line: 1, Column: 1}, "%s", err)
		}
		return
	}
	switch {
	case root.Prefix == "" && root.Name == "network":
		w.networks = append(w.networks, p.network(root))
	case root.Prefix == "" && root.Name == "domain":
		w.guests = append(w.guests, p.guest(root))
	default:
		p.at("document-unknown", root.Place, "a <%s> is neither a network nor a domain", show(root.Name))
		return
	}
	for _, a := range root.Attrs {
		if a.Prefix == "" && a.Name == "xmlns" && a.Value != "" {
			p.at("element-unknown", a.Place, "<%s> is of namespace %s, and libvirt's is of none", root.Name, show(a.Value))
		}
	}
}
