package main

import (
	"context"
	"sync"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/verify"
)

// meanwhile does, while libvirt stops and starts the network, what shortens the
// time that its guests are cut off. None of it is needed: what does not work is
// done by libvirt, or behind the start. The function that is returned ends it.
func (r *restart) meanwhile(ctx context.Context) (end func()) {
	if r.bridge == "" || r.was.Index == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.stayUp(ctx) })
	wg.Go(func() { r.joinEarly(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// stayUp keeps the old bridge forwarding for as long as it is there. libvirt sets
// it down first and then runs a program for each of its rules, which takes most
// of the time of a stop. So behind that moment, when libvirt deletes its rules
// whatever becomes of kvnet, the bridge comes back up. What is established then goes
// on, new connections to other networks are dropped: that stands in for the
// rules that go one by one, and for those that reject, which would outlive those
// that accept.
func (r *restart) stayUp(ctx context.Context) {
	rejects := verify.Rejects(r.t.world.Snapshot, r.bridge)
	if len(rejects) == 0 || !r.was.Up || r.stp && !r.o.fast { // with STP nothing forwards in time
		return
	}
	away := func(l bridge.Link) bool { return !l.Up || l.Index != r.was.Index }
	if bridge.WaitLink(ctx, r.bridge, away) != nil {
		return
	}
	down := time.Now()
	end, err := firewall.StandIn(ctx, r.bridge, rejects)
	if err != nil {
		return
	}
	defer end()
	if r.stp {
		if _, err := bridge.SetSTP(r.bridge, false); err != nil {
			return
		}
	}
	if _, err := bridge.SetUp(r.bridge); err != nil {
		return
	}
	blip := time.Since(down)
	if bridge.WaitLink(ctx, r.bridge, away) == nil {
		r.began = time.Now().Add(-blip)
	}
	<-ctx.Done() // the new bridge is not to forward before it has its own rules
}

// joinEarly puts the taps into the new bridge as soon as libvirt has made it,
// long before it has its rules: it is set up behind them, and from then on
// they forward.
func (r *restart) joinEarly(ctx context.Context) {
	if r.o.fast && r.stp {
		return // libvirt still switches STP on
	}
	anew := func(l bridge.Link) bool { return l.Index != 0 && l.Index != r.was.Index }
	if bridge.WaitLink(ctx, r.after, anew) != nil || r.putGuestsBack() != nil {
		return
	}
	_ = r.await(ctx)
}
