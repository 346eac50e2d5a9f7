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
	err := checkFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = checkFolder(dir)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
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

// Begin writes a change that is about to be made, under the next number, and
// keeps room for its end.
func (j *Journal) Begin(e Entry) (Entry, error) {
	ids, err := numbers(j.dir)
	if err != nil {
		return e, err
	}
	e.Version, e.ID, e.PID, e.Outcome = Version, 1, os.Getpid(), Begun
	if len(ids) > 0 {
		e.ID = ids[len(ids)-1] + 1
	}
	data, err := encode(e)
	if err == nil {
		err = j.prune(ids)
	}
	if err == nil {
		err = j.reserve(e.ID, len(data))
	}
	if err != nil {
		return e, err
	}
	if err = j.reserveBacked(e.Backs); err == nil {
		err = j.begin(e.ID, data)
	}
	if err != nil {
		return e, errors.Join(err, os.Remove(j.reserved(e.ID)))
	}
	return e, nil
}

func (j *Journal) begin(id int, data []byte) error {
	f, err := os.CreateTemp(j.dir, "new-*") // 0600
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return j.put(f, id, data)
}

// reserveBacked keeps room in the entry of a change that is about to be taken
// back, for the note of that. One that was cut off has kept it.
func (j *Journal) reserveBacked(id int) error {
	size, there := fileSize(filepath.Join(j.dir, name(id)))
	if _, kept := fileSize(j.reserved(id)); kept || !there {
		return nil
	}
	return j.reserve(id, size)
}

// End writes how the change ended. What it left behind, for which no room was
// kept, is left out where there is none.
func (j *Journal) End(e Entry) error {
	data, err := encode(e)
	if size, kept := fileSize(j.reserved(e.ID)); len(e.After) > 0 && (err != nil || kept && len(data) > size) {
		if err == nil && j.begin(e.ID, data) == nil {
			return os.Remove(j.reserved(e.ID))
		}
		e.After = nil
		data, err = encode(e)
	}
	if err != nil {
		return err
	}
	f, err := openFile(j.reserved(e.ID), os.O_WRONLY)
	if err != nil { // there was nothing to do when it was taken back
		return j.begin(e.ID, data)
	}
	return j.put(f, e.ID, data)
}

// Entry is one entry.
func (j *Journal) Entry(id int) (Entry, error) { return read(j.dir, id) }

// numbers are the numbers of the entries in a folder, in order.
func numbers(dir string) ([]int, error) {
	err := checkFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []os.DirEntry
	if err == nil {
		files, err = os.ReadDir(dir)
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
	f, err := openFile(path, os.O_RDONLY)
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

// prune drops the oldest of the entries that ended. What was cut off stays
// until it is taken back.
func (j *Journal) prune(ids []int) error {
	if len(ids) <= keep {
		return nil
	}
	for _, id := range ids[:len(ids)-keep] {
		e, err := read(j.dir, id)
		if err == nil && e.Outcome != Begun || errors.Is(err, ErrNoEntry) {
			for _, path := range []string{filepath.Join(j.dir, name(id)), j.reserved(id)} {
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("write journal: %w", err)
				}
			}
		}
	}
	return nil
}
