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

// processes lists what /proc has, those whose command begins with first before
// the others, each part by process id. A /proc that was mounted for another
// pid namespace is an error: its ids would name other processes here.
func processes(first string) ([]process, error) {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOtherProc, err)
	}
	if self != strconv.Itoa(os.Getpid()) {
		return nil, errOtherProc
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	list := make([]process, 0, len(entries))
	for _, e := range entries {
		pid, err := strconv.Atoi(e)
		if err != nil {
			continue
		}
		p := process{pid: pid}
		comm, err := readProc(p.path("comm"))
		if err != nil {
			continue // it ended
		}
		p.command = strings.TrimSuffix(string(comm), "\n")
		list = append(list, p)
	}
	rank := func(p process) int {
		if strings.HasPrefix(p.command, first) {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b process) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return a.pid - b.pid
	})
	return list, nil
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
	list, err := processes("dnsmasq")
	if err != nil {
		return err
	}
	var denied error
	for _, p := range list {
		err := p.files(func(_, target string) bool {
			for _, s := range want[target] {
				s.PID, s.Command, s.Args = p.pid, p.command, p.args()
			}
			delete(want, target)
			return len(want) > 0
		})
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
		if len(want) == 0 {
			return nil
		}
	}
	if denied != nil {
		return fmt.Errorf("%d sockets have an owner that may not be looked at: %w", len(want), denied)
	}
	return fmt.Errorf("%d sockets have no owner among the processes in /proc", len(want))
}
