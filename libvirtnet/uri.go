package libvirtnet

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SystemURI is asked when neither the caller nor LIBVIRT_DEFAULT_URI names
// another. Networks of the host live there, also for a user who is not root.
const SystemURI = "qemu:///system"

// DefaultURI is uri, or LIBVIRT_DEFAULT_URI, or [SystemURI].
func DefaultURI(uri string) string {
	if uri == "" {
		uri = os.Getenv("LIBVIRT_DEFAULT_URI")
	}
	if uri == "" {
		uri = SystemURI
	}
	return uri
}

// daemonDrivers are the drivers that a daemon on the host runs, with the
// daemon that serves one alone (https://libvirt.org/daemons.html). Other
// drivers run inside the client: test, esx, vmware, hyperv, openvz.
var daemonDrivers = map[string]string{
	"qemu": "virtqemud", "lxc": "virtlxcd", "xen": "virtxend", "ch": "virtchd",
	"vz": "virtvzd", "vbox": "virtvboxd", "bhyve": "virtbhyved",
	"network": "virtnetworkd", "interface": "virtinterfaced",
}

// address is where the daemon of a URI listens, when it is on this host.
type address struct {
	local   bool
	session bool     // a user's own daemon
	sockets []string // where it may listen, most likely first
	daemons []string // programs that may answer, in the order of sockets
}

// locate reads a URI. A host part, or a transport other than a UNIX socket,
// means another host as far as this package may claim.
func locate(uri string) address {
	u, err := url.Parse(uri)
	if err != nil {
		return address{}
	}
	driver, transport, _ := strings.Cut(u.Scheme, "+")
	own, ok := daemonDrivers[driver]
	if !ok || u.Host != "" || (transport != "" && transport != "unix") {
		return address{}
	}
	a := address{local: true, session: strings.HasPrefix(u.Path, "/session"), daemons: []string{own, "libvirtd"}}
	if socket := u.Query().Get("socket"); socket != "" {
		a.sockets = []string{socket, socket}
		return a
	}
	dir := runDir(a.session)
	a.sockets = []string{filepath.Join(dir, own+"-sock"), filepath.Join(dir, "libvirt-sock")}
	return a
}

// listens says whether path, as a socket's peer shows it, is one of the
// daemon's sockets. /var/run is the same place as /run.
func (a address) listens(path string) bool {
	path = strings.TrimPrefix(path, "/var")
	return slices.ContainsFunc(a.sockets, func(s string) bool { return strings.TrimPrefix(s, "/var") == path })
}

// runDir is the folder of libvirt's sockets; that of pid files is its parent
// for the system's daemons and the same folder for a session's.
func runDir(session bool) string {
	if !session {
		return "/run/libvirt"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "libvirt")
	}
	return filepath.Join(os.Getenv("HOME"), ".cache", "libvirt")
}
