package verify

// Actions on the packet filter and on libvirt's daemon.
const (
	// Filter runs a tool of the packet filter: On is iptables, ip6tables,
	// iptables-legacy, ip6tables-legacy, nft, ufw or firewall-cmd, Args are its
	// arguments.
	Filter Action = "filter"
	// Restart restarts a systemd unit.
	Restart Action = "restart"
	// Daemon starts a daemon of libvirt's where no service manager does.
	Daemon Action = "daemon"
)

// filterCommand is the command of one of these actions.
func (s Step) filterCommand() []string {
	switch s.Do {
	case Filter:
		return append([]string{s.On}, s.Args...)
	case Restart:
		return []string{"systemctl", "restart", s.On}
	case Daemon:
		return []string{s.On, "-d"}
	}
	return nil
}
