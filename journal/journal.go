package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// keep is how many entries that ended are kept.
	keep = 200
	// maxEntry bounds the file of one entry: some hundred documents.
	maxEntry = 64 << 20
)

// What a caller can decide on.
var (
	ErrNoEntry   = errors.New("no such entry")
	ErrCorrupted = errors.New("not readable as an entry")
	ErrNewer     = errors.New("written by a newer version of kvnet")
)

// Journal is a folder of entries.
type Journal struct {
	dir  string
	lock *os.File // nil unless it is held
}

// Open opens the journal in a folder, which is made when it is not there.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("open journal: %s may be written to by others (mode %04o, want 0700)", dir, info.Mode().Perm())
	}
	return &Journal{dir: dir}, nil
}

// Entries are the entries of a folder, oldest first; none when there is no
// folder. An entry that cannot be read is an error that names its file, and
// the others are returned all the same.
func Entries(dir string) ([]Entry, error) {
	names, err := numbers(dir)
	if err != nil {
		return nil, err
	}
	var errs []error
	list := make([]Entry, 0, len(names))
	for _, id := range names {
		e, err := read(dir, id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, e)
	}
	return list, errors.Join(errs...)
}

// Entries are all entries, oldest first.
func (j *Journal) Entries() ([]Entry, error) { return Entries(j.dir) }

// Begin writes a change that is about to be made, under the next number.
func (j *Journal) Begin(e Entry) (Entry, error) {
	ids, err := numbers(j.dir)
	if err != nil {
		return e, err
	}
	e.Version, e.ID, e.PID, e.Outcome = Version, 1, os.Getpid(), Begun
	if len(ids) > 0 {
		e.ID = ids[len(ids)-1] + 1
	}
	if err := j.write(e); err != nil {
		return e, err
	}
	return e, j.prune(ids)
}

// End writes how the change ended.
func (j *Journal) End(e Entry) error { return j.write(e) }

// Entry is one entry.
func (j *Journal) Entry(id int) (Entry, error) { return read(j.dir, id) }

// numbers are the numbers of the entries in a folder, in order.
func numbers(dir string) ([]int, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	var ids []int
	for _, f := range files {
		number, ok := strings.CutSuffix(f.Name(), ".json")
		if id, err := strconv.Atoi(number); ok && err == nil && id > 0 && name(id) == f.Name() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func name(id int) string { return fmt.Sprintf("%06d.json", id) }

func read(dir string, id int) (Entry, error) {
	path := filepath.Join(dir, name(id))
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Entry{}, fmt.Errorf("read entry %d: %w", id, ErrNoEntry)
	case err != nil:
		return Entry{}, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err != nil {
		return Entry{}, fmt.Errorf("read journal: %w", err)
	}
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil || len(data) > maxEntry {
		return Entry{}, fmt.Errorf("read journal: %s: %w", path, ErrCorrupted)
	}
	switch {
	case e.Version > Version:
		return Entry{}, fmt.Errorf("read journal: %s: %w", path, ErrNewer)
	case e.Version < 1 || e.ID != id || e.Outcome == "":
		return Entry{}, fmt.Errorf("read journal: %s: %w", path, ErrCorrupted)
	}
	return e, nil
}

// write puts the entry's file in place, whole and on the disk.
func (j *Journal) write(e Entry) (err error) {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if len(data) > maxEntry {
		return fmt.Errorf("write journal: entry %d is larger than %d MiB", e.ID, maxEntry>>20)
	}
	f, err := os.CreateTemp(j.dir, "new-*") // 0600
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(j.dir, name(e.ID)))
	}
	if err == nil {
		err = syncFolder(j.dir)
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// syncFolder makes a rename in a folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// prune drops the oldest of the entries that ended. What was cut off stays
// until it is taken back.
func (j *Journal) prune(ids []int) error {
	if len(ids) <= keep {
		return nil
	}
	for _, id := range ids[:len(ids)-keep] {
		e, err := read(j.dir, id)
		if err == nil && e.Outcome != Begun || errors.Is(err, ErrNoEntry) {
			if err := os.Remove(filepath.Join(j.dir, name(id))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("write journal: %w", err)
			}
		}
	}
	return nil
}
