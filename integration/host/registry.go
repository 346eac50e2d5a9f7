package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// socketPrefix starts the names of the abstract sockets that hosts hold in the
// machine's network namespace. Such a name belongs to exactly one process and
// vanishes with it, so the list of hosts is never stale.
const socketPrefix = "@kvlab/"

var (
	// ErrNotFound says that no host of that name runs.
	ErrNotFound = errors.New("no such host")
	// ErrExists says that a host of that name runs already.
	ErrExists = errors.New("host exists already")
)

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

// checkName accepts what can be a file name, a host name and a libvirt name at
// once.
func checkName(what, name string) error {
	if !validName.MatchString(name) {
		const enough = 80
		if len(name) > enough {
			name = name[:enough] + "..."
		}
		return fmt.Errorf("check %s name %q: want 1 to 40 letters, digits, dots, dashes or underscores", what, name)
	}
	return nil
}

// Info is what a running host tells about itself.
type Info struct {
	Name    string    `json:"name"`
	Root    string    `json:"root"`    // folder given as Options.Root, empty for the machine's own
	Started time.Time `json:"started"` // when its first process started
	Kept    bool      `json:"kept"`    // survives its owner
	Outside int       `json:"outside"` // descriptor of the outside namespace in the first process
	PID     int       `json:"pid"`     // first process, seen from the caller
}

// claim takes the name for a host that is about to start. The returned file is
// a bound socket, on which the first process listens.
func claim(name string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("create socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: socketPrefix + name}); err != nil {
		_ = unix.Close(fd)
		if errors.Is(err, unix.EADDRINUSE) {
			return nil, ErrExists
		}
		return nil, fmt.Errorf("bind socket: %w", err)
	}
	return os.NewFile(uintptr(fd), socketPrefix+name), nil
}

// ownSocket is how a host's first process is asked from inside of the host,
// where the machine's abstract sockets are out of sight.
const ownSocket = guestFolder + "/host.sock"

// inside returns the name of the host that the calling program runs in, or "".
func inside() string {
	data, err := os.ReadFile("/proc/1/cmdline")
	if err != nil {
		return ""
	}
	argv := strings.Split(string(data), "\x00")
	if len(argv) < 2 || argv[0] != roleInit {
		return ""
	}
	return argv[1]
}

// ask sends one word to the host's first process and decodes its JSON answer.
// It returns the pid of the answering process, which the kernel vouches for.
func ask(name, word string, answer any) (pid int, err error) {
	socket := socketPrefix + name
	if name == inside() {
		socket = ownSocket
	}
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if errors.Is(err, unix.ECONNREFUSED) {
		return 0, ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	cred, err := peer(conn.(*net.UnixConn))
	if err != nil {
		return 0, err
	}
	if cred.Uid != 0 {
		return 0, fmt.Errorf("socket belongs to user %d, not to root", cred.Uid)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, word+"\n"); err != nil {
		return 0, fmt.Errorf("ask %s: %w", word, err)
	}
	if err := json.NewDecoder(conn).Decode(answer); err != nil {
		return 0, fmt.Errorf("read answer to %s: %w", word, err)
	}
	return int(cred.Pid), nil
}

func peer(conn *net.UnixConn) (*unix.Ucred, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("get socket: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return nil, fmt.Errorf("get peer of socket: %w", err)
	}
	return cred, nil
}

// Open returns the running host of that name. Closing it ends the host. Inside
// of a host, "." is that host itself, which cannot be closed from there.
func Open(name string) (*Host, error) {
	if name == "." {
		if name = inside(); name == "" {
			return nil, errors.New("open host .: this is not the inside of a host")
		}
	}
	if err := checkName("host", name); err != nil {
		return nil, err
	}
	if err := needRoot(); err != nil {
		return nil, fmt.Errorf("open host %s: %w", name, err)
	}
	var info Info
	pid, err := ask(name, "info", &info)
	if err != nil {
		return nil, fmt.Errorf("open host %s: %w", name, err)
	}
	info.PID = pid
	h := &Host{info: info}
	if h.born, err = startTime(pid); err != nil {
		return nil, fmt.Errorf("open host %s: %w", name, err)
	}
	return h, nil
}

// List returns every host that runs on this machine, sorted by name.
func List() ([]Info, error) {
	if err := needRoot(); err != nil {
		return nil, fmt.Errorf("list hosts: %w", err)
	}
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil, fmt.Errorf("list hosts: %w", err)
	}
	defer f.Close()
	names := map[string]bool{}
	if own := inside(); own != "" {
		names[own] = true
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, name, ok := strings.Cut(lines.Text(), " "+socketPrefix); ok && validName.MatchString(name) {
			names[name] = true
		}
	}
	list := []Info{}
	for name := range names {
		// A host that ends meanwhile, or is only coming up, does not answer.
		if h, err := Open(name); err == nil {
			list = append(list, h.info)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

// startTime is field 22 of /proc/PID/stat: together with the pid it names a
// process for ever, while a pid alone is used again.
func startTime(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the command in parentheses, and may hold both.
	text := string(data)
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("parse /proc/%d/stat: %d fields", pid, len(fields))
	}
	return fields[19], nil
}
