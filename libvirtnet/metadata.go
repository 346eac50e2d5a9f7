package libvirtnet

import "context"

// MetadataKind is a part of a network's metadata.
type MetadataKind string

// The kinds of virNetworkMetadataType.
const (
	Description MetadataKind = "description"
	Title       MetadataKind = "title"
	Element     MetadataKind = "element" // of <metadata>, by its namespace
)

// KeepsNotes is the first version of libvirt that keeps the title and the
// description of a network.
const KeepsNotes = 9_007_000

// MetadataUpdate sets or removes one part of a network's metadata.
type MetadataUpdate struct {
	Kind MetadataKind `json:"kind"`
	URI  string       `json:"uri,omitempty"` // of an element
	Key  string       `json:"key,omitempty"` // its prefix
	// Former is the text as it was, "" for none, and FormerKey its prefix.
	Former    string `json:"former,omitempty"`
	FormerKey string `json:"former_key,omitempty"`
}

// PlanMetadata makes a part of a network's metadata be the text, or none where
// that is "", in the running network (live) or in its definition.
func PlanMetadata(have Network, u MetadataUpdate, text string, live bool) Plan {
	what, layer := string(u.Kind), "in the definition of network "+show(have.Name)
	if live {
		layer = "in running network " + show(have.Name)
	}
	if u.Kind == Element {
		what = "metadata " + show(u.URI)
	}
	verb, why := "set ", "it says something else"
	switch {
	case text == "":
		verb, why = "remove ", "it is there"
	case u.Former == "":
		why = "there is none"
	}
	p := Plan{Network: have.Name}.clone()
	p.Steps = append(p.Steps, PlanStep{Do: SetMetadata, Object: have.Name, Document: text, Metadata: &u, Live: live, Config: !live,
		Say: verb + what + " " + layer, Why: why})
	return p
}

func (t step) metadata(ctx context.Context) (undo, error) {
	if t.s.Metadata == nil {
		return undo{}, &Error{Op: opMetadata, Object: "network " + show(t.s.Object), Message: "no metadata to set", Kind: ErrInvalid}
	}
	u := *t.s.Metadata
	back := u
	back.Key, back.Former, back.FormerKey = u.FormerKey, t.s.Document, u.Key
	return t.change(ctx,
		func(ctx context.Context) error { return t.h.SetMetadata(ctx, t.s.Object, u, t.s.Document, t.s.Live) },
		func(ctx context.Context) error { return t.h.SetMetadata(ctx, t.s.Object, back, u.Former, t.s.Live) })
}
