package services

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// machine lays out a root folder: contents by path. A path that ends with "/"
// is a folder; "socket" and "program" as content make such a file.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case content == "socket":
			err = unix.Mknod(path, unix.S_IFSOCK|0o600, 0)
		case content == "program":
			err = os.WriteFile(path, nil, 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// debian is a machine like a Debian host with libvirt 9.0 and one network.
func debian() map[string]string {
	return map[string]string{
		"run/libvirtd.pid":         "42\n",
		"proc/42/comm":             "libvirtd\n",
		"proc/42/environ":          "LANG=C\x00PATH=/opt/bin:/usr/local/sbin:relative\x00",
		"run/libvirt/libvirt-sock": "socket",
		"etc/systemd/system/multi-user.target.wants/libvirtd.service": "",
		"opt/bin/dnsmasq":                            "program",
		"usr/sbin/dnsmasq":                           "program",
		"usr/sbin/iptables":                          "program",
		"usr/sbin/nft":                               "no program",
		"proc/sys/kernel/osrelease":                  "6.1.0-28-amd64\n",
		"proc/misc":                                  "200 tun\n235 autofs\n",
		"lib/modules/6.1.0-28-amd64/":                "",
		"lib/modules/6.1.0-28-amd64/modules.dep":     "kernel/drivers/vhost/vhost_net.ko.xz: kernel/drivers/vhost/vhost.ko.xz\n",
		"lib/modules/6.1.0-28-amd64/modules.builtin": "kernel/drivers/char/random.ko\n",
		"var/lib/libvirt/dnsmasq/default.conf":       "##WARNING\n#\n# dnsmasq conf file created by libvirt\nstrict-order\ninterface=virbr0\n",
		"var/lib/libvirt/dnsmasq/default.hostsfile":  "52:54:00:00:00:01,192.168.122.9,web\n",
		"var/lib/libvirt/dnsmasq/virbr0.status":      "",
		"run/libvirt/network/default.pid":            "119\n",
		"run/libvirt/network/default.xml":            "<networkstatus><network><name>default</name></network></networkstatus>",
		"etc/resolv.conf":                            "# comment\nsearch lab\nnameserver 203.0.113.1\nnameserver  fd00::1\noptions edns0\n",
		"usr/lib/qemu/qemu-bridge-helper":            "program",
	}
}

func TestReadDebian(t *testing.T) {
	root := machine(t, debian())
	wrote, started := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC), time.Date(2025, 3, 1, 12, 0, 1, 0, time.UTC)
	for name, at := range map[string]time.Time{
		"var/lib/libvirt/dnsmasq/default.conf": wrote, "run/libvirt/network/default.pid": started,
	} {
		if err := os.Chtimes(filepath.Join(root, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	want := State{
		UID:     os.Geteuid(),
		Daemons: []Daemon{{Name: "libvirtd", PID: 42, Socket: "/run/libvirt/libvirt-sock", Listens: true, Enabled: true}},
		Programs: []Program{
			{Name: "dnsmasq", Path: "/opt/bin/dnsmasq"}, {Name: "ebtables"}, {Name: "ip6tables"}, {Name: "iptables", Path: "/usr/sbin/iptables"}, {Name: "nft"}, {Name: "tc"},
		},
		Devices: []Device{{"/dev/net/tun", false, DriverLoaded}, {"/dev/vhost-net", false, DriverModule}},
		Kernel:  Kernel{"6.1.0-28-amd64", true},
		Machine: &Machine{}, Ports: []ConfiguredPort{},
		Networks: []Network{{
			Name: "default", Config: []string{"strict-order", "interface=virbr0"}, Hosts: []string{"52:54:00:00:00:01,192.168.122.9,web"}, Modified: wrote, Started: started, PID: 119,
		}},
		Resolver: Resolver{Found: true, Servers: []string{"203.0.113.1", "fd00::1"}},
		Helper:   &BridgeHelper{Path: "/usr/lib/qemu/qemu-bridge-helper", ACL: []ACLRule{}},
		Gaps:     []Gap{},
	}
	have := Read(t.Context(), Options{Root: root})
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("state (-want +have):\n%s", diff)
	}
	if diff := cmp.Diff(have, Read(t.Context(), Options{Root: root})); diff != "" {
		t.Errorf("a second reading differs:\n%s", diff)
	}
}

// TestReadNothing: an empty machine is no gap but for what every kernel shows.
func TestReadNothing(t *testing.T) {
	s := Read(t.Context(), Options{Root: t.TempDir()})
	for _, g := range s.Gaps {
		if g.Source != PartDevices {
			t.Errorf("gap %v", g)
		}
	}
	if len(s.Daemons)+len(s.Devices)+len(s.Networks) > 0 || s.Helper != nil || s.Networkd != nil || s.Resolver.Found {
		t.Errorf("have %+v", s)
	}
}

func read(t *testing.T, files map[string]string) State {
	t.Helper()
	return Read(t.Context(), Options{Root: machine(t, files)})
}

func TestDaemons(t *testing.T) {
	s := read(t, map[string]string{
		"run/virtnetworkd.pid":              "7\n",
		"proc/7/comm":                       "virtnetworkd\n",
		"run/libvirtd.pid":                  "8\n",
		"proc/8/comm":                       "something\n", // the pid is another's by now
		"run/libvirt/libvirt-sock":          "socket",
		"run/libvirt/virtqemud-sock":        "socket",
		"run/libvirt/virtnwfilterd-sock":    "no socket",
		"var/run/libvirt/virtnetworkd-sock": "socket",
		"proc/net/unix":                     "Num       RefCount Protocol Flags    Type St Inode Path\n0000: 00000002 00000000 00010000 0001 01 1 /run/libvirt/virtqemud-sock\n0000: 00000003 00000000 00000000 0001 03 2 /run/libvirt/libvirt-sock\n",
		"etc/systemd/system/sockets.target.wants/virtnwfilterd.socket": "",
	})
	want := []Daemon{
		{Name: "libvirtd", Socket: "/run/libvirt/libvirt-sock"},
		{Name: "virtnetworkd", PID: 7, Socket: "/var/run/libvirt/virtnetworkd-sock", Listens: true},
		{Name: "virtnwfilterd", SocketEnabled: true},
		{Name: "virtqemud", Socket: "/run/libvirt/virtqemud-sock", Listens: true},
	}
	if diff := cmp.Diff(want, s.Daemons); diff != "" {
		t.Errorf("daemons (-want +have):\n%s", diff)
	}
}

func TestBackend(t *testing.T) {
	for text, want := range map[string]string{
		`firewall_backend = "nftables"`:                             "nftables",
		"#firewall_backend = \"nftables\"\n":                        "",
		"firewall_backend='iptables' # why\n":                       "iptables",
		"firewall_backend = \"nftables\"\nfirewall_backend = \"x\"": "x",
		"\x00\xff": "",
	} {
		if have := read(t, map[string]string{"etc/libvirt/network.conf": text}).Backend; have != want {
			t.Errorf("%q: have %q, want %q", text, have, want)
		}
	}
	s := read(t, map[string]string{
		"run/libvirt/network/a.xml": `<networkstatus><network><name>a</name></network><firewall backend='nftables'><action layer='ipv4'/><group>` +
			action("delete", "rule", "ip6", "libvirt_network", "guest_cross", "handle", "11") +
			action("delete", "rule", "ip", "libvirt_network", "guest_cross", "handle", "-1") +
			action("filter", "del", "dev", "virbr9", "prio", "2", "protocol") +
			`</group></firewall></networkstatus>`,
		"run/libvirt/network/b.xml": `<networkstatus><network>`,
		"run/libvirt/network/c.xml": `<networkstatus><firewall backend='nftables'><group>` +
			strings.ReplaceAll(action("filter", "del", "dev", "virbr9", "prio", "2", "action", "csum", "ip", "and", "udp"), "ipv4", "tc") +
			`</group></firewall></networkstatus>`,
	})
	if len(s.Networks) != 3 || s.Networks[0].Backend != "nftables" || s.Networks[1].Backend != "" || s.Networks[0].Checksum || !s.Networks[2].Checksum {
		t.Errorf("have %+v", s.Networks)
	}
	if diff := cmp.Diff([]FilterRule{{Family: "ip6", Table: "libvirt_network", Chain: "guest_cross", Handle: 11}}, s.Networks[0].Rules); diff != "" {
		t.Errorf("rules (-want +have):\n%s", diff)
	}
	if diff := cmp.Diff([]string{PartDevices, PartDevices, PartBackend}, sources(s)); diff != "" {
		t.Errorf("gaps (-want +have):\n%s", diff)
	}
}

// action is a command in libvirt's status file.
func action(words ...string) string {
	return "<action layer='ipv4'><args><item>" + strings.Join(words, "</item><item>") + "</item></args></action>"
}

func sources(s State) []string {
	var list []string
	for _, g := range s.Gaps {
		list = append(list, g.Source)
	}
	return list
}

func TestResolver(t *testing.T) {
	s := read(t, map[string]string{
		"etc/resolv.conf":                  "nameserver 127.0.0.53\n",
		"run/systemd/resolve/resolv.conf":  "nameserver 203.0.113.1\nnameserver 192.168.122.1\n",
		"run/systemd/resolve/netif/12":     "# private\nLLMNR=yes\nSERVERS=192.168.122.1 fd00::1\nDOMAINS=~vm.lab lab\n",
		"run/systemd/resolve/netif/3":      "DOMAINS=x\n",
		"run/systemd/resolve/netif/nobody": "SERVERS=1\n",
		"etc/dnsmasq.conf":                 "#server=1.1.1.1\nserver=192.168.122.1\nlocal=/x/\nserver=/lab/\n",
		"etc/dnsmasq.d/vm":                 "server=/vm.lab/122.168.192.in-addr.arpa/192.168.122.1#53@virbr0\n",
		"etc/dnsmasq.d/vm~":                "server=9.9.9.9\n",
	})
	want := Resolver{
		Found: true, Servers: []string{"127.0.0.53"}, Upstream: []string{"203.0.113.1", "192.168.122.1"},
		Links: []LinkDNS{
			{3, []string{}, []string{"x"}}, {12, []string{"192.168.122.1", "fd00::1"}, []string{"~vm.lab", "lab"}},
		},
		Forwards: []Forward{
			{"/etc/dnsmasq.conf", "", "192.168.122.1"}, {"/etc/dnsmasq.d/vm", "vm.lab", "192.168.122.1"},
			{"/etc/dnsmasq.d/vm", "122.168.192.in-addr.arpa", "192.168.122.1"},
		},
	}
	if diff := cmp.Diff(want, s.Resolver); diff != "" {
		t.Errorf("resolver (-want +have):\n%s", diff)
	}
}

func TestHelper(t *testing.T) {
	root := machine(t, map[string]string{
		"usr/lib/qemu/qemu-bridge-helper": "program",
		"etc/qemu/bridge.conf":            "# who may\nallow br0\ninclude /etc/qemu/more.conf\nallow\nfoo bar\n",
		"etc/qemu/more.conf":              "allow all\ndeny virbr0\ninclude /etc/qemu/bridge.conf\n",
	})
	h := Read(t.Context(), Options{Root: root}).Helper
	if h == nil || h.File != "/etc/qemu/bridge.conf" || h.Privileged {
		t.Fatalf("have %+v", h)
	}
	for bridge, want := range map[string]bool{"br0": true, "br7": true, "virbr0": false} {
		if have := h.Allows(bridge); have != want {
			t.Errorf("allows %s: have %t, want %t", bridge, have, want)
		}
	}
	if err := os.Chmod(filepath.Join(root, "usr/lib/qemu/qemu-bridge-helper"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if h := Read(t.Context(), Options{Root: root}).Helper; h == nil || !h.Privileged {
		t.Errorf("setuid: have %+v", h)
	}
}

func TestNetworkd(t *testing.T) {
	s := read(t, map[string]string{
		"run/systemd/netif/links/12":         "# This is private data. Do not parse.\nADMIN_STATE=configured\nOPER_STATE=routable\nNETWORK_FILE=/etc/systemd/network/20-all.network\nDNS=\n",
		"run/systemd/netif/links/2":          "ADMIN_STATE=unmanaged\n",
		"run/systemd/netif/links/x":          "ADMIN_STATE=configured\n",
		"etc/systemd/network/20-all.network": "[Match]\nName=*\n\n[Network]\nDHCP=yes\n",
	})
	want := &Networkd{Links: []NetworkdLink{
		{Index: 2, Admin: "unmanaged"},
		{Index: 12, Admin: "configured", File: "/etc/systemd/network/20-all.network", Match: []string{"Name=*"}},
	}}
	if diff := cmp.Diff(want, s.Networkd); diff != "" {
		t.Errorf("networkd (-want +have):\n%s", diff)
	}
}

// TestHostileFiles: what is no file is not waited for, what is too big is not
// read, and what may not be read is a gap.
func TestHostileFiles(t *testing.T) {
	root := machine(t, map[string]string{
		"proc/sys/kernel/osrelease":            "../../etc\n",
		"proc/misc":                            "",
		"etc/resolv.conf":                      strings.Repeat("nameserver 1\n", 1<<17),
		"var/lib/libvirt/dnsmasq/a\nb.conf":    strings.Repeat("x", 3*maxLine),
		"var/lib/libvirt/dnsmasq/folder.conf/": "",
		"var/lib/libvirt/dnsmasq/\xff.conf":    "\xff\xfe\x00",
		"run/libvirt/network/b.xml":            "<firewall backend='" + strings.Repeat("y", 100) + "'>",
		"usr/lib/qemu/qemu-bridge-helper":      "program",
	})
	if err := os.MkdirAll(filepath.Join(root, "etc/qemu"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "etc/qemu/bridge.conf"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := Read(t.Context(), Options{Root: root})
	if diff := cmp.Diff([]string{PartHelper, PartDnsmasq, PartBackend, PartResolver}, sources(s)); diff != "" {
		t.Errorf("gaps (-want +have):\n%s", diff)
	}
	for _, n := range s.Networks {
		for _, line := range n.Config {
			if len(line) > maxLine || strings.ToValidUTF8(line, "") != line {
				t.Errorf("%q: line of %d bytes", n.Name, len(line))
			}
		}
	}
}

func TestSameFiles(t *testing.T) {
	const root = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 0:20 / /run rw - tmpfs tmpfs rw\n22 20 0:5 / /dev rw - devtmpfs udev rw\n"
	for name, test := range map[string]struct {
		other string
		want  bool
	}{
		"equal":                      {root, true},
		"a namespace of its own":     {"90 80 8:1 / / rw - ext4 /dev/sda1 rw\n91 90 0:20 / /run rw - tmpfs tmpfs rw\n92 90 0:5 / /dev rw - devtmpfs udev rw\n93 90 0:77 / /tmp rw - tmpfs tmpfs rw\n", true},
		"another /run":               {strings.Replace(root, "0:20", "0:21", 1), false},
		"libvirt's folder elsewhere": {root + "23 20 8:1 /srv/x /var/lib/libvirt rw - ext4 /dev/sda1 rw\n", false},
		"bound onto itself":          {root + "23 20 8:1 /etc /etc rw - ext4 /dev/sda1 rw\n", true},
		"a name that begins alike":   {root + "23 20 0:66 / /etc/libvirt-old rw - tmpfs x rw\n", true},
		"covered":                    {root + "24 20 0:67 / /run rw - tmpfs x rw\n", false},
		"a container":                {"20 1 0:99 / / rw - overlay overlay rw\n21 20 0:20 / /run rw - tmpfs tmpfs rw\n", false},
	} {
		folder := machine(t, map[string]string{"proc/self/mountinfo": root, "proc/42/mountinfo": test.other})
		have, err := SameFiles(Options{Root: folder}, 42)
		if err != nil || have != test.want {
			t.Errorf("%s: have %t %v, want %t", name, have, err, test.want)
		}
	}
	if _, err := SameFiles(Options{Root: t.TempDir()}, 42); err == nil {
		t.Error("no mounts, no error")
	}
	if same, err := SameFiles(Options{}, os.Getpid()); err != nil || !same {
		t.Errorf("this process and itself: %t %v", same, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("firewall_backend = \"x\"", "nameserver 1", "server=/a/b/1", "<firewall backend='a'/>", "include x\nallow b")
	f.Fuzz(func(t *testing.T, conf, resolv, dnsmasq, status, acl string) {
		files := map[string]string{
			"etc/libvirt/network.conf": conf, "etc/resolv.conf": resolv, "etc/dnsmasq.conf": dnsmasq,
			"run/libvirt/network/a.xml": status, "etc/qemu/bridge.conf": acl, "usr/lib/qemu/qemu-bridge-helper": "program",
			"var/lib/libvirt/dnsmasq/a.conf": dnsmasq, "run/systemd/netif/links/1": conf + "\nNETWORK_FILE=/etc/resolv.conf\n",
			"run/systemd/resolve/netif/1": resolv, "proc/self/mountinfo": acl, "proc/42/mountinfo": status,
			"proc/net/unix": acl, "run/libvirt/libvirt-sock": "socket",
		}
		root := machine(t, files)
		have := Read(t.Context(), Options{Root: root})
		if diff := cmp.Diff(have, Read(t.Context(), Options{Root: root})); diff != "" {
			t.Errorf("two readings differ:\n%s", diff)
		}
		_, _ = SameFiles(Options{Root: root}, 42)
	})
}

func TestGuestPID(t *testing.T) {
	r := &reader{root: machine(t, map[string]string{
		"run/libvirt/qemu/centos.pid": "146\n",
		"run/libvirt/qemu/broken.pid": "what\n",
		"run/libvirt/secret.pid":      "7\n",
	})}
	for guest, want := range map[string]int{"centos": 146, "broken": 0, "nothere": 0, "../secret": 0} {
		if have := r.guestPID(guest); have != want {
			t.Errorf("%s: have %d, want %d", guest, have, want)
		}
	}
}
