package services

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfiguredPorts(t *testing.T) {
	root := machine(t, map[string]string{
		"proc/misc": "", "proc/sys/kernel/osrelease": "6.1.0\n",
		"etc/network/interfaces": "auto br0\niface br0 inet static\n\taddress 10.0.0.1/24\n\tbridge_ports eth0 eth1 regex en.* none\n" +
			"iface br9 inet manual\n\tbridge-ports none\n\tbridge_stp off\nsource interfaces.d/*\n",
		"etc/network/interfaces.d/more": "iface br1 inet dhcp\nbridge-ports bond0\n",
		"etc/netplan/01.yaml": "network:\n  version: 2\n  ethernets:\n    enp1s0: {}\n    lan:\n      match: {macaddress: '52:54:00:00:00:01'}\n      set-name: lan0\n" +
			"    any:\n      match: {driver: virtio}\n  bridges:\n    br2:\n      interfaces: [enp1s0, lan, any]\n    br3: {}\n",
		"etc/netplan/02.yaml":                                  "network: {bridges: {br2a: {interfaces: &ports [&port enp2s0]}, br2b: {interfaces: *ports}, br2c: {interfaces: [*port]}}}\n",
		"etc/systemd/network/10.network":                       "[Match]\nName=eno1 eno2\n[Network]\nBridge=br4\n",
		"etc/systemd/network/11.network":                       "[Match]\nName=en*\n[Network]\nBridge=br4\n",
		"etc/systemd/network/12.network":                       "[Match]\nName=eno3\nMACAddress=52:54:00:00:00:02\n[Network]\nBridge=br4\n",
		"etc/NetworkManager/system-connections/p.nmconnection": "[connection]\nid=p\ntype=ethernet\ninterface-name=ens3\nmaster=br5\nslave-type=bridge\n[ethernet]\n",
		"etc/NetworkManager/system-connections/q.nmconnection": "[connection]\ninterface-name=ens4\ncontroller=br5\nport-type=bridge\n",
		"etc/NetworkManager/system-connections/r.nmconnection": "[connection]\ninterface-name=ens5\ncontroller=bond0\nport-type=bond\n",
		"etc/sysconfig/network-scripts/ifcfg-em1":              "DEVICE=\"em1\"\nBRIDGE=br6\n",
		"etc/sysconfig/network-scripts/ifcfg-em2":              "DEVICE=em2\nHWADDR=52:54:00:00:00:03\nBRIDGE=br6\n",
		"etc/sysconfig/network-scripts/ifcfg-lo":               "DEVICE=lo\n",
	})
	s := Read(context.Background(), Options{Root: root})
	want := []ConfiguredPort{
		{Link: "eth0", Bridge: "br0", File: "/etc/network/interfaces"},
		{Link: "eth1", Bridge: "br0", File: "/etc/network/interfaces"},
		{Link: "bond0", Bridge: "br1", File: "/etc/network/interfaces.d/more"},
		{Link: "enp1s0", Bridge: "br2", File: "/etc/netplan/01.yaml"},
		{Link: "lan0", Bridge: "br2", File: "/etc/netplan/01.yaml"},
		{Link: "enp2s0", Bridge: "br2a", File: "/etc/netplan/02.yaml"},
		{Link: "enp2s0", Bridge: "br2b", File: "/etc/netplan/02.yaml"},
		{Link: "enp2s0", Bridge: "br2c", File: "/etc/netplan/02.yaml"},
		{Link: "eno1", Bridge: "br4", File: "/etc/systemd/network/10.network"},
		{Link: "eno2", Bridge: "br4", File: "/etc/systemd/network/10.network"},
		{Link: "ens3", Bridge: "br5", File: "/etc/NetworkManager/system-connections/p.nmconnection"},
		{Link: "ens4", Bridge: "br5", File: "/etc/NetworkManager/system-connections/q.nmconnection"},
		{Link: "em1", Bridge: "br6", File: "/etc/sysconfig/network-scripts/ifcfg-em1"},
	}
	if diff := cmp.Diff(want, s.Ports); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
	if len(s.Gaps) > 0 {
		t.Errorf("gaps: %v", s.Gaps)
	}
}

// laughs is a document that would double n times were its aliases copied.
func laughs(n int) string {
	text := "a0: &a0 [x]\n"
	for i := range n {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	return text + fmt.Sprintf("network: {ethernets: {eth0: {match: {name: *a%d}}}}\n", n)
}

func TestConfigOfAnyContent(t *testing.T) {
	for name, test := range map[string]struct{ file, content, gap string }{
		"no YAML":   {"etc/netplan/a.yaml", "network: [", "read etc/netplan/a.yaml: "},
		"aliases":   {"etc/netplan/a.yaml", laughs(40), ""},
		"itself":    {"etc/netplan/a.yaml", "network: &n {ethernets: *n, bridges: *n, interfaces: *n}\n", ""},
		"many keys": {"etc/netplan/a.yaml", "{" + strings.Repeat("a,", 30_000) + "}", ""},
		"too long":  {"etc/netplan/a.yaml", "#" + strings.Repeat("a", 70_000), "read etc/netplan/a.yaml: larger than 64 KiB"},
		"wrong":     {"etc/netplan/a.yaml", "network: {ethernets: [a], bridges: {br0: {interfaces: {a: b}}, br1: [a], br2: {interfaces: [[a], {a: b}]}}}\n", ""},
		"other":     {"etc/netplan/a.yaml", "- 1\n- 2\n", "read etc/netplan/a.yaml: "},
		"empty":     {"etc/netplan/a.yaml", "# none\n---\n", ""},
		"nothing":   {"etc/netplan/a.yaml", "", ""},
		"no bridge": {"etc/network/interfaces", "bridge_ports eth0\niface\nbridge_ports eth1\n", ""},
		"a pattern": {"etc/network/interfaces", "iface br0 inet manual\nbridge_ports /en.*/ a*b\n", ""},
		"hostile":   {"etc/network/interfaces", "iface br\x000 inet\nbridge_ports " + strings.Repeat("a", 10_000) + "\n", ""},
	} {
		root := machine(t, map[string]string{"proc/misc": "", "proc/sys/kernel/osrelease": "6.1.0\n", test.file: test.content})
		s := Read(context.Background(), Options{Root: root})
		if len(s.Ports) > 0 {
			t.Errorf("%s: have %v", name, s.Ports)
		}
		switch {
		case test.gap == "" && len(s.Gaps) > 0:
			t.Errorf("%s: gaps %v", name, s.Gaps)
		case test.gap != "" && (len(s.Gaps) != 1 || s.Gaps[0].Source != PartConfig || !strings.Contains(s.Gaps[0].Message, test.gap) || strings.Contains(s.Gaps[0].Message, "\n")):
			t.Errorf("%s: gaps %v, want one with %q", name, s.Gaps, test.gap)
		}
	}
}

func TestMachine(t *testing.T) {
	const info = "processor\t: 0\nflags\t\t: fpu vme %s\nbugs\t\t:\n\nprocessor\t: 1\nflags\t\t: fpu hypervisor\n"
	for _, test := range []struct {
		files map[string]string
		want  Machine
	}{
		{map[string]string{"proc/cpuinfo": strings.ReplaceAll(info, "%s", "hypervisor lahf_lm"), "sys/class/dmi/id/sys_vendor": "VMware, Inc.\n", "sys/class/dmi/id/product_name": "VMware20,1\n"},
			Machine{Hypervisor: true, Vendor: "VMware, Inc.", Product: "VMware20,1"}},
		{map[string]string{"proc/cpuinfo": strings.ReplaceAll(info, "%s", "hypervisorless")}, Machine{}},
		{map[string]string{"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\n"}, Machine{}},
		{map[string]string{"proc/": ""}, Machine{}},
	} {
		r := &reader{root: machine(t, test.files)}
		if have := r.machine(); have != test.want {
			t.Errorf("have %+v, want %+v", have, test.want)
		}
	}
}
