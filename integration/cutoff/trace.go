//go:build amd64

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tracer stops a process at its system calls, and counts those that are acts.
type tracer struct {
	at     int    // the act to cut off at, from 1
	do     string // kill, interrupt, or a program
	pid    int
	resume func(tid, sig int) error
	known  map[int]bool // threads that were seen

	sync.Mutex // acts are told by another thread, too
	acts       []string
	out        string
}

// loop lets the threads run from stop to stop, until the process has ended.
func (t *tracer) loop() (code int, err error) {
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("wait: %w", err)
		case status.Exited() || status.Signaled():
			if tid != t.pid {
				continue
			}
			if status.Signaled() {
				return 128 + int(status.Signal()), nil
			}
			return status.ExitStatus(), nil
		}
		if err := t.stopped(tid, status); err != nil && !errors.Is(err, unix.ESRCH) { // ended meanwhile
			return 0, err
		}
	}
}

// stopped looks at a thread that stopped, and lets it go on.
func (t *tracer) stopped(tid int, status unix.WaitStatus) error {
	first := !t.known[tid]
	t.known[tid] = true
	sig := status.StopSignal()
	switch {
	case sig == unix.SIGTRAP|0x80, status.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
		if err := t.call(tid); err != nil {
			return err
		}
		sig = 0
	case status.TrapCause() > 0, first && sig == unix.SIGSTOP: // something begins, or began something
		sig = 0
	}
	return t.resume(tid, int(sig))
}

// call is at the beginning or the end of a system call.
func (t *tracer) call(tid int) error {
	var info syscallInfo
	if err := info.read(tid); err != nil || info.op != entry && info.op != filtered {
		return err
	}
	does := calls[int(info.nr)]
	if does == nil || !t.isOwn(tid) {
		return nil
	}
	act := does(t, info.args)
	if act == "" {
		return nil
	}
	t.Lock()
	t.acts = append(t.acts, act+"\n")
	count := len(t.acts)
	t.Unlock()
	if count != t.at {
		return nil
	}
	switch t.do {
	case "kill":
		return unix.Kill(t.pid, unix.SIGKILL)
	case "interrupt":
		return unix.Kill(t.pid, unix.SIGINT)
	}
	cmd := exec.Command(t.do)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// isOwn says whether a thread is the process's, and not of a program that it runs.
func (t *tracer) isOwn(tid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", t.pid, tid))
	return err == nil
}

// syscallInfo is the beginning of struct ptrace_syscall_info of linux/ptrace.h, as
// it is at the entry of a call.
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	_    uint32 // audit's number of the architecture
	_, _ uint64 // where the program is, and its stack
	nr   uint64
	args [6]uint64
}

// PTRACE_SYSCALL_INFO_ENTRY and _SECCOMP.
const entry, filtered = 1, 3

func (i *syscallInfo) read(tid int) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(*i), uintptr(unsafe.Pointer(i)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// seize begins to follow a thread; its first stop is the interruption.
func seize(tid int) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE, 0, 0)
	if errno != 0 {
		return errno
	}
	return unix.PtraceInterrupt(tid)
}

// tell writes down what was seen.
func (t *tracer) tell() error {
	t.Lock()
	defer t.Unlock()
	return os.WriteFile(t.out, []byte(strings.Join(t.acts, "")), 0o600)
}
