package verify

// Actions inside bridges. With is named behind each.
const (
	SetPort       Action = "port-flags"     // Args are flags of bridge link, each with its value
	SetBridge     Action = "bridge-set"     // Args are attributes of a bridge, each with its value
	FDBStaticAdd  Action = "fdb-static"     // MAC: frames to it leave by this port
	FDBOwnAdd     Action = "fdb-own"        // MAC: frames to it are the host's
	FDBDel        Action = "fdb-del"        // MAC; Args are master or self, and a VLAN
	VLANAdd       Action = "vlan-add"       // VLAN id; Args are pvid, untagged
	VLANDel       Action = "vlan-del"       // VLAN id
	SetPromisc    Action = "promisc"        // on or off
	SetARP        Action = "arp"            // on or off
	NeighbourDel  Action = "neighbour-del"  // address
	AddressKeep   Action = "address-keep"   // address with prefix length, which may have gone with another
	AddressAddNow Action = "address-no-dad" // IPv6 address with prefix length, without duplicate address detection
	RouteLocal    Action = "route-local"    // the link's own address: its local route
	RouteDel6     Action = "route-del6"     // IPv6 destination; Args are further words
)

// insideCommand is the command of one of these actions.
func (s Step) insideCommand() []string {
	switch s.Do {
	case SetPort:
		return append([]string{"bridge", "link", "set", "dev", s.On}, s.Args...)
	case SetBridge:
		return append([]string{"ip", "link", "set", "dev", s.On, "type", "bridge"}, s.Args...)
	case FDBStaticAdd:
		return []string{"bridge", "fdb", "replace", s.With, "dev", s.On, "master", "static"}
	case FDBOwnAdd:
		return []string{"bridge", "fdb", "replace", s.With, "dev", s.On, "self", "permanent"}
	case FDBDel:
		return append([]string{"bridge", "fdb", "del", s.With, "dev", s.On}, s.Args...)
	case VLANAdd:
		return append([]string{"bridge", "vlan", "add", "dev", s.On, "vid", s.With}, s.Args...)
	case VLANDel:
		return []string{"bridge", "vlan", "del", "dev", s.On, "vid", s.With}
	case SetPromisc:
		return []string{"ip", "link", "set", "dev", s.On, "promisc", s.With}
	case SetARP:
		return []string{"ip", "link", "set", "dev", s.On, "arp", s.With}
	case NeighbourDel:
		return []string{"ip", "neigh", "del", s.With, "dev", s.On}
	case AddressKeep:
		return []string{"ip", "addr", "replace", s.With, "dev", s.On}
	case AddressAddNow:
		return []string{"ip", "addr", "add", s.With, "dev", s.On, "nodad"}
	case RouteLocal:
		return localRoute(s.On, s.With)
	case RouteDel6:
		return append([]string{"ip", "-6", "route", "del", s.With, "dev", s.On}, s.Args...)
	}
	return nil
}
