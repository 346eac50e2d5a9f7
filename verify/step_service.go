package verify

// Actions on what stands around libvirt and the kernel. With is named behind
// each.
const (
	MakeNode    Action = "make-node"    // major and minor number
	LoadModule  Action = "load-module"  //
	SetUID      Action = "setuid"       //
	AllowBridge Action = "allow-bridge" // On is bridge.conf; bridge
	EnableUnit  Action = "enable-unit"  //
	DisableUnit Action = "disable-unit" // Args: further units
	WriteLines  Action = "write-lines"  // On is a file; Args: its lines
	RunArgs     Action = "run"          // On is a program; Args: its arguments
)

// serviceCommand is the command of an action on a service, a file or a module.
func (s Step) serviceCommand() []string {
	switch s.Do {
	case MakeNode:
		return []string{"sh", "-c", `mkdir -p "${1%/*}" && mknod -m 666 "$1" c $2`, "sh", s.On, s.With}
	case LoadModule:
		return []string{"modprobe", s.On}
	case SetUID:
		return []string{"chmod", "u+s", s.On}
	case AllowBridge:
		return []string{"sh", "-c", `mkdir -p "${1%/*}" && echo "allow $2" >>"$1"`, "sh", s.On, s.With}
	case EnableUnit:
		return []string{"systemctl", "enable", "--now", s.On}
	case DisableUnit:
		return append([]string{"systemctl", "disable", "--now", s.On}, s.Args...)
	case WriteLines:
		return append([]string{"sh", "-c", `mkdir -p "${1%/*}" && f=$1 && shift && printf "%s\n" "$@" >"$f"`, "sh", s.On}, s.Args...)
	case RunArgs:
		return append([]string{s.On}, s.Args...)
	}
	return nil
}
