package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// Strings that another reading of YAML would take for something else.
var oddStrings = []string{
	"", " ", "yes", "no", "null", "~", "010", "1e3", "0x1f", ".inf", "-", "- a", "a: b", "a #b", "#", "*x", "&x", "!x", "%x", "@x", "`x",
	"52:54:00:12:34:56", "12:34:56", "8000.525400e47583", "2026-11-23", "'", `"`, `\`, "a\nb", "a\n", "\n", "\t", "\x1b", "\u202e", "Büro 網", "{a}", "[a]", "|", ">", "? a", "=", "<<",
	"a\r\nb", "  lead", "trail  ", "\u0085", "\u2028", "on: off", ":", "true",
}

// A string comes back as the same string from JSON and from YAML.
func TestPrintKeepsStrings(t *testing.T) {
	type document struct {
		Items []string `json:"items" yaml:"items"`
	}
	for _, s := range oddStrings {
		want := document{Items: []string{s, "plain"}}
		for format, read := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": yaml.Unmarshal} {
			var out bytes.Buffer
			e := &env{out: &out, format: format}
			if err := e.print(want, nil); err != nil {
				t.Errorf("%s of %q: %v", format, s, err)
				continue
			}
			var have document
			if err := read(out.Bytes(), &have); err != nil {
				t.Errorf("%s of %q: %v in\n%s", format, s, err, out.String())
			} else if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s of %q (-want +have):\n%s\n%s", format, s, diff, out.String())
			}
		}
	}
}

// Nested values keep their shape: YAML, read by another library, is JSON.
func TestPrintYAMLShapes(t *testing.T) {
	for _, doc := range []string{
		`{}`, `[]`, `null`, `"x"`, `1.5`, `[[]]`, `[{}]`, `[[1,[2,"a b"]],{"a":{"b":[{"c":null}]}}]`,
		`{"a":[],"b":{},"c":[{"d":1,"e":[1,2]},{"f":{"g":true}}],"yes":-1}`, `[[{"a":1,"b":2}],"t"]`, `{"a: b":{"\n":"\u0000"}}`,
	} {
		var want, have any
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		e := &env{out: &out, format: "yaml"}
		if err := e.print(json.RawMessage(doc), nil); err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		if err := yaml.Unmarshal(out.Bytes(), &have); err != nil {
			t.Errorf("%s: %v in\n%s", doc, err, out.String())
			continue
		}
		back, err := json.Marshal(have) // one kind of number for both
		if err != nil {
			t.Fatal(err)
		}
		have = nil
		if err := json.Unmarshal(back, &have); err != nil {
			t.Errorf("%s: %v in\n%s", doc, err, out.String())
		} else if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-want +have):\n%s\n%s", doc, diff, out.String())
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestPrintReportsWriteErrors(t *testing.T) {
	for _, format := range []string{"json", "yaml", "table"} {
		e := &env{out: brokenWriter{}, format: format}
		err := e.print([]string{"a"}, func(w io.Writer) { _, _ = io.WriteString(w, "a") })
		if err == nil || err.Error() != "write output: no space left" {
			t.Errorf("%s: error %v", format, err)
		}
	}
}

func TestTable(t *testing.T) {
	tab := table{headings: []string{"Name", "State"}}
	tab.add("default", "active")
	tab.add("網\nforged", "")
	for quiet, want := range map[bool]string{
		false: " Name         State\n----------------------\n default      active\n 網\\nforged   \n",
		true:  " default      active\n 網\\nforged   \n",
	} {
		var out bytes.Buffer
		tab.write(&out, quiet)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("quiet %v (-want +have):\n%s", quiet, diff)
		}
	}
}

func TestPairs(t *testing.T) {
	var p pairs
	p.add("Name", "default")
	p.add("Multicast snooping", "a\nb")
	var out bytes.Buffer
	p.write(&out)
	if diff := cmp.Diff("Name:               default\nMulticast snooping: a\\nb\n", out.String()); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}
