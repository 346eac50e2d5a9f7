package xml

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// reader turns attributes and texts into values and keeps every failure.
type reader struct{ errs []error }

func (r *reader) fail(e *etree.Element, key, value, want string) {
	r.errs = append(r.errs, fmt.Errorf("<%s %s=%q>: want %s", clip(e.Tag), key, clip(value), want))
}

// number reads a count; an absent attribute is 0.
func (r *reader) number(e *etree.Element, key string) int {
	value := attr(e, key)
	if value == "" {
		return 0
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		r.fail(e, key, value, "a number")
		return 0
	}
	return int(n)
}

func (r *reader) addr(e *etree.Element, key string) netip.Addr {
	value := attr(e, key)
	a, err := netip.ParseAddr(value)
	if err != nil {
		r.fail(e, key, value, "an IP address")
		return netip.Addr{}
	}
	return a
}

func (r *reader) mac(e *etree.Element, key string) string {
	mac, err := ParseMAC(attr(e, key))
	if e == nil {
		r.errs = append(r.errs, errors.New("no <mac>"))
	} else if err != nil {
		r.fail(e, key, attr(e, key), "a MAC address")
	}
	return mac
}

func (r *reader) yes(e *etree.Element, key string) bool {
	flag := r.flag(e, key, "yes", "no")
	return flag != nil && *flag
}

// flag reads a switch; nil where the element or the attribute is absent.
func (r *reader) flag(e *etree.Element, key, yes, no string) *bool {
	value := attr(e, key)
	if value == "" {
		return nil
	}
	if value != yes && value != no {
		r.fail(e, key, value, yes+" or "+no)
	}
	on := value == yes
	return &on
}

func (r *reader) uuid(e *etree.Element) string {
	uuid, err := ParseUUID(strings.TrimSpace(text(e)))
	if err != nil {
		r.errs = append(r.errs, err)
	}
	return uuid
}
