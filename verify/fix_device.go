package verify

// Actions on NICs, on what shapes traffic, and on modules. With is named
// behind each.
const (
	AltName     Action = "altname"      // a second name
	BondMonitor Action = "bond-monitor" // milliseconds of miimon
	OffloadOff  Action = "offload-off"  // feature
	VFState     Action = "vf-state"     // number of the virtual function: follows the NIC's link again
	VFVLAN      Action = "vf-vlan"      // number of the virtual function; Args: the VLAN
	FDBAdd      Action = "fdb-add"      // MAC: a filter entry of the NIC itself
	QdiscDel    Action = "qdisc-del"    // root or ingress
	Bandwidth   Action = "bandwidth"    // tap; On is the guest, Args are flags
	Modprobe    Action = "modprobe"     // On is a module
)

// deviceCommand is the command of one of these actions.
func (s Step) deviceCommand() []string {
	switch s.Do {
	case AltName:
		return []string{"ip", "link", "property", "add", "dev", s.On, "altname", s.With}
	case BondMonitor:
		return []string{"ip", "link", "set", "dev", s.On, "type", "bond", "miimon", s.With}
	case OffloadOff:
		return []string{"ethtool", "-K", s.On, s.With, "off"}
	case VFState:
		return []string{"ip", "link", "set", "dev", s.On, "vf", s.With, "state", "auto"}
	case VFVLAN:
		if len(s.Args) == 1 {
			return []string{"ip", "link", "set", "dev", s.On, "vf", s.With, "vlan", s.Args[0]}
		}
	case FDBAdd:
		return []string{"bridge", "fdb", "add", s.With, "dev", s.On, "self"}
	case QdiscDel:
		return []string{"tc", "qdisc", "del", "dev", s.On, s.With}
	case Bandwidth:
		return words([]string{"virsh", "domiftune"}, s.Args, s.On, s.With)
	case Modprobe:
		return []string{"modprobe", s.On}
	}
	return nil
}
