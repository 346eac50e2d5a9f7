package bridge

import (
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestListens: a socket is seen from the namespace of its maker only, also
// when the file is seen from others.
func TestListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon-sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ask := func(path string) bool {
		t.Helper()
		yes, err := Listens(t.Context(), path)
		if err != nil {
			t.Error(err)
		}
		return yes
	}
	if !ask(path) {
		t.Error("the socket of this namespace is not seen")
	}
	if ask(filepath.Dir(path)) {
		t.Error("a folder listens")
	}
	if _, err := Listens(t.Context(), path+"x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: have %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if ask(path) {
			t.Error("the socket is seen from another namespace")
		}
	}()
	<-done
}

func FuzzParseUnixSocket(f *testing.F) {
	f.Add(make([]byte, unixDiagMsgLen))
	f.Add(append(make([]byte, unixDiagMsgLen), 12, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := parseUnixSocket(b); err != nil && id != (fileID{}) && len(b) < unixDiagMsgLen {
			t.Errorf("%v with an error: %v", id, err)
		}
	})
}
