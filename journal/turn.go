package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// turnName is the abstract socket (unix(7)) of whoever changes the host. There is one
// for all users of a network namespace, it needs no folder that all may write to,
// and it ends with its process.
const turnName = "@kvnet-turn"

// Turn is the host's, whoever the user is; a journal's lock is that of one user.
type Turn struct{ socket int }

// TakeTurn waits until no process of another user changes the host, and keeps others
// from it until Release or the end of the process. The error is a *HeldError when
// ctx ends first. Anybody can make such a socket: one whose owner is not heeded keeps
// nobody waiting, and then there is no turn to take (nil).
func TakeTurn(ctx context.Context, heed func(uid, pid int) bool) (*Turn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("take the host's turn: %w", err)
	}
	tick := time.NewTicker(again)
	defer tick.Stop()
	var last *unix.Ucred
	for {
		err := unix.Bind(fd, &unix.SockaddrUnix{Name: turnName})
		if err == nil {
			err = unix.Listen(fd, unix.SOMAXCONN) // who asks learns from it whose it is
		}
		if err == nil {
			return &Turn{fd}, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, errors.Join(fmt.Errorf("take the host's turn: %w", err), unix.Close(fd))
		}
		if now := owner(); now != nil {
			last = now
		}
		if last != nil && !heed(int(last.Uid), int(last.Pid)) {
			return nil, unix.Close(fd)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(heldBy(last), unix.Close(fd))
		}
	}
}

// Release lets others in.
func (t *Turn) Release() error { return unix.Close(t.socket) }

// owner is who listens on the socket; nil when it was let go of meanwhile, or does
// not listen yet.
func owner() *unix.Ucred {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	if unix.Connect(fd, &unix.SockaddrUnix{Name: turnName}) != nil {
		return nil
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil
	}
	return cred
}

func heldBy(who *unix.Ucred) error {
	if who == nil || who.Pid <= 0 {
		return &HeldError{}
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", who.Pid))
	if err != nil {
		return &HeldError{}
	}
	_, command, _ := strings.Cut(strings.TrimRight(string(args), "\x00"), "\x00")
	return &HeldError{PID: int(who.Pid), Command: strings.Map(printable, strings.ReplaceAll(command, "\x00", " "))}
}
