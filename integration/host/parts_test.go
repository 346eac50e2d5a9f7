package host

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// busybox reads what cpio writes: a second road to the same archive.
func TestCpio(t *testing.T) {
	var c cpio
	c.dir("d")
	c.file("d/odd", 0o755, []byte("12345"))
	c.file("d/empty", 0o644, nil)
	cmd := exec.Command("busybox", "cpio", "-idm")
	cmd.Dir = t.TempDir()
	cmd.Stdin = bytes.NewReader(c.bytes())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{"d/odd": "12345", "d/empty": ""} {
		if data, err := os.ReadFile(cmd.Dir + "/" + name); err != nil || string(data) != want {
			t.Errorf("%s: %v, have %q, want %q", name, err, data, want)
		}
	}
}

func TestQuote(t *testing.T) {
	argv := []string{"printf", "%s|", "a b", "", "it's", "$HOME", "`id`", "\\", "\n"}
	out, err := exec.Command("sh", "-c", quote(argv)).Output()
	if want := strings.Join(argv[2:], "|") + "|"; err != nil || string(out) != want {
		t.Errorf("%v, have %q, want %q", err, out, want)
	}
}

// The line to a guest carries noise: echo of a terminal that is not set up,
// halves of lines, answers that nobody waited for.
func TestChannelNoise(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	go func() {
		lines := bufio.NewScanner(theirs)
		for lines.Scan() {
			id, ok := strings.CutPrefix(lines.Text(), "RUN ")
			if !ok {
				continue
			}
			id, _, _ = strings.Cut(id, " ")
			fmt.Fprintf(theirs, "%s\r\nhalf a li\nBEGIN 000000000000\nWA==\nERR\nEND 000000000000 3\n", lines.Text())
			fmt.Fprintf(theirs, "BEGIN %s\r\nb3V0\r\nb3V0Cg==\nERR\nZXJy\nEND %s 5\n", id, id)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := &channel{conn: ours, lines: bufio.NewReader(ours)}
	got, err := c.ask(ctx, "dHJ1ZQ==")
	if want := (Result{Stdout: "outout\n", Stderr: "err", Code: 5}); err != nil || got != want {
		t.Errorf("%v, have %+v, want %+v", err, got, want)
	}
}

// A slow guest answers the first greeting when it has been sent several; its
// terminal may echo them meanwhile. An answer to another's greeting is none.
func TestGreetSlowGuest(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	greetings := make(chan string, 100)
	go func() {
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			if lines.Text() != "" {
				greetings <- lines.Text()
			}
		}
	}()
	go func() {
		first := <-greetings
		fmt.Fprintf(theirs, "%s\r\nREADY 000000000000\nREA", first)
		<-greetings
		<-greetings
		fmt.Fprintf(theirs, "\nREADY %s\r\n", strings.TrimPrefix(first, "HELLO "))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := &channel{conn: ours, lines: bufio.NewReader(ours)}
	if err := c.greet(ctx); err != nil {
		t.Error(err)
	}
	if n := len(greetings); n > 1 {
		t.Errorf("%d more greetings than were waited for", n)
	}
}

func TestApplyEventIgnoresOthers(t *testing.T) {
	for _, msg := range []string{
		"", "add@/devices/x\x00ACTION=add\x00SUBSYSTEM=net\x00DEVNAME=tap1",
		"add@/x\x00ACTION=add\x00SUBSYSTEM=macvtap\x00DEVNAME=tap999999\x00MAJOR=x\x00MINOR=1", // said on stderr
		"remove@/x\x00ACTION=remove\x00SUBSYSTEM=macvtap\x00DEVNAME=../dev/../tmp/none",
	} {
		applyEvent([]byte(msg))
	}
	if _, err := os.Stat("/dev/tap999999"); err == nil {
		t.Error("a node was made without a device number")
	}
}

func TestWithSbin(t *testing.T) {
	for have, want := range map[string]string{
		"":                  sbinPath,
		"/usr/bin:/a":       "/usr/bin:/a:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin",
		sbinPath + ":/more": sbinPath + ":/more",
	} {
		if got := withSbin(have); got != want {
			t.Errorf("%q: have %q, want %q", have, got, want)
		}
	}
}
