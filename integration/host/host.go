package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Addresses of every host. They are of TEST-NET-3, which is nobody's.
const (
	Address        = "203.0.113.2" // the host's eth0
	OutsideAddress = "203.0.113.1" // the outside's end, the host's default gateway
)

// Options says what host to start. The zero value is a host with a generated
// name on the machine's own files.
type Options struct {
	Name string   // generated when empty
	Root string   // run everything from this root folder (never written to)
	Bind []string // paths of the machine that are to be seen inside Root too
	// Firewall is the backend with which libvirt makes its rules, IPTables or
	// NFTables; libvirt's own choice when empty.
	Firewall string
}

// Host is one running sealed host.
type Host struct {
	info    Info
	born    string    // start time of the first process
	process *exec.Cmd // first process when this program started it
	leash   *os.File  // the host ends when this is closed
}

// bringUpLimit is far above the second that a host needs, for machines that
// are busy with something else.
const bringUpLimit = 60 * time.Second

// setup is what the first process is told by its starter.
type setup struct {
	Name, Root   string
	Bind         []string
	Firewall     string
	Capabilities string // folder with libvirt's knowledge of this QEMU, may be absent
}

// outcome is what the first process says when it is up, or could not come up.
type outcome struct{ Error string }

// Start brings up a host and returns when its libvirtd accepts connections.
// The context limits only the bringing up. The host ends with Close, or when
// this program ends.
func Start(ctx context.Context, opt Options) (*Host, error) {
	if !hooked.Load() {
		return nil, errors.New("start host: host.Main was not called at the start of main or TestMain")
	}
	if err := needRoot(); err != nil {
		return nil, fmt.Errorf("start host: %w", err)
	}
	if opt.Name == "" {
		opt.Name = generatedName()
	}
	if err := checkName("host", opt.Name); err != nil {
		return nil, err
	}
	if opt.Root != "" {
		root, err := filepath.Abs(opt.Root)
		if err != nil {
			return nil, fmt.Errorf("start host %s: %w", opt.Name, err)
		}
		opt.Root = root
		if err := needFolder(root); err != nil {
			return nil, fmt.Errorf("start host %s: %w", opt.Name, err)
		}
	}
	if err := need(opt.Root, hostNeeds); err != nil {
		return nil, fmt.Errorf("start host %s: %w", opt.Name, err)
	}
	socket, err := claim(opt.Name)
	if err != nil {
		return nil, fmt.Errorf("start host %s: %w", opt.Name, err)
	}
	defer socket.Close()
	ctx, cancel := context.WithTimeout(ctx, bringUpLimit)
	defer cancel()
	h, err := launch(ctx, opt, socket)
	if err != nil {
		return nil, fmt.Errorf("start host %s: %w", opt.Name, err)
	}
	return h, nil
}

func generatedName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return "host-" + hex.EncodeToString(b[:])
}

// launch starts the first process, hands it its setup and waits for its word.
func launch(ctx context.Context, opt Options, socket *os.File) (_ *Host, err error) {
	leashEnd, leash, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create pipe: %w", err)
	}
	defer leashEnd.Close()
	said, sayEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create pipe: %w", err), leash.Close())
	}
	defer said.Close()
	log, err := memoryFile("kvlab-log")
	if err != nil {
		return nil, errors.Join(err, leash.Close(), sayEnd.Close())
	}
	defer log.Close()

	cmd := &exec.Cmd{
		Path: selfExe, Args: []string{roleInit, opt.Name}, Dir: "/",
		Env:    []string{"PATH=" + sbinPath, "LC_ALL=C", "HOME=/root"},
		Stdout: log, Stderr: log,
		ExtraFiles: []*os.File{leashEnd, sayEnd, socket}, // descriptors 3, 4, 5
		SysProcAttr: &syscall.SysProcAttr{
			// Its own session: a terminal's ^C is for the command, not for the host.
			Setsid: true,
			Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
				unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		},
	}
	err = cmd.Start()
	_ = sayEnd.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start first process: %w", err), leash.Close())
	}
	h := &Host{info: Info{Name: opt.Name, Root: opt.Root}, process: cmd, leash: leash}
	if err := h.await(ctx, opt, said); err != nil {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", log.Fd()))
		err = errors.Join(err, h.Close())
		if len(text) > 0 {
			return nil, fmt.Errorf("%w\n%s", err, strings.TrimRight(string(text), "\n"))
		}
		return nil, err
	}
	return h, nil
}

// await tells the first process what to do and reads how that went.
func (h *Host) await(ctx context.Context, opt Options, said *os.File) error {
	word := setup{Name: opt.Name, Root: opt.Root, Bind: opt.Bind, Firewall: opt.Firewall, Capabilities: capabilityCache(opt.Root)}
	if err := json.NewEncoder(h.leash).Encode(word); err != nil {
		return fmt.Errorf("tell first process: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = said.SetReadDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = said.SetReadDeadline(time.Now()) })
	defer stop()
	var end outcome
	err := json.NewDecoder(said).Decode(&end)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("wait for libvirtd: %w", context.Cause(ctx))
	case errors.Is(err, io.EOF):
		return errors.New("first process ended")
	case err != nil:
		return fmt.Errorf("read from first process: %w", err)
	case end.Error != "":
		return errors.New(end.Error)
	}
	pid, err := ask(opt.Name, "info", &h.info)
	if err != nil {
		return err
	}
	h.info.PID = pid
	h.born, err = startTime(pid)
	return err
}

func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create memory file: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Info tells the host's name, root and first process.
func (h *Host) Info() Info { return h.info }

// Name is the host's name.
func (h *Host) Name() string { return h.info.Name }

// Path is where a file of the host is found from the machine, for reading and
// writing without running anything inside.
func (h *Host) Path(inside string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", h.info.PID), filepath.Clean("/"+inside))
}

// Keep lets the host outlive this program. It ends by Close of a Host that
// Open returned, or with the machine.
func (h *Host) Keep() error {
	if h.leash == nil {
		return nil
	}
	_, err := io.WriteString(h.leash, keepWord+"\n")
	if err == nil {
		// The answer proves that the word was read before the pipe closes.
		err = poll(context.Background(), time.Millisecond, "host to take it", func() (bool, error) {
			var info Info
			_, err := ask(h.info.Name, "info", &info)
			return info.Kept, err
		})
	}
	if err != nil {
		return fmt.Errorf("keep host %s: %w", h.info.Name, err)
	}
	return nil
}

// Seen lists the source addresses of the IPv4 packets that have reached the
// outside, sorted.
func (h *Host) Seen() ([]string, error) {
	var seen []string
	if _, err := ask(h.info.Name, "seen", &seen); err != nil {
		return nil, fmt.Errorf("ask host %s: %w", h.info.Name, err)
	}
	return seen, nil
}

// Close ends the host and returns when nothing of it is left. Closing a host
// that has ended is no error.
func (h *Host) Close() error {
	if h.process != nil {
		return h.closeOwn()
	}
	if h.info.PID == 1 {
		return fmt.Errorf("end host %s: not possible from inside of it", h.info.Name)
	}
	if err := h.kill(); err != nil {
		return fmt.Errorf("end host %s: %w", h.info.Name, err)
	}
	return nil
}

func (h *Host) closeOwn() error {
	// SIGKILL: the first process of a PID namespace may ignore all others, and
	// the kernel ends the whole namespace with it.
	err := h.process.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	var exit *exec.ExitError
	if waitErr := h.process.Wait(); waitErr != nil && !errors.As(waitErr, &exit) {
		err = errors.Join(err, waitErr)
	}
	_ = h.leash.Close()
	h.process, h.leash = nil, nil
	return err
}

// kill ends a host that another program started. A process descriptor, checked
// after opening, makes sure that no process is hit that got the same pid.
func (h *Host) kill() error {
	fd, err := unix.PidfdOpen(h.info.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", h.info.PID, err)
	}
	defer unix.Close(fd)
	if born, err := startTime(h.info.PID); err != nil || born != h.born {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", h.info.PID, err)
	}
	// Readable means dead, and the first process dies last in its namespace.
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for process %d: %w", h.info.PID, err)
		}
		if n == 0 {
			return fmt.Errorf("wait for process %d: still there after 30 s", h.info.PID)
		}
		return nil
	}
}
