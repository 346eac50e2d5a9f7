package integration

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kvnet/kvnet/integration/host"
	"github.com/kvnet/kvnet/lint"
)

// notYet are documents that libvirt 9.0's schema does not know yet.
var notYet = []string{"element-unknown/quiet/2.xml"} // title and description, of 9.7

// deadly are the rules of guests whose start ends libvirt 9.0 itself: none of
// them is started here.
var deadly = []string{"guest-type-unusable"}

// TestLint holds lint's verdict against libvirt's own, on a sealed host with
// the real network and QEMU drivers: what a rule says libvirt refuses is
// refused, when the rule says so, and what lint is silent about is taken.
func TestLint(t *testing.T) {
	t.Parallel()
	v := newVirsh(t, os.Getenv("KVNET_TEST_ROOT"))
	refused := map[string]lint.Refusal{}
	for _, r := range lint.Rules() {
		refused[r.ID] = r.Refused
	}
	archives, err := filepath.Glob("../lint/testdata/*.txtar")
	if err != nil || len(archives) < len(refused) {
		t.Fatalf("%d archives for %d rules: %v", len(archives), len(refused), err)
	}
	documents := 0
	for _, file := range archives {
		rule := strings.TrimSuffix(filepath.Base(file), ".txtar")
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range folders(a) {
			files := in(a, name)
			documents += len(files)
			want := refused[rule]
			switch {
			case slices.Contains(notYet, rule+"/"+name):
				want = lint.BySchema
			case strings.HasPrefix(name, "quiet/"), slices.Contains(deadly, rule):
				want = taken
			}
			if why := v.holds(files, want); why != "" {
				t.Errorf("%s/%s: %s", rule, name, why)
			}
		}
	}
	t.Logf("%d documents of %d rules held against libvirt", documents, len(refused))
}

// TestLintOnHost holds what lint says against a host, and libvirt's own word,
// against sealed hosts.
func TestLintOnHost(t *testing.T) { scripts(t, machineRoad(t), all(t, "testdata/lint")) }

// taken is what libvirt does with documents that lint is silent about: it
// takes them, its schema included.
const taken lint.Refusal = "taken"

// folders are the cases of an archive: fires/1.xml, quiet/2 with its files.
// Those against a host are told to libvirt in testdata/lint.
func folders(a *txtar.Archive) []string {
	var names []string
	for _, f := range a.Files {
		name := f.Name
		if slices.ContainsFunc(a.Files, func(h txtar.File) bool { return h.Name == path.Dir(name)+"/host.json" }) {
			continue
		}
		if dir := path.Dir(name); strings.Contains(dir, "/") {
			name = dir
		}
		if strings.Contains(name, "/") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// in are the documents of a case.
func in(a *txtar.Archive, name string) []string {
	var documents []string
	for _, f := range a.Files {
		if f.Name == name || path.Dir(f.Name) == name {
			documents = append(documents, string(f.Data))
		}
	}
	return documents
}

// virsh is a host whose libvirt is asked.
type virsh struct {
	t    *testing.T
	host *host.Host
	dir  string // seen inside, too
}

func newVirsh(t *testing.T, root string) virsh {
	t.Helper()
	dir := t.TempDir()
	h, err := host.Start(t.Context(), host.Options{Root: root, Bind: []string{programs, dir}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return virsh{t, h, dir}
}

// run returns virsh's complaint, "" when it has none.
func (v virsh) run(args ...string) string {
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	res, err := v.host.Exec(ctx, append([]string{"virsh", "-q"}, args...)...)
	if err != nil {
		v.t.Fatal(err)
	}
	if res.Code == 0 {
		return ""
	}
	return strings.TrimSpace(res.Stderr)
}

// define gives a document to libvirt.
func (v virsh) define(document string, flags ...string) string {
	file := filepath.Join(v.dir, "document.xml")
	if err := os.WriteFile(file, []byte(document), 0o644); err != nil {
		v.t.Fatal(err)
	}
	command := "net-define"
	if strings.Contains(document, "<domain type") {
		command = "define"
	}
	return v.run(append([]string{command, file}, flags...)...)
}

// holds says why libvirt does not do what is wanted with documents.
func (v virsh) holds(documents []string, want lint.Refusal) string {
	complaint, defined := "", false
	defer func() {
		if defined {
			v.clear()
		}
	}()
	for i, d := range documents {
		var flags []string
		if want == lint.BySchema || want == taken {
			flags = []string{"--validate"}
		}
		complaint = v.define(d, flags...)
		defined = defined || complaint == ""
		if complaint != "" && i < len(documents)-1 {
			return fmt.Sprintf("document %d is refused: %s", i+1, complaint)
		}
	}
	switch {
	case want == lint.AtDefine || want == lint.BySchema:
		if complaint == "" {
			return "libvirt takes it, and the rule says that it does not (" + string(want) + ")"
		}
		return ""
	case complaint != "":
		return "libvirt refuses it: " + complaint
	case want != lint.AtStart:
		return ""
	}
	for i, d := range documents {
		complaint = v.start(d)
		if last := i == len(documents)-1; last == (complaint == "") {
			return fmt.Sprintf("starting document %d: %q; the rule says that the last one, and no other, does not start", i+1, complaint)
		}
	}
	return ""
}

// start starts what a document defines, known by its first name.
func (v virsh) start(document string) string {
	_, rest, _ := strings.Cut(document, "<name>")
	name, _, _ := strings.Cut(rest, "</name>")
	if strings.Contains(document, "<domain type") {
		return v.run("start", name)
	}
	return v.run("net-start", name)
}

// clear takes away every guest and network.
func (v virsh) clear() {
	res, err := v.host.Exec(v.t.Context(), "sh", "-c", `
for d in $(virsh -q list --all --uuid); do virsh -q destroy "$d"; virsh -q undefine "$d"; done
for n in $(virsh -q net-list --all --uuid); do virsh -q net-destroy "$n"; virsh -q net-undefine "$n"; done`)
	if err != nil {
		v.t.Fatalf("clear the host: %v %s", err, res.Stderr)
	}
}
