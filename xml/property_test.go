package xml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"
)

// What is built fulfils the wish, is sound, and is the same when built again.
func TestBuildFulfils(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawWish(t, rapid.SampledFrom(Modes).Draw(t, "mode"))
		if err := Check(want); err != nil {
			t.Fatalf("drawn: %v", err)
		}
		doc, err := Build(want)
		if err != nil {
			t.Fatal(err)
		}
		have, err := Parse(doc)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if changes := Changes(have, want); len(changes) > 0 {
			t.Fatalf("%v\n%s", changes, doc)
		}
		if have.Other != nil {
			t.Fatalf("%v has no field\n%s", have.Other, doc)
		}
		if drift := Drift(have, want); len(drift) > 0 {
			t.Fatalf("%v\n%s", drift, doc)
		}
		again, err := Build(have)
		if err != nil || again != doc {
			t.Fatalf("%v\n%s\nagain:\n%s", err, doc, again)
		}
	})
}

// sprinkle puts unknown elements, attributes and comments all over a document.
func sprinkle(t *rapid.T, doc string) (string, []string) {
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		t.Fatal(err)
	}
	tree.Root().CreateAttr("xmlns:u", "urn:u")
	var marks []string
	mark := func() string {
		marks = append(marks, fmt.Sprintf("mark%d.", len(marks)))
		return marks[len(marks)-1]
	}
	places := []*etree.Element{tree.Root()}
	for _, tag := range []string{"forward", "bridge", "dns", "domain"} {
		if e := child(tree.Root(), tag); e != nil {
			places = append(places, e)
		}
	}
	for range rapid.IntRange(1, 6).Draw(t, "marks") {
		e := rapid.SampledFrom(places).Draw(t, "place")
		at := rapid.IntRange(0, len(e.Child)).Draw(t, "at")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			e.InsertChildAt(at, etree.NewComment(mark()))
		case 1:
			e.CreateAttr("u:"+strings.TrimSuffix(mark(), ".")+"-", marks[len(marks)-1])
		case 2:
			c := etree.NewElement("u:thing")
			c.CreateAttr("name", mark())
			e.InsertChildAt(at, c)
		case 3:
			c := etree.NewElement("unknown")
			c.SetText(mark())
			e.InsertChildAt(at, c)
		}
	}
	out, err := tree.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return out, marks
}

// Editing any document to any wish fulfils the wish, loses nothing unknown,
// and a second time changes nothing.
func TestEditFulfils(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom(Modes).Draw(t, "mode")
		doc, err := Build(drawWish(t, mode))
		if err != nil {
			t.Fatal(err)
		}
		doc, marks := sprinkle(t, doc)
		want := drawWish(t, mode) // another mode takes elements out, see TestEditMode
		want.UUID = ""
		out, err := Edit(doc, want)
		if err != nil {
			return // the two together are unsound: refused as a whole
		}
		have, err := Parse(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if changes := Changes(have, want); len(changes) > 0 {
			t.Fatalf("%v\n%s\nbecame\n%s", changes, doc, out)
		}
		for _, m := range marks {
			if strings.Count(out, m) != 1 {
				t.Fatalf("%s is lost\n%s\nbecame\n%s", m, doc, out)
			}
		}
		if lost := unwished(t, doc, have, want); lost != "" {
			t.Fatalf("%s is not wished\n%s\nbecame\n%s", lost, doc, out)
		}
		again, err := Edit(out, want)
		if err != nil || again != out {
			t.Fatalf("%v\n%s\nagain\n%s", err, out, again)
		}
	})
}

// unwished is a thing that have no longer says as doc did, although the wish
// is silent about it; "" where there is none.
func unwished(t *rapid.T, doc string, have, want Network) string {
	before, err := Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	after, wishes := list(have), list(want)
	wished := map[string]bool{}
	for _, f := range wishes.facts {
		wished[f.path] = f.wished
	}
	for _, f := range list(before).facts {
		switch {
		case wished[f.path], f.in != "" && wishes.wished[f.in]:
		case strings.HasPrefix(f.path, "ip[") && wishes.wished["ip"]: // went with its subnet
		case before.Mode == HostBridge && (f.path == "bridge" || f.path == "forward.dev"): // one replaces the other
		case after.values[f.path] != f.value:
			return f.path
		}
	}
	return ""
}

// Modes come and go, and every document on the way is sound.
func TestEditModes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := Build(drawWish(t, rapid.SampledFrom(Modes).Draw(t, "mode")))
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			want := drawWish(t, rapid.SampledFrom(Modes).Draw(t, "next mode"))
			want.UUID = ""
			out, err := Edit(doc, want)
			if err != nil {
				continue
			}
			have, err := Parse(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(have); err != nil {
				t.Fatalf("%v\n%s\nbecame\n%s", err, doc, out)
			}
			if changes := Changes(have, want); len(changes) > 0 {
				t.Fatalf("%v\n%s\nbecame\n%s", changes, doc, out)
			}
			doc = out
		}
	})
}
