package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

type node struct {
	path         string
	mode         uint32
	major, minor uint32
}

// nodes of a host. There is no kvm on purpose: one that cannot be used makes
// libvirt probe QEMU again at every start, which takes 20 seconds.
var nodes = []node{
	{"null", 0o666, 1, 3},
	{"zero", 0o666, 1, 5},
	{"full", 0o666, 1, 7},
	{"random", 0o666, 1, 8},
	{"urandom", 0o666, 1, 9},
	{"kmsg", 0o600, 1, 11},
	{"tty", 0o666, 5, 0},
	{"net/tun", 0o666, 10, 200},
}

// privateDev mounts a /dev that holds only what a host needs.
func privateDev(root string) error {
	dev := root + "/dev"
	if err := detach(root, "/dev"); err != nil {
		return err
	}
	if err := mountTmpfs(dev, "mode=0755"); err != nil {
		return err
	}
	for _, dir := range []string{"net", "pts", "shm", "mqueue"} {
		if err := os.Mkdir(filepath.Join(dev, dir), 0o755); err != nil {
			return fmt.Errorf("create /dev/%s: %w", dir, err)
		}
	}
	for _, n := range nodes {
		if err := makeNode(filepath.Join(dev, n.path), n.mode, n.major, n.minor); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", dev+"/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	if err := mountTmpfs(dev+"/shm", "mode=1777"); err != nil {
		return err
	}
	for link, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, link)); err != nil {
			return fmt.Errorf("create /dev/%s: %w", link, err)
		}
	}
	return nil
}

func makeNode(path string, mode, major, minor uint32) error {
	err := unix.Mknod(path, unix.S_IFCHR|mode, int(unix.Mkdev(major, minor)))
	if err == nil {
		// Mknod heeds the umask.
		err = os.Chmod(path, fs.FileMode(mode))
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

// watchDevices makes and removes the character device of each macvtap link, as
// udev does on an ordinary machine. The kernel sends such events only to the
// network namespace that the link lives in.
func watchDevices() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("watch devices: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return errors.Join(fmt.Errorf("watch devices: %w", err), unix.Close(fd))
	}
	go func() {
		buf := make([]byte, 16<<10)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				continue // overrun: events were lost, later ones still come
			}
			applyEvent(buf[:n])
		}
	}()
	return nil
}

// applyEvent follows one kernel event: a header and KEY=VALUE, each ended by 0.
func applyEvent(msg []byte) {
	event := map[string]string{}
	for _, field := range bytes.Split(msg, []byte{0}) {
		if key, value, ok := strings.Cut(string(field), "="); ok {
			event[key] = value
		}
	}
	if event["SUBSYSTEM"] != "macvtap" || event["DEVNAME"] == "" {
		return
	}
	path := filepath.Join("/dev", filepath.Base(event["DEVNAME"]))
	switch event["ACTION"] {
	case "add":
		major, err1 := strconv.ParseUint(event["MAJOR"], 10, 32)
		minor, err2 := strconv.ParseUint(event["MINOR"], 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			fmt.Fprintf(os.Stderr, "make node of %s: %v\n", path, err)
			return
		}
		if err := makeNode(path, 0o600, uint32(major), uint32(minor)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	case "remove":
		_ = os.Remove(path) // already gone is as good
	}
}
