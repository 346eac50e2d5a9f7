//go:build amd64

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// calls are those among which the acts are, and what they do: "" when they change
// nothing that outlives the process. Arguments as in each call's manual page.
var calls = map[int]func(t *tracer, args [6]uint64) string{
	unix.SYS_OPENAT: func(t *tracer, args [6]uint64) string { return t.open(args[1], int(args[2])) },
	unix.SYS_OPEN:   func(t *tracer, args [6]uint64) string { return t.open(args[0], int(args[1])) },

	unix.SYS_RENAME:    func(t *tracer, args [6]uint64) string { return "rename " + t.text(args[0]) },
	unix.SYS_RENAMEAT:  func(t *tracer, args [6]uint64) string { return "rename " + t.text(args[1]) },
	unix.SYS_RENAMEAT2: func(t *tracer, args [6]uint64) string { return "rename " + t.text(args[1]) },
	unix.SYS_UNLINK:    func(t *tracer, args [6]uint64) string { return "unlink " + t.text(args[0]) },
	unix.SYS_UNLINKAT:  func(t *tracer, args [6]uint64) string { return "unlink " + t.text(args[1]) },

	unix.SYS_KILL:              sends,
	unix.SYS_PIDFD_SEND_SIGNAL: sends,
	unix.SYS_CLONE:             func(_ *tracer, args [6]uint64) string { return runs(args[0]) },
	unix.SYS_CLONE3: func(t *tracer, args [6]uint64) string {
		flags := t.bytes(args[0], 8) // struct clone_args begins with them
		if len(flags) < 8 {
			return ""
		}
		return runs(binary.NativeEndian.Uint64(flags))
	},
	unix.SYS_FORK:  func(*tracer, [6]uint64) string { return runs(0) },
	unix.SYS_VFORK: func(*tracer, [6]uint64) string { return runs(0) },
	unix.SYS_IOCTL: func(_ *tracer, args [6]uint64) string { return device(args[1]) },

	unix.SYS_WRITE:  func(t *tracer, args [6]uint64) string { return t.message(args[0], t.bytes(args[1], args[2])) },
	unix.SYS_SENDTO: func(t *tracer, args [6]uint64) string { return t.message(args[0], t.bytes(args[1], args[2])) },
	unix.SYS_WRITEV: func(t *tracer, args [6]uint64) string { return t.message(args[0], t.vector(args[1])) },
	unix.SYS_SENDMSG: func(t *tracer, args [6]uint64) string {
		// struct msghdr: the third word tells where the pieces are.
		header := t.bytes(args[1], 24)
		if len(header) < 24 {
			return ""
		}
		return t.message(args[0], t.vector(binary.NativeEndian.Uint64(header[16:])))
	},
}

func sends(_ *tracer, args [6]uint64) string {
	if args[1] == 0 { // a question
		return ""
	}
	return fmt.Sprintf("signal %d", args[1])
}

func runs(cloneFlags uint64) string {
	if cloneFlags&unix.CLONE_THREAD != 0 {
		return ""
	}
	return "run a program"
}

// open is an act when something may be written, and not to a device.
func (t *tracer) open(name uint64, flags int) string {
	const writes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC
	path := t.text(name)
	if flags&writes == 0 || strings.HasPrefix(path, "/dev/") {
		return ""
	}
	return "write " + path
}

// device is what an ioctl changes about network devices and bridges, by linux/if_tun.h
// and linux/sockios.h.
func device(request uint64) string {
	switch request {
	case unix.TUNSETIFF, unix.TUNSETPERSIST, unix.SIOCBRADDBR, unix.SIOCBRDELBR, unix.SIOCBRADDIF, unix.SIOCBRDELIF,
		unix.SIOCSIFFLAGS, unix.SIOCSIFHWADDR, unix.SIOCSIFMTU, unix.SIOCSIFNAME:
		return fmt.Sprintf("device ioctl %#x", request)
	}
	return ""
}

// message is what a message asks for, when libvirt or the kernel would change
// something.
func (t *tracer) message(fd uint64, m []byte) string {
	if len(m) < unix.SizeofNlMsghdr {
		return ""
	}
	// libvirt: length, program, version, procedure and kind, in network order.
	const program, call = 0x20008086, 0
	if len(m) >= 20 && binary.BigEndian.Uint32(m[4:]) == program {
		if name := procedures[binary.BigEndian.Uint32(m[12:])]; name != "" && binary.BigEndian.Uint32(m[16:]) == call {
			return "libvirt " + name
		}
		return ""
	}
	// netlink: length, type and flags, in the machine's order.
	size, kind, flags := binary.NativeEndian.Uint32(m), binary.NativeEndian.Uint16(m[4:]), binary.NativeEndian.Uint16(m[6:])
	if size < unix.SizeofNlMsghdr || size > uint32(len(m)) || flags&unix.NLM_F_REQUEST == 0 || kind < unix.RTM_BASE {
		return ""
	}
	switch t.netlink(fd) {
	case unix.NETLINK_ROUTE: // the third of four asks
		if (kind-unix.RTM_BASE)%4 != unix.RTM_GETLINK-unix.RTM_BASE {
			return fmt.Sprintf("route netlink %d", kind)
		}
	case unix.NETLINK_NETFILTER: // who changes rules begins a batch
		if kind == unix.NFNL_MSG_BATCH_BEGIN {
			return "netfilter batch"
		}
	}
	return ""
}

// netlink is the protocol of a netlink socket, -1 for all else.
func (t *tracer) netlink(fd uint64) int {
	socket, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", t.pid, fd))
	inode, isSocket := strings.CutPrefix(socket, "socket:[")
	table, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", t.pid))
	if err != nil || err2 != nil || !isSocket {
		return -1
	}
	for line := range strings.Lines(string(table)) { // address, protocol, ..., inode
		if fields := strings.Fields(line); len(fields) > 2 && fields[len(fields)-1]+"]" == inode {
			if protocol, err := strconv.Atoi(fields[1]); err == nil {
				return protocol
			}
		}
	}
	return -1
}

// procedures are libvirt's that change something, by their numbers in its
// remote_protocol.x.
var procedures = map[uint32]string{
	8: "domain-attach-device", 9: "domain-create", 10: "domain-create-xml", 11: "domain-define-xml", 12: "domain-destroy",
	13: "domain-detach-device", 29: "domain-set-autostart", 35: "domain-undefine",
	39: "network-create", 40: "network-create-xml", 41: "network-define-xml", 42: "network-destroy",
	48: "network-set-autostart", 49: "network-undefine",
	160: "domain-attach-device-flags", 161: "domain-detach-device-flags", 174: "domain-update-device-flags",
	256: "domain-set-interface-parameters", 264: "domain-set-metadata", 291: "network-update", 350: "domain-define-xml-flags",
	392: "domain-detach-device-alias", 406: "network-port-create-xml", 408: "network-port-set-parameters", 410: "network-port-delete",
	432: "network-define-xml-flags", 437: "network-create-xml-flags", 444: "network-set-metadata",
}

// bytes reads the process's memory: as much as there is, and no more than a
// message's head needs.
func (t *tracer) bytes(address, size uint64) []byte {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", t.pid)) // each time: exec gives it another
	if err != nil {
		return nil
	}
	defer memory.Close()
	buffer := make([]byte, min(size, 4096))
	n, _ := memory.ReadAt(buffer, int64(address)) // less at the end of what is mapped
	return buffer[:n]
}

func (t *tracer) text(address uint64) string {
	text, _, _ := strings.Cut(string(t.bytes(address, unix.PathMax)), "\x00")
	return text
}

// vector reads the first piece of a struct iovec.
func (t *tracer) vector(address uint64) []byte {
	piece := t.bytes(address, 16)
	if len(piece) < 16 {
		return nil
	}
	return t.bytes(binary.NativeEndian.Uint64(piece), binary.NativeEndian.Uint64(piece[8:]))
}
