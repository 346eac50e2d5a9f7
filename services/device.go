package services

import (
	"bytes"
	"os"

	"strings"
)

// nodes are the device nodes that guests' interfaces need: the names of their
// drivers in /proc/misc and of their modules.
var nodes = []struct{ path, driver, module string }{
	{"/dev/net/tun", "tun", "tun"},
	{"/dev/vhost-net", "vhost-net", "vhost_net"},
}

func (r *reader) kernel() Kernel {
	data, err := r.file("proc/sys/kernel/osrelease")
	if err != nil {
		r.gap(PartDevices, err)
		return Kernel{}
	}
	k := Kernel{Release: text(bytes.TrimSpace(data))}
	k.Modules = r.moduleFolder(k.Release) != ""
	return k
}

// moduleFolder is where the modules of a kernel are; "" when nowhere. The last
// one is NixOS's.
func (r *reader) moduleFolder(release string) string {
	if release == "" || strings.ContainsRune(release, '/') {
		return ""
	}
	for _, base := range []string{"lib/modules/", "usr/lib/modules/", "run/booted-system/kernel-modules/lib/modules/"} {
		if st, err := os.Stat(r.path(base + release)); err == nil && st.IsDir() {
			return base + release
		}
	}
	return ""
}

// devices looks at nodes without opening them: that would load a module.
func (r *reader) devices(k Kernel) []Device {
	misc, err := r.file("proc/misc")
	if err != nil {
		r.gap(PartDevices, err)
		return []Device{}
	}
	loaded := map[string]bool{}
	for line := range bytes.Lines(misc) {
		if f := bytes.Fields(line); len(f) == 2 {
			loaded[string(f[1])] = true
		}
	}
	list := make([]Device, 0, len(nodes))
	for _, n := range nodes {
		d := Device{Path: n.path, Driver: DriverMissing}
		if st, err := os.Stat(r.path(n.path)); err == nil {
			d.Node = st.Mode()&os.ModeCharDevice != 0
		}
		switch {
		case loaded[n.driver]:
			d.Driver = DriverLoaded
		case r.hasModule(k.Release, n.module):
			d.Driver = DriverModule
		}
		list = append(list, d)
	}
	return list
}

// hasModule says whether depmod's lists have a module, as a file or built in.
func (r *reader) hasModule(release, name string) bool {
	folder := r.moduleFolder(release)
	if folder == "" {
		return false
	}
	for _, list := range []string{"modules.builtin", "modules.dep"} {
		data, err := r.file(folder + "/" + list)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(data) {
			path, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
			base := string(path[bytes.LastIndexByte(path, '/')+1:])
			file, _, _ := strings.Cut(base, ".ko")
			if strings.ReplaceAll(file, "-", "_") == name {
				return true
			}
		}
	}
	return false
}
