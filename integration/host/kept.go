package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// kept holds what is to be carried over from the machine's files. It is opened
// before anything is mounted, so that no path is hidden when it is needed.
type kept struct {
	root         int            // Options.Root
	bind         map[string]int // by path, the same in both roots
	capabilities map[string][]byte
}

func openKept(s setup) (*kept, error) {
	k := &kept{root: -1, bind: map[string]int{}, capabilities: map[string][]byte{}}
	if s.Root != "" {
		fd, err := unix.Open(s.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open root %s: %w", s.Root, err)
		}
		k.root = fd
		for _, path := range s.Bind {
			if k.bind[path], err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
				return nil, fmt.Errorf("open %s: %w", path, err)
			}
		}
	}
	entries, err := os.ReadDir(s.Capabilities)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read capability cache: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".xml" {
			continue // half-written by another host
		}
		data, err := os.ReadFile(filepath.Join(s.Capabilities, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read capability cache: %w", err)
		}
		k.capabilities[e.Name()] = data
	}
	return k, nil
}

// mountRoot shows a private, writable view of Options.Root.
func (k *kept) mountRoot(at string) error {
	if err := os.Mkdir(at, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", at, err)
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", k.root), at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind root: %w", err)
	}
	return overlay(at, "")
}

// restore puts the kept things into the new root.
func (k *kept) restore(root string) error {
	for path, fd := range k.bind {
		if err := bindAt(fd, root+path); err != nil {
			return fmt.Errorf("bind %s: %w", path, err)
		}
		_ = unix.Close(fd)
	}
	if k.root >= 0 {
		_ = unix.Close(k.root)
	}
	dir := root + capabilityFolder
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", dir, err)
	}
	for name, data := range k.capabilities {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("restore capability cache: %w", err)
		}
	}
	return nil
}

func bindAt(fd int, target string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
	} else {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	// This process's own /proc: with a root of its own, the old one is still there.
	return unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), target, "", unix.MS_BIND|unix.MS_REC, "")
}
