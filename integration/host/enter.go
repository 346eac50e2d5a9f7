package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit codes of the entering process itself, as shells have them.
const (
	codeLost       = 125 // the host could not be entered
	codeNotRunning = 126 // the command is there but does not start
	codeNotFound   = 127
)

// runEnter runs a command inside a host. Arguments: pid and start time of the
// first process, "host" or the descriptor of the outside namespace, command.
func runEnter(args []string) (int, error) {
	if len(args) < 4 {
		return codeLost, fmt.Errorf("enter host: %d arguments", len(args))
	}
	// Signals that come while the command starts are for the command.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH)
	// Namespaces are a thread's; this one ends with the process. The command is
	// killed when this thread ends, so it must stay.
	runtime.LockOSThread()
	if err := enter(args[0], args[1], args[2]); err != nil {
		return codeLost, fmt.Errorf("enter host: %w", err)
	}
	// setpriv finds it the same way; looking here makes the better error.
	if _, err := exec.LookPath(args[3]); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return codeNotFound, fmt.Errorf("run %s: not found in the host", args[3])
		}
		return codeNotRunning, fmt.Errorf("run %s: %w", args[3], err)
	}
	// Go's own Pdeathsig compares parent pids, which differ across PID
	// namespaces; setpriv, of Debian's essential util-linux, does not.
	argv := append([]string{"setpriv", "--pdeathsig", "KILL", "--"}, args[3:]...)
	pid, err := syscall.ForkExec("/usr/bin/setpriv", argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return codeNotRunning, fmt.Errorf("run %s: %w", args[3], err)
	}
	child, err := os.FindProcess(pid)
	if err != nil {
		return codeLost, fmt.Errorf("run %s: %w", args[3], err)
	}
	go Relay(signals, child, nil)
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return codeLost, fmt.Errorf("wait for %s: %w", args[3], err)
		}
		return exitCode(status), nil
	}
}

// Relay passes signals on to a process until done is closed. A terminal sends
// ^C and ^\ to its whole foreground group, the process included, which must not
// get them twice.
func Relay(signals <-chan os.Signal, to *os.Process, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case s := <-signals:
			if (s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGWINCH) && inForeground() {
				continue
			}
			_ = to.Signal(s) // gone is as good
		}
	}
}

func inForeground() bool {
	for fd := range 3 {
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil {
			return group == unix.Getpgrp()
		}
	}
	return false
}

// enter moves the calling thread, and what it forks, into the host.
func enter(pid, born, side string) error {
	number, err := strconv.Atoi(pid)
	if err != nil {
		return fmt.Errorf("parse pid: %w", err)
	}
	network := "ns/net"
	if side != sideHost {
		network = "fd/" + side
	}
	type namespace struct{ kind, fd int }
	var list []namespace
	for _, n := range []struct {
		path string
		kind int
	}{
		{"ns/ipc", unix.CLONE_NEWIPC}, {"ns/uts", unix.CLONE_NEWUTS}, {network, unix.CLONE_NEWNET},
		{"ns/pid", unix.CLONE_NEWPID}, {"ns/mnt", unix.CLONE_NEWNS},
	} {
		fd, err := unix.Open("/proc/"+pid+"/"+n.path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s of process %s: %w", n.path, pid, err)
		}
		list = append(list, namespace{n.kind, fd})
	}
	// Checked after opening: had the pid been used again before, it would show.
	if now, err := startTime(number); err != nil || now != born {
		return fmt.Errorf("the host with process %s has ended", pid)
	}
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "/"
	}
	// A thread that shares its root folder with others may not change mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leave shared root folder: %w", err)
	}
	for _, n := range list {
		if err := unix.Setns(n.fd, n.kind); err != nil {
			return fmt.Errorf("enter namespace %#x: %w", n.kind, err)
		}
		_ = unix.Close(n.fd)
	}
	if unix.Chdir(cwd) != nil {
		if err := unix.Chdir("/"); err != nil {
			return fmt.Errorf("enter root folder: %w", err)
		}
	}
	return os.Setenv("PATH", withSbin(os.Getenv("PATH")))
}

// withSbin adds the folders of Debian's administration programs.
func withSbin(path string) string {
	for _, dir := range strings.Split(sbinPath, ":") {
		if !strings.Contains(":"+path+":", ":"+dir+":") {
			path = strings.TrimPrefix(path+":"+dir, ":")
		}
	}
	return path
}
