package verify

import (
	"time"

	"github.com/kvnet/kvnet/bridge"
)

// oldDrops is up to how many packets that a tap dropped in its life nobody
// looks again: a guest that boots drops some.
const oldDrops = 50

// The ways to look again. A loop turns thousands of frames a second, and is
// seen at once; what guests send takes longer.
var (
	quickLooks  = bridge.Interval{Looks: 10, Every: 2 * time.Millisecond}
	trafficLook = bridge.Interval{Looks: 2, Every: 150 * time.Millisecond}
	slowLooks   = bridge.Interval{Looks: 8, Every: 200 * time.Millisecond}
)

// SecondLook says whether a host shows something that only several looks in a
// row can decide, and how to look: a tap that has dropped packets, an address
// at a port where it should not be, two ways out without spanning tree. A
// healthy host has nothing of the kind, and is looked at once. What the looks
// show belongs into the snapshot as Kernel.Watch.
func (l *Look) SecondLook() (i bridge.Interval, ok bool) {
	h, s := l.host, l.host.snap
	if notTheKernel(s) != "" || s.Kernel.Watch != nil {
		return i, false
	}
	// As many looks as any of them needs, over the longest of their times.
	want := func(other bridge.Interval) {
		looks := max(i.Looks, other.Looks)
		span := max(i.Every*time.Duration(i.Looks), other.Every*time.Duration(other.Looks))
		i, ok = bridge.Interval{Looks: looks, Every: span / time.Duration(looks)}, true
	}
	h.eachBridge(func(b judgedBridge) {
		for _, links := range h.doubles(b) {
			if h.learnedAtSome(links) {
				want(quickLooks)
			}
		}
		for _, n := range h.homeTaps(b) {
			if h.inside().counted[n.port.Name].TXDropped > oldDrops {
				want(trafficLook)
			}
		}
		h.away(b, func(*nic, *bridge.FDBEntry) { want(slowLooks) })
	})
	return i, ok
}

// learnedAtSome says whether an address was learned at one of the links.
func (h *host) learnedAtSome(links []*bridge.Link) bool {
	for _, l := range links {
		for _, e := range h.inside().fdbOf[l.Name] {
			if e.State == bridge.FDBLearned {
				return true
			}
		}
	}
	return false
}
