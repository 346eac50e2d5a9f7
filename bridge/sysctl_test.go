package bridge

import (
	"strings"
	"testing"
)

func TestSysctlsAgreeWithSysctl(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link add br.1 type bridge
		sysctl -qw net.ipv4.ip_forward=1
		sysctl -qw net.ipv6.conf.br/1.disable_ipv6=1
		sysctl -qw net.ipv6.conf.br0.accept_ra=0
		sysctl -qw net.bridge.bridge-nf-call-iptables=0
	`)
	have := read(t).Sysctls
	for name, value := range have {
		if name == "net.netfilter.nf_conntrack_count" {
			continue // moves by itself
		}
		// sysctl(8) writes a dot within a name as a slash.
		written := strings.ReplaceAll(name, "br.1", "br/1")
		check(t, name, value, strings.TrimSpace(sh(t, "sysctl -n "+written)))
	}
	check(t, "ip_forward", have["net.ipv4.ip_forward"], "1")
	check(t, "name with a dot", have["net.ipv6.conf.br.1.disable_ipv6"], "1")
	check(t, "accept_ra", have["net.ipv6.conf.br0.accept_ra"], "0")
	check(t, "bridge-nf", have["net.bridge.bridge-nf-call-iptables"], "0")
	if _, ok := have["net.netfilter.nf_conntrack_max"]; !ok {
		t.Error("no conntrack limit")
	}
}

func TestSysctlPath(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_forward":                   "/proc/sys/net/ipv4/ip_forward",
		"net.ipv4.conf.eth0.forwarding":         "/proc/sys/net/ipv4/conf/eth0/forwarding",
		"net.ipv4.conf.eth0.100.200.forwarding": "/proc/sys/net/ipv4/conf/eth0.100.200/forwarding",
		"net.ipv6.neigh.br.1.gc_stale_time":     "/proc/sys/net/ipv6/neigh/br.1/gc_stale_time",
		"net.bridge.bridge-nf-call-iptables":    "/proc/sys/net/bridge/bridge-nf-call-iptables",
		// A link's name cannot be ".", so this cannot leave its folder.
		"net.ipv4.conf....forwarding":     "",
		"net.ipv4":                        "",
		"kernel.core.pattern":             "",
		"":                                "",
		"net..ip_forward":                 "",
		"net/ipv6/conf/br-lan.6/autoconf": "/proc/sys/net/ipv6/conf/br-lan.6/autoconf",
		"net/ipv4/ip_forward":             "/proc/sys/net/ipv4/ip_forward",
		"net/ipv4/conf/../ip_forward":     "",
		"net/ipv4/":                       "",
		"/net/ipv4/ip_forward":            "",
		"net.ipv4.a/b":                    "",
		"net.ipv4.a\x00b":                 "",
	} {
		have, err := sysctlPath(name)
		if have != want || (err == nil) != (want != "") {
			t.Errorf("%q: have %q, %v; want %q", name, have, err, want)
		}
	}
}

func FuzzSysctlPath(f *testing.F) {
	f.Add("net.ipv4.conf.eth0.100.forwarding")
	f.Add("net.ipv4.conf....x")
	f.Fuzz(func(t *testing.T, name string) {
		path, err := sysctlPath(name)
		if err != nil {
			return
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(path, procSys), "/") {
			if part == "" || part == "." || part == ".." {
				t.Errorf("%q leads to %q", name, path)
			}
		}
	})
}
