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
	// A booting guest is greeted again after the first, later after the second.
	greetAgain, greetSeldom = 250 * time.Millisecond, 4 * time.Second
)

// Exec runs a command in the guest, which it first waits for to have booted.
// A command that ran and failed is no error: look at Code. Commands of several
// callers are run one after the other. Booting and command together may take as
// long as the context allows; without a deadline in it, two minutes.
func (g *Guest) Exec(ctx context.Context, argv ...string) (Result, error) {
	return g.run(ctx, strings.Join(argv, " "), argv...)
}

// run is Exec of what an error is to call say.
func (g *Guest) run(ctx context.Context, say string, argv ...string) (Result, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, guestLimit)
		defer cancel()
	}
	result, err := g.exec(ctx, quote(argv))
	if err != nil {
		return Result{}, fmt.Errorf("run %s in guest %s: %w", say, g.name, err)
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
	switch state {
	case "running":
	case "":
		return Result{}, errors.New("there is no such guest")
	default:
		return Result{}, fmt.Errorf("guest is not running but %s", state)
	}
	conn, err := g.connect(ctx)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	ch := &channel{conn: conn, lines: bufio.NewReader(conn)}
	// Whatever waits for the guest ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	err = ch.greet(ctx)
	var result Result
	if err == nil {
		result, err = ch.ask(ctx, encoded)
	}
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return result, err
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
// what it is sent, so it is greeted again and again, ever less often: a slow
// guest answers the first greeting late, and must not drown in them.
func (c *channel) greet(ctx context.Context) error {
	id := requestID()
	ctx, stop := context.WithCancel(ctx)
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		for pause := greetAgain; ; pause = min(2*pause, greetSeldom) {
			// An error shows when the answer is read.
			_, _ = fmt.Fprintf(c.conn, "\nHELLO %s\n", id)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}()
	defer func() { stop(); <-quiet }()
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("wait for guest to boot: %w", err)
		}
		if strings.TrimRight(line, "\r\n") == "READY "+id {
			return nil
		}
	}
}

// ask sends one request and reads its answer. Lines that belong to others, an
// echo of a terminal not yet set up or an answer nobody waited for, carry no or
// another id and are passed over.
func (c *channel) ask(ctx context.Context, encoded string) (Result, error) {
	limit := guestLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline)
	}
	id := requestID()
	seconds := max(1, int(limit.Seconds()))
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
