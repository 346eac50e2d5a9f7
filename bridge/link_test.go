package bridge

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// linkOf finds a link by name.
func linkOf(t *testing.T, s State, name string) Link {
	t.Helper()
	return find(t, s.Links, func(l Link) bool { return l.Name == name })
}

func TestLinksAgreeWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link set br0 up
		ip tuntap add vnet0 mode tap
		ip tuntap add tun0 mode tun
		ip link set vnet0 mtu 1400 master br0 up
		ip link add eth0 type veth peer name eth1
		ip link set eth0 up
		ip link set eth1 address 52:54:00:aa:bb:cc
		ip link property add dev eth1 altname uplink-of-the-host-with-a-long-name
		ip link add link eth0 name macvtap0 type macvtap mode vepa
		ip link add link eth0 name macvtap1 type macvtap mode bridge
		ip link add vx0 type vxlan id 7 local 127.0.0.1 dstport 4789
	`)
	have, want := quiet(t, "ip -j -d link")
	if len(have.Links) != len(want) {
		t.Errorf("have %d links, ip has %d", len(have.Links), len(want))
	}
	for _, w := range want {
		l := linkOf(t, have, w["ifname"].(string))
		flags := w["flags"].([]any)
		info, _ := w["linkinfo"].(map[string]any)
		data, _ := info["info_data"].(map[string]any)
		check(t, l.Name+" index", float64(l.Index), w["ifindex"])
		check(t, l.Name+" mtu", float64(l.MTU), w["mtu"])
		check(t, l.Name+" up", l.Up, slices.Contains(flags, any("UP")))
		check(t, l.Name+" loopback", l.Loopback, slices.Contains(flags, any("LOOPBACK")))
		check(t, l.Name+" oper", l.Oper, strings.ToLower(w["operstate"].(string)))
		check(t, l.Name+" mac", orNil(l.MAC), w["address"])
		check(t, l.Name+" master", orNil(l.Master), w["master"])
		check(t, l.Name+" parent", orNil(l.Parent), w["link"])
		check(t, l.Name+" kind", orNil(l.Kind), info["info_kind"])
		if l.Mode != "" || strings.HasPrefix(l.Name, "macvtap") {
			check(t, l.Name+" mode", any(l.Mode), data["mode"])
		}
		if l.Up {
			check(t, l.Name+" carrier", l.Carrier, slices.Contains(flags, any("LOWER_UP")))
		}
		alt, _ := w["altnames"].([]any)
		check(t, l.Name+" altnames", len(l.AltNames), len(alt))
		for i := range alt {
			check(t, l.Name+" altname", any(l.AltNames[i]), alt[i])
		}
		check(t, l.Name+" is tun", l.Tun != nil, l.Kind == "tun")
		if l.Tun != nil {
			check(t, l.Name+" tun type", l.Tun.Tap, data["type"] == "tap")
			check(t, l.Name+" persist", any(l.Tun.Persist), data["persist"])
		}
	}
}

// check compares what this package says with what a tool says.
func check(t *testing.T, what string, have, want any) {
	t.Helper()
	if have != want {
		t.Errorf("%s: have %v, want %v", what, have, want)
	}
}

// orNil is how the tools leave out what is empty.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func TestLinkWithItsPeerElsewhere(t *testing.T) {
	inNamespace(t)
	sleeper := exec.Command("unshare", "--net", "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for { // until the child has left for its namespace
		theirs, err := os.Readlink("/proc/" + jsonNumber(uint64(sleeper.Process.Pid)) + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if theirs != own {
			break
		}
		runtime.Gosched()
	}
	sh(t, "ip link add eth0 type veth peer name eth1\nip link set eth1 netns "+jsonNumber(uint64(sleeper.Process.Pid)))
	l := linkOf(t, read(t), "eth0")
	// The peer's index over there may be that of any link here.
	if l.Parent != "" || !l.ParentElsewhere {
		t.Errorf("parent %q, elsewhere %v; want none here", l.Parent, l.ParentElsewhere)
	}
	one, err := ReadLink("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if one.Parent != "" || !one.ParentElsewhere {
		t.Errorf("ReadLink: parent %q, elsewhere %v; want none here", one.Parent, one.ParentElsewhere)
	}
}

func TestReadLinkIsTheLinkOfRead(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link add eth0 type veth peer name eth1
		ip link set eth0 master br0
		ip link add link eth1 name macvtap0 type macvtap mode bridge
	`)
	for _, want := range read(t).Links {
		have, err := ReadLink(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if have.Name != want.Name || have.Master != want.Master || have.Parent != want.Parent || have.Kind != want.Kind || have.Index != want.Index {
			t.Errorf("have %+v, want %+v", have, want)
		}
	}
}

func TestReadLinkErrors(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add eth0 type veth peer name eth1")
	if _, err := ReadLink("nothere"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "nothere") {
		t.Errorf("have %v, want %v with the name", err, ErrNotFound)
	}
	if _, err := ReadBridge("eth0"); !errors.Is(err, ErrNotABridge) {
		t.Errorf("have %v, want %v", err, ErrNotABridge)
	}
	if _, err := ReadPort("eth0"); !errors.Is(err, ErrNotAPort) {
		t.Errorf("have %v, want %v", err, ErrNotAPort)
	}
	if _, err := ReadLink("a/../b"); !errors.Is(err, ErrBadName) {
		t.Errorf("have %v, want %v", err, ErrBadName)
	}
}

func TestCheckName(t *testing.T) {
	inNamespace(t)
	good := []string{"br0", "virbr0-nic", "tapae04cfac-d0", "brqc39c1348-5a", "eth0.100", "a", "fünfzehn-bytes", "a<b", `a"b`, "a'b", "..."}
	bad := []string{"", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\nb", "a\x00b", "a\x7fb", "vnet%d", "sixteen-bytes-xx", "\xff\xfe", strings.Repeat("x", 10000)}
	for _, name := range good {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := AddBridge(name); err != nil { // the kernel agrees
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range bad {
		err := CheckName(name)
		if !errors.Is(err, ErrBadName) {
			t.Errorf("%q: have %v, want %v", name, err, ErrBadName)
			continue
		}
		if len(err.Error()) > 200 {
			t.Errorf("%d bytes of error for a name of %d", len(err.Error()), len(name))
		}
	}
}

func FuzzParseLink(f *testing.F) {
	seedDumps(f, unix.RTM_GETLINK, linkRequest(0))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, keep, err := parseLink(b)
		if err != nil && keep {
			t.Errorf("a broken message is kept: %+v", l)
		}
		l.resolve(names{1: "lo"})
	})
}
