package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kvnet/kvnet/integration/host"
)

// tags, compiling and linking are how the program is built, as in the Makefile.
const (
	tags      = "libvirt_dlopen,libvirt_without_qemu,libvirt_without_lxc,urfave_cli_no_docs"
	compiling = "github.com/kvnet/kvnet/...=-l"
	linking   = "-s -w -funcalign=16 -extldflags=-Wl,-Ttext-segment=0x510000"
)

// programs is the folder of the kvnet that is tested.
var programs string

func TestMain(m *testing.M) {
	host.Main()
	code, err := withPrograms(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withPrograms builds what is tested from the sources at hand, so that no old
// binary is ever tested.
func withPrograms(run func() int) (code int, err error) {
	if os.Geteuid() != 0 {
		return 1, fmt.Errorf("run the scripts: sealed hosts need root")
	}
	// Scripts wait most of their time, for ports that listen and learn.
	if err := flag.Set("test.parallel", "4"); err != nil {
		return 1, err
	}
	programs, err = os.MkdirTemp("", "kvnet-programs-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(programs)
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-gcflags", compiling, "-ldflags", linking, "-o", filepath.Join(programs, "kvnet"), "../cmd/kvnet")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build kvnet: %w\n%s", err, out)
	}
	return run(), nil
}

// TestStory plays what a user does, from an empty host to a healed one.
func TestStory(t *testing.T) { scripts(t, machineRoad(t), all(t, "testdata/story")) }

// TestFaults breaks a host in every way that verify knows, one script a check.
func TestFaults(t *testing.T) { scripts(t, machineRoad(t), all(t, "testdata/fault")) }

// TestChange changes hosts, and takes changes back.
func TestChange(t *testing.T) { scripts(t, machineRoad(t), all(t, "testdata/change")) }

// TestChangeNewer makes changes that need a newer libvirt.
func TestChangeNewer(t *testing.T) {
	scripts(t, findRoad(t, newer, host.NFTables), all(t, "testdata/newer"))
}

// TestHealthy makes hosts that look odd and are well: verify says nothing.
func TestHealthy(t *testing.T) { scripts(t, machineRoad(t), all(t, "testdata/healthy")) }

func scripts(t *testing.T, r road, files []string) { scriptsWith(t, r, files, commands()) }

func scriptsWith(t *testing.T, r road, files []string, cmds map[string]command) {
	testscript.Run(t, testscript.Params{
		Files:               files,
		Cmds:                cmds,
		Condition:           r.holds,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		ContinueOnError:     false,
		Setup: func(env *testscript.Env) error {
			env.Values[sceneKey{}] = &scene{road: r}
			env.Setenv("PATH", programs+":/usr/local/sbin:"+os.Getenv("PATH"))
			return nil
		},
	})
}
