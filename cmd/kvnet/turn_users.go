package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mayChangeNetworks says whether a process is one to wait for: root's, this user's,
// or that of somebody whom libvirt's socket lets in. Others could only be in the way.
func mayChangeNetworks(uid, pid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	var st unix.Stat_t
	if unix.Stat("/run/libvirt/libvirt-sock", &st) != nil && unix.Stat("/run/libvirt/virtnetworkd-sock", &st) != nil {
		return false
	}
	return st.Mode&0o002 != 0 || int(st.Uid) == uid || slices.Contains(groupsOf(pid), strconv.Itoa(int(st.Gid)))
}

// groupsOf are the numbers of a process's groups (proc(5)).
func groupsOf(pid int) []string {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return nil
	}
	var groups []string
	for line := range strings.Lines(string(status)) {
		if word, rest, _ := strings.Cut(line, ":"); word == "Gid" || word == "Groups" {
			groups = append(groups, strings.Fields(rest)...)
		}
	}
	return groups
}
