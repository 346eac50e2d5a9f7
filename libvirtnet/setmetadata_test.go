package libvirtnet

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Metadata is set layer by layer, and what it was comes back, newest first, when
// a later step fails.
func TestApplyMetadata(t *testing.T) {
	lab := Network{Name: "lab", Active: true, Persistent: true}
	element := MetadataUpdate{Kind: Element, URI: "urn:x", Key: "new", Former: "<a/>", FormerKey: "old"}
	p := PlanMetadata(lab, element, "<b/>", false).With(
		PlanMetadata(lab, element, "", true),
		PlanMetadata(lab, MetadataUpdate{Kind: Title}, "words", true))
	forth := []string{
		`metadata element urn:x "<b/>" under new, live false lab`,
		`metadata element urn:x "" under new, live true lab`,
		`metadata title  "words" under , live true lab`,
	}
	h := newHost()
	if err := apply(t.Context(), h, p, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(forth, h.log); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}

	h = newHost()
	no := errors.New("no")
	var undone *UndoneError
	if err := apply(t.Context(), h, p, func(context.Context) error { return no }); !errors.As(err, &undone) || !errors.Is(err, no) || len(undone.Left) > 0 {
		t.Fatal(err)
	}
	want := append(forth,
		`metadata title  "" under , live true lab`,
		`metadata element urn:x "<a/>" under old, live true lab`,
		`metadata element urn:x "<a/>" under old, live false lab`)
	if diff := cmp.Diff(want, h.log); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}

	h = newHost()
	err := apply(t.Context(), h, Plan{Steps: []PlanStep{{Do: SetMetadata, Object: "lab"}}}, nil)
	if !errors.Is(err, ErrInvalid) || len(h.log) > 0 {
		t.Errorf("a step that says nothing: %v, %v", err, h.log)
	}
}

func TestPlanMetadataSays(t *testing.T) {
	for _, test := range []struct {
		u    MetadataUpdate
		text string
		live bool
		say  string
	}{
		{MetadataUpdate{Kind: Title}, "t", true, "set title in running network lab: there is none"},
		{MetadataUpdate{Kind: Description, Former: "old"}, "d", false, "set description in the definition of network lab: it says something else"},
		{MetadataUpdate{Kind: Element, URI: "urn:x", Former: "<a/>"}, "", false, "remove metadata urn:x in the definition of network lab: it is there"},
	} {
		s := PlanMetadata(Network{Name: "lab"}, test.u, test.text, test.live).Steps[0]
		if have := s.Say + ": " + s.Why; have != test.say || s.Live != test.live || s.Config == test.live {
			t.Errorf("have %q (%+v), want %q", have, s, test.say)
		}
	}
}
