package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// errOtherProc says that the process ids in /proc are not the caller's.
var errOtherProc = errors.New("/proc belongs to another pid namespace")

// process is a process as /proc shows it.
type process struct {
	pid     int
	command string // comm: at most 15 bytes
}

func (p process) path(rest string) string { return "/proc/" + strconv.Itoa(p.pid) + "/" + rest }

// eachProcess calls f with what /proc has, by process id, until f returns
// false. A /proc that was mounted for another pid namespace is an error: its
// ids would name other processes here.
func eachProcess(f func(process) bool) error {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return fmt.Errorf("%w: %w", errOtherProc, err)
	}
	if self != strconv.Itoa(os.Getpid()) {
		return errOtherProc
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	pids := make([]int, 0, len(entries))
	for _, e := range entries {
		if pid, err := strconv.Atoi(e); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		p := process{pid: pid}
		comm, err := readProc(p.path("comm"))
		if err != nil {
			continue // it ended
		}
		p.command = strings.TrimSuffix(string(comm), "\n")
		if !f(p) {
			return nil
		}
	}
	return nil
}

// processes lists what /proc has, those whose command begins with first before
// the others, each part by process id.
func processes(first string) ([]process, error) {
	var front, rest []process
	err := eachProcess(func(p process) bool {
		if strings.HasPrefix(p.command, first) {
			front = append(front, p)
		} else {
			rest = append(rest, p)
		}
		return true
	})
	return append(front, rest...), err
}

// files calls f with every open file of a process: its number and what its
// link in /proc/PID/fd says. f returns false to stop. Files that are closed
// meanwhile are passed over.
func (p process) files(f func(fd, target string) bool) error {
	path := p.path("fd")
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	fds, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		target, err := os.Readlink(path + "/" + fd)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return err
			}
			continue
		}
		if !f(fd, target) {
			return nil
		}
	}
	return nil
}

// args is the command line; empty for a process that ended or cleared it.
func (p process) args() []string {
	b, err := readProc(p.path("cmdline"))
	if err != nil {
		return nil
	}
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

// stopped says whether a signal stopped the process: state T of /proc/PID/stat
// (proc_pid_stat(5)). The command before it may hold any byte, parentheses too.
// One that a debugger holds for a moment has state t.
func (p process) stopped() bool {
	b, err := readProc(p.path("stat"))
	if err != nil {
		return false
	}
	return bytes.HasPrefix(b[bytes.LastIndexByte(b, ')')+1:], []byte(" T "))
}

// findOwners fills in who has the sockets open, dnsmasq first since most are
// its. It stops when all are found; the error says why some were not.
func findOwners(sockets []socketMsg) error {
	want := make(map[string][]*socketMsg, len(sockets))
	for i := range sockets {
		if s := &sockets[i]; s.inode != 0 { // 0 is the kernel's own
			key := "socket:[" + strconv.FormatUint(uint64(s.inode), 10) + "]"
			want[key] = append(want[key], s)
		}
	}
	if len(want) == 0 {
		return nil
	}
	var denied error
	look := func(p process) {
		err := p.files(func(_, target string) bool {
			for _, s := range want[target] {
				s.PID, s.Command, s.Args, s.Stopped = p.pid, p.command, p.args(), p.stopped()
			}
			delete(want, target)
			return len(want) > 0
		})
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
	}
	// Most hosts need no look at any other process, and the rest of /proc is not read
	// then: a host has a process for each guest.
	var others []process
	err := eachProcess(func(p process) bool {
		if strings.HasPrefix(p.command, "dnsmasq") {
			look(p)
		} else {
			others = append(others, p)
		}
		return len(want) > 0
	})
	if err != nil {
		return err
	}
	for _, p := range others {
		if len(want) == 0 {
			break
		}
		look(p)
	}
	switch {
	case len(want) == 0:
		return nil
	case denied != nil:
		return fmt.Errorf("%d sockets have an owner that may not be looked at: %w", len(want), denied)
	}
	return fmt.Errorf("%d sockets have no owner among the processes in /proc", len(want))
}
