package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors that the starter leaves to the first process.
const (
	leashFD  = 3 // setup arrives here; its end is the owner's end
	sayFD    = 4 // outcome goes here
	socketFD = 5 // bound to the host's name
)

const (
	keepWord      = "keep"
	libvirtSocket = "/run/libvirt/libvirt-sock"
)

// first is the first process of a host.
type first struct {
	setup   setup
	leash   *bufio.Reader
	started time.Time
	kept    atomic.Bool
	reaper  *reaper
	outside *outside
}

// runInit is the life of the first process. It ends by a signal, or when the
// owner is gone.
func runInit() int {
	say := os.NewFile(sayFD, "say")
	f := &first{
		leash:   bufio.NewReader(os.NewFile(leashFD, "leash")),
		started: time.Now(),
		reaper:  newReaper(),
	}
	for _, fd := range []int{leashFD, sayFD, socketFD} {
		unix.CloseOnExec(fd)
	}
	err := f.bringUp()
	word := outcome{}
	if err != nil {
		word.Error = err.Error()
	}
	// A starter that is gone does not hear this; the leash ends the host then.
	_ = json.NewEncoder(say).Encode(word)
	_ = say.Close()
	if err != nil {
		return 1
	}
	f.holdOn()
	return 0
}

// bringUp makes the host: files, links, daemons, in this order.
func (f *first) bringUp() error {
	line, err := f.leash.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	if err := json.Unmarshal(line, &f.setup); err != nil {
		return fmt.Errorf("parse setup: %w", err)
	}
	if err := unix.Sethostname([]byte(f.setup.Name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := privateFiles(f.setup); err != nil {
		return err
	}
	if f.outside, err = connectOutside(); err != nil {
		return err
	}
	// The nodes of /dev/tapN come and go with links, as udev would make them.
	if err := watchDevices(); err != nil {
		return err
	}
	go f.reaper.run()
	// The name is answered for from here on; a starter asks only after the outcome.
	if err := f.answerFor(); err != nil {
		return err
	}
	if err := f.startDaemons(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), bringUpLimit)
	defer cancel()
	return poll(ctx, 2*time.Millisecond, libvirtSocket, func() (bool, error) {
		conn, err := net.Dial("unix", libvirtSocket)
		if err != nil {
			return false, nil //nolint:nilerr // not yet there is what is polled for
		}
		return true, conn.Close()
	})
}

func (f *first) startDaemons() error {
	for _, daemon := range []string{"virtlogd", "libvirtd"} {
		path := find("", daemon)
		if path == "" {
			return fmt.Errorf("start %s: not in %s", daemon, sbinPath)
		}
		code, err := f.reaper.spawn(path, "-d")
		if err != nil {
			return fmt.Errorf("start %s: %w", daemon, err)
		}
		if code != 0 {
			return fmt.Errorf("start %s: exit code %d%s", daemon, code, tail("/var/log/libvirt/"+daemon+".log"))
		}
	}
	return nil
}

// tail returns the end of a log for an error message.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return ""
	}
	const most = 4000
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return "\n" + string(data)
}

// holdOn returns when the owner is gone and the host was not to be kept.
func (f *first) holdOn() {
	for {
		word, err := f.leash.ReadString('\n')
		if word == keepWord+"\n" {
			f.kept.Store(true)
			continue
		}
		if err != nil && f.kept.Load() {
			select {} // until down
		}
		if err != nil {
			return
		}
	}
}

// answerFor serves the host's name.
func (f *first) answerFor() error {
	// Listening here, not in the starter, makes the kernel tell callers this
	// process as their peer.
	if err := unix.Listen(socketFD, 16); err != nil {
		return fmt.Errorf("listen on host socket: %w", err)
	}
	file := os.NewFile(socketFD, "socket")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("listen on host socket: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close host socket: %w", err)
	}
	if err := os.MkdirAll(guestFolder, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", guestFolder, err)
	}
	own, err := net.Listen("unix", ownSocket)
	if err != nil {
		return fmt.Errorf("listen inside: %w", err)
	}
	go f.accept(listener)
	go f.accept(own)
	return nil
}

func (f *first) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go f.answer(conn)
		}
	}
}

func (f *first) answer(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	// Abstract sockets have no permissions: whoever is not root gets nothing.
	if cred, err := peer(conn.(*net.UnixConn)); err != nil || cred.Uid != 0 {
		return
	}
	word, err := bufio.NewReader(io.LimitReader(conn, 64)).ReadString('\n')
	if err != nil {
		return
	}
	var answer any
	switch word {
	case "info\n":
		answer = Info{
			Name: f.setup.Name, Root: f.setup.Root, Started: f.started,
			Kept: f.kept.Load(), Outside: f.outside.namespace,
		}
	case "seen\n":
		answer = f.outside.seen.list()
	default:
		return
	}
	_ = json.NewEncoder(conn).Encode(answer)
}
