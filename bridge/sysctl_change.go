package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// SetSysctl writes a sysctl under net., named as for sysctl(8), in the namespace of
// the calling thread. Forwarding of all links at once
// (net.ipv4.ip_forward, net.*.conf.all.forwarding) overwrites every link's own:
// undoing restores those too.
func SetSysctl(name, value string) (Undo, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	have, err := readSysctl(name)
	if err != nil {
		return nothing, fmt.Errorf("set: %w", err)
	}
	if have == value {
		return nothing, nil
	}
	single, err := forwardingBehind(name)
	if err != nil {
		return nothing, fmt.Errorf("set sysctl %s: %w", name, err)
	}
	if err := writeSysctl(name, value); err != nil {
		return nothing, err
	}
	return func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		errs := []error{writeSysctl(name, have)}
		for _, s := range single {
			// A link that is gone needs no forwarding.
			if err := writeSysctl(s.name, s.value); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}, nil
}

// SetForwarding sets whether packets that arrive on a link are routed. Family
// is 4 or 6; link may be "all" and "default" as well.
func SetForwarding(link string, family int, on bool) (Undo, error) {
	if err := CheckName(link); err != nil {
		return nothing, fmt.Errorf("set forwarding: %w", err)
	}
	if family != 4 && family != 6 {
		return nothing, fmt.Errorf("set forwarding of %s: family %d is neither 4 nor 6: %w", link, family, os.ErrInvalid)
	}
	value := "0"
	if on {
		value = "1"
	}
	undo, err := SetSysctl(forwardingName(link, family), value)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %q: %w", ErrNotFound, link, err)
	}
	return undo, err
}

func forwardingName(link string, family int) string {
	return "net.ipv" + strconv.Itoa(family) + ".conf." + link + ".forwarding"
}

type sysctl struct{ name, value string }

// forwardingBehind lists the per-link values that writing name overwrites,
// "default" among them.
func forwardingBehind(name string) ([]sysctl, error) {
	path, err := sysctlPath(name)
	if err != nil {
		return nil, err
	}
	family := 0
	switch path {
	case procSys + "net/ipv4/ip_forward", procSys + "net/ipv4/conf/all/forwarding":
		family = 4
	case procSys + "net/ipv6/conf/all/forwarding":
		family = 6
	default:
		return nil, nil
	}
	links, err := os.ReadDir(procSys + "net/ipv" + strconv.Itoa(family) + "/conf")
	if err != nil {
		return nil, err
	}
	var list []sysctl
	for _, l := range links {
		if l.Name() == "all" {
			continue
		}
		s := sysctl{name: forwardingName(l.Name(), family)}
		if s.value, err = readSysctl(s.name); err == nil {
			list = append(list, s)
		}
	}
	return slices.Clip(list), nil
}

func writeSysctl(name, value string) error {
	path, err := sysctlPath(name)
	if err != nil {
		return err
	}
	// One value, one line: anything else is not what the caller meant.
	if value == "" || strings.ContainsAny(value, "\n\x00") || len(value) > 256 {
		return fmt.Errorf("write sysctl %s: value %.40q: %w", name, value, os.ErrInvalid)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write sysctl %s: %w", name, kernelError("", err))
	}
	return nil
}
