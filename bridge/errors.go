package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// What callers decide on. Errors of this package wrap them together with the
// name of the object and the kernel's own error.
var (
	// ErrNotFound: no link of that name in this namespace.
	ErrNotFound = errors.New("no such link")
	// ErrNotABridge: the link is there and is something else.
	ErrNotABridge = errors.New("not a bridge")
	// ErrNotAPort: the link is there and no bridge is its master.
	ErrNotAPort = errors.New("not a bridge port")
	// ErrPermission: the kernel refused for lack of privilege.
	ErrPermission = errors.New("permission denied (needs CAP_NET_ADMIN)")
	// ErrBadName: no link can have this name.
	ErrBadName = errors.New("not a link name")
)

// CheckName says whether the kernel would take name for a link: 1 to 15 bytes
// (IFNAMSIZ, linux/if.h), not "." or "..", without "/", ":", "%", white space
// and control characters (dev_valid_name, net/core/dev.c; "%" would make it a
// pattern). Its error wraps [ErrBadName] and quotes the name, cut short.
func CheckName(name string) error {
	bad := func(why string) error {
		shown := name
		if len(shown) > 40 {
			shown = shown[:40] + "..."
		}
		return fmt.Errorf("%w: %q: %s", ErrBadName, shown, why)
	}
	switch {
	case name == "":
		return bad("empty")
	case len(name) > unix.IFNAMSIZ-1:
		return bad(fmt.Sprintf("%d bytes, at most %d fit", len(name), unix.IFNAMSIZ-1))
	case name == "." || name == "..":
		return bad("reserved")
	case !utf8.ValidString(name):
		return bad("not UTF-8")
	}
	for _, r := range name {
		if r == '/' || r == ':' || r == '%' {
			return bad(fmt.Sprintf("contains %q", r))
		}
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return bad("contains white space or a control character")
		}
	}
	return nil
}

// kernelError adds the sentinel that belongs to an error of the kernel about
// the link of that name.
func kernelError(link string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrPermission):
		return err
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: %q", ErrNotFound, link)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrPermission, err)
	}
	return err
}
