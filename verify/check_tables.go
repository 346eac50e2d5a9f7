package verify

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func tableChecks() []Check {
	return []Check{
		{
			ID: "conntrack-full", Title: "the table of connections is full", Severity: Error, Class: Guarded, Recorded: true,
			Needs: []Need{Networks, Guests, Sysctls},
			Doc: Doc{
				Symptom:  "New connections of any guest fail now and then; the kernel's log says: nf_conntrack: table full, dropping packet.",
				Cause:    "The table is sized by the host's memory and all guests share it; a scan, a flood or many short connections fill it.",
				Evidence: "nf_conntrack_count against nf_conntrack_max: a warning from 90 %, an error from 99 %. A limit of 0 is none.",
				Cure:     "Raise the limit, and the number of buckets with it.",
			},
			run: conntrackFull,
		},
		{
			ID: "neigh-table-overflow", Title: "the table of neighbours is too small", Severity: Error, Class: Safe, Recorded: true,
			Needs: []Need{Networks, Guests},
			Doc: Doc{
				Symptom:  "With hundreds of guests some are not reached now and then; the kernel's log says: neighbor table overflow.",
				Cause:    "gc_thresh3 bounds the ARP and ND entries of all links and namespaces together, by default to 1024.",
				Evidence: "The entries of the table against gc_thresh3: a warning from 80 %, an error when it is full, or was refused entries and is still above 80 %. A warning, too, when twice the running guests that the host talks to exceed gc_thresh2. Past refusals alone say nothing.",
				Cure:     "Raise the thresholds; they exist in the first network namespace only.",
			},
			run: neighTableOverflow,
		},
	}
}

// inUse says whether libvirt has anything running that packets pass for.
func (h *host) inUse() bool {
	if len(h.ownBridges) > 0 {
		return true
	}
	for i := range h.nics {
		if h.nics[i].active {
			return true
		}
	}
	return false
}

const (
	conntrackCount = "net.netfilter.nf_conntrack_count"
	conntrackMax   = "net.netfilter.nf_conntrack_max"
	// amplest is the limit that the cure sets at least.
	amplest = 1 << 20
)

func conntrackFull(p *pass) {
	said, known := p.sysctl(conntrackCount)
	limit, bounded := p.sysctl(conntrackMax)
	if !known || !bounded {
		return // the kernel has no conntrack
	}
	have, err1 := strconv.ParseInt(said, 10, 64)
	most, err2 := strconv.ParseInt(limit, 10, 64)
	s := scope{kind: theHost, link: conntrackMax}
	if len(p.ownBridges) > 0 {
		s.network = p.owners[p.ownBridges[0]].Name
	}
	if err1 != nil || err2 != nil || most <= 0 || !p.inUse() || !p.on(s) || float64(have) < 0.9*float64(most) {
		return
	}
	f := Finding{
		Severity: Warning,
		Message:  fmt.Sprintf("%d of %d connections are tracked: soon new ones of any guest are dropped", have, most),
		Evidence: "sysctl " + conntrackCount, Want: "less than 90 % of " + limit, Have: said,
		Fix: Fix{
			Class: Guarded, Say: "raise the limit, also in /etc/sysctl.d, and nf_conntrack_buckets to a quarter of it; conntrack -S and conntrack -L show who fills the table",
			Steps: []Step{{Do: SetSysctl, On: conntrackMax, With: strconv.FormatInt(max(amplest, 2*most), 10)}},
		},
	}
	if float64(have) >= 0.99*float64(most) {
		f.Severity = Error
		f.Message = fmt.Sprintf("%d of %d connections are tracked: new ones of any guest are dropped", have, most)
	}
	p.found(s, f)
}

func neighTableOverflow(p *pass) {
	if !p.inUse() {
		return
	}
	for i := range p.snap.Kernel.NeighbourTables {
		t := &p.snap.Kernel.NeighbourTables[i]
		s := scope{kind: theHost, link: t.Name}
		if t.Thresh3 <= 0 || !p.on(s) {
			continue
		}
		wanted := 2 * p.talkers(t.Family)
		f := Finding{
			Severity: Warning, Evidence: "RTM_GETNEIGHTBL of " + show(t.Name),
			Want: "less than 80 % of gc_thresh3 = " + strconv.Itoa(t.Thresh3), Have: strconv.Itoa(t.Entries) + " entries",
			Message: fmt.Sprintf("the neighbour table %s has %d entries of at most %d: soon guests are not reached", show(t.Name), t.Entries, t.Thresh3),
			Fix:     widerTable(t, wanted),
		}
		crowded := t.Entries >= t.Thresh3-t.Thresh3/5
		switch {
		case t.Entries >= t.Thresh3-t.Thresh3/50 || crowded && t.Fulls > 0:
			f.Severity = Error
			f.Message = fmt.Sprintf("the neighbour table %s has %d entries of at most %d and refused %d: guests are not reached now and then", show(t.Name), t.Entries, t.Thresh3, t.Fulls)
		case crowded:
		case wanted > t.Thresh2:
			f.Want, f.Have = fmt.Sprintf("gc_thresh2 of %d or more", wanted), "gc_thresh2 = "+strconv.Itoa(t.Thresh2)
			f.Message = fmt.Sprintf("the host talks to %d running guests, and its neighbour table %s holds %d entries for longer than 5 s", wanted/2, show(t.Name), t.Thresh2)
		default:
			continue
		}
		p.found(s, f)
	}
}

// talkers counts the interfaces of running guests that share a link with an
// address of the host's.
func (h *host) talkers(family int) int {
	count := 0
	speaks := map[string]bool{}
	for link, list := range h.addresses {
		for _, a := range list {
			if addr := a.Prefix.Addr().Unmap(); familyOf(addr) == family && !addr.IsLinkLocalUnicast() && !addr.IsLoopback() {
				speaks[link] = true
			}
		}
	}
	for i := range h.nics {
		if n := &h.nics[i]; n.running() && speaks[n.bridge] {
			count++
		}
	}
	return count
}

// widerTable is the cure of a small table: thresholds with room for four times
// what there is, and at least those that busy hosts are given.
func widerTable(t *bridge.NeighbourTable, wanted int) Fix {
	third := 16384
	for third < 4*max(t.Entries, wanted) && third < 1<<24 {
		third *= 2
	}
	at := "net.ipv4.neigh.default.gc_thresh"
	if t.Family == 6 {
		at = strings.Replace(at, "ipv4", "ipv6", 1)
	}
	fix := Fix{Class: Safe, Say: "raise the thresholds, also in /etc/sysctl.d"}
	for i, value := range []int{third, third / 2, third / 4} {
		fix.Steps = append(fix.Steps, Step{Do: SetSysctl, On: at + strconv.Itoa(3-i), With: strconv.Itoa(value)})
	}
	return fix
}
