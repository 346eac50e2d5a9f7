package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/verify"
)

func snapshotCommand(e *env) *cli.Command {
	var timeout time.Duration
	return &cli.Command{
		Category:  truth,
		Usage:     "everything that verify judges, as one JSON document",
		ArgsUsage: "[FILE]",
		Description: describe(`
Asks libvirt, reads the kernel, and writes both as one document, to standard
output or to FILE (mode 0600, replaced as a whole). "kvnet verify --snapshot
FILE" judges it anywhere, without root and without libvirt. As verify does, it
first waits for what is on its way, such as a port that is learning. What could
not be read stands in the document as a gap.`,
			"kvnet snapshot /tmp/host.json", 0, 1, 2),
		Flags: []cli.Flag{timeoutFlag(&timeout, "wait at most `DURATION` for the host to settle, in seconds or as 1m30s")},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "[FILE]")
			if err != nil {
				return err
			}
			if e.format == "yaml" {
				return usage("snapshot", "a snapshot is JSON", "leave -o yaml away")
			}
			if err := checkTimeout("snapshot", timeout); err != nil {
				return err
			}
			return runSnapshot(c.Context, e, append(args, "-")[0], timeout)
		},
	}
}

func runSnapshot(ctx context.Context, e *env, path string, timeout time.Duration) error {
	g := e.gatherSettled(ctx, timeout)
	if err := ctx.Err(); err != nil {
		return &failure{op: "take", object: "snapshot", err: err}
	}
	if err := g.err(); err != nil {
		e.note("the snapshot has a gap: %v", err)
	}
	if g.Firewall != nil {
		g.Firewall.Describe() // people read it, too
	}
	encode := func(w *bufio.Writer) error { return encodeJSON(w, g.Snapshot) }
	if path == "-" {
		return e.stream("snapshot", encode)
	}
	if err := writeFile(path, encode); err != nil {
		return &failure{op: "write", object: path, err: bareCause(err)}
	}
	return nil
}

// writeFile replaces the file at path as a whole: it has the old content or
// the new one, never a part, and only its owner may read it. A link is followed;
// what is no file, such as a pipe or a device, is written to.
func writeFile(path string, write func(w *bufio.Writer) error) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeInto(path, write)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".kvnet-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(writeAll(f, write), f.Sync()); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeInto(path string, write func(w *bufio.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(writeAll(f, write), f.Close())
}

func writeAll(f *os.File, write func(w *bufio.Writer) error) error {
	w := bufio.NewWriterSize(f, 64<<10)
	err := write(w)
	if failed := w.Flush(); failed != nil {
		err = failed
	}
	return err
}

// readSnapshot reads what snapshot wrote; "-" is standard input.
func readSnapshot(ctx context.Context, e *env, path string) (verify.Snapshot, error) {
	s, err := reading(ctx, e, path, func(in io.Reader) (verify.Snapshot, error) {
		s, err := verify.Load(in)
		if err != nil {
			err = errors.Unwrap(err) // the words before it are said here
		}
		return s, err
	})
	if err != nil {
		f := &failure{op: "read snapshot", object: path, err: bareCause(err)}
		if path := (*os.PathError)(nil); !errors.As(err, &path) { // it is there, and what is in it is wrong
			f.hint = "kvnet snapshot FILE writes one that this kvnet reads"
		}
		return s, f
	}
	s.Libvirt, s.Kernel = completeLibvirt(s.Libvirt), completeKernel(s.Kernel)
	return s, nil
}

// bareCause takes the file's name out of an error that stands behind it.
func bareCause(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
