package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/verify"
)

// settle is how often a host that is on its way is looked at again, and
// confirm how many looks a verdict may take.
const (
	settle  = 250 * time.Millisecond
	confirm = 4
)

// gatherSettled gathers until nothing is on its way any more, such as a port
// that is learning, but no longer than that takes, nor than timeout. What is on
// its way then is for the judge. A host can set out while it is looked at, as
// when libvirt's daemon, just started, puts taps back: then it has the time
// that this takes, too.
func (e *env) gatherSettled(ctx context.Context, timeout time.Duration) gathered {
	end := time.Now().Add(timeout)
	g := gather(ctx, e.uri)
	for range confirm {
		wait, moving := g.at().Unsettled()
		if moving {
			wait = min(wait, time.Until(end))
			if !e.quiet && e.format == "table" {
				fmt.Fprintf(e.err, "waiting up to %s for the host to settle\n", wait.Round(100*time.Millisecond))
			}
			g = e.gatherUntil(ctx, g, time.After(wait))
			_, moving = g.at().Unsettled()
		}
		g = e.gatherTwice(ctx, g)
		if _, setOut := g.at().Unsettled(); moving || !setOut || ctx.Err() != nil || time.Now().After(end) {
			break
		}
	}
	return watchWhereWorth(ctx, g)
}

func (e *env) gatherUntil(ctx context.Context, g gathered, end <-chan time.Time) gathered {
	tick := time.NewTicker(settle)
	defer tick.Stop()
	for moving := true; moving; _, moving = g.at().Unsettled() {
		select {
		case <-ctx.Done():
			return g
		case <-end:
			return gather(ctx, e.uri)
		case <-tick.C:
			g = gather(ctx, e.uri)
		}
	}
	return g
}

// gatherTwice looks again at a host with errors. The halves of a snapshot are
// not of the same instant: a guest that ends between them leaves a tap that is
// missing for a moment. Only what two looks in a row agree on is believed. A
// ruleset that changes between them is being written, as by libvirt's daemon
// when it reloads: what is wrong with it then is looked at until it stands
// still, or for as long as that may take.
func (e *env) gatherTwice(ctx context.Context, g gathered) gathered {
	end := time.Now().Add(rewriting)
	have := g.doubts()
	for look := 0; len(have) > 0 && ctx.Err() == nil; look++ {
		former := g
		g = gather(ctx, e.uri)
		again := g.doubts()
		written := filterDoubted(again) && generation(g) != generation(former) && time.Now().Before(end)
		if slices.Equal(have, again) && !written || look >= confirm && !written {
			break
		}
		have = again
		if written {
			pause(ctx, settle)
		}
	}
	return g
}

// rewriting is how long a ruleset may take to be written: one that is written
// rule by rule is changed many times a second.
const rewriting = 3 * time.Second

// doubt is a finding that is not believed at once.
type doubt struct {
	check, subject string
	filter         bool // it is about the packet filter
}

// doubts are the errors of the host, and whatever is wrong with its packet
// filter, in the report's fixed order.
func (g *gathered) doubts() []doubt {
	var list []doubt
	onFilter := verify.Resting(verify.PacketFilter)
	for _, f := range g.judge(verify.Options{}).Findings {
		filter := f.Severity.AtLeast(verify.Warning) && onFilter[f.Check]
		if f.Severity == verify.Error || filter {
			list = append(list, doubt{f.Check, f.Subject, filter})
		}
	}
	return list
}

func filterDoubted(list []doubt) bool {
	return slices.ContainsFunc(list, func(d doubt) bool { return d.filter })
}

// generation is the number of the ruleset; each change raises it.
func generation(g gathered) uint32 {
	if g.Firewall == nil {
		return 0
	}
	return g.Firewall.Generation
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// watchWhereWorth watches a host on which something was seen that only several looks
// can decide, and adds what they showed to the snapshot. A healthy host is not
// watched.
func watchWhereWorth(ctx context.Context, g gathered) gathered {
	how, worth := g.at().SecondLook()
	if !worth || ctx.Err() != nil {
		return g
	}
	g.look, g.whole = nil, nil // without this
	watch, err := bridge.Observe(ctx, how)
	if err != nil {
		g.Kernel.Gaps = append(g.Kernel.Gaps, bridge.Gap{Source: "watch", Message: err.Error()})
		return g
	}
	g.Kernel.Watch = &watch
	return g
}
