package integration

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/integration/host"
	"github.com/kvnet/kvnet/lint"
)

// byRelease are documents that some libvirts take and others do not, and their
// neighbours.
var byRelease = []string{
	networkWith("<title>T</title>"),
	networkWith("<description>D</description>"),
	networkWith("<domain name='x' register='no'/>"),
	networkWith("<domain name='x' register='yes'/>"),
	networkWith("<domain name='x' localOnly='yes' register='yes'/>"),
	networkWith("<dns><forwarder addr='1.1.1.1' port='5353'/></dns>"),
	networkWith("<forward mode='open'/>"),
	networkWith("<forward mode='nat'/>"),
	networkWith("<forward mode='open'/><ip address='10.9.0.1' prefix='24'/>"),
	guestWith("vhostuser", "", "<source type='unix' path='/run/vhost' mode='server'/><model type='virtio'/>"),
	guestWith("vhostuser", "<memoryBacking><access mode='shared'/></memoryBacking>", "<source type='unix' path='/run/vhost' mode='server'/><model type='virtio'/>"),
	guestWith("vdpa", "", "<source dev='/dev/vhost-vdpa-0'/><ip address='10.9.0.5' prefix='24'/>"),
	guestWith("network", "", "<source network='n'/><ip address='10.9.0.5' prefix='24'/>"),
	guestWith("network", "", "<source network='n'/><model type='virtio'/><alias name='ua-x'/><teaming type='persistent'/>"),
	guestWith("network", "", "<source network='n'/><model type='e1000'/><alias name='ua-x'/><teaming type='persistent'/>"),
}

func networkWith(inside string) string {
	return "<network><name>n</name>" + inside + "</network>"
}

func guestWith(kind, memory, inside string) string {
	return "<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory>" + memory + "<os><type arch='x86_64'>hvm</type></os>" +
		"<devices><interface type='" + kind + "'>" + inside + "</interface></devices></domain>"
}

// TestLintByRelease and TestLintByNewer hold lint's verdict for the libvirt of a
// host against that libvirt's own.
func TestLintByRelease(t *testing.T) { lintByRelease(t, os.Getenv("KVNET_TEST_ROOT")) }

func TestLintByNewer(t *testing.T) { lintByRelease(t, findRoad(t, newer, host.IPTables).root) }

func lintByRelease(t *testing.T, root string) {
	t.Parallel()
	v := newVirsh(t, root)
	version := v.version()
	for _, document := range byRelease {
		complaint := v.define(document, "--validate")
		v.clear()
		var refused []lint.Finding
		for _, f := range lint.CheckFor([]lint.File{{Name: "document.xml", Text: document}}, version) {
			if f.Severity == lint.Error && (f.Refused == lint.AtDefine || f.Refused == lint.BySchema) {
				refused = append(refused, f)
			}
		}
		if (complaint == "") != (len(refused) == 0) {
			t.Errorf("%s: libvirt %d says %q, lint says %v", document, version, complaint, refused)
		}
	}
}

// version is the daemon's, as lint has it.
func (v virsh) version() int {
	res, err := v.host.Exec(v.t.Context(), "virsh", "version", "--daemon")
	if err != nil {
		v.t.Fatal(err)
	}
	_, text, _ := strings.Cut(res.Stdout, "Running against daemon: ")
	version := 0
	for _, part := range strings.Split(strings.TrimSpace(text), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			v.t.Fatalf("version %q: %v", text, err)
		}
		version = version*1000 + n
	}
	return version
}
