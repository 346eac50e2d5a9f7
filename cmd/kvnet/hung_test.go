package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// A daemon that does not answer ends every command that needs it with a code
// that its help has.
func TestHungDaemon(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("HOME", ".")
	if err := os.WriteFile("default.xml", []byte("<network><name>default</name></network>"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "hung")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer func(d time.Duration) { answerTime = d }(answerTime)
	answerTime = 100 * time.Millisecond
	hung := 0
	for _, c := range newApp(&env{}).Commands {
		_, example, _ := strings.Cut(c.Description, "\nEXAMPLE\n   ")
		_, line, _ := strings.Cut(strings.TrimRight(example, ")"), "kvnet ")
		line, _, _ = strings.Cut(line, " | ")
		line = strings.NewReplacer("/tmp/", "", "nets/*.xml guests/*.xml", "default.xml").Replace(line)
		_, errs, code := kvnet(t, append(strings.Fields(line), "-c", "qemu:///system?socket="+socket)...)
		if !documented(c, code) {
			t.Errorf("%s: exit code %d is not in its help\n%s", line, code, errs)
		}
		if code == exitTimeout {
			hung++
		}
	}
	if hung < 25 {
		t.Errorf("%d commands noticed it", hung)
	}
}

func documented(c *cli.Command, code int) bool {
	return strings.Contains(c.Description, "\n   "+string(rune('0'+code))+"  "+exitMeanings[code])
}
