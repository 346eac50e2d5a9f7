package host

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper collects every dead child of the first process, its own and those
// that lost their parent. libvirt waits for its QEMU probe to vanish: a zombie
// would cost 30 seconds at every guest start.
type reaper struct {
	mu      sync.Mutex
	waiting map[int]chan int // exit codes of children that spawn waits for
	signals chan os.Signal
}

func newReaper() *reaper {
	r := &reaper{waiting: map[int]chan int{}, signals: make(chan os.Signal, 1)}
	signal.Notify(r.signals, unix.SIGCHLD)
	return r
}

// run never returns.
func (r *reaper) run() {
	for range r.signals {
		r.collect()
	}
}

func (r *reaper) collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if waiter, ok := r.waiting[pid]; ok {
			waiter <- exitCode(status)
			delete(r.waiting, pid)
		}
	}
}

// spawn runs a program to its end and returns its exit code. os/exec cannot be
// used here: its Wait and the reaper would race for the child.
func (r *reaper) spawn(argv ...string) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer null.Close()
	done := make(chan int, 1)
	// Held over the fork, so that the child cannot be collected before it is known.
	r.mu.Lock()
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{null.Fd(), 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err == nil {
		r.waiting[pid] = done
	}
	r.mu.Unlock()
	if err != nil {
		return 0, fmt.Errorf("execute %s: %w", argv[0], err)
	}
	return <-done, nil
}

// exitCode follows the shell: 128 and the signal's number for a killed program.
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
