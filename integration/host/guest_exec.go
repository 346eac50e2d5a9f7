package host

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// guestLimit ends a command in a guest when the caller's context does not.
	guestLimit = 2 * time.Minute
	// longestRequest is what the guest's terminal surely takes in one line.
	longestRequest = 3500
	// askAgain is how long a booting guest may leave a greeting unanswered.
	askAgain = 300 * time.Millisecond
)

// Exec runs a command in the guest, which it first waits for to have booted.
// A command that ran and failed is no error: look at Code. Commands of several
// callers are run one after the other. Without a deadline in the context, the
// command is killed after two minutes.
func (g *Guest) Exec(ctx context.Context, argv ...string) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, guestLimit)
	defer cancel()
	result, err := g.exec(ctx, quote(argv))
	if err != nil {
		return Result{}, fmt.Errorf("run %s in guest %s: %w", strings.Join(argv, " "), g.name, err)
	}
	return result, nil
}

func (g *Guest) exec(ctx context.Context, command string) (Result, error) {
	encoded := base64.StdEncoding.EncodeToString([]byte(command))
	if len(encoded) > longestRequest {
		return Result{}, fmt.Errorf("command of %d bytes is too long for the channel", len(command))
	}
	state, err := g.State(ctx)
	if err != nil {
		return Result{}, err
	}
	if state != "running" {
		return Result{}, fmt.Errorf("guest is not running but %q", state)
	}
	conn, err := g.connect(ctx)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	ch := &channel{conn: conn, lines: bufio.NewReader(conn)}
	if err := ch.greet(ctx); err != nil {
		return Result{}, err
	}
	return ch.ask(ctx, encoded)
}

// connect opens the guest's serial line. QEMU serves one caller after the
// other and lets only one wait; further ones are refused and come again.
func (g *Guest) connect(ctx context.Context) (conn net.Conn, err error) {
	socket := g.host.Path(path.Join(guestFolder, g.name+".sock"))
	err = poll(ctx, 20*time.Millisecond, "guest to take a command", func() (bool, error) {
		conn, err = net.Dial("unix", socket)
		if errors.Is(err, unix.EAGAIN) {
			return false, nil
		}
		return err == nil, err
	})
	return conn, err
}

// quote makes a shell command of words, each taken literally.
func quote(argv []string) string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// channel is a serial line to the guest's agent, see guest/agent.sh.
type channel struct {
	conn  net.Conn
	lines *bufio.Reader
}

// greet returns when the agent answers. A guest that is still booting loses
// what it is sent, so it is asked again and again.
func (c *channel) greet(ctx context.Context) error {
	nothing := base64.StdEncoding.EncodeToString([]byte("true"))
	for {
		short, cancel := context.WithTimeout(ctx, askAgain)
		_, err := c.ask(short, nothing)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for guest to boot: %w", context.Cause(ctx))
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			return err
		}
	}
}

// ask sends one request and reads its answer. Lines that belong to others, an
// echo of a terminal not yet set up or an answer nobody waited for, carry no or
// another id and are passed over.
func (c *channel) ask(ctx context.Context, encoded string) (Result, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return Result{}, errors.New("ask guest: no deadline")
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return Result{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Now()) })
	defer stop()
	id := requestID()
	seconds := max(1, int(time.Until(deadline).Seconds()))
	// The empty line ends whatever half of a line the guest may have kept.
	if _, err := fmt.Fprintf(c.conn, "\nRUN %s %d %s\n", id, seconds, encoded); err != nil {
		return Result{}, fmt.Errorf("send to guest: %w", err)
	}
	var out, errs strings.Builder
	into := (*strings.Builder)(nil)
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return Result{}, fmt.Errorf("read from guest: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch word, rest, _ := strings.Cut(line, " "); {
		case word == "BEGIN" && rest == id:
			into = &out
		case into == nil:
		case line == "ERR":
			into = &errs
		case word == "END":
			code, err := strconv.Atoi(strings.TrimPrefix(rest, id+" "))
			if err != nil {
				return Result{}, fmt.Errorf("parse answer %q: %w", line, err)
			}
			return decode(out.String(), errs.String(), code)
		default:
			into.WriteString(line)
		}
	}
}

func decode(out, errs string, code int) (Result, error) {
	stdout, err1 := base64.StdEncoding.DecodeString(out)
	stderr, err2 := base64.StdEncoding.DecodeString(errs)
	if err := errors.Join(err1, err2); err != nil {
		return Result{}, fmt.Errorf("decode answer: %w", err)
	}
	return Result{Stdout: string(stdout), Stderr: string(stderr), Code: code}, nil
}

func requestID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}
