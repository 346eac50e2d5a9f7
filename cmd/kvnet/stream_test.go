package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/verify"
)

// library is what encoding/json writes of value.
func library(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func streamed(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	e := &env{out: &b, format: "json"}
	if err := e.print(value, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type plainPart struct {
	A string `json:"a"`
	B int    `json:"b,omitempty"`
}

type partWithLists struct {
	plainPart

	List []string `json:"list"`
}

type ownWriting struct{ List []int }

func (ownWriting) MarshalJSON() ([]byte, error) { return []byte(`{"own" : "<&>"}`), nil }

type pointerWriting struct{ List []int }

func (*pointerWriting) MarshalJSON() ([]byte, error) { return []byte(`"pointer"`), nil }

type tree struct {
	Name string           `json:"name"`
	Kids []tree           `json:"kids,omitempty"`
	Next *tree            `json:"next,omitempty"`
	Map  map[string][]int `json:"map,omitempty"`
}

// What is written in pieces is what encoding/json writes, byte by byte, of
// values of every shape and of every saved host and its report.
func TestStreamIsJSON(t *testing.T) {
	type odd struct {
		Lists   []string       `json:"lists"`
		None    []string       `json:"none,omitempty"`
		Hidden  []string       `json:"-"`
		Unnamed []int          //nolint:tagliatelle // a field without a tag is written by its own name
		Bytes   []byte         `json:"bytes"`
		Quoted  string         `json:"quo\u00e9ted"`
		Time    time.Time      `json:"time,omitzero"`
		Address netip.Addr     `json:"address,omitzero"`
		Prefix  netip.Prefix   `json:"prefix"`
		Array   [2]int         `json:"array,omitempty"`
		Struct  plainPart      `json:"struct,omitempty"` //nolint:modernize // omitempty leaves no structure away
		Part    partWithLists  `json:"part"`
		Own     []ownWriting   `json:"own"`
		Pointer pointerWriting `json:"pointer"`
		Any     any            `json:"any"`
		Ref     *partWithLists `json:"ref"`
		Refs    []*plainPart   `json:"refs"`
		Raw     json.RawMessage
		private []string
	}
	full := odd{
		Lists: []string{"", "a\"\\b", "{[,:]}", "\u2028<&>\xff"}, None: []string{"x"}, Unnamed: []int{1, 2}, Bytes: []byte("bytes"), Quoted: "\\",
		Time: time.Unix(1, 0).UTC(), Address: netip.MustParseAddr("10.0.0.1"), Array: [2]int{1, 2}, Own: []ownWriting{{}, {List: []int{1}}},
		Any: map[string]any{"b": []int{}, "a": []any{map[string]any{}}}, Ref: &partWithLists{List: []string{}}, Refs: []*plainPart{nil, {A: "x", B: 1}},
		Raw: json.RawMessage(` { "a" : [ 1 , "b c" ] , "e" : { } } `), private: []string{"x"},
	}
	values := []any{
		nil, 1, "a", []int(nil), []int{}, [][]int{{}, nil, {1}}, struct{}{}, struct {
			A []int `json:"a,omitempty"`
		}{}, odd{}, full, &full, []odd{full, {}}, tree{}, tree{Name: "a", Kids: []tree{{Name: "b", Next: &tree{Kids: []tree{{}}}}}, Map: map[string][]int{"x": {1}}},
		struct {
			T tree `json:"t"`
			L []int
		}{},
	}
	for _, v := range values {
		if diff := cmp.Diff(library(t, v), streamed(t, v)); diff != "" {
			t.Errorf("%T (-encoding/json +streamed):\n%s", v, diff)
		}
	}
	hosts, err := filepath.Glob("../../verify/testdata/*/snapshot.json")
	if err != nil || len(hosts) < 100 {
		t.Fatalf("%d saved hosts, %v", len(hosts), err)
	}
	for _, path := range hosts {
		s, err := readSnapshot(t.Context(), &env{}, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{s, &s, verify.Judge(s)} {
			if diff := cmp.Diff(library(t, v), streamed(t, v)); diff != "" {
				t.Errorf("%s (-encoding/json +streamed):\n%s", path, diff)
			}
		}
	}
}

// counted says how many of its kind were encoded.
type counted struct{ so *int }

func (c counted) MarshalJSON() ([]byte, error) {
	*c.so++
	return json.Marshal("a text of some length, so that the buffer is filled")
}

type atFirstWrite func()

func (f atFirstWrite) Write(b []byte) (int, error) { f(); return len(b), nil }

// A large document leaves while it is made: no more of it than a buffer is in
// memory.
func TestPrintStreams(t *testing.T) {
	for _, format := range []string{"json", "yaml"} {
		made, first := 0, 0
		e := &env{format: format, out: atFirstWrite(func() {
			if first == 0 {
				first = made
			}
		})}
		list := make([]counted, 100000)
		for i := range list {
			list[i].so = &made
		}
		value := struct {
			Inner struct {
				List []counted `json:"list"`
			} `json:"inner"`
		}{}
		value.Inner.List = list
		if err := e.print(value, nil); err != nil {
			t.Fatal(err)
		}
		if made != len(list) || first > len(list)/10 {
			t.Errorf("%s: %d of %d were made when the first bytes left", format, first, made)
		}
	}
}

// A report as JUnit, too: of ten thousand findings it leaves in many pieces.
func TestJUnitStreams(t *testing.T) {
	r := verify.Report{Findings: make([]verify.Finding, 10000)}
	for i := range r.Findings {
		r.Findings[i] = verify.Finding{Check: "tap-orphan", Severity: verify.Error, Subject: "vnet0", Message: "a text of some length"}
	}
	writes := 0
	if err := (&env{out: atFirstWrite(func() { writes++ })}).writeJUnit(r); err != nil || writes < 10 {
		t.Errorf("%d writes, error %v", writes, err)
	}
}

// An encoding that fails is told, and does not replace a file.
func TestStreamFailure(t *testing.T) {
	bad := struct {
		List []any `json:"list"`
	}{[]any{func() {}}}
	e := &env{out: io.Discard, format: "json"}
	err := e.print(bad, nil)
	if err == nil || err.Error() != "write json: json: unsupported type: func()" {
		t.Errorf("error %v", err)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("former"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, func(w *bufio.Writer) error { return encodeJSON(w, bad) }); err == nil {
		t.Error("no error")
	}
	if have, err := os.ReadFile(path); string(have) != "former" {
		t.Errorf("%q, %v", have, err)
	}
}
