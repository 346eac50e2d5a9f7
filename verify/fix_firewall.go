package verify

// Actions on the packet filter, on IPsec's policies and on libvirt's daemon.
const (
	// Filter runs a tool of the packet filter: On is iptables, ip6tables,
	// iptables-legacy, ip6tables-legacy, nft, ufw or firewall-cmd, Args are its
	// arguments.
	Filter Action = "filter"
	// Restart restarts a systemd unit.
	Restart Action = "restart"
	// Daemon restarts a daemon of libvirt's where no service manager does: On is
	// its program, With the process to end. One that is gone was restarted before,
	// for another network.
	Daemon Action = "daemon"
	// XFRMDelete deletes a policy of IPsec: Args are its selector and direction.
	XFRMDelete Action = "xfrm-delete"
	// XFRMDefault sets what becomes of packets without a policy: On is the
	// direction, With block or accept.
	XFRMDefault Action = "xfrm-default"
)

// filterCommand is the command of one of these actions.
func (s Step) filterCommand() []string {
	switch s.Do {
	case Filter:
		return append([]string{s.On}, s.Args...)
	case Restart:
		return []string{"systemctl", "restart", s.On}
	case Daemon:
		return []string{"sh", "-c", `kill "$1" 2>/dev/null || exit 0; timeout 45 tail -s 0.1 --pid="$1" -f /dev/null; exec "$2" -d`, "sh", s.With, s.On}
	case XFRMDelete:
		return append([]string{"ip", "xfrm", "policy", "delete"}, s.Args...)
	case XFRMDefault:
		return []string{"ip", "xfrm", "policy", "setdefault", s.On, s.With}
	}
	return nil
}
