package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// capabilityFolder is where libvirt keeps what it found out about QEMU.
const capabilityFolder = "/var/cache/libvirt/qemu/capabilities"

// capabilityCache is where such knowledge is kept between hosts: one folder per
// pair of libvirtd and QEMU binaries. libvirt itself checks that what it finds
// fits its version, the kernel and the binary, and probes again when not.
func capabilityCache(root string) string {
	sum := sha256.New()
	for _, name := range []string{"libvirtd", "qemu-system-x86_64"} {
		var st unix.Stat_t
		if unix.Stat(filepath.Join(root, find(root, name)), &st) == nil {
			fmt.Fprintln(sum, name, st.Dev, st.Ino, st.Size, st.Ctim)
		}
	}
	return filepath.Join(CacheDir(), "capabilities", hex.EncodeToString(sum.Sum(nil)[:8]))
}

// learn starts a guest once, which makes libvirt ask QEMU what it can do.
func learn(ctx context.Context, root string) error {
	if known, err := filepath.Glob(filepath.Join(capabilityCache(root), "*.xml")); err == nil && len(known) > 0 {
		return nil
	}
	h, err := Start(ctx, Options{Root: root})
	if err != nil {
		return err
	}
	g := h.Guest("probe")
	err = g.Define(ctx, GuestSpec{Empty: true, NoLink: true})
	if err == nil {
		err = g.StartPaused(ctx)
	}
	return errors.Join(err, h.Close())
}

// saveCapabilities copies what the host's libvirt has learned to the cache.
func (h *Host) saveCapabilities() error {
	target := capabilityCache(h.info.Root)
	entries, err := os.ReadDir(h.Path(capabilityFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(h.Path(capabilityFolder), e.Name()))
		if err != nil {
			return fmt.Errorf("read capabilities: %w", err)
		}
		path := filepath.Join(target, e.Name())
		if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, data) {
			continue
		}
		if err := os.MkdirAll(target, 0o755); err != nil {
			return fmt.Errorf("save capabilities: %w", err)
		}
		if err := replaceFile(path, data, 0o600); err != nil {
			return fmt.Errorf("save capabilities: %w", err)
		}
	}
	return nil
}
