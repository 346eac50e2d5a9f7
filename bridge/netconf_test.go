package bridge

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestForwardingAgreesWithProc(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link add br.1 type bridge
		sysctl -qw net.ipv4.ip_forward=1
		sysctl -qw net.ipv4.conf.br/1.forwarding=0
		sysctl -qw net.ipv4.conf.br0.rp_filter=2
		sysctl -qw net.ipv4.conf.all.rp_filter=1
		sysctl -qw net.ipv6.conf.br0.forwarding=1
		sysctl -qw net.ipv4.conf.br0.proxy_arp=1
		sysctl -qw net.ipv4.conf.br/1.ignore_routes_with_linkdown=1
	`)
	list := read(t).Forwarding
	links := []string{"all", "default", "lo", "br0", "br.1"}
	check(t, "entries", len(list), 2*len(links))
	for _, link := range links {
		for _, family := range []int{4, 6} {
			f := find(t, list, func(f Forwarding) bool { return f.Link == link && f.Family == family })
			dir := "/proc/sys/net/ipv" + strconv.Itoa(family) + "/conf/" + link
			check(t, link+" forwarding", strconv.Itoa(number(f.On))+"\n", sh(t, "cat "+dir+"/forwarding"))
			if family == 4 {
				check(t, link+" proxy", strconv.Itoa(number(f.Proxy))+"\n", sh(t, "cat "+dir+"/proxy_arp"))
				check(t, link+" linkdown", strconv.Itoa(number(f.IgnoreLinkdown))+"\n", sh(t, "cat "+dir+"/ignore_routes_with_linkdown"))
				check(t, link+" rp_filter", strconv.Itoa(f.RPFilter)+"\n", sh(t, "cat "+dir+"/rp_filter"))
			}
		}
	}
}

func FuzzParseNetconf(f *testing.F) {
	seedDumps(f, unix.RTM_GETNETCONF, make([]byte, netconfLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, keep, err := parseNetconf(b)
		if keep && (err != nil || n.resolve(names{}).Link == "") {
			t.Errorf("kept %+v with %v", n, err)
		}
	})
}
