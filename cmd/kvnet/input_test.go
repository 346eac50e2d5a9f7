package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever waits for a file that does not come to an end can interrupt.
func TestReadingIsInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"net-define -f -", "net-create -f -", "net-diff lab -f -", "lint -", "verify --snapshot -",
		"net-define -f " + pipe, "lint " + pipe, "verify --snapshot " + pipe, "net-update lab dns-txt add --xml " + pipe,
	} {
		t.Run(strings.ReplaceAll(line, pipe, "pipe"), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			stdin, writer := io.Pipe()
			defer writer.Close()
			cancel()
			var out, errs bytes.Buffer
			code := run(ctx, append([]string{"kvnet", "-c", "test:///default"}, strings.Fields(line)...), stdin, &out, &errs)
			if code != exitFailed || out.String() != "" || !strings.HasSuffix(errs.String(), ": interrupted\n") {
				t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
			}
		})
	}
}

// What never ends is not read for ever.
func TestReadingIsBounded(t *testing.T) {
	for _, line := range []string{"net-define -f /dev/zero", "net-update lab dns-txt add --xml /dev/zero"} {
		_, errs, code := kvnet(t, append([]string{"-c", "test:///default"}, strings.Fields(line)...)...)
		if code != exitFailed || !strings.Contains(errs, "/dev/zero: the document is longer than") {
			t.Errorf("%s: exit code %d\n%s", line, code, errs)
		}
	}
}
