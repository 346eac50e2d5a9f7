// Package house_test keeps the rules of the house that can be asked of the
// sources: who imports whom, what is explained where, what things are called.
// It needs no root and no sealed host.
package house_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kvnet/kvnet"

// floors says which packages of the project a package may import; tests may
// look further. A new package needs a row here and a card in
// docs/architecture.md.
var floors = map[string][]string{
	"xml":              nil,
	"bridge/socket":    nil,
	"bridge":           {"bridge/socket"},
	"bridge/firewall":  {"bridge/socket"},
	"lint":             {"xml"},
	"libvirtnet":       {"xml"},
	"services":         nil,
	"journal":          {"bridge", "libvirtnet", "verify", "xml"},
	"verify":           {"bridge", "bridge/firewall", "libvirtnet", "services", "xml"},
	"cmd/kvnet":        {"bridge", "bridge/firewall", "journal", "libvirtnet", "lint", "services", "verify", "xml"},
	"cmd/kvlab":        {"integration/host"},
	"integration":      nil,
	"integration/host": nil,

	// Programs of the benchmarks.
	"integration/cutoff": nil,
	"integration/floor":  nil,
	"integration/race":   nil,
}

// strangers says which modules a package must not reach, not even through
// others.
var strangers = map[string][]string{
	"xml":              {"libvirt.org/go/libvirt", "github.com/vishvananda/netlink", "golang.org/x/sys"},
	"lint":             {"libvirt.org/go/libvirt", "github.com/vishvananda/netlink", "golang.org/x/sys"},
	"bridge/socket":    {"libvirt.org/go/libvirt", "github.com/vishvananda/netlink"},
	"bridge":           {"libvirt.org/go/libvirt", "libvirt.org/go/libvirtxml", "github.com/beevik/etree"},
	"bridge/firewall":  {"libvirt.org/go/libvirt", "libvirt.org/go/libvirtxml", "github.com/beevik/etree"},
	"libvirtnet":       {"github.com/vishvananda/netlink"},
	"services":         {"libvirt.org/go/libvirt", "libvirt.org/go/libvirtxml", "github.com/vishvananda/netlink"},
	"integration/host": {"libvirt.org/go/libvirt"},
	"cmd/kvlab":        {"libvirt.org/go/libvirt"},
}

// noRooms are folder names that say nothing about what is inside.
var noRooms = []string{"internal", "pkg", "util", "utils", "common", "model", "models", "helpers"}

type listed struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	Imports    []string
	Module     *struct{ Path string }
}

func TestFloors(t *testing.T) {
	for _, p := range goList(t, "1", "./...") {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		allowed, known := floors[room]
		if !known {
			t.Errorf("package %s stands on no floor: give it a row in this test and a card in docs/architecture.md", room)
		}
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module+"/"); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s: it may import %v", room, other, allowed)
			}
		}
		checkDoc(t, p)
	}
}

// checkDoc wants a doc.go that says what the package is. Programs of one file
// that only tests run may say it there.
func checkDoc(t *testing.T, p listed) {
	t.Helper()
	name := "doc.go"
	if strings.HasPrefix(p.ImportPath, module+"/integration/") && p.Name == "main" && len(p.GoFiles) == 1 {
		name = p.GoFiles[0]
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Errorf("%s has no %s: %v", p.ImportPath, name, err)
		return
	}
	if len(strings.Fields(file.Doc.Text())) < 20 {
		t.Errorf("%s: %s says too little: what it is, what it is not, its contract, how to look inside", p.ImportPath, name)
	}
}

func TestFloorsReachNoStrangers(t *testing.T) {
	for room, modules := range strangers {
		for _, p := range goList(t, "1", "-deps", "./"+room) {
			if p.Module != nil && slices.Contains(modules, p.Module.Path) {
				t.Errorf("%s reaches %s through %s", room, p.Module.Path, p.ImportPath)
			}
		}
	}
}

// The judge needs no C compiler and no libvirt, not even to be built.
func TestJudgeBuildsWithoutCgo(t *testing.T) {
	for _, p := range goList(t, "0", "-deps", "./verify") {
		if p.ImportPath == "libvirt.org/go/libvirt" || p.ImportPath == "runtime/cgo" || p.ImportPath == "C" {
			t.Errorf("verify reaches %s without cgo", p.ImportPath)
		}
	}
	goTool(t, "0", "build", "./xml", "./bridge", "./bridge/firewall", "./libvirtnet", "./services", "./verify")
}

// go.mod and the table in docs/dependencies.md name the same modules: each
// was chosen for a reason that somebody can read.
func TestDependenciesAreExplained(t *testing.T) {
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err := json.Unmarshal(goTool(t, "1", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("^\\| `([^`]+)` \\| (v[^ ]+) \\| (.+) \\|$")
	explained, waiting := map[string]string{}, map[string]bool{}
	var section string
	for _, line := range lines(t, filepath.Join(top(t), "docs/dependencies.md")) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section = heading
		}
		if m := row.FindStringSubmatch(line); m != nil {
			explained[m[1]] = m[2]
			waiting[m[1]] = section == "Chosen, not used yet"
		}
	}
	used := map[string]bool{}
	for _, p := range goList(t, "1", "-deps", "-test", "./...") {
		if p.Module != nil {
			used[p.Module.Path] = true
		}
	}
	for _, r := range mod.Require {
		if explained[r.Path] != r.Version {
			t.Errorf("go.mod has %s %s, docs/dependencies.md has %q", r.Path, r.Version, explained[r.Path])
		}
		if !r.Indirect && used[r.Path] == waiting[r.Path] {
			t.Errorf("%s: used is %v, docs/dependencies.md says %v", r.Path, used[r.Path], !waiting[r.Path])
		}
		delete(explained, r.Path)
	}
	for path, version := range explained {
		t.Errorf("docs/dependencies.md has %s %s, go.mod does not", path, version)
	}
}

// Every command that the program shows, and every flag, is in the contract.
func TestCommandsAreInTheContract(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top(t), "docs/cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "kvnet")
	goTool(t, "1", "build", "-buildvcs=false", "-tags", tags, "-o", program, "./cmd/kvnet")
	help := func(args ...string) []byte {
		out, err := exec.CommandContext(t.Context(), program, append(args, "--help")...).Output()
		if err != nil {
			t.Fatalf("kvnet %v --help: %v", args, err)
		}
		return out
	}
	command := regexp.MustCompile(`(?m)^   ([a-z]+(?:-[a-z]+)*)(?: [A-Z\[{].*?)?   `)
	flag := regexp.MustCompile(`(?m)^   (--[a-z0-9-]+)`)
	commands := command.FindAllSubmatch(help(), -1)
	if len(commands) < 20 {
		t.Fatalf("help shows %d commands:\n%s", len(commands), help())
	}
	for _, c := range commands {
		if !regexp.MustCompile("`" + string(c[1]) + "[` ]").Match(page) {
			t.Errorf("command %s is not in docs/cli.md", c[1])
		}
		for _, f := range flag.FindAllSubmatch(help(string(c[1])), -1) {
			if !regexp.MustCompile(string(f[1]) + `[^a-z0-9-]`).Match(page) {
				t.Errorf("flag %s of %s is not in docs/cli.md", f[1], c[1])
			}
		}
	}
}

func TestRoomsHaveNames(t *testing.T) {
	unfinished := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	root := top(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == ".cache" || name == "bin"):
			return filepath.SkipDir
		case d.IsDir() && slices.Contains(noRooms, name):
			t.Errorf("%s: name the folder after what it holds", path)
		case strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".sh") || name == "Makefile":
			for i, line := range lines(t, path) {
				if unfinished.MatchString(line) {
					t.Errorf("%s:%d: unfinished work belongs in the issue tracker: %s", path, i+1, line)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tags are those of the Makefile.
const tags = "libvirt_dlopen,libvirt_without_qemu,libvirt_without_lxc,urfave_cli_no_docs"

func goList(t *testing.T, cgo string, args ...string) []listed {
	t.Helper()
	args = append([]string{"list", "-buildvcs=false", "-tags", tags, "-json=ImportPath,Dir,Name,GoFiles,Imports,Module"}, args...)
	dec := json.NewDecoder(bytes.NewReader(goTool(t, cgo, args...)))
	var all []listed
	for dec.More() {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("read go list: %v", err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatalf("go %v lists nothing", args)
	}
	return all
}

// goTool runs the go command in the top folder and returns its output.
func goTool(t *testing.T, cgo string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = top(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// top is the folder of go.mod.
func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}
