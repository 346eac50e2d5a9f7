package verify

import (
	"testing"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
)

// A daemon that ended is started by systemd where that runs the host.
func TestEndedDaemon(t *testing.T) {
	for start, systemd := range map[string]bool{"systemctl enable --now libvirtd.service": true, "libvirtd -d": false} {
		s := healthyHost()
		s.Libvirt = libvirtnet.State{
			URI: s.URI, Daemon: libvirtnet.Daemon{Systemd: systemd},
			Gaps: []libvirtnet.Gap{{Source: "connection", Message: "connection refused"}},
		}
		s.around().Daemons = []services.Daemon{{Name: "libvirtd", Socket: "/run/libvirt/libvirt-sock"}}
		r := LookAt(s).Judge(Options{Checks: []string{"net-daemon-down"}})
		if len(r.Findings) != 1 {
			t.Fatalf("have findings %v, want one", r.Findings)
		}
		if have := r.Findings[0].Fix.Commands(); len(have) != 1 || have[0] != start {
			t.Errorf("have the cure %q, want %q", have, start)
		}
	}
}
