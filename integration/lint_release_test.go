package integration

import (
	"strconv"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/lint"
)

// byRelease are documents that some libvirts take and others do not, and their
// neighbours.
var byRelease = []string{
	network("<title>T</title>"),
	network("<description>D</description>"),
	network("<domain name='x' register='no'/>"),
	network("<domain name='x' register='yes'/>"),
	network("<domain name='x' localOnly='yes' register='yes'/>"),
	network("<dns><forwarder addr='1.1.1.1' port='5353'/></dns>"),
	network("<forward mode='open'/>"),
	network("<forward mode='nat'/>"),
	network("<forward mode='open'/><ip address='10.9.0.1' prefix='24'/>"),
}

func network(inside string) string {
	return "<network><name>n</name>" + inside + "</network>"
}

// TestLintByRelease holds lint's verdict for the libvirt of the host against
// that libvirt's own.
func TestLintByRelease(t *testing.T) {
	t.Parallel()
	v := newVirsh(t)
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
