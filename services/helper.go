package services

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// helperPaths is where distributions put QEMU's helper.
var helperPaths = []string{
	"/usr/lib/qemu/qemu-bridge-helper", "/usr/libexec/qemu-bridge-helper", "/usr/lib64/qemu/qemu-bridge-helper",
	"/usr/libexec/qemu/qemu-bridge-helper", "/usr/local/libexec/qemu-bridge-helper",
	"/run/wrappers/bin/qemu-bridge-helper",
}

// helper finds QEMU's bridge helper and its access list; nil when there is no
// helper. A wrapper with the privilege goes before a helper without.
func (r *reader) helper() *BridgeHelper {
	var h *BridgeHelper
	for _, path := range helperPaths {
		st, err := os.Stat(r.path(path))
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		privileged := st.Mode()&os.ModeSetuid != 0
		if n, err := unix.Getxattr(r.path(path), "security.capability", nil); err == nil && n > 0 {
			privileged = true
		}
		if h == nil || privileged && !h.Privileged {
			h = &BridgeHelper{Path: path, Privileged: privileged}
		}
	}
	if h == nil {
		return nil
	}
	h.ACL = []ACLRule{}
	for _, file := range []string{"etc/qemu/bridge.conf", "etc/qemu-kvm/bridge.conf", "usr/local/etc/qemu/bridge.conf"} {
		if r.exists(file) {
			h.File = "/" + file
			r.acl(h, file, 0)
			break
		}
	}
	return h
}

// acl reads a file of "allow NAME", "deny NAME" and "include FILE" lines
// (qemu-bridge-helper.c, parse_acl_file).
func (r *reader) acl(h *BridgeHelper, file string, depth int) {
	const deepest = 8
	if depth > deepest || len(h.ACL) > maxFiles {
		return
	}
	lines, _ := r.lines(PartHelper, file, "#")
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "allow", "deny":
			if len(h.ACL) <= maxFiles {
				h.ACL = append(h.ACL, ACLRule{Allow: f[0] == "allow", Bridge: f[1]})
			}
		case "include":
			r.acl(h, f[1], depth+1)
		}
	}
}
