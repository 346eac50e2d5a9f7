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
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelPackage is a metapackage: it depends on the kernel of the day.
const kernelPackage = "linux-image-cloud-amd64"

var realKernelPackage = regexp.MustCompile(`linux-image-[0-9][^ |,]*-cloud-amd64`)

// assets are the files that guests boot from.
type assets struct{ kernel, initrd string }

// CacheDir is where guest kernels and libvirt's knowledge of QEMU are kept
// between hosts: $KVLAB_CACHE, or /var/cache/kvlab.
func CacheDir() string {
	if dir := os.Getenv("KVLAB_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/kvlab"
}

// Prepare fetches and builds what guests boot from, and lets the libvirt of a
// root folder (or of the machine, if empty) learn about its QEMU, unless that
// was done before. Guests do both on demand; doing it once saves the first the
// wait.
func Prepare(ctx context.Context, root string) error {
	if err := needRoot(); err != nil {
		return fmt.Errorf("prepare guests: %w", err)
	}
	if _, err := guestAssets(ctx); err != nil {
		return err
	}
	return learn(ctx, root)
}

// guestAssets returns the guests' kernel and initramfs, made when missing.
func guestAssets(ctx context.Context) (assets, error) {
	dir := filepath.Join(CacheDir(), "guest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return assets{}, fmt.Errorf("prepare guest kernel: %w", err)
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return assets{}, fmt.Errorf("prepare guest kernel: %w", err)
	}
	defer unlock()
	tree := filepath.Join(dir, "kernel")
	if _, err := os.Stat(tree); errors.Is(err, fs.ErrNotExist) {
		if err := fetchKernel(ctx, tree); err != nil {
			return assets{}, fmt.Errorf("fetch guest kernel: %w", err)
		}
	}
	kernels, err := filepath.Glob(filepath.Join(tree, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return assets{}, fmt.Errorf("find guest kernel: %d of them in %s: remove that folder", len(kernels), tree)
	}
	image, err := guestImage(tree)
	if err != nil {
		return assets{}, fmt.Errorf("build guest initramfs: %w", err)
	}
	sum := sha256.Sum256(image)
	initrd := filepath.Join(dir, "initrd-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(initrd); errors.Is(err, fs.ErrNotExist) {
		if err := replaceFile(initrd, image, 0o644); err != nil {
			return assets{}, fmt.Errorf("build guest initramfs: %w", err)
		}
	}
	return assets{kernel: kernels[0], initrd: initrd}, nil
}

// fetchKernel downloads Debian's cloud kernel and unpacks it to tree, without
// installing it.
func fetchKernel(ctx context.Context, tree string) error {
	if err := need("", assetNeeds); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(tree), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	depends, err := tool(ctx, work, "apt-cache", "depends", kernelPackage)
	if err != nil {
		return err
	}
	pkg := realKernelPackage.FindString(depends)
	if pkg == "" {
		return fmt.Errorf("find the package behind %s: apt knows none: apt-get update (or make setup)", kernelPackage)
	}
	if _, err := tool(ctx, work, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", pkg); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("find downloaded package: %d files", len(debs))
	}
	unpacked := filepath.Join(work, "tree")
	if _, err := tool(ctx, work, "dpkg-deb", "-x", debs[0], unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, tree)
}

// tool runs a program on the machine itself; only for those that read and fetch.
func tool(ctx context.Context, dir string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// lockFolder keeps two programs from preparing the same folder at once.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// replaceFile writes a file that is either whole or not there.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
