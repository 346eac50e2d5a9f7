package libvirtnet

import "time"

// EventKind is a family of events, by virsh's name.
type EventKind string

// Kinds of events. libvirt tells of metadata from 9.7 on.
const (
	Lifecycle      EventKind = "lifecycle"
	MetadataChange EventKind = "metadata-change"
)

// Event is what libvirt told of a network.
type Event struct {
	Time    time.Time `json:"time"` // when it arrived here
	Event   EventKind `json:"event"`
	Network string    `json:"network"`
	UUID    string    `json:"uuid"`
	// Change is what happened: defined, undefined, started, stopped; or which
	// metadata changed: description, title, element.
	Change string `json:"change"`
	// URI is the namespace of a changed metadata element.
	URI string `json:"uri,omitempty"`
}

// EventFilter says which events are wanted.
type EventFilter struct {
	Network string    // name or UUID; "" is every network
	Kind    EventKind // "" is every kind that libvirt has
}
