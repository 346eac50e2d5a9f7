package bridge

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Layout of linux/unix_diag.h.
const (
	unixDiagReqLen  = 24 // struct unix_diag_req
	unixDiagMsgLen  = 16 // struct unix_diag_msg
	unixDiagShowVFS = 2  // UDIAG_SHOW_VFS
	unixDiagVFS     = 1  // UNIX_DIAG_VFS: struct unix_diag_vfs, inode and device
)

// fileID is where a file lives: device as the kernel keeps it, and inode.
type fileID struct{ device, inode uint32 }

// Listens says whether the UNIX socket bound at path listens in the network
// namespace of the calling thread: the namespace of the process that made it.
// It needs no privilege, where looking at that process would.
func Listens(ctx context.Context, path string) (bool, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return false, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	// The kernel keeps a device as 12 bits of major and 20 of minor number
	// (linux/kdev_t.h); what the diagnosis shows of inodes has 32 bits.
	want := fileID{unix.Major(st.Dev)<<20 | unix.Minor(st.Dev), uint32(st.Ino)}
	c, err := dial(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return false, err
	}
	defer c.close()
	req := make([]byte, unixDiagReqLen)
	req[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(req[4:], 1<<tcpListen) // TCP_LISTEN stands for every family
	binary.NativeEndian.PutUint32(req[12:], unixDiagShowVFS)
	found, err := dumpAll(ctx, c, dumpRequest{unix.SOCK_DIAG_BY_FAMILY, unix.SOCK_DIAG_BY_FAMILY, req},
		func(b []byte) (fileID, bool, error) {
			id, err := parseUnixSocket(b)
			return id, id == want, err
		})
	if err != nil {
		return false, fmt.Errorf("read UNIX sockets: %w", err)
	}
	return len(found) > 0, nil
}

// parseUnixSocket reads where a socket is bound; the zero value is nowhere.
func parseUnixSocket(b []byte) (fileID, error) {
	var id fileID
	if len(b) < unixDiagMsgLen {
		return id, fmt.Errorf("parse UNIX socket: %w", errTruncated)
	}
	err := walk(b[unixDiagMsgLen:], func(typ uint16, value []byte) error {
		if typ == unixDiagVFS && len(value) >= 8 {
			id = fileID{inode: u32(value), device: u32(value[4:])}
		}
		return nil
	})
	return id, err
}
