package libvirtnet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// What a caller may want to decide on. Every error of this package that has
// one of these causes answers to errors.Is.
var (
	ErrNotFound     = errors.New("not found")
	ErrExists       = errors.New("already exists")
	ErrInUse        = errors.New("in use")
	ErrActive       = errors.New("already active")
	ErrNotActive    = errors.New("not active")
	ErrInvalid      = errors.New("not valid")
	ErrSchema       = fmt.Errorf("%w by libvirt's schema", ErrInvalid)
	ErrNotSupported = errors.New("not supported by this driver or libvirt version")
	ErrNoAgent      = errors.New("no guest agent answers")
	ErrTimeout      = errors.New("timed out")
	ErrNoLibvirt    = errors.New("libvirt is not installed")
	ErrDaemonDown   = errors.New("libvirt daemon is not running")
	ErrUnreachable  = errors.New("remote host cannot be reached")
	ErrPermission   = errors.New("permission refused")
	ErrBadURI       = errors.New("not a libvirt URI")
	ErrClosed       = errors.New("connection is closed")
)

// Error is a refusal by libvirt. It unwraps to one of the sentinels, or to
// nothing where no decision hangs on it.
type Error struct {
	Op      string // what was tried: "define", "start", ...
	Object  string // on what: "network default", "guest centos", ...
	Message string // libvirt's own words
	Code    int    // virErrorNumber of libvirt/virterror.h; 0 when libvirt was not asked
	Kind    error  // the sentinel; may be nil
}

// Error is one line: libvirt's messages about documents have several.
func (e *Error) Error() string {
	msg := e.Message
	if msg == "" && e.Kind != nil {
		msg = e.Kind.Error()
	}
	return strings.TrimSpace(e.Op+" "+e.Object) + ": " + oneLine(msg)
}

func (e *Error) Unwrap() error { return e.Kind }

// NotFoundError says that no object has the name, id or UUID. It is an
// ErrNotFound.
type NotFoundError struct {
	Kind string   // "network", "guest", "interface"
	Name string   // what was asked for
	Near []string // names that exist and look like it, nearest first; may be empty
}

func (e *NotFoundError) Error() string {
	return "find " + e.Kind + " " + show(e.Name) + ": no such " + e.Kind
}

func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// UndoneError says that a plan failed half-way, why, and what became of the
// steps that were already made. It unwraps to Cause and to the errors of the
// undoing.
type UndoneError struct {
	Cause  error
	Undone []string // steps that were taken back, newest first
	Left   []string // steps that are still in force
	Errs   []error  // why they are
}

func (e *UndoneError) Error() string {
	var b strings.Builder
	b.WriteString(e.Cause.Error())
	if len(e.Undone) > 0 {
		b.WriteString("; undone: " + strings.Join(e.Undone, ", "))
	}
	if len(e.Left) > 0 {
		b.WriteString("; not undone: " + strings.Join(e.Left, ", "))
	}
	for _, err := range e.Errs {
		b.WriteString(" (" + err.Error() + ")")
	}
	return b.String()
}

func (e *UndoneError) Unwrap() []error {
	return append([]error{e.Cause}, e.Errs...)
}

// Codes of virErrorNumber and virErrorDomain, libvirt/virterror.h. They stand
// here as numbers because this file also builds without libvirt.
const (
	codeInternal     = 1
	codeNoSupport    = 3
	codeOpFailed     = 9
	codeXMLError     = 27
	codeSystem       = 38
	codeNoDomain     = 42
	codeNoNetwork    = 43
	codeOpInvalid    = 55
	codeArgUnsup     = 74
	codeInvalidArg   = 8
	codeNoPort       = 107
	fromRPC          = 7
	fromURI          = 45
	fromRemoteDriver = 13
)

var kinds = map[int]error{
	codeNoSupport:  ErrNotSupported,
	4:              ErrUnreachable, // UNKNOWN_HOST
	5:              ErrBadURI,      // NO_CONNECT: no driver for the URI
	6:              ErrClosed,      // INVALID_CONN
	codeInvalidArg: ErrInvalid,
	codeXMLError:   ErrInvalid,
	28:             ErrExists,      // DOM_EXIST
	29:             ErrPermission,  // OPERATION_DENIED
	35:             ErrInvalid,     // XML_DETAIL
	37:             ErrExists,      // NETWORK_EXIST
	40:             ErrUnreachable, // GNUTLS_ERROR
	codeNoDomain:   ErrNotFound,
	codeNoNetwork:  ErrNotFound,
	44:             ErrInvalid,    // INVALID_MAC
	45:             ErrPermission, // AUTH_FAILED
	codeOpInvalid:  ErrNotActive,
	67:             ErrNotSupported, // CONFIG_UNSUPPORTED
	68:             ErrTimeout,      // OPERATION_TIMEOUT: also a guest's job lock
	codeArgUnsup:   ErrNotSupported,
	79:             ErrPermission,   // AUTH_CANCELLED
	84:             ErrNotSupported, // OPERATION_UNSUPPORTED
	85:             ErrUnreachable,  // SSH
	86:             ErrNoAgent,      // AGENT_UNRESPONSIVE
	87:             ErrInUse,        // RESOURCE_BUSY
	88:             ErrPermission,   // ACCESS_DENIED
	92:             ErrSchema,       // XML_INVALID_SCHEMA
	94:             ErrPermission,   // AUTH_UNAVAILABLE
	97:             ErrNoAgent,      // AGENT_UNSYNCED
	98:             ErrUnreachable,  // LIBSSH
	99:             ErrNotFound,     // DEVICE_MISSING
	106:            ErrExists,       // NETWORK_PORT_EXIST
	codeNoPort:     ErrNotFound,
	112:            ErrNoAgent, // AGENT_COMMAND_TIMEOUT
	113:            ErrNoAgent, // AGENT_COMMAND_FAILED
}

// kindOf is the sentinel for an error code of libvirt, raised by the part of
// libvirt that domain names, while op was tried. It is nil for the many codes
// that mean no more than "it failed".
func kindOf(op string, code, domain int) error {
	switch {
	case code == codeOpInvalid && (op == opStart || op == opUndefine):
		return ErrActive
	case code == codeArgUnsup && op == opAddresses:
		return ErrNoAgent
	case domain == fromRPC && (code == codeSystem || code == codeInternal):
		// The socket to the daemon does not open, or closed under a call.
		return ErrDaemonDown
	case domain == fromURI && code == codeInternal:
		return ErrBadURI
	case domain == fromRemoteDriver && code == codeInvalidArg && op == opConnect:
		return ErrBadURI
	}
	return kinds[code]
}

// Operations, as errors name them.
const (
	opConnect   = "connect to"
	opList      = "list"
	opRead      = "read"
	opDefine    = "define"
	opCreate    = "create"
	opStart     = "start"
	opStop      = "stop"
	opUndefine  = "undefine"
	opAutostart = "set autostart of"
	opAttach    = "attach interface to"
	opDetach    = "detach interface from"
	opUpdate    = "update interface of"
	opPort      = "create port of"

	opUpdateNetwork = "update"
	opMetadata      = "set metadata of"

	opDropPort  = "delete port of"
	opPorts     = "list ports of"
	opLeases    = "read leases of"
	opAddresses = "read addresses of"

	opEvents = "wait for events of"
)

// oneLine joins the lines of a message and drops the rulers that libxml2
// draws below a faulty line.
func oneLine(msg string) string {
	if !strings.ContainsAny(msg, "\n\r") {
		return msg
	}
	var lines []string
	for line := range strings.FieldsFuncSeq(msg, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); strings.Trim(line, "-^ ") != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// show makes a name from outside fit for a message.
func show(name string) string { return xml.Show(name) }
