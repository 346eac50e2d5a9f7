package libvirtnet

// stateWords are virsh's words for a virDomainState and its reason. Reasons
// are told of paused and crashed guests and of those that shut down.
func stateWords(state, reason int) (word, why string) {
	if state < 0 || state >= len(states) {
		return NoState, ""
	}
	if list := reasons[states[state]]; reason > 0 && reason < len(list) {
		why = list[reason]
	}
	return states[state], why
}

// states are the words for virDomainState, libvirt-domain.h, in its order.
var states = []string{NoState, Running, Idle, Paused, InShutdown, ShutOff, Crashed, PMSuspended}

// reasons are the words of `virsh domstate --reason`, in the order of
// virDomainPausedReason, virDomainShutdownReason and virDomainCrashedReason.
var reasons = map[string][]string{
	Paused: {"", "user", "migrating", "saving", "dumping", "I/O error", "watchdog", "from snapshot",
		"shutting down", "creating snapshot", "crashed", "starting up", "post-copy", "post-copy failed", "api error"},
	InShutdown: {"", "user"},
	Crashed:    {"", "panicked"},
}
