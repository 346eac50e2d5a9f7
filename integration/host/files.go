package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// layers is a scratch tmpfs for the upper halves of overlays. /run is mounted
// over at the end, so nobody in the host sees it.
const layers = "/run"

// privateFiles turns the mount namespace, so far a copy of the machine's, into
// the host's own.
func privateFiles(s setup) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	keep, err := openKept(s)
	if err != nil {
		return err
	}
	if err := mountTmpfs(layers, "mode=0700"); err != nil {
		return err
	}
	root := ""
	if s.Root != "" {
		root = filepath.Join(layers, "root")
		if err := keep.mountRoot(root); err != nil {
			return err
		}
	}
	for _, step := range []func(string) error{privateEtc, privateState, privateDev, privateProc} {
		if err := step(root); err != nil {
			return err
		}
	}
	if err := keep.restore(root); err != nil {
		return err
	}
	if err := chooseFirewall(root, s.Firewall); err != nil {
		return err
	}
	if err := mountTmpfs(root+"/run", "mode=0755"); err != nil {
		return err
	}
	if err := os.MkdirAll(root+"/run/lock", 0o1777); err != nil {
		return fmt.Errorf("create /run/lock: %w", err)
	}
	if root == "" {
		return nil
	}
	return changeRoot(root)
}

// overlay makes a folder of root writable without changing it.
func overlay(root, dir string) error {
	upper, err := os.MkdirTemp(layers, "upper-")
	if err != nil {
		return fmt.Errorf("create layer: %w", err)
	}
	work, err := os.MkdirTemp(layers, "work-")
	if err != nil {
		return fmt.Errorf("create layer: %w", err)
	}
	// The upper folder's own mode becomes that of the merged one.
	if err := os.Chmod(upper, 0o755); err != nil {
		return fmt.Errorf("create layer: %w", err)
	}
	// From inside the folder: its path may hold what mount options cannot.
	if err := os.Chdir(root + dir); err != nil {
		return fmt.Errorf("enter %s: %w", dir, err)
	}
	defer os.Chdir("/") //nolint:errcheck // the root folder is always there
	if err := unix.Mount("overlay", root+dir, "overlay", 0, "lowerdir=.,upperdir="+upper+",workdir="+work); err != nil {
		return fmt.Errorf("mount overlay on %s: %w", dir, err)
	}
	return nil
}

func mountTmpfs(path, options string) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", path, err)
	}
	return nil
}

// privateEtc lets the host write to /etc and takes away what the machine's
// libvirt would start. Names are answered from a file: a query to the machine's
// name server could never leave the host.
func privateEtc(root string) error {
	if err := overlay(root, "/etc"); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("get host name: %w", err)
	}
	for path, text := range map[string]string{
		"/etc/hostname":    name + "\n",
		"/etc/hosts":       "127.0.0.1 localhost\n127.0.1.1 " + name + "\n" + OutsideAddress + " outside\n",
		"/etc/resolv.conf": "nameserver " + OutsideAddress + "\n",
	} {
		// Removed first: it may be a link into /run, which is not the host's.
		if err := os.Remove(root + path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replace %s: %w", path, err)
		}
		if err := os.WriteFile(root+path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
	}
	// Guests, networks, storage pools, their autostart links, secrets.
	for _, dir := range []string{"qemu", "storage", "secrets"} {
		if err := os.RemoveAll(root + "/etc/libvirt/" + dir); err != nil {
			return fmt.Errorf("empty /etc/libvirt/%s: %w", dir, err)
		}
	}
	return nil
}

// privateState gives the host empty folders for what libvirt and kvnet keep.
// Only the folders of libvirt's packages are there, with their owners.
func privateState(root string) error {
	dirs := []string{"/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/var/lib/kvnet"}
	// All overlays first: one on a parent hides what is mounted below it.
	for _, dir := range dirs {
		if _, err := os.Stat(root + dir); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := overlay(root, filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(root+dir, 0o755); err != nil {
			return fmt.Errorf("create %s: %w", dir, err)
		}
	}
	for _, dir := range dirs {
		if err := emptyFolder(root + dir); err != nil {
			return err
		}
	}
	return nil
}

// emptyFolder hides what is in a folder, but for its folders themselves.
func emptyFolder(dir string) error {
	folders, err := subfolders(dir)
	if err != nil {
		return err
	}
	if err := mountTmpfs(dir, "mode=0755"); err != nil {
		return err
	}
	for _, f := range folders {
		path := filepath.Join(dir, f.Name())
		st := f.Sys().(*syscall.Stat_t)
		if err := errors.Join(os.Mkdir(path, f.Mode().Perm()), os.Chown(path, int(st.Uid), int(st.Gid))); err != nil {
			return fmt.Errorf("create %s: %w", path, err)
		}
	}
	return nil
}

func subfolders(dir string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var list []fs.FileInfo
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		list = append(list, info)
	}
	return list, nil
}

// privateProc mounts /proc and /sys of the new namespaces. The machine's cgroup
// mounts go away with its /sys: without any, libvirt runs guests outside of
// cgroups, and hosts cannot meet in a tree that knows no namespaces.
func privateProc(root string) error {
	for _, m := range []struct{ path, kind string }{{"/proc", "proc"}, {"/sys", "sysfs"}} {
		if err := detach(root, m.path); err != nil {
			return err
		}
		flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
		if err := unix.Mount(m.kind, root+m.path, m.kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.path, err)
		}
	}
	return nil
}

// detach takes the machine's own mount away; another root has none there.
func detach(root, path string) error {
	if root != "" {
		return nil
	}
	// EINVAL: nothing is mounted there.
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	return nil
}

// changeRoot makes root the root folder and lets go of the machine's.
func changeRoot(root string) error {
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("enter new root: %w", err)
	}
	// Stacked on itself, the old root can be dropped without a folder for it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter new root: %w", err)
	}
	return nil
}
