package libvirtnet

import (
	"errors"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		name         string
		op           string
		code, domain int
		want         error
	}{
		{"no such network", opRead, 43, 12, ErrNotFound},
		{"no such guest", opRead, 42, 10, ErrNotFound},
		{"no such port", opPorts, 107, 19, ErrNotFound},
		{"no such device", opDetach, 99, 10, ErrNotFound},
		{"broken document", opDefine, 35, 19, ErrInvalid},
		{"another document", opDefine, 27, 5, ErrInvalid},
		{"against the schema", opDefine, 92, 5, ErrInvalid},
		{"port exists", opPort, 106, 19, ErrExists},
		{"start of an active network", opStart, 55, 19, ErrActive},
		{"undefine of an active network", opUndefine, 55, 12, ErrActive},
		{"stop of an inactive network", opStop, 55, 19, ErrNotActive},
		{"attach to a guest that is off", opAttach, 55, 10, ErrNotActive},
		{"driver without ports", opPorts, 3, 19, ErrNotSupported},
		{"guest without an agent", opAddresses, 74, 10, ErrNoAgent},
		{"the same code elsewhere", opAttach, 74, 10, ErrNotSupported},
		{"agent is silent", opAddresses, 86, 10, ErrNoAgent},
		{"job lock", opAttach, 68, 10, ErrTimeout},
		{"polkit", opConnect, 94, 7, ErrPermission},
		{"access control", opStop, 88, 0, ErrPermission},
		{"socket does not open", opConnect, 38, 7, ErrDaemonDown},
		{"socket closed under a call", opRead, 1, 7, ErrDaemonDown},
		{"a system error of the network driver", opStart, 38, 19, nil},
		{"an internal error of the network driver", opStart, 1, 19, nil},
		{"URI does not parse", opConnect, 1, 45, ErrBadURI},
		{"URI of no driver", opConnect, 5, 0, ErrBadURI},
		{"URI of no transport", opConnect, 8, 13, ErrBadURI},
		{"ssh", opConnect, 85, 7, ErrUnreachable},
		{"in use", opStop, 87, 19, ErrInUse},
		{"just failed", opDefine, 9, 19, nil},
		{"no error number of ours", opDefine, 100000, 19, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if have := kindOf(tt.op, tt.code, tt.domain); !errors.Is(have, tt.want) {
				t.Errorf("have %v, want %v", have, tt.want)
			}
		})
	}
}

func TestErrorIsOneLine(t *testing.T) {
	e := &Error{Op: opDefine, Object: "network default", Code: 35, Kind: ErrInvalid,
		Message: "(network_definition):1: Premature end of data\n<network>\n---------^\n"}
	want := "define network default: (network_definition):1: Premature end of data; <network>"
	if e.Error() != want {
		t.Errorf("have %q, want %q", e.Error(), want)
	}
	if !errors.Is(e, ErrInvalid) || errors.Is(e, ErrNotFound) {
		t.Errorf("%v is not just an ErrInvalid", e)
	}
	if e = (&Error{Op: opStart, Object: "network x", Kind: ErrActive}); e.Error() != "start network x: already active" {
		t.Errorf("have %q for an error without a message", e.Error())
	}
}

func TestShow(t *testing.T) {
	tests := []struct{ name, want string }{
		{"default", "default"},
		{"br-lan.100", "br-lan.100"},
		{"größe", "größe"},
		{"", `""`},
		{"a b", `"a b"`},
		{"a'b", `"a'b"`},
		{"a\nb", `"a\nb"`},
		{"\x1b[31m", `"\x1b[31m"`},
		{"\xff", `"\xff"`},
		{strings.Repeat("a", 80), strings.Repeat("a", 80)},
		{strings.Repeat("a", 10000), strings.Repeat("a", 80) + "... (10000 bytes)"},
		{strings.Repeat("a", 79) + "ö", strings.Repeat("a", 79) + "... (81 bytes)"},
	}
	for _, tt := range tests {
		if have := show(tt.name); have != tt.want {
			t.Errorf("show(%.20q): have %s, want %s", tt.name, have, tt.want)
		}
	}
}

func TestUndoneError(t *testing.T) {
	cause, why := errors.New("check says no"), &Error{Op: opStop, Object: "network a", Kind: ErrTimeout}
	e := &UndoneError{Cause: cause, Undone: []string{"define network a"}, Left: []string{"start network a"}, Errs: []error{why}}
	want := "check says no; undone: define network a; not undone: start network a (stop network a: timed out)"
	if e.Error() != want {
		t.Errorf("have %q, want %q", e.Error(), want)
	}
	if !errors.Is(e, cause) || !errors.Is(e, ErrTimeout) {
		t.Error("an error is lost")
	}
}
