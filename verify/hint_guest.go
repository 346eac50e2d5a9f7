package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

// silentGuests: running guests of which the host has seen nothing, though its
// own side is clean.
func silentGuests(p *pass) (message, probe string) {
	unclean := slices.ContainsFunc(p.report.Findings, func(f Finding) bool { return f.Severity != Info })
	// A bridge with ports has entries of its own: none at all is a table not read.
	if unclean || p.toldBy("fdb-unknown-mac", "guest-neigh-failed") || !p.kernelKnown() || len(p.snap.Kernel.FDB) == 0 || len(p.gaps.lacks[FDB]) > 0 || len(p.gaps.lacks[Neighbours]) > 0 {
		return "", ""
	}
	heard := p.heardMACs()
	var silent []string
	for i := range p.nics {
		n := &p.nics[i]
		switch {
		case !n.running() || n.tap == nil || n.port == nil || n.iface.MAC == "" || !p.asked(n.subject.subject()):
		case n.net != nil && n.net.Active && !n.net.LeasesKnown && p.owners[n.bridge] == n.net:
		case heard[strings.ToLower(n.iface.MAC)] || slices.Contains(silent, n.guest.Name):
		default:
			silent = append(silent, n.guest.Name)
		}
	}
	if len(silent) == 0 {
		return "", ""
	}
	return fmt.Sprintf("nothing was heard of %s lately, neither a frame nor an address: whether the system inside is up, has a driver and is configured is not seen from here", guestsNamed(silent)),
		shellJoin([]string{"virsh", "domifaddr", silent[0], "--source", "agent"})
}

// heardMACs are the MACs that were learned, have a lease, or answered for an address.
func (p *pass) heardMACs() map[string]bool {
	macs := map[string]bool{}
	for i := range p.snap.Kernel.FDB {
		if e := &p.snap.Kernel.FDB[i]; e.State == bridge.FDBLearned {
			macs[strings.ToLower(e.MAC)] = true
		}
	}
	for i := range p.snap.Kernel.Neighbours {
		macs[strings.ToLower(p.snap.Kernel.Neighbours[i].MAC)] = true
	}
	for i := range p.snap.Libvirt.Networks {
		for _, l := range p.liveLeases(&p.snap.Libvirt.Networks[i]) {
			macs[strings.ToLower(l.MAC)] = true
		}
	}
	return macs
}

// busyTable: a table of connections that is half full may overflow between two
// looks, and drops then without a trace here.
func busyTable(p *pass) (message, probe string) {
	said, known := p.sysctl(conntrackCount)
	limit, bounded := p.sysctl(conntrackMax)
	have, err1 := strconv.ParseInt(said, 10, 64)
	most, err2 := strconv.ParseInt(limit, 10, 64)
	if !known || !bounded || err1 != nil || err2 != nil || most <= 0 || 2*have < most || !p.inUse() || p.toldBy("conntrack-full") {
		return "", ""
	}
	return fmt.Sprintf("%d of %d connections are tracked: whether the table overflows at times, and drops new ones, is not seen from here", have, most), "conntrack -S"
}
