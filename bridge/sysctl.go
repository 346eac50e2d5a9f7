package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const procSys = "/proc/sys/"

// sysctlNames are the sysctls that decide whether guests' packets pass.
// Forwarding and rp_filter of single links come by netlink.
func sysctlNames() []string {
	return []string{
		"net.ipv4.ip_forward",
		"net.ipv4.conf.all.rp_filter",
		"net.ipv4.conf.all.arp_ignore",
		"net.ipv6.conf.all.forwarding",
		"net.ipv6.conf.all.disable_ipv6",
		"net.bridge.bridge-nf-call-iptables",
		"net.bridge.bridge-nf-call-ip6tables",
		"net.bridge.bridge-nf-call-arptables",
		"net.netfilter.nf_conntrack_count",
		"net.netfilter.nf_conntrack_max",
	}
}

// bridgeSysctlNames are those of one bridge.
func bridgeSysctlNames(bridge string) []string {
	at := "net.ipv6.conf." + bridge + "."
	return []string{at + "disable_ipv6", at + "autoconf", at + "accept_ra", at + "force_forwarding", "net.ipv4.conf." + bridge + ".arp_ignore"}
}

// linkSysctlNames are those of links with routes that router advertisements
// made.
func linkSysctlNames(routes []Route) []string {
	var names []string
	seen := map[string]bool{}
	for i := range routes {
		if r := &routes[i]; r.Autoconf && !seen[r.Link] {
			seen[r.Link] = true
			names = append(names, "net.ipv6.conf."+r.Link+".accept_ra")
		}
	}
	return names
}

// xfrmSysctlNames are those that keep packets of a link, or of all, from being
// held against IPsec's policies.
func xfrmSysctlNames(routes []Route) []string {
	var names []string
	seen := map[string]bool{"": true}
	add := func(link string) {
		if !seen[link] {
			seen[link] = true
			names = append(names, "net.ipv4.conf."+link+".disable_policy", "net.ipv4.conf."+link+".disable_xfrm", "net.ipv6.conf."+link+".disable_policy")
		}
	}
	add("all")
	for i := range routes {
		add(routes[i].Link)
	}
	return names
}

// readSysctls reads the sysctls that matter. One that does not exist (no IPv6,
// br_netfilter not loaded) is left out; one that cannot be read is an error,
// and so is a /proc/sys that has nothing.
func readSysctls(s *State) (map[string]string, error) {
	names := append(sysctlNames(), linkSysctlNames(s.Routes)...)
	for i := range s.Bridges {
		names = append(names, bridgeSysctlNames(s.Bridges[i].Name)...)
	}
	if x := s.XFRM; x != nil && len(x.Policies)+len(x.Block) > 0 {
		names = append(names, xfrmSysctlNames(s.Routes)...)
	}
	var errs []error
	values := make(map[string]string, len(names))
	for _, name := range names {
		value, err := readSysctl(name)
		switch {
		case err == nil:
			values[name] = value
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	if len(values) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("read %s: %w", procSys, fs.ErrNotExist))
	}
	return values, errors.Join(errs...)
}

func readSysctl(name string) (string, error) {
	path, err := sysctlPath(name)
	if err != nil {
		return "", err
	}
	b, err := readProc(path)
	if err != nil {
		return "", fmt.Errorf("read sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// sysctlPath turns a name into a path under /proc/sys. As for sysctl(8), its
// parts stand between dots, or between slashes where one has dots of its own.
// With dots, a link's name may have more of them (eth0.100): it is what stands
// between "conf" or "neigh" and the last part.
func sysctlPath(name string) (string, error) {
	parts := strings.Split(name, "/")
	if len(parts) == 1 {
		parts = strings.Split(name, ".")
		if n := len(parts); n > 5 && parts[0] == "net" && (parts[2] == "conf" || parts[2] == "neigh") {
			link := strings.Join(parts[3:n-1], ".")
			parts = append(parts[:3:3], link, parts[n-1])
		}
	}
	if len(parts) < 3 || parts[0] != "net" {
		return "", fmt.Errorf("sysctl %.80q: not of the form net.x.y: %w", name, os.ErrInvalid)
	}
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsAny(p, "/\x00") {
			return "", fmt.Errorf("sysctl %.80q: not of the form net.x.y: %w", name, os.ErrInvalid)
		}
	}
	return procSys + strings.Join(parts, "/"), nil
}

// readProc reads a file of /proc whole. os.ReadFile would cost four system
// calls more, which is felt when there are thousands of processes.
func readProc(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	buf := make([]byte, 0, 512)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		case n <= 0:
			return buf, nil
		default:
			buf = buf[:len(buf)+n]
		}
	}
}
