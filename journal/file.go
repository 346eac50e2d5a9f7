package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// room is by how many bytes an entry may grow until its change has ended: the
// steps that could not be taken back.
const room = 64 << 10

// checkFolder refuses a folder that somebody else could write to: what is in it
// would be carried out by [Way]. A folder that is not there is fs.ErrNotExist.
func checkFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is %s, want a folder", dir, kind(info.Mode()))
	case int(owner) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, want %d", dir, owner, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s may be written to by others (mode %04o, want 0700)", dir, info.Mode().Perm())
	}
	return nil
}

// kind is what stands where something else is wanted.
func kind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m.IsDir():
		return "a folder"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// openFile opens a file, and neither follows a link nor waits for the other end
// of a pipe.
func openFile(path string, flags int) (*os.File, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s, want a file", path, kind(info.Mode()))
	}
	return os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
}

// fileSize is the size of a file; false when there is none.
func fileSize(path string) (int, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, false
	}
	return int(info.Size()), true
}

// reserved is the file in which room is kept for the end of an entry.
func (j *Journal) reserved(id int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%06d.end", id))
}

// reserve keeps room on the disk for an entry of size bytes, so that how a
// change ended can be written however full the disk is by then. Its blocks are
// written, not only asked for: not every file system can do the latter.
func (j *Journal) reserve(id, size int) error {
	f, err := openFile(j.reserved(id), os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	_, err = f.Write(make([]byte, size+room))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write journal: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// encode is an entry as its file has it.
func encode(e Entry) ([]byte, error) {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write journal: %w", err)
	}
	if len(data) >= maxEntry {
		return nil, fmt.Errorf("write journal: entry %d is larger than %d MiB", e.ID, maxEntry>>20)
	}
	return append(data, '\n'), nil
}

// put writes an entry into f, which is closed then, and makes f its file, whole
// and on the disk.
func (j *Journal) put(f *os.File, id int, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(j.dir, name(id)))
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return syncFolder(j.dir)
}

// syncFolder makes a rename in a folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}
