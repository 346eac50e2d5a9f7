package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// softMemory is what the collector keeps the process below while it can: rulesets
// and snapshots may be large, and the hosts are not ours.
const softMemory = 200 << 20

// growth is how much the heap may grow before it is collected, in percent of what
// lives and of 4 MiB at least: most commands end before, and walking their stacks
// would load half a program more.
const growth = 200

// sameSignal is how long further signals are taken for the first: timeout(1) sends
// its own to the process and to the group, and what was begun is to be undone.
const sameSignal = time.Second

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) }) // then another signal ends the process at once
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
