package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// lookAgain is how often a link is read without being told to: the kernel drops
// notifications when a socket's buffer is full.
const lookAgain = 500 * time.Millisecond

// WaitPort waits until a port is as want wishes, and returns it. A link that is
// not there yet, or not yet a port, is waited for.
//
// When ctx ends first, the error wraps ctx's and, if there was no port to ask,
// [ErrNotFound] or [ErrNotAPort]; the port is as it was last seen.
func WaitPort(ctx context.Context, name string, want func(Port) bool) (Port, error) {
	var last Port
	err := watch(ctx, name, func(l linkMsg, err error) (bool, error) {
		switch {
		case err != nil:
			return false, err
		case l.port == nil:
			return false, ErrNotAPort
		}
		last = *l.port
		return want(last), nil
	})
	if err != nil {
		return last, fmt.Errorf("wait for port %s: %w", name, err)
	}
	return last, nil
}

// Forwards is a wish for [WaitPort]: the port forwards.
func Forwards(p Port) bool { return p.State == PortForwarding }

// WaitGone waits until there is no link of that name.
func WaitGone(ctx context.Context, link string) error {
	err := watch(ctx, link, func(_ linkMsg, err error) (bool, error) {
		if errors.Is(err, ErrNotFound) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("wait until %s is gone: %w", link, err)
	}
	return nil
}

// WaitLink waits until the link of that name is as want wishes, which gets a
// zero Link while there is none, and no facts that take another question.
func WaitLink(ctx context.Context, name string, want func(Link) bool) error {
	err := watch(ctx, name, func(l linkMsg, err error) (bool, error) {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err == nil && want(l.Link), err
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	return nil
}

// watch reads a link again whenever the kernel says that some link changed,
// until done says so. done's error is only told when ctx ends.
func watch(ctx context.Context, name string, done func(linkMsg, error) (bool, error)) error {
	if err := CheckName(name); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer c.close()
	// Subscribed before the first look, so that no change falls between.
	events, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return fmt.Errorf("subscribe to links: %w", err)
	}
	defer events.Close()
	limit := unix.NsecToTimeval(lookAgain.Nanoseconds())
	if err := events.SetReceiveTimeout(&limit); err != nil {
		return fmt.Errorf("subscribe to links: %w", err)
	}
	stop := context.AfterFunc(ctx, events.Close)
	defer stop()
	for {
		ok, why := done(c.link(name))
		if ok {
			return nil
		}
		if err := ctx.Err(); err != nil {
			if why != nil {
				return fmt.Errorf("%w: %w", err, why)
			}
			return err
		}
		_, _, err := events.Receive()
		switch {
		case err == nil, ctx.Err() != nil: // ctx closed the socket: one last look
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR):
		default:
			return fmt.Errorf("listen to links: %w", err)
		}
	}
}
