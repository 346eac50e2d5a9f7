package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// sbinPath is where Debian keeps the programs that a host needs. A user's PATH
// often lacks the sbin folders.
const sbinPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

type program struct{ name, pkg string }

// hostNeeds must be in the root that a host runs from.
var hostNeeds = []program{
	{"libvirtd", "libvirt-daemon-system"},
	{"virtlogd", "libvirt-daemon-system"},
	{"virsh", "libvirt-clients"},
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"dnsmasq", "dnsmasq-base"},
	{"iptables", "iptables"},
}

// assetNeeds must be on the machine that builds guests.
var assetNeeds = []program{
	{"busybox", "busybox-static"},
	{"dpkg-deb", "dpkg"},
	{"apt-get", "apt"},
}

// needRoot gives the reason once, instead of the first refused system call.
func needRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: run it as root or with sudo")
	}
	return nil
}

// needFolder says that a root folder is none before anything is missed in it.
func needFolder(root string) error {
	st, err := os.Stat(root)
	if err == nil && !st.IsDir() {
		err = unix.ENOTDIR
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	if err != nil {
		return fmt.Errorf("root folder %s: %w", root, err)
	}
	return nil
}

// need reports the first program that is not installed below root.
func need(root string, programs []program) error {
	for _, p := range programs {
		if find(root, p.name) == "" {
			return fmt.Errorf("%s is not installed: apt-get install %s (or make setup)", p.name, p.pkg)
		}
	}
	return nil
}

// find returns the path of a program below root, as seen from inside it.
func find(root, name string) string {
	for _, dir := range strings.Split(sbinPath, ":") {
		path := filepath.Join(dir, name)
		// Alternatives are absolute links, which only lead somewhere inside the root.
		if st, err := os.Lstat(filepath.Join(root, path)); err == nil && !st.IsDir() {
			return path
		}
	}
	return ""
}
