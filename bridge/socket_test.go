package bridge

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// listen opens a socket in the namespace of the calling thread, bound to a
// device when one is named.
func listen(t *testing.T, network, address, device string) {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		control := raw.Control(func(fd uintptr) {
			if device != "" {
				err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device)
			}
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			}
		})
		if control != nil {
			return control
		}
		return err
	}}
	var err error
	var c interface{ Close() error }
	if strings.HasPrefix(network, "udp") {
		c, err = config.ListenPacket(context.Background(), network, address)
	} else {
		c, err = config.Listen(context.Background(), network, address)
	}
	if err != nil {
		t.Fatalf("listen on %s %s: %v", network, address, err)
	}
	t.Cleanup(func() { _ = c.Close() })
}

func TestSockets(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link add br1 type bridge
		ip link set br0 up
		ip addr add 10.0.0.1/24 dev br0
	`)
	listen(t, "udp4", "0.0.0.0:67", "br0")
	listen(t, "udp4", "0.0.0.0:67", "br1")
	listen(t, "udp4", "10.0.0.1:53", "")
	listen(t, "tcp4", "10.0.0.1:53", "")
	listen(t, "udp4", "0.0.0.0:69", "")
	listen(t, "udp6", "[::]:547", "br0")
	listen(t, "tcp6", "[::1]:53", "")
	listen(t, "udp4", "0.0.0.0:5353", "") // not one that networks need
	listen(t, "tcp4", "0.0.0.0:67", "")
	s := read(t)
	want := []string{
		"tcp 10.0.0.1 53 ", "tcp ::1 53 ", "tcp 0.0.0.0 67 ",
		"udp 10.0.0.1 53 ", "udp 0.0.0.0 67 br0", "udp 0.0.0.0 67 br1", "udp 0.0.0.0 69 ", "udp :: 547 br0",
	}
	var have []string
	for _, one := range s.Sockets {
		have = append(have, fmt.Sprintf("%s %s %d %s", one.Protocol, one.Address, one.Port, one.Device))
		check(t, "pid", one.PID, os.Getpid())
		check(t, "command", one.Command != "" && strings.HasPrefix(one.Args[0], os.Args[0]), true)
	}
	check(t, "sockets", strings.Join(have, "\n"), strings.Join(want, "\n"))
	for _, g := range s.Gaps {
		t.Errorf("gap %+v", g)
	}
}

func TestSocketThatLeavesIPv4Alone(t *testing.T) {
	inNamespace(t)
	listen(t, "udp", "[::]:53", "")
	listen(t, "tcp6", "[::]:53", "")
	var have []string
	for _, one := range read(t).Sockets {
		have = append(have, fmt.Sprintf("%s %s %t", one.Protocol, one.Address, one.V6Only))
	}
	check(t, "sockets", strings.Join(have, "\n"), "tcp :: true\nudp :: false")
}

func TestSocketOfDnsmasq(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge\nip link set br0 up\nip addr add 10.0.0.1/24 dev br0")
	dir := t.TempDir()
	daemon := exec.Command("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--bind-interfaces",
		"--interface=br0", "--except-interface=lo", "--dhcp-range=10.0.0.2,10.0.0.9", "--dhcp-leasefile="+dir+"/leases",
		"--pid-file="+dir+"/pid", "--user=root", "--log-facility=-")
	log, err := daemon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	waitForText(t, log, "IP range")
	dhcp := find(t, read(t).Sockets, func(s Socket) bool { return s.Port == 67 })
	check(t, "pid", dhcp.PID, daemon.Process.Pid)
	check(t, "command", dhcp.Command, "dnsmasq")
	check(t, "device", dhcp.Device, "br0")
	check(t, "args", strings.Join(dhcp.Args, " "), strings.Join(daemon.Args, " "))
	check(t, "stopped", dhcp.Stopped, false)
	check(t, "dns", find(t, read(t).Sockets, func(s Socket) bool { return s.Port == 53 && s.Protocol == "udp" }).Address, netip.MustParseAddr("10.0.0.1"))

	if err := daemon.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(daemon.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("wait for the stop: %v, status %v", err, status)
	}
	check(t, "stopped", find(t, read(t).Sockets, func(s Socket) bool { return s.Port == 67 }).Stopped, true)
}

func TestOwnersWithoutPermissionAreAGap(t *testing.T) {
	inNamespace(t)
	listen(t, "udp4", "127.0.0.1:53", "")
	// A child without privileges has the namespace and not the right to look
	// into this process.
	out := asNobody(t, "TestHelperPrintsSockets")
	if !strings.Contains(out, "udp 127.0.0.1 53 pid 0") || !strings.Contains(out, "gap socket owners:") {
		t.Errorf("have %s", out)
	}
	if strings.Count(out, "gap ") != 2 || !strings.Contains(out, "gap xfrm: ") {
		t.Errorf("only the owners and IPsec may be missing: %s", out)
	}
}

// TestHelperPrintsSockets is run by TestOwnersWithoutPermissionAreAGap; by
// itself it finds nothing to print.
func TestHelperPrintsSockets(t *testing.T) {
	if os.Getenv(asNobodyEnv) == "" {
		return
	}
	s := read(t)
	for _, one := range s.Sockets {
		fmt.Printf("%s %s %d pid %d\n", one.Protocol, one.Address, one.Port, one.PID)
	}
	for _, g := range s.Gaps {
		fmt.Printf("gap %s: %s\n", g.Source, g.Message)
	}
}

func TestOwnersInAnotherPIDNamespaceAreAGap(t *testing.T) {
	inNamespace(t)
	listen(t, "udp4", "127.0.0.1:53", "")
	// --pid without --mount-proc: /proc still counts as it did outside.
	out := helper(t, "TestHelperPrintsSockets", nil, "unshare", "--pid", "--fork")
	if !strings.Contains(out, "udp 127.0.0.1 53 pid 0") || !strings.Contains(out, "gap socket owners: /proc belongs to another pid namespace") {
		t.Errorf("have %s", out)
	}
}

func FuzzParseSocket(f *testing.F) {
	whole := make([]byte, inetDiagMsgLen)
	whole[0], whole[5] = afInet6, 53
	f.Add(whole)
	f.Add(whole[:20])
	whole[0] = afInet
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, keep, err := parseSocket(b, unix.IPPROTO_UDP)
		if keep && (err != nil || !s.Address.IsValid()) {
			t.Errorf("kept %+v with %v", s, err)
		}
	})
}
