package xml

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is read into testdata")

// TestGolden reads testdata/*/NAME.xml and compares with NAME.json.
func TestGolden(t *testing.T) {
	for folder, read := range map[string]func(string) (any, error){
		"network": func(doc string) (any, error) { return Parse(doc) },
		"guest":   func(doc string) (any, error) { return ParseGuest(doc) },
	} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.xml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no documents: %v", folder, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				doc, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				value, err := read(string(doc))
				if err != nil {
					t.Fatal(err)
				}
				have, err := json.MarshalIndent(value, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				have = append(have, '\n')
				golden := strings.TrimSuffix(file, ".xml") + ".json"
				if *update {
					if err := os.WriteFile(golden, have, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(have)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A network survives the snapshot: JSON holds all that was read.
func TestJSON(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "network", "*.xml"))
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
		text, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		var back Network
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(n, back, plain); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}
