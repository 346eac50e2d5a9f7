package bridge

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// holdTap opens a tap of that name in the thread's namespace. It lives as long
// as the file.
func holdTap(t *testing.T, name string) *os.File {
	t.Helper()
	// Not os.OpenFile: a tun file in the poller wants a device first.
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "tap "+name)
	t.Cleanup(func() { _ = f.Close() })
	req, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFindHolders(t *testing.T) {
	inNamespace(t)
	sh(t, "ip tuntap add free0 mode tap\nip link add br0 type bridge")
	holdTap(t, "vnet0")
	theirs := holdTap(t, "vnet1")
	child := exec.Command("sleep", "60")
	child.ExtraFiles = []*os.File{theirs}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	if err := theirs.Close(); err != nil { // now it is the child's alone
		t.Fatal(err)
	}
	have, err := FindHolders([]string{"vnet1", "vnet0", "free0", "br0", "nothere"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "holders", len(have), 2)
	check(t, "vnet0", have[0].Link == "vnet0" && have[0].PID == os.Getpid() && have[0].Command != "", true)
	check(t, "vnet1", have[1], Holder{Link: "vnet1", PID: child.Process.Pid, Command: "sleep"})
	tap := find(t, read(t).Links, func(l Link) bool { return l.Name == "vnet0" })
	check(t, "persist", tap.Tun.Tap && !tap.Tun.Persist, true)
}

func TestHolderOfANamesakeElsewhereIsNotOurs(t *testing.T) {
	done := make(chan bool)
	elsewhere := make(chan bool)
	go func() { // its thread ends with it, and the namespace with the thread
		inNamespace(t)
		holdTap(t, "vnet0")
		close(elsewhere)
		<-done
	}()
	<-elsewhere
	defer close(done)
	inNamespace(t)
	sh(t, "ip tuntap add vnet0 mode tap")
	have, err := FindHolders([]string{"vnet0"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "holders of the tap here", len(have), 0)
}

func TestFindHoldersOfNothing(t *testing.T) {
	have, err := FindHolders(nil)
	if err != nil || have == nil || len(have) != 0 {
		t.Errorf("have %v, %v; want an empty list", have, err)
	}
}

func TestFindHoldersWithoutPermission(t *testing.T) {
	inNamespace(t)
	holdTap(t, "vnet0")
	out := asNobody(t, "TestHelperFindsHolders")
	if !strings.Contains(out, "holders: [] permission denied") {
		t.Errorf("have %s", out)
	}
}

// TestHelperFindsHolders is run by TestFindHoldersWithoutPermission.
func TestHelperFindsHolders(t *testing.T) {
	if os.Getenv(asNobodyEnv) == "" {
		return
	}
	have, err := FindHolders([]string{"vnet0"})
	say := "all looked at"
	if errors.Is(err, fs.ErrPermission) {
		say = "permission denied"
	}
	os.Stdout.WriteString("holders: " + strings.ReplaceAll(jsonText(t, have), "\n", "") + " " + say + "\n")
}
