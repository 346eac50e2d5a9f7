package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/integration/host"
)

// newer is the root folder with a newer Debian's libvirt, which setup.sh makes.
const newer = "../.cache/trixie"

// road is a libvirt with its firewall backend: what works on one road is to
// work on all.
type road struct {
	root     string // the root folder of its release; "" is the machine's own
	firewall string // "" is libvirt's own choice
	version  string // such as 11.3.0
}

// TestFaultsIPTables and those below run scripts on a newer libvirt, which has
// two backends for its rules. With the old one, scripts that have nothing to
// do with either are left to the machine's libvirt.
func TestFaultsIPTables(t *testing.T) {
	scripts(t, findRoad(t, newer, host.IPTables), touchy(t, "testdata/fault"))
}

func TestHealthyIPTables(t *testing.T) {
	scripts(t, findRoad(t, newer, host.IPTables), touchy(t, "testdata/healthy"))
}

func TestStoryNFTables(t *testing.T) {
	scripts(t, findRoad(t, newer, host.NFTables), touchy(t, "testdata/story"))
}

func TestFaultsNFTables(t *testing.T) {
	scripts(t, findRoad(t, newer, host.NFTables), all(t, "testdata/fault"))
}

func TestHealthyNFTables(t *testing.T) {
	// A hundred guests take their time, and are the same to every backend.
	crowd := func(file string) bool { return filepath.Base(file) == "crowd.txtar" }
	scripts(t, findRoad(t, newer, host.NFTables), slices.DeleteFunc(all(t, "testdata/healthy"), crowd))
}

// machineRoad is the machine's own libvirt, unless the environment names
// another.
func machineRoad(t *testing.T) road {
	return findRoad(t, os.Getenv("KVNET_TEST_ROOT"), os.Getenv("KVNET_TEST_FIREWALL"))
}

// findRoad asks a libvirt for its release.
func findRoad(t *testing.T, root, firewall string) road {
	t.Helper()
	if root != "" {
		var err error
		if root, err = filepath.Abs(root); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("find the other libvirt: there is no folder %s: make test makes it (./setup.sh root)", root)
		}
	}
	h := host.NewFrom(t, host.Options{Root: root, Firewall: firewall})
	said := h.MustExec(t, "libvirtd", "--version")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(said)
	return road{root: root, firewall: firewall, version: words[len(words)-1]}
}

// holds answers a script's condition: libvirt>=11.3, nftables.
func (r road) holds(condition string) (bool, error) {
	if want, ok := strings.CutPrefix(condition, "libvirt>="); ok {
		have, limit, err := releases(r.version, want)
		return have >= limit, err
	}
	switch condition {
	case host.NFTables:
		return r.firewall == host.NFTables, nil
	}
	return false, fmt.Errorf("no condition %q", condition)
}

// releases turns two releases into numbers.
func releases(a, b string) (first, second int, err error) {
	for _, r := range []struct {
		text   string
		number *int
	}{{a, &first}, {b, &second}} {
		var major, minor int
		if _, err := fmt.Sscanf(r.text+".0", "%d.%d", &major, &minor); err != nil {
			return 0, 0, fmt.Errorf("parse release %q: %w", r.text, err)
		}
		*r.number = major*1000 + minor
	}
	return first, second, nil
}

// touches are the words of scripts that start networks or daemons anew, or
// work on the packet filter.
var touches = regexp.MustCompile(`(?m)^[^#\n]*(net-(start|destroy|create|restart)|libvirtd -d|\b(nft|ip6?tables|ebtables|conntrack)\b)`)

func touchy(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	for _, file := range all(t, dir) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if touches.Match(text) {
			files = append(files, file)
		}
	}
	return files
}

// all are the scripts of a folder.
func all(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("find scripts: %d in %s: %v", len(files), dir, err)
	}
	return files
}
