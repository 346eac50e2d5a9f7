package host

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed guest/init.sh
var guestInit []byte

//go:embed guest/udhcpc.sh
var guestDHCP []byte

//go:embed guest/agent.sh
var guestAgent []byte

// guestModules bring up a virtio NIC; each needs those before it.
var guestModules = []string{
	"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
	"failover", "net_failover", "virtio_net",
}

// guestImage builds the initramfs: busybox, the modules of the unpacked kernel
// package, and the guest's scripts. The same input gives the same bytes.
func guestImage(tree string) ([]byte, error) {
	busybox := find("", "busybox")
	if busybox == "" {
		return nil, need("", assetNeeds)
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(program, []byte("/lib64/ld-linux")) {
		return nil, fmt.Errorf("%s is not static: apt-get install busybox-static (or make setup)", busybox)
	}
	modules, err := findModules(tree)
	if err != nil {
		return nil, err
	}
	var c cpio
	for _, dir := range []string{"bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "root", "lib", "lib/modules"} {
		c.dir(dir)
	}
	// The kernel opens it for init before devtmpfs is mounted.
	c.device("dev/console", 5, 1)
	c.file("bin/busybox", 0o755, program)
	c.file("init", 0o755, guestInit)
	c.file("bin/udhcpc.sh", 0o755, guestDHCP)
	c.file("bin/agent.sh", 0o755, guestAgent)
	order := ""
	for _, name := range guestModules {
		data, err := os.ReadFile(modules[name])
		if err != nil {
			return nil, err
		}
		c.file("lib/modules/"+name+".ko", 0o644, data)
		order += name + "\n"
	}
	c.file("lib/modules/order", 0o644, []byte(order))
	return c.bytes(), nil
}

// findModules maps the wanted modules to their files in a kernel package.
func findModules(tree string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range guestModules {
		found[name] = ""
	}
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := bytes.CutSuffix([]byte(d.Name()), []byte(".ko")); ok {
			if _, wanted := found[string(name)]; wanted {
				found[string(name)] = path
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name, path := range found {
		if path == "" {
			return nil, fmt.Errorf("find module %s: not in %s", name, tree)
		}
	}
	return found, nil
}
