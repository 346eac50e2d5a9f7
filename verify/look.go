package verify

// Look is a snapshot with its cross references, built once for all that is
// asked of it. The snapshot must not change as long. It is for one goroutine.
type Look struct{ host *host }

// LookAt builds the cross references of a snapshot.
func LookAt(s Snapshot) *Look { return &Look{newHost(&s)} }
