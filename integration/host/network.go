package host

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Fixed hardware addresses make hosts alike, run after run.
var (
	insideMAC  = net.HardwareAddr{0x02, 0x00, 0xcb, 0x00, 0x71, 0x02}
	outsideMAC = net.HardwareAddr{0x02, 0x00, 0xcb, 0x00, 0x71, 0x01}
)

const (
	insideLink  = "eth0"
	outsideLink = "host0"
)

// outside is the second network namespace of a host.
type outside struct {
	namespace int // descriptor that also keeps the namespace alive
	seen      *sources
}

// connectOutside makes the outside namespace, the cable to it, both ends'
// addresses, and starts the servers that answer there.
func connectOutside() (*outside, error) {
	if err := quietNamespace(); err != nil {
		return nil, err
	}
	out := &outside{seen: newSources()}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("create outside namespace: %w", err)
		}
		out.namespace, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open outside namespace: %w", err)
		}
		return quietNamespace()
	})
	if err != nil {
		return nil, err
	}
	if err := plugIn(out.namespace); err != nil {
		return nil, fmt.Errorf("connect to outside: %w", err)
	}
	err = onThread(func() error {
		if err := unix.Setns(out.namespace, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter outside namespace: %w", err)
		}
		if _, err := address(outsideLink, OutsideAddress); err != nil {
			return fmt.Errorf("set up outside: %w", err)
		}
		return out.serve()
	})
	return out, err
}

// plugIn makes the cable from this namespace to the other and sets up this end.
func plugIn(other int) error {
	cable := &netlink.Veth{
		LinkAttrs:        netlink.LinkAttrs{Name: insideLink, HardwareAddr: insideMAC},
		PeerName:         outsideLink,
		PeerHardwareAddr: outsideMAC,
		PeerNamespace:    netlink.NsFd(other),
	}
	if err := netlink.LinkAdd(cable); err != nil {
		return fmt.Errorf("add link %s: %w", insideLink, err)
	}
	link, err := address(insideLink, Address)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(OutsideAddress)}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("add default route: %w", err)
	}
	return nil
}

// address sets a link up with an address of the hosts' subnet.
func address(name, ip string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("get link %s: %w", name, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(ip).To4(), Mask: net.CIDRMask(24, 32)}}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return nil, fmt.Errorf("add address %s to %s: %w", ip, name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set %s up: %w", name, err)
	}
	return link, nil
}

// quietNamespace sets what a namespace may have inherited from the machine's to
// the kernel's own defaults, and lo up.
func quietNamespace() error {
	for key, value := range map[string]string{
		"net.ipv4.ip_forward":             "0",
		"net.ipv4.conf.all.rp_filter":     "0",
		"net.ipv4.conf.default.rp_filter": "0",
	} {
		path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", key, err)
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("get link lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// onThread runs f on a thread of its own, which ends with it: a thread that
// has changed namespaces must not run anything else. It is never the main
// thread, because /proc/PID/ns shows that one's namespaces as the process's.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// While this one is held, another goroutine cannot get it.
			done <- onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return <-done
}
