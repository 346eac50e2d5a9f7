package services

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// daemonSockets are libvirt's daemons that have to do with networks, and their
// sockets in /run/libvirt (libvirt.org/daemons.html).
var daemonSockets = []struct{ name, socket string }{
	{"libvirtd", "libvirt-sock"},
	{"virtnetworkd", "virtnetworkd-sock"},
	{"virtnwfilterd", "virtnwfilterd-sock"},
	{"virtqemud", "virtqemud-sock"},
}

// wants are the folders in which systemd keeps what starts at boot.
var wants = []string{"multi-user.target.wants", "sockets.target.wants", "graphical.target.wants", "default.target.wants"}

// daemons finds libvirt's daemons: those that run, listen, or are enabled.
func (r *reader) daemons() []Daemon {
	list := []Daemon{}
	var listening map[string]bool
	for _, known := range daemonSockets {
		d := Daemon{Name: known.name, PID: r.pidFile("run/"+known.name+".pid", known.name)}
		d.Namespace = r.netNamespace(d.PID)
		for _, folder := range []string{"run/libvirt/", "var/run/libvirt/"} {
			if st, err := os.Stat(r.path(folder + known.socket)); err == nil && st.Mode().Type() == os.ModeSocket {
				d.Socket = "/" + folder + known.socket
				break
			}
		}
		for _, folder := range wants {
			d.Enabled = d.Enabled || r.exists("etc/systemd/system/"+folder+"/"+known.name+".service")
			d.SocketEnabled = d.SocketEnabled || r.exists("etc/systemd/system/"+folder+"/"+known.name+".socket")
		}
		if d.Socket != "" {
			if listening == nil {
				listening = r.listening()
			}
			d.Listens = d.PID > 0 || listening[known.socket]
		}
		if d.PID > 0 || d.Socket != "" || d.Enabled || d.SocketEnabled {
			list = append(list, d)
		}
	}
	return list
}

func (r *reader) exists(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

// pidFile reads a pid file and believes it when a process of that name has the
// pid. The kernel keeps 15 bytes of a name (TASK_COMM_LEN).
func (r *reader) pidFile(path, name string) int {
	pid := r.noted(path)
	if pid == 0 || r.comm(pid) != name[:min(len(name), 15)] {
		return 0
	}
	return pid
}

// noted is the process id in a file; 0 where there is none.
func (r *reader) noted(path string) int {
	data, err := r.file(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil {
		return 0
	}
	return max(pid, 0)
}

// GuestPID is the process of a running guest, as libvirt's QEMU driver notes it
// in /run/libvirt/qemu; 0 where it does not.
func GuestPID(guest string) int { return (&reader{root: "/"}).guestPID(guest) }

func (r *reader) guestPID(guest string) int {
	if filepath.Base(guest) != guest {
		return 0
	}
	return r.noted("run/libvirt/qemu/" + guest + ".pid")
}

func (r *reader) comm(pid int) string {
	data, err := r.file("proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return text(bytes.TrimSpace(data))
}

// netNamespace is the inode of a process's network namespace; 0 when it may
// not be looked at.
func (r *reader) netNamespace(pid int) uint64 {
	var st unix.Stat_t
	if pid <= 0 || unix.Stat(r.path("proc/"+strconv.Itoa(pid)+"/ns/net"), &st) != nil {
		return 0
	}
	return st.Ino
}

// listening are the names of the sockets of libvirt's that somebody listens at,
// in this network namespace (__SO_ACCEPTCON, net/unix/af_unix.c).
func (r *reader) listening() map[string]bool {
	const acceptCon = 0x10000
	set := map[string]bool{}
	table, err := r.open("proc/net/unix") // long where there are many guests
	if err != nil {
		return set
	}
	defer table.Close()
	for lines := bufio.NewScanner(table); lines.Scan(); {
		// Num RefCount Protocol Flags Type St Inode Path
		path := bytes.TrimSpace(lines.Bytes())
		cut := bytes.LastIndexByte(path, '/')
		if cut < 0 || !bytes.HasSuffix(path[:cut], []byte("/libvirt")) {
			continue // most sockets are others', or guests'
		}
		f := bytes.Fields(path)
		if len(f) < 8 {
			continue
		}
		if flags, err := strconv.ParseUint(string(f[3]), 16, 64); err == nil && flags&acceptCon != 0 {
			set[string(path[cut+1:])] = true
		}
	}
	return set
}

// searchPath is where libvirt's daemons look for programs: the PATH of those
// that run, where it may be read, and then the usual folders.
func (r *reader) searchPath(daemons []Daemon) []string {
	var folders []string
	add := func(list string) {
		for _, folder := range filepath.SplitList(list) {
			if filepath.IsAbs(folder) && !slices.Contains(folders, folder) && len(folders) < 64 {
				folders = append(folders, folder)
			}
		}
	}
	for _, d := range daemons {
		if d.PID == 0 {
			continue
		}
		data, err := r.file("proc/" + strconv.Itoa(d.PID) + "/environ")
		if err != nil {
			continue // the usual folders have to do
		}
		for value := range bytes.SplitSeq(data, []byte{0}) {
			if list, ok := strings.CutPrefix(string(value), "PATH="); ok {
				add(list)
			}
		}
	}
	add("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	return folders
}

// wanted are the programs that libvirt runs for networks, sorted.
var wanted = []string{"dnsmasq", "ebtables", "ip6tables", "iptables", "nft", "tc"}

func (r *reader) programs(daemons []Daemon) []Program {
	folders := r.searchPath(daemons)
	list := make([]Program, 0, len(wanted))
	for _, name := range wanted {
		p := Program{Name: name}
		for _, folder := range folders {
			path := filepath.Join(folder, name)
			if st, err := os.Stat(r.path(path)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				p.Path = path
				if real, err := filepath.EvalSymlinks(r.path(path)); err == nil && real != r.path(path) {
					p.Real = real
				}
				break
			}
		}
		list = append(list, p)
	}
	return list
}
