package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strings"
	"time"
)

// Folders inside the host.
const (
	bootFolder  = "/var/lib/libvirt/boot" // kernel and initramfs
	guestFolder = "/run/kvlab"            // console and command channel of each guest
)

// Guest is a libvirt domain inside a host.
type Guest struct {
	host *Host
	name string
}

// Guest names a guest, which may not exist yet.
func (h *Host) Guest(name string) *Guest { return &Guest{host: h, name: name} }

// Name is the domain's name.
func (g *Guest) Name() string { return g.name }

// State is what virsh domstate says, or "" when there is no such domain.
func (g *Guest) State(ctx context.Context) (string, error) {
	// All names at once: asking for one that is not there would be an error to parse.
	names, err := g.host.must(ctx, "virsh", "list", "--all", "--name")
	if err != nil {
		return "", fmt.Errorf("look for guest %s: %w", g.name, err)
	}
	if !containsLine(names, g.name) {
		return "", nil
	}
	state, err := g.host.must(ctx, "virsh", "domstate", g.name)
	if err != nil {
		return "", fmt.Errorf("get state of guest %s: %w", g.name, err)
	}
	return strings.TrimSpace(state), nil
}

func containsLine(text, line string) bool {
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}

// Define makes the domain, shut off. An existing one is redefined.
func (g *Guest) Define(ctx context.Context, spec GuestSpec) error {
	if err := checkName("guest", g.name); err != nil {
		return err
	}
	if err := os.MkdirAll(g.host.Path(guestFolder), 0o755); err != nil {
		return fmt.Errorf("define guest %s: %w", g.name, err)
	}
	if !spec.Empty {
		if err := g.host.installAssets(ctx); err != nil {
			return fmt.Errorf("define guest %s: %w", g.name, err)
		}
	}
	doc, err := g.document(spec)
	if err != nil {
		return fmt.Errorf("define guest %s: %w", g.name, err)
	}
	file := path.Join(guestFolder, g.name+".xml")
	if err := os.WriteFile(g.host.Path(file), []byte(doc), 0o644); err != nil {
		return fmt.Errorf("define guest %s: %w", g.name, err)
	}
	if _, err := g.host.must(ctx, "virsh", "define", file); err != nil {
		return fmt.Errorf("define guest %s: %w", g.name, err)
	}
	return nil
}

// installAssets copies kernel and initramfs into the host: libvirt changes the
// owner of what a guest boots from, and must not do that to the machine's files.
func (h *Host) installAssets(ctx context.Context) error {
	have, err := guestAssets(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.Path(bootFolder), 0o711); err != nil {
		return err
	}
	for name, source := range map[string]string{"kernel": have.kernel, "initrd": have.initrd} {
		target := h.Path(path.Join(bootFolder, name))
		if _, err := os.Stat(target); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		data, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := replaceFile(target, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Start starts the domain unless it runs. It does not wait for the guest's
// system: Exec and WaitAddress do.
func (g *Guest) Start(ctx context.Context) error { return g.start(ctx) }

// StartPaused starts the domain with its processors stopped: QEMU and the taps
// are there, the guest does nothing.
func (g *Guest) StartPaused(ctx context.Context) error { return g.start(ctx, "--paused") }

func (g *Guest) start(ctx context.Context, flags ...string) error {
	state, err := g.State(ctx)
	if err != nil {
		return err
	}
	switch state {
	case "":
		return fmt.Errorf("start guest %s: not defined", g.name)
	case "running", "paused":
		return nil
	}
	argv := append([]string{"virsh", "start", g.name}, flags...)
	if _, err := g.host.must(ctx, argv...); err != nil {
		return fmt.Errorf("start guest %s: %w", g.name, err)
	}
	// What libvirt has just learned about QEMU saves the next host the time.
	if err := g.host.saveCapabilities(); err != nil {
		return fmt.Errorf("start guest %s: %w", g.name, err)
	}
	return nil
}

// Stop ends the domain at once, as by pulling the plug. A domain that does not
// run is left alone.
func (g *Guest) Stop(ctx context.Context) error {
	state, err := g.State(ctx)
	if err != nil || state == "shut off" || state == "" {
		return err
	}
	if _, err := g.host.must(ctx, "virsh", "destroy", g.name); err != nil {
		return fmt.Errorf("stop guest %s: %w", g.name, err)
	}
	return nil
}

// Console is what the guest has printed since it started.
func (g *Guest) Console() (string, error) {
	data, err := os.ReadFile(g.host.Path(path.Join(guestFolder, g.name+".console")))
	if err != nil {
		return "", fmt.Errorf("read console of guest %s: %w", g.name, err)
	}
	return string(data), nil
}

// Ping sends three echo requests from the guest, which may first take ten
// seconds to get a route to the address: one that has just booted waits for its
// lease. Result.Code is 0 when at least one was answered.
func (g *Guest) Ping(ctx context.Context, addr string) (Result, error) {
	family := "-4"
	if ip, err := netip.ParseAddr(addr); err != nil {
		return g.Exec(ctx, "ping", "-c", "3", "-W", "1", addr)
	} else if ip.Is6() {
		family = "-6"
	}
	const script = `n=0
until ip $1 route get $2 >/dev/null 2>&1 || [ $n = 40 ]; do n=$((n+1)); usleep 250000; done
exec ping -c 3 -W 1 $2`
	return g.run(ctx, "ping "+addr, "sh", "-c", script, "sh", family, addr)
}

// WaitAddress waits until a link of the guest has an IPv4 address within the
// subnet, and returns it.
func (g *Guest) WaitAddress(ctx context.Context, subnet netip.Prefix) (netip.Addr, error) {
	var found netip.Addr
	what := fmt.Sprintf("guest %s to have an address in %s", g.name, subnet)
	err := poll(ctx, 250*time.Millisecond, what, func() (bool, error) {
		result, err := g.Exec(ctx, "ip", "-4", "-o", "addr")
		if err != nil {
			return false, err
		}
		fields := strings.Fields(result.Stdout)
		for _, f := range fields {
			p, err := netip.ParsePrefix(f)
			if err == nil && subnet.Contains(p.Addr()) {
				found = p.Addr()
				return true, nil
			}
		}
		return false, nil
	})
	return found, err
}
