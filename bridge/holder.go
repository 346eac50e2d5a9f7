package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// FindHolders says which processes have the taps of these names open, one for
// each tap: QEMU before others, then the lowest process id. A tap that nobody
// holds is not in the list. Names of links that are not taps do no harm.
//
// Where some processes may not be looked at (CAP_SYS_PTRACE), a tap with a
// carrier that stays without a holder is unknown and not free: the list then
// comes with an error. The kernel takes the carrier from a tap that nobody has
// open. A /proc of another pid namespace is an error, too.
func FindHolders(links []string) ([]Holder, error) {
	found := []Holder{}
	want := make(map[string]bool, len(links))
	for _, l := range links {
		want[l] = true
	}
	if len(want) == 0 {
		return found, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := namespaceOf("/proc/thread-self/ns/net")
	if err != nil {
		return found, fmt.Errorf("find holders: %w", err)
	}
	list, err := processes("qemu")
	if err != nil {
		return found, fmt.Errorf("find holders: %w", err)
	}
	var denied error
	for _, p := range list {
		err := p.taps(own, func(link string) bool {
			if want[link] {
				found = append(found, Holder{Link: link, PID: p.pid, Command: p.command})
				delete(want, link)
			}
			return len(want) > 0
		})
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
		if len(want) == 0 {
			break
		}
	}
	sortBy(found, func(a, b Holder) int { return strings.Compare(a.Link, b.Link) })
	if denied == nil {
		return found, nil
	}
	for link := range want {
		if l, err := ReadLink(link); err == nil && l.Tun != nil && l.Carrier {
			return found, fmt.Errorf("find holder of %s: %w", link, denied)
		}
	}
	return found, nil
}

// taps calls f with the name of every tap that a process holds in the
// namespace with inode own. A tap's name alone does not say whose it is:
// another namespace may have one of the same name.
func (p process) taps(own uint64, f func(link string) bool) error {
	return p.files(func(fd, target string) bool {
		if !strings.HasSuffix(target, "/tun") { // /dev/net/tun, whatever its mount
			return true
		}
		link := p.tapName(fd)
		if link == "" || p.tapNamespace(fd) != own {
			return true
		}
		return f(link)
	})
}

// tapName reads "iff:" of /proc/PID/fdinfo (drivers/net/tun.c); "" for a file
// that has no device attached.
func (p process) tapName(fd string) string {
	info, err := readProc(p.path("fdinfo/" + fd))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "iff:"); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// tapNamespace is the namespace in which the device of an open tun file is. The
// device itself is asked; where that is refused (kernels before 5.6, no
// privilege) the process's own namespace has to do. 0 is unknown.
func (p process) tapNamespace(fd string) uint64 {
	if inode, err := p.askTap(fd); err == nil {
		return inode
	}
	inode, err := namespaceOf(p.path("ns/net"))
	if err != nil {
		return 0
	}
	return inode
}

func (p process) askTap(fd string) (uint64, error) {
	number, err := strconv.Atoi(fd)
	if err != nil {
		return 0, err
	}
	pidfd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(pidfd)
	tap, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(tap)
	// TUNGETDEVNETNS takes no argument and returns a file of the namespace.
	ns, err := unix.IoctlRetInt(tap, unix.TUNGETDEVNETNS)
	if err != nil {
		return 0, err
	}
	defer unix.Close(ns)
	var st unix.Stat_t
	if err := unix.Fstat(ns, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}
