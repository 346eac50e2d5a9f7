//go:build amd64

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	// Whoever traces must always be the same thread.
	runtime.LockOSThread()
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cutoff:", err)
		code = 1
	}
	os.Exit(code)
}

func run() (code int, err error) {
	out := flag.String("o", "", "file for the acts")
	at := flag.Int("at", 0, "the act to cut off at")
	do := flag.String("do", "kill", "kill, interrupt, or a program to run")
	pid := flag.Int("pid", 0, "a process that runs already")
	become := flag.Bool("become", false, "")
	flag.Parse()
	if *become {
		return 0, becomeFiltered(flag.Args())
	}
	if *out == "" || (*pid == 0) == (flag.NArg() == 0) {
		return 0, errors.New("usage: cutoff -o FILE [-at N [-do HOW]] COMMAND... | -pid PID")
	}
	t := &tracer{at: *at, do: *do, out: *out, known: make(map[int]bool)}
	// What is followed goes on by itself when its tracer ends.
	term := make(chan os.Signal, 1)
	signal.Notify(term, unix.SIGTERM)
	go func() {
		<-term
		if err := t.tell(); err != nil {
			fmt.Fprintln(os.Stderr, "cutoff:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}()
	if *pid != 0 {
		code, err = t.join(*pid)
	} else {
		code, err = t.start(flag.Args())
	}
	return code, errors.Join(err, t.tell())
}

// start runs a command under the tracer, to its end: by way of this program, which
// asks the kernel to stop at few of its calls.
func (t *tracer) start(argv []string) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, append([]string{"-become"}, argv...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil {
		return 0, fmt.Errorf("wait for %s: %w", self, err)
	}
	// What it starts has the same filter, so it is followed as well, if only to go on.
	const all = unix.PTRACE_O_TRACESECCOMP |
		unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(cmd.Process.Pid, all); err != nil {
		return 0, fmt.Errorf("trace %s: %w", self, err)
	}
	t.pid, t.resume = cmd.Process.Pid, unix.PtraceCont
	if err := t.resume(cmd.Process.Pid, 0); err != nil {
		return 0, err
	}
	return t.loop()
}

// join follows a process that runs already, until it ends or SIGTERM comes.
func (t *tracer) join(pid int) (code int, err error) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0, err
	}
	t.pid, t.resume = pid, unix.PtraceSyscall // no filter can be given to it
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			return 0, err
		}
		if err := seize(tid); err != nil && !errors.Is(err, unix.ESRCH) { // ended meanwhile
			return 0, fmt.Errorf("trace thread %d: %w", tid, err)
		}
	}
	if _, err := fmt.Fprintln(os.Stdout, "joined", pid); err != nil {
		return 0, err
	}
	return t.loop()
}
