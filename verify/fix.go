package verify

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Fix is the cure of a finding, as data. In JSON its steps stand as the
// commands that do the same.
type Fix struct {
	Class Class
	Say   string // the cure in words, one line
	Steps []Step
	// URI is the libvirt that commands of kvnet and virsh name, where that is not
	// [libvirtnet.SystemURI].
	URI string

	read []string // the commands of a report that was read back
}

// Commands are the steps as shell commands, in order; never nil.
func (f Fix) Commands() []string {
	commands := make([]string, 0, len(f.Steps)+len(f.read))
	for _, s := range f.Steps {
		commands = append(commands, s.commandFor(f.URI))
	}
	if len(f.Steps) == 0 {
		commands = append(commands, f.read...)
	}
	return commands
}

// fixJSON is the document form of a Fix.
type fixJSON struct {
	Class    Class    `json:"class"`
	Say      string   `json:"say"`
	Commands []string `json:"commands"`
}

// MarshalJSON writes class, say and commands.
func (f Fix) MarshalJSON() ([]byte, error) {
	return json.Marshal(fixJSON{Class: f.Class, Say: f.Say, Commands: f.Commands()})
}

// UnmarshalJSON reads what MarshalJSON wrote. The steps are not restored:
// Commands answers with the commands that were read.
func (f *Fix) UnmarshalJSON(data []byte) error {
	var doc fixJSON
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read fix: %w", err)
	}
	*f = Fix{Class: doc.Class, Say: doc.Say, read: doc.Commands}
	return nil
}

// Step is one action of a cure, as data: what is done, to what, with what.
// Command writes it as the shell command that does the same.
type Step struct {
	Do   Action `json:"do"`
	On   string `json:"on"`             // link, network, guest, sysctl, unit, process id
	With string `json:"with,omitempty"` // the other thing: address, bridge, tap, MTU, value
	// Args are further flags of a kvnet command, each with its value.
	Args []string `json:"args,omitempty"`
}

// Action names what a step does.
type Action string

// Actions on links and bridges. With is named behind each.
const (
	LinkUp       Action = "link-up"
	LinkDown     Action = "link-down"
	LinkDel      Action = "link-del"
	LinkCarrier  Action = "link-carrier"  // turns a tap's carrier on
	LinkRename   Action = "rename"        // the new name
	SetMaster    Action = "master"        // bridge
	NoMaster     Action = "nomaster"      //
	SetMTU       Action = "mtu"           // bytes
	SetMAC       Action = "mac"           // MAC
	AddressAdd   Action = "address-add"   // address with prefix length
	AddressDel   Action = "address-del"   // address with prefix length
	RouteAdd     Action = "route-add"     // the link's own address with prefix length: its connected route
	RouteVia     Action = "route-via"     // the target; Args: via gateway, metric
	RouteDefault Action = "route-default" // gateway
	RouteDel     Action = "route-del"     // On: the target; Args: what tells it from others
	RuleAdd      Action = "rule-add"      // On: a subnet; priority; Args: "to" or "from", a table: that, or the main one, is asked
	BridgeAdd    Action = "bridge-add"    //
	ForwardDelay Action = "forward-delay" // milliseconds
	SetSTP       Action = "stp"           // 0 or 1
	PortForward  Action = "port-forward"  // puts a port into state forwarding
	SetIsolated  Action = "isolated"      // on or off
	SetSysctl    Action = "sysctl"        // value
)

// Actions on libvirt's objects and on processes. With is named behind each.
const (
	NetDefine    Action = "net-define" // Args: flags
	NetStart     Action = "net-start"
	NetStopForce Action = "net-stop-force"
	NetAutostart Action = "net-autostart"
	NetRestart   Action = "net-restart"   // guests stay plugged in; Args: flags
	HostDel      Action = "dhcp-host-del" // the <host> element; Args: flags
	PortDel      Action = "port-del"      // network; the port's UUID
	Replug       Action = "replug"        // guest; tap: a new network port, and back into the bridge
	Attach       Action = "attach"        // guest; source; Args: flags
	Detach       Action = "detach"        // guest; MAC
	LinkState    Action = "setlink"       // guest; tap or MAC: plugs the guest's cable in
	Resume       Action = "resume"
	Wakeup       Action = "wakeup"
	GuestStop    Action = "guest-stop"
	GuestStart   Action = "guest-start"
	Reload       Action = "reload" // systemd unit
	Hangup       Action = "hangup" // process id: SIGHUP
	Kill         Action = "kill"   // process id: SIGTERM
	Continue     Action = "cont"   // process id: SIGCONT
	AwaitEnd     Action = "await"  // process id: waits 30 s at most
)

// Command is the shell command that does what the step does, quoted for a
// POSIX shell (names with control characters in the $'...' of bash and zsh).
// An action that is not known gives an empty command.
func (s Step) Command() string {
	if args := s.Argv(); args != nil {
		return shellJoin(args)
	}
	return ""
}

// commandFor is the command for the libvirt of a URI.
func (s Step) commandFor(uri string) string {
	args := s.Argv()
	if uri == "" || len(args) == 0 || args[0] != "kvnet" && args[0] != "virsh" {
		return s.Command()
	}
	return shellJoin(append([]string{args[0], "-c", uri}, args[1:]...))
}

// Argv is the program and the arguments of that command, for who runs it
// without a shell; nil for an action that is not known.
func (s Step) Argv() []string {
	for _, command := range []func() []string{s.linkCommand, s.bridgeCommand, s.deviceCommand, s.insideCommand, s.serviceCommand, s.filterCommand, s.objectCommand} {
		if args := command(); args != nil {
			return args
		}
	}
	return nil
}

// bridgeCommand is the command of an action on a bridge's own settings.
func (s Step) bridgeCommand() []string {
	switch s.Do {
	case ForwardDelay:
		return []string{"ip", "link", "set", "dev", s.On, "type", "bridge", "forward_delay", centiseconds(s.With)}
	case SetSTP:
		return []string{"ip", "link", "set", "dev", s.On, "type", "bridge", "stp_state", s.With}
	}
	return nil
}

// linkCommand is the command of an action on a link, port or sysctl.
func (s Step) linkCommand() []string {
	switch s.Do {
	case LinkUp:
		return []string{"ip", "link", "set", "dev", s.On, "up"}
	case LinkDown:
		return []string{"ip", "link", "set", "dev", s.On, "down"}
	case LinkDel:
		return []string{"ip", "link", "del", "dev", s.On}
	case LinkCarrier:
		return []string{"ip", "link", "set", "dev", s.On, "carrier", "on"}
	case LinkRename:
		return []string{"ip", "link", "set", "dev", s.On, "name", s.With}
	case SetMaster:
		return []string{"ip", "link", "set", "dev", s.On, "master", s.With}
	case NoMaster:
		return []string{"ip", "link", "set", "dev", s.On, "nomaster"}
	case SetMTU:
		return []string{"ip", "link", "set", "dev", s.On, "mtu", s.With}
	case SetMAC:
		return []string{"ip", "link", "set", "dev", s.On, "address", s.With}
	case AddressAdd:
		return []string{"ip", "addr", "add", s.With, "dev", s.On}
	case AddressDel:
		return []string{"ip", "addr", "del", s.With, "dev", s.On}
	case RouteAdd:
		return connectedRoute(s.On, s.With)
	case RouteVia:
		return routeVia(s)
	case RouteDefault:
		if strings.Contains(s.With, ":") {
			return []string{"ip", "-6", "route", "replace", "default", "via", s.With, "dev", s.On}
		}
		return []string{"ip", "route", "replace", "default", "via", s.With, "dev", s.On}
	case RouteDel:
		return routeDel(s.On, s.Args)
	case RuleAdd:
		return ruleAdd(s)
	case BridgeAdd:
		return []string{"ip", "link", "add", "name", s.On, "type", "bridge"}
	case PortForward:
		return []string{"bridge", "link", "set", "dev", s.On, "state", "3"}
	case SetIsolated:
		return []string{"bridge", "link", "set", "dev", s.On, "isolated", s.With}
	case SetSysctl:
		return []string{"sysctl", "-w", s.On + "=" + s.With}
	}
	return nil
}

// objectCommand is the command of an action on a libvirt object or a process.
func (s Step) objectCommand() []string {
	switch s.Do {
	case UndoChange:
		return words([]string{"kvnet", "undo"}, nil, s.On)
	case NetDefine:
		return words([]string{"kvnet", "net-define"}, s.Args, s.On)
	case NetStart:
		return words([]string{"kvnet", "net-start"}, nil, s.On)
	case NetStopForce:
		return words([]string{"kvnet", "net-destroy"}, []string{"--force"}, s.On)
	case NetAutostart:
		return words([]string{"kvnet", "net-autostart"}, nil, s.On)
	case NetRestart:
		return words([]string{"kvnet", "net-restart"}, s.Args, s.On)
	case HostDel:
		return words([]string{"virsh", "net-update"}, s.Args, s.On, "delete", "ip-dhcp-host", s.With)
	case PortDel:
		return words([]string{"virsh", "net-port-delete"}, nil, s.On, s.With)
	case Replug:
		return words([]string{"kvnet", "domif-replug"}, nil, s.On, s.With)
	case Attach:
		return words([]string{"kvnet", "domif-attach"}, s.Args, s.On, s.With)
	case Detach:
		return words([]string{"kvnet", "domif-detach"}, nil, s.On, s.With)
	case LinkState:
		return words([]string{"virsh", "domif-setlink"}, nil, s.On, s.With, "up")
	case Resume:
		return words([]string{"virsh", "resume"}, nil, s.On)
	case Wakeup:
		return words([]string{"virsh", "dompmwakeup"}, nil, s.On)
	case GuestStop:
		return words([]string{"virsh", "destroy"}, nil, s.On)
	case GuestStart:
		return words([]string{"virsh", "start"}, nil, s.On)
	case Reload:
		return []string{"systemctl", "reload", s.On}
	case Hangup:
		return []string{"kill", "-HUP", s.On}
	case Kill:
		return []string{"kill", s.On}
	case Continue:
		return []string{"kill", "-CONT", s.On}
	case AwaitEnd:
		// Half a minute is what libvirt's daemons give their own threads to end
		// (virNetDaemonRun of src/rpc/virnetdaemon.c); then they end all the same.
		return []string{"timeout", "45", "tail", "-s", "0.1", "--pid=" + s.On, "-f", "/dev/null"}
	}
	return nil
}
