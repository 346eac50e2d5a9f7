package lint

import (
	"slices"
	"sync"
)

// Refusal is what libvirt 9.0 does with a document that breaks a rule; a rule that
// a later release does not have is not told for it.
type Refusal string

// What libvirt does.
const (
	AtDefine Refusal = "define" // does not take it
	BySchema Refusal = "schema" // does not take it with --validate, as kvnet net-define asks; else drops or misreads a part
	AtStart  Refusal = "start"  // takes it, and cannot start it
	Never    Refusal = "never"  // takes it: the rule is this package's own
)

// Rule is one thing that can be wrong with a document.
type Rule struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Refused  Refusal  `json:"refused"`
	Doc      string   `json:"doc"` // why, in a sentence or two, with the source
}

// Rules are all rules, in a fixed order: documents, networks, guests, several
// documents, documents and a host.
func Rules() []Rule {
	return slices.Concat(documentRules, networkRules, poolRules, addressRules, dnsRules, guestRules, qemuRules, togetherRules, hostRules)
}

// HostRules are those of [Rules] that say nothing without a host.
func HostRules() []Rule { return slices.Clone(hostRules) }

var byID = sync.OnceValue(func() map[string]Rule {
	m := map[string]Rule{}
	for _, r := range Rules() {
		m[r.ID] = r
	}
	return m
})

var documentRules = []Rule{
	{"document-malformed", "The document is not well-formed XML", Error, AtDefine,
		"libvirt reads nothing of a document that is cut off, ends an element that was not opened, or is not UTF-8."},
	{"document-type", "The document has a document type", Error, Never,
		"libvirt reads it; kvnet does not: libvirt needs none, and its entities grow without bound."},
	{"document-unknown", "The document is neither a network nor a domain", Error, AtDefine,
		"Only <network> and <domain> are judged."},
	{"element-unknown", "An element or attribute that libvirt does not know", Error, BySchema,
		"libvirt drops what it does not know without a word: a setting that is misspelt is no setting. src/conf/schemas/network.rng."},
	{"element-twice", "An element stands twice where libvirt reads the first only", Error, BySchema,
		"libvirt asks for the first one (virXPathNode) and passes over the others. src/conf/schemas/network.rng."},
	{"attribute-missing", "An attribute is missing that an element cannot do without", Error, BySchema,
		"The element says nothing then, and libvirt passes over it or refuses it. src/conf/schemas/network.rng, domaincommon.rng."},
	{"text-unexpected", "Text where there can be none", Error, BySchema,
		"libvirt drops it without a word: an entry that lost its brackets is no entry. src/conf/schemas/network.rng, domaincommon.rng."},
	{"value-invalid", "A number, address, name or switch that is none", Error, BySchema,
		"libvirt refuses the value, or takes it for another: stp='no' is on. src/conf/network_conf.c and its schema."},
}
