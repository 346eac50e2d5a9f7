package services

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// viewed are the folders whose files a libvirt daemon must share with the
// reader for a State to say something about it.
var viewed = []string{"/etc/libvirt", "/var/lib/libvirt/dnsmasq", "/run/libvirt", "/usr/sbin", "/dev/net"}

// errView says that a process's mounts could not be compared.
var errView = errors.New("no mount covers a folder")

// SameFiles says whether a process has the same files as the reader where
// libvirt's are: for each folder, the mount that covers it (proc(5),
// /proc/PID/mountinfo) shows the same part of the same file system. It needs no
// privilege, and a process that merely has a mount namespace of its own, as
// systemd gives to services, passes.
func SameFiles(o Options, pid int) (bool, error) {
	r := &reader{root: o.Root}
	if r.root == "" {
		r.root = "/"
	}
	own, err := r.mounts("self")
	if err != nil {
		return false, fmt.Errorf("read own mounts: %w", err)
	}
	other, err := r.mounts(strconv.Itoa(pid))
	if err != nil {
		return false, fmt.Errorf("read mounts of process %d: %w", pid, err)
	}
	for _, folder := range viewed {
		have, want := own.place(folder), other.place(folder)
		if have == "" || want == "" {
			return false, fmt.Errorf("compare %s: %w", folder, errView)
		}
		if have != want {
			return false, nil
		}
	}
	return true, nil
}

// mount is a line of mountinfo.
type mount struct {
	device string // major:minor
	root   string // the part of the file system that is shown
	point  string
}

type mounts []mount

func (r *reader) mounts(pid string) (mounts, error) {
	data, err := r.file("proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, err
	}
	var list mounts
	for line := range bytes.Lines(data) {
		// id parent major:minor root point options ...
		if f := strings.Fields(string(line)); len(f) >= 6 {
			list = append(list, mount{device: f[2], root: f[3], point: f[4]})
		}
	}
	return list, nil
}

// place is where a folder really is: device and path in its file system. Of
// mounts at one point the last one covers the others.
func (m mounts) place(folder string) string {
	best := -1
	for i, one := range m {
		if below(folder, one.point) && (best < 0 || len(one.point) >= len(m[best].point)) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return m[best].device + " " + path.Join(m[best].root, strings.TrimPrefix(folder, m[best].point))
}

func below(folder, point string) bool {
	return point == "/" || folder == point || strings.HasPrefix(folder, point+"/")
}
