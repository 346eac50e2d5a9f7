package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/libvirtnet"
)

// turnFile is locked by whoever defines a network on this host: two that choose
// a subnet or a bridge at the same time would choose the same one. It is left
// behind, empty; deleting it would make two of it.
const turnFile = "/run/kvnet.lock"

// takeTurn waits until no other kvnet defines a network on this host. Who may
// not write to /run, and whose daemon is elsewhere, goes without.
func takeTurn(ctx context.Context, conn *libvirtnet.Conn, timeout time.Duration) (done func(), err error) {
	if !conn.Daemon().Local {
		return func() {}, nil
	}
	f, err := os.OpenFile(turnFile, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return func() {}, nil // the lock spares others an error, no more
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return func() { _ = f.Close() }, nil // the lock goes with the file
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, &failure{op: "wait for", object: turnFile, err: &waited{"another kvnet is defining a network", ctx.Err()},
				hint: fmt.Sprintf("fuser %s names it; --timeout waits longer", turnFile)}
		}
	}
}
