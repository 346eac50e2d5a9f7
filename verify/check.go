package verify

import (
	"slices"
	"sync"
)

// Check is one fault of the catalogue: its stable id, what is to be said of
// it, and the function that looks for it.
type Check struct {
	ID    string
	Title string // what is wrong, in a few words
	// Severity is the worst with which the check fires.
	Severity Severity
	// Class is that of the most disturbing cure that the check may print.
	Class Class
	// Recorded: no sealed host can show this fault (hardware, or a service
	// that a namespace cannot hold); the check is tested with recorded
	// snapshots only.
	Recorded bool
	// OnDemand: it explains what is no fault, and is reported only when its id
	// is asked for.
	OnDemand bool
	Doc      Doc
	// Needs are the parts of the snapshot without which the check answers
	// unknown.
	Needs []Need
	// After are ids of causes: where one of them was found for the same tap,
	// bridge, network or guest, this check is silent.
	After []string

	run func(*pass)
}

// Doc explains a check to a person, each field in one or two sentences.
type Doc struct {
	Symptom  string // what users notice
	Cause    string // what usually brings it about
	Evidence string // the facts that are compared, and what is not taken for a fault
	Cure     string
}

// Checks are all checks in reading order: libvirt's objects first, then
// bridges, taps, guests, ports, uplinks, routing and the DHCP and DNS server.
func Checks() []Check { return slices.Clone(catalogue()) }

// catalogue is made once: each judgement walks it.
var catalogue = sync.OnceValue(func() []Check {
	return slices.Concat(
		changeChecks(),
		daemonChecks(),
		programChecks(),
		deviceChecks(),
		networkChecks(),
		subnetChecks(),
		bridgeChecks(),
		staticRouteChecks(),
		bridgeValueChecks(),
		bridgeIPv6Checks(),
		insideChecks(),
		tapChecks(),
		orphanChecks(),
		guestChecks(),
		portChecks(),
		uplinkChecks(),
		uplinkKindChecks(),
		renamedChecks(),
		mtuChecks(),
		mtuPathChecks(),
		qosChecks(),
		macvtapChecks(),
		sriovChecks(),
		nestedChecks(),
		routingChecks(),
		routeChecks(),
		uplinkAddressChecks(),
		gatewayChecks(),
		returnChecks(),
		firewallChecks(),
		firewallGuestChecks(),
		structureChecks(),
		xfrmChecks(),
		dhcpChecks(),
		dnsmasqFileChecks(),
		dnsChecks(),
		managerChecks(),
		ovsChecks(),
		nwfilterChecks(),
	)
})

// Resting is the ids of the checks that cannot do without a part of the
// snapshot.
func Resting(n Need) map[string]bool {
	ids := map[string]bool{}
	for _, c := range catalogue() {
		if slices.Contains(c.Needs, n) {
			ids[c.ID] = true
		}
	}
	return ids
}

// inOrder returns the indexes of checks such that each stands behind the
// causes in its After.
func inOrder(checks []Check) []int {
	place := make(map[string]int, len(checks))
	for i, c := range checks {
		place[c.ID] = i
	}
	order := make([]int, 0, len(checks))
	seen := make([]bool, len(checks))
	var visit func(int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, id := range checks[i].After {
			if j, ok := place[id]; ok {
				visit(j)
			}
		}
		order = append(order, i)
	}
	for i := range checks {
		visit(i)
	}
	return order
}
