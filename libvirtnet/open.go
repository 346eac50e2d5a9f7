package libvirtnet

import (
	"errors"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// explainOpen finds out why a connection was refused where libvirt's code
// does not tell. "No such file", "refused" and "permission denied" on the
// daemon's socket are one code, so the socket is tried once more for the
// error number.
func explainOpen(uri string, e *Error) error {
	a := locate(uri)
	switch {
	case errors.Is(e, ErrPermission), errors.Is(e, ErrBadURI), errors.Is(e, ErrUnreachable):
		return e
	case !a.local:
		if !errors.Is(e, ErrDaemonDown) {
			return e
		}
		if e.Kind = ErrUnreachable; here(uri) {
			e.Kind, e.Message = ErrBadURI, "libvirt has no such driver"
		}
		return e
	}
	if !knownPath(uri) {
		e.Kind = ErrBadURI
		e.Message = "a local driver has the paths /system and /session only"
		return e
	}
	for _, socket := range a.sockets {
		err := tryConnect(socket)
		switch {
		case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
			e.Kind = ErrPermission
			e.Message = "permission refused on " + socket + ": it takes root or a member of group " + groupOf(socket)
			return e
		case err == nil && os.Geteuid() != 0 && errors.Is(e, ErrDaemonDown):
			// Somebody listens, so that it was polkit or its absence.
			e.Kind = ErrPermission
			e.Message += "; it takes root or a member of group " + groupOf(socket)
			return e
		case err == nil:
			return e
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
			e.Kind = ErrDaemonDown
		}
	}
	return e
}

// here says whether a URI is meant for this host: the drivers of its daemons
// are known, so that any other is none.
func here(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	_, transport, _ := strings.Cut(u.Scheme, "+")
	return u.Host == "" && (transport == "" || transport == "unix")
}

// knownPath says whether the path of a local URI is one that the drivers have
// (https://libvirt.org/uri.html). virtqemud and libvirtd tell a wrong one only
// when they run.
func knownPath(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	switch u.Path {
	case "/system", "/session", "/", "", "/embed":
		return true
	}
	return false
}

// tryConnect opens and closes a socket for its error number.
func tryConnect(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

// groupOf names the group that may use a socket. A socket of group root is
// guarded by its folder or by polkit, whose rules name the group libvirt.
func groupOf(socket string) string {
	var st unix.Stat_t
	if err := unix.Stat(socket, &st); err == nil && st.Gid != 0 {
		if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil {
			return g.Name
		}
	}
	return "libvirt"
}
