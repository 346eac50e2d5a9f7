//go:build amd64

package main

import (
	"fmt"
	"os"
	"os/exec"
	"unsafe"

	"golang.org/x/sys/unix"
)

// becomeFiltered turns into a program for which the kernel stops at the calls among
// which the acts are, and at no others: to stop at each takes longer than all the
// rest (seccomp(2), SECCOMP_RET_TRACE).
func becomeFiltered(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	code := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // struct seccomp_data: the number
	left := len(calls)
	for number := range calls {
		code = append(code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(left), K: uint32(number)})
		left--
	}
	code = append(code,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE})
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("filter calls: %w", err)
	}
	return fmt.Errorf("run %s: %w", path, unix.Exec(path, argv, os.Environ()))
}
