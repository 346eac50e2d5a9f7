package services

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Options say where to read.
type Options struct {
	// Root is the folder that stands for the machine's root, "/" when empty.
	// Sockets are looked for below it, too.
	Root string
}

// Bounds of what is read: far above what a machine has, and no more than some
// MiB in memory whatever it holds.
const (
	maxFile  = 1 << 20 // bytes of one file
	maxFiles = 4096    // files of one folder
	maxLine  = 4096    // bytes of a line that is kept
)

// reader collects a State; its parts may run at the same time.
type reader struct {
	root string

	mu   sync.Mutex
	gaps []Gap
}

// Read looks at everything at once. It does not fail: what could not be read
// is a gap. The context bounds what is asked of services.
func Read(ctx context.Context, o Options) State {
	r := &reader{root: cmp.Or(o.Root, "/")}
	s := State{UID: os.Geteuid()}
	var wg sync.WaitGroup
	wg.Go(func() { r.managers(ctx, &s) })
	wg.Go(func() { s.OpenVSwitch = r.openVSwitch(ctx) })
	s.Kernel = r.kernel()
	s.Machine = new(r.machine())
	s.Ports = r.configuredPorts()
	s.Daemons = r.daemons()
	s.Programs = r.programs(s.Daemons)
	s.Devices = r.devices(s.Kernel)
	s.Backend = r.backend()
	s.Networks = r.networks()
	s.Resolver = r.resolver()
	s.Helper = r.helper()
	s.Networkd = r.networkd()
	wg.Wait()
	sortBy(r.gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Message, b.Message))
	})
	s.Gaps = append([]Gap{}, r.gaps...)
	return s
}

func (r *reader) gap(part string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps = append(r.gaps, Gap{Source: part, Message: err.Error()})
}

// path is a path of the machine below the root.
func (r *reader) path(name string) string { return filepath.Join(r.root, name) }

// absent says whether an error means that a file is not there, which is no gap.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

var (
	errTooBig  = fmt.Errorf("larger than %d KiB", maxFile>>10)
	errNotFile = errors.New("no regular file")
)

// file reads a regular file of at most maxFile bytes. It does not wait for
// what only looks like a file.
func (r *reader) file(name string) ([]byte, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded(name, f)
}

// open opens a regular file, never a pipe that nobody writes to.
func (r *reader) open(name string) (*os.File, error) {
	f, err := os.OpenFile(r.path(name), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("read %s: %w", name, errNotFile)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func bounded(name string, f io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("read %s: %w", name, errTooBig)
	}
	return data, nil
}

// lines reads a file of settings: lines without surrounding blanks, empty ones
// and those that begin with one of the comment characters left out. A file that
// is not there has none and is no gap.
func (r *reader) lines(part, name, comments string) (list []string, found bool) {
	data, err := r.file(name)
	if err != nil {
		if !absent(err) {
			r.gap(part, err)
		}
		return nil, false
	}
	return splitLines(data, comments), true
}

func splitLines(data []byte, comments string) []string {
	var list []string
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 || strings.IndexByte(comments, line[0]) >= 0 {
			continue
		}
		list = append(list, text(line))
	}
	return list
}

// text is a line as a valid string of bounded length.
func text(line []byte) string {
	if len(line) > maxLine {
		line = line[:maxLine]
	}
	return strings.ToValidUTF8(string(line), "\ufffd")
}

// names are the names in a folder, sorted; none when there is no such folder.
func (r *reader) names(part, folder string) []string {
	dir, err := os.Open(r.path(folder))
	if err != nil {
		if !absent(err) {
			r.gap(part, err)
		}
		return nil
	}
	defer dir.Close()
	list, err := dir.Readdirnames(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) && !absent(err) {
		r.gap(part, err)
	}
	slices.Sort(list)
	return list
}

// setting splits key=value at the first "="; ok is false when there is none.
func setting(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(line, "=")
	return strings.TrimSpace(key), strings.TrimSpace(value), ok
}

// sortBy sorts a list; equals keep their order. The functions of package slices
// are compiled anew for each type, 12 KiB of them.
func sortBy[T any](list []T, compare func(a, b T) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
