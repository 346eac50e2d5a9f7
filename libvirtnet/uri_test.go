package libvirtnet

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDefaultURI(t *testing.T) {
	t.Setenv("LIBVIRT_DEFAULT_URI", "")
	if have := DefaultURI(""); have != "qemu:///system" {
		t.Errorf("have %s without a choice", have)
	}
	t.Setenv("LIBVIRT_DEFAULT_URI", "test:///default")
	if have := DefaultURI(""); have != "test:///default" {
		t.Errorf("have %s, want that of the environment", have)
	}
	if have := DefaultURI("lxc:///"); have != "lxc:///" {
		t.Errorf("have %s, want the caller's choice", have)
	}
}

func TestLocate(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	tests := []struct {
		uri     string
		local   bool
		sockets []string
	}{
		{"qemu:///system", true, []string{"/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"}},
		{"qemu+unix:///system", true, []string{"/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"}},
		{"qemu:///session", true, []string{"/run/user/7/libvirt/virtqemud-sock", "/run/user/7/libvirt/libvirt-sock"}},
		{"qemu+unix:///system?socket=/tmp/s", true, []string{"/tmp/s", "/tmp/s"}},
		{"lxc:///", true, []string{"/run/libvirt/virtlxcd-sock", "/run/libvirt/libvirt-sock"}},
		{"qemu+ssh://host/system", false, nil},
		{"qemu+ssh:///system", false, nil},
		{"qemu://host/system", false, nil},
		{"qemu+tcp://localhost/system", false, nil},
		{"test:///default", false, nil},
		{"esx://host/", false, nil},
		{"hail", false, nil},
		{"", false, nil},
		{"qemu://[::1", false, nil},
		{"\x7f:///system", false, nil},
	}
	for _, tt := range tests {
		have := locate(tt.uri)
		if have.local != tt.local || !slices.Equal(have.sockets, tt.sockets) {
			t.Errorf("locate(%q): have %+v, want local %t, %q", tt.uri, have, tt.local, tt.sockets)
		}
	}
	if a := locate("qemu:///system"); !a.listens("/var/run/libvirt/libvirt-sock") || a.listens("/run/dbus/system_bus_socket") {
		t.Error("a peer's address is taken for another")
	}
}

// The daemon of a URI is told by this process's own connection to its socket.
func TestFindDaemonByPeer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "sock")
	listener := unixSocket(t)
	if err := unix.Bind(listener, &unix.SockaddrUnix{Name: socket}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 1); err != nil {
		t.Fatal(err)
	}
	a := locate("qemu+unix:///system?socket=" + socket)
	if pid, _, _ := peer(a); pid != 0 {
		t.Fatalf("have process %d before anything is connected", pid)
	}
	if err := unix.Connect(unixSocket(t), &unix.SockaddrUnix{Name: socket}); err != nil {
		t.Fatal(err)
	}
	pid, name, reached := peer(a)
	if pid != os.Getpid() || name != comm(os.Getpid()) || reached != socket {
		t.Errorf("have process %d %q at %q, want this one at %q", pid, name, reached, socket)
	}
	if netNamespace(pid) == 0 || netNamespace(0) != 0 {
		t.Error("the namespace of this process is not told, or that of none is")
	}
	// This process is no daemon of libvirt's: it could hand the connection to any host.
	if d := findDaemon("qemu+unix:///system?socket=" + socket); d.Local || d.PID != 0 || d.Namespace != 0 {
		t.Errorf("have %+v behind a relay, want no daemon of this host", d)
	}
	if d := findDaemon("qemu+ssh://host/system"); d != (Daemon{}) {
		t.Errorf("have %+v for a remote daemon, want nothing claimed", d)
	}
}

func TestPIDFile(t *testing.T) {
	dir, self := t.TempDir(), comm(os.Getpid())
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, self+".pid"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have := pidFile(dir, self); have != 0 {
		t.Errorf("have %d without a file", have)
	}
	write(strconv.Itoa(os.Getpid()) + "\n")
	if have := pidFile(dir, self); have != os.Getpid() {
		t.Errorf("have %d, want %d", have, os.Getpid())
	}
	for _, text := range []string{"1", "-1", "0", "x", "", "99999999999999999999"} {
		write(text)
		if have := pidFile(dir, self); have != 0 {
			t.Errorf("have %d for a file that says %q and names another process", have, text)
		}
	}
}

func unixSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
