package journal_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/journal"
)

func open(t *testing.T) (*journal.Journal, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state", "kvnet")
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j, dir
}

func begin(t *testing.T, j *journal.Journal, object string) journal.Entry {
	t.Helper()
	e, err := j.Begin(journal.Entry{
		Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Command: []string{"net-start", object}, URI: "qemu:///system",
		Op: "start", Object: object, Before: journal.Image{Networks: []journal.Network{{Name: object, Persistent: true, Config: "<network/>"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEntriesComeBack(t *testing.T) {
	j, dir := open(t)
	one, two := begin(t, j, "network a"), begin(t, j, "network b")
	one.Outcome = journal.Done
	if err := j.End(one); err != nil {
		t.Fatal(err)
	}
	have, err := j.Entries()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]journal.Entry{one, two}, have); diff != "" {
		t.Errorf("entries (-want +have):\n%s", diff)
	}
	if cut := journal.HalfDone(have); len(cut) != 1 || cut[0].ID != 2 {
		t.Errorf("cut off: %v, want entry 2", cut)
	}
	two.BackedBy = 3
	if err := j.End(two); err != nil {
		t.Fatal(err)
	}
	if have, err = j.Entries(); err != nil || len(journal.HalfDone(have)) != 0 {
		t.Errorf("an entry that was taken back is still cut off (%v)", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%d files in the journal, want 2 (%v)", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600 (%v)", f.Name(), info.Mode(), err)
		}
	}
}

func TestCorruptedEntries(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"cut off":       `{"version": 1, "id": 2, "outc`,
		"of another":    `{"version": 1, "id": 3, "outcome": "done"}`,
		"no outcome":    `{"version": 1, "id": 2}`,
		"not an object": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			j, dir := open(t)
			begin(t, j, "network a")
			if err := os.WriteFile(filepath.Join(dir, "000002.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			have, err := j.Entries()
			if !errors.Is(err, journal.ErrCorrupted) || !strings.Contains(err.Error(), "000002.json") {
				t.Errorf("error %v, want one that names the file", err)
			}
			if len(have) != 1 {
				t.Errorf("%d entries can be read, want 1", len(have))
			}
		})
	}
	j, dir := open(t)
	if err := os.WriteFile(filepath.Join(dir, "000007.json"), []byte(`{"version": 99, "id": 7, "outcome": "done"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Entries(); !errors.Is(err, journal.ErrNewer) {
		t.Errorf("error %v, want ErrNewer", err)
	}
	if _, err := j.Entry(1); !errors.Is(err, journal.ErrNoEntry) {
		t.Errorf("error %v, want ErrNoEntry", err)
	}
}

func TestOldEntriesGo(t *testing.T) {
	j, _ := open(t)
	cut := begin(t, j, "network cut")
	for range 210 {
		e := begin(t, j, "network a")
		e.Outcome = journal.Done
		if err := j.End(e); err != nil {
			t.Fatal(err)
		}
	}
	have, err := j.Entries()
	if err != nil {
		t.Fatal(err)
	}
	if len(have) < 200 || len(have) > 202 {
		t.Errorf("%d entries are kept, want about 200", len(have))
	}
	if have[0].ID != cut.ID {
		t.Errorf("the oldest entry is %d: %d was cut off and must stay", have[0].ID, cut.ID)
	}
}

func TestOthersMayNotWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(dir); err == nil || !strings.Contains(err.Error(), "0777") {
		t.Errorf("error %v, want one that names the mode", err)
	}
	if have, err := journal.Entries(filepath.Join(dir, "none")); err != nil || len(have) != 0 {
		t.Errorf("a journal that is not there has %v, %v", have, err)
	}
}

// TestOddThings: what is no file or folder where one is wanted is told, and
// nobody waits for the other end of a pipe.
func TestOddThings(t *testing.T) {
	odd := map[string]func(path string) error{
		"a folder":        func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink("elsewhere", path) },
		"a named pipe":    func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a device":        func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
	}
	for kind, make := range odd {
		for _, name := range []string{"000002.json", "lock"} {
			t.Run(kind+" as "+name, func(t *testing.T) {
				j, dir := open(t)
				begin(t, j, "network a")
				path := filepath.Join(dir, name)
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				have, err := j.Entries()
				if name == "lock" {
					err = errors.Join(journal.Held(dir), j.Lock(t.Context(), "net-start"))
				}
				if err == nil || !strings.Contains(err.Error(), path+" is "+kind) {
					t.Errorf("error %v, want one that says what %s is", err, path)
				}
				if len(have) != 1 {
					t.Errorf("%d entries can be read, want 1", len(have))
				}
			})
		}
		t.Run(kind+" as journal", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kvnet")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			_, err := journal.Open(path)
			_, unread := journal.Entries(path)
			if wanted := kind == "a folder"; wanted != (err == nil) || wanted != (unread == nil) {
				t.Errorf("open: %v, read: %v", err, unread)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 77, 77); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(dir); err == nil || !strings.Contains(err.Error(), "belongs to user 77") {
		t.Errorf("error %v, want one that says whose the folder is", err)
	}
}

// TestFullDisk: a change begins only where its end can be written, too, and
// what takes it back only where that can be noted.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("full", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	fill := func() { // to the last byte
		_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 2<<20), 0o600)
	}
	e := begin(t, j, "network a")
	fill()
	if _, err := j.Begin(journal.Entry{Op: "start", Object: "network b"}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v, want that the disk is full", err)
	}
	e.Outcome, e.Left = journal.Left, []string{strings.Repeat("x", 30<<10)}
	if err := j.End(e); err != nil {
		t.Errorf("the end of what began: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	back, err := j.Begin(journal.Entry{Op: "undo", Object: "change 1", Backs: e.ID})
	if err != nil {
		t.Fatal(err)
	}
	fill()
	back.Outcome, e.BackedBy = journal.Done, back.ID
	large := back // what it left behind does without room
	large.After = []journal.Network{{Name: "network a", Config: strings.Repeat("x", 100<<10)}}
	if err := errors.Join(j.End(large), j.End(e)); err != nil {
		t.Errorf("the end of what takes back: %v", err)
	}
	have, err := j.Entries()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]journal.Entry{e, back}, have); diff != "" {
		t.Errorf("entries (-want +have):\n%s", diff)
	}
}

// TestLockEndsWithItsProcess: a process that is killed lets the next one in,
// and while it lives it is named.
func TestLockEndsWithItsProcess(t *testing.T) {
	j, dir := open(t)
	if err := journal.Held(dir); err != nil {
		t.Fatalf("held by %v before anybody locked it", err)
	}
	if err := j.Lock(t.Context(), "net-start a\nb"); err != nil {
		t.Fatal(err)
	}
	held := (*journal.HeldError)(nil)
	if err := journal.Held(dir); !errors.As(err, &held) || held.PID != os.Getpid() || held.Command != "net-start a?b" {
		t.Errorf("held by %v, want this process with its command on one line", err)
	}
	other, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := other.Lock(ended, "net-stop"); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("the second lock says %v, want who holds it", err)
	}
	if err := j.Unlock(); err != nil {
		t.Fatal(err)
	}
	flock := exec.CommandContext(t.Context(), "flock", filepath.Join(dir, "lock"), "sh", "-c", "echo; read line")
	in, err := flock.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := flock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := flock.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has the lock
		t.Fatal(err)
	}
	if err := journal.Held(dir); err == nil {
		t.Error("not held while another process has it")
	}
	in.Close()
	_ = flock.Wait() // read fails at the end of its input
	if err := other.Lock(t.Context(), "net-stop"); err != nil {
		t.Errorf("the lock outlives its process: %v", err)
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
}
