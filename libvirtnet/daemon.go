package libvirtnet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Systemd says whether systemd runs this host (sd_booted(3)).
func Systemd() bool {
	st, err := os.Stat("/run/systemd/system")
	return err == nil && st.IsDir()
}

// findDaemon says which process on this host answers the URI. The peer of
// the connection that this process already has to the daemon's socket tells,
// so the daemon is not asked. Under socket activation that peer is systemd,
// which made the socket, and the daemon's pid file tells instead. With one
// daemon per driver the networks belong to virtnetworkd, whose pid file names
// it. Any other peer hands the connection on (ssh -L, a relay), nobody knows
// where to: then no daemon of this host is believed to answer.
func findDaemon(uri string) Daemon {
	a := locate(uri)
	d := Daemon{Local: a.local}
	if !a.local {
		return d
	}
	d.Systemd = Systemd()
	pid, name, socket := peer(a)
	is := func(daemon string) bool { return strings.Contains(name, daemon) } // a wrapper's name has more
	d.Socket = socket
	pids := "/run"
	if a.session {
		pids = runDir(true)
	}
	switch {
	case is("libvirtd"):
		d.PID, d.Name = pid, "libvirtd"
	case is("virtnetworkd"):
		d.PID, d.Name = pid, "virtnetworkd"
	case slices.ContainsFunc(a.daemons, is):
		if d.PID = pidFile(pids, "virtnetworkd"); d.PID != 0 {
			d.Name = "virtnetworkd"
			break
		}
		d.PID, d.Name = pid, name
	case name != "" && name != "systemd" && pid != 1:
		return Daemon{Systemd: d.Systemd, Socket: socket}
	default:
		for _, name := range append([]string{"virtnetworkd", "libvirtd"}, a.daemons...) {
			if d.PID = pidFile(pids, name); d.PID != 0 {
				d.Name = name
				break
			}
		}
	}
	d.Namespace = netNamespace(d.PID)
	return d
}

// peer is the process at the other end of this process's own connection to
// one of the daemon's sockets; 0 when there is none, or it is in a PID
// namespace that cannot be seen from here. socket is where it was reached.
func peer(a address) (pid int, name, socket string) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, "", ""
	}
	for _, e := range fds {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		sa, err := unix.Getpeername(fd)
		if err != nil {
			continue // no socket, or not connected
		}
		if un, ok := sa.(*unix.SockaddrUnix); !ok || !a.listens(un.Name) {
			continue
		}
		socket = sa.(*unix.SockaddrUnix).Name
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil || cred.Pid <= 0 {
			continue
		}
		if name := comm(int(cred.Pid)); name != "" {
			return int(cred.Pid), name, socket
		}
	}
	return 0, "", socket
}

// pidFile reads a daemon's pid file and believes it when a process of that
// name has the pid.
func pidFile(dir, name string) int {
	text, err := os.ReadFile(filepath.Join(dir, name+".pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 || comm(pid) != name {
		return 0
	}
	return pid
}

// comm is the name of a process; "" when it is gone. The kernel keeps 15
// bytes (TASK_COMM_LEN), as long as the longest of libvirt's daemons' names.
func comm(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// netNamespace is the inode of a process's network namespace; 0 when this
// process may not look (it needs the same user, or CAP_SYS_PTRACE).
func netNamespace(pid int) uint64 {
	if pid <= 0 {
		return 0
	}
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &st); err != nil {
		return 0
	}
	return st.Ino
}
