package main

import (
	"context"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/verify"
)

// watchWhereWorth watches a host on which something was seen that only several looks
// can decide, and adds what they showed to the snapshot. A healthy host is not
// watched.
func watchWhereWorth(ctx context.Context, g gathered) gathered {
	how, worth := verify.SecondLook(g.Snapshot)
	if !worth || ctx.Err() != nil {
		return g
	}
	g.whole = nil // it was judged without this
	watch, err := bridge.Observe(ctx, how)
	if err != nil {
		g.Kernel.Gaps = append(g.Kernel.Gaps, bridge.Gap{Source: "watch", Message: err.Error()})
		return g
	}
	g.Kernel.Watch = &watch
	return g
}
