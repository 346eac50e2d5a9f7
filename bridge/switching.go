package bridge

// Switching is what goes on inside bridges, a part of [State]. A list that is
// nil is empty or, in an old document, not known.
type Switching struct {
	// Counters are those of bridge ports.
	Counters []Counter `json:"counters,omitempty"`
	// VLANs are those of bridges with VLAN filtering.
	VLANs []VLAN `json:"vlans,omitempty"`
	// Groups are the sizes of the multicast tables.
	Groups []Groups `json:"groups,omitempty"`
	// Watch is what several looks showed; nil: there was one look.
	Watch *Watch `json:"watch,omitempty"`
}
