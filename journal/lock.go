package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// again is how often a lock that is held is asked for.
const again = 50 * time.Millisecond

// HeldError says who holds the lock. PID is 0 when that is not known.
type HeldError struct {
	PID     int
	Command string
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "another kvnet is changing this host"
	}
	return fmt.Sprintf("another kvnet is changing this host: process %d, kvnet %s", e.PID, e.Command)
}

// Lock waits until no other process changes the host, and keeps others from
// it until Unlock or the end of the process. The error is a *HeldError when
// ctx ends first. The command is shown to who waits.
func (j *Journal) Lock(ctx context.Context, command string) error {
	f, err := openFile(filepath.Join(j.dir, "lock"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("lock journal: %w", err)
	}
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return fmt.Errorf("lock journal: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return holder(j.dir)
		}
	}
	j.lock = f
	note := fmt.Sprintf("%d %s\n", os.Getpid(), strings.Map(printable, command))
	if err := f.Truncate(0); err != nil {
		return errors.Join(fmt.Errorf("lock journal: %w", err), j.Unlock())
	}
	if _, err := f.WriteAt([]byte(note), 0); err != nil {
		return errors.Join(fmt.Errorf("lock journal: %w", err), j.Unlock())
	}
	return nil
}

// Unlock lets others in. It does nothing when the lock is not held.
func (j *Journal) Unlock() error {
	if j.lock == nil {
		return nil
	}
	f := j.lock
	j.lock = nil
	return f.Close() // and with it the lock
}

// Held says whether a process is changing the host now: a *HeldError then, nil
// when none is.
func Held(dir string) error {
	err := checkFolder(dir)
	var f *os.File
	if err == nil {
		f, err = openFile(filepath.Join(dir, "lock"), os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock journal: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return holder(dir)
	case err != nil:
		return fmt.Errorf("lock journal: %w", err)
	}
	return nil
}

// holder is who wrote its name into the lock.
func holder(dir string) error {
	note, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		return &HeldError{}
	}
	number, command, _ := strings.Cut(strings.TrimSpace(string(note)), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return &HeldError{}
	}
	return &HeldError{PID: pid, Command: strings.Map(printable, command)}
}

// printable keeps a command line on one line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}
