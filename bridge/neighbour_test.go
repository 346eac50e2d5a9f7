package bridge

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNeighboursAgreeWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add eth0 type veth peer name eth1
		ip link set eth0 up
		ip link set eth1 up
		ip addr add 10.0.0.1/24 dev eth0
		ip addr add fd00::1/64 dev eth0 nodad
		ip neigh add 10.0.0.2 lladdr 52:54:00:00:00:02 dev eth0 nud stale
		ip neigh add 10.0.0.3 lladdr 52:54:00:00:00:03 dev eth0 nud permanent
		ip neigh add 10.0.0.4 lladdr 52:54:00:00:00:04 dev eth0 nud noarp
		ip neigh add 10.0.0.5 dev eth0 nud failed
		ip neigh add fd00::2 lladdr 52:54:00:00:00:06 dev eth0 nud reachable
	`)
	have, want := quiet(t, "ip -s -j neigh show nud all")
	check(t, "neighbours", len(have.Neighbours), len(want))
	aged, seen := 0, map[string]bool{}
	for _, w := range want {
		n := find(t, have.Neighbours, func(n Neighbour) bool { return n.IP.String() == w["dst"] && n.Link == w["dev"] })
		check(t, n.IP.String()+" mac", orNil(n.MAC), w["lladdr"])
		check(t, n.IP.String()+" state", strings.ToUpper(n.State), w["state"].([]any)[0])
		if confirmed, ok := w["confirmed"].(float64); ok { // seconds; a tick may pass between the roads
			age := float64(n.Age) / 1000
			check(t, n.IP.String()+" age", age > confirmed-0.1 && age < confirmed+1.1, true)
			updated := w["updated"].(float64)
			check(t, n.IP.String()+" updated", float64(n.Updated)/1000 > updated-0.1 && float64(n.Updated)/1000 < updated+1.1, true)
			aged++
		}
		seen[n.State] = true
	}
	if aged == 0 {
		t.Error("ip says no age")
	}
	for _, state := range []string{"stale", "permanent", "noarp", "failed", "reachable"} {
		if !seen[state] {
			t.Errorf("no neighbour is %s", state)
		}
	}
}

// TestProxiedNeighbours: those that the host answers for have a table of their
// own.
func TestProxiedNeighbours(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add eth0 type veth peer name eth1
		ip link set eth0 up
		ip neigh add proxy 10.0.0.9 dev eth0
		ip neigh add proxy fd00::9 dev eth0
	`)
	have, want := quiet(t, "ip -j neigh show proxy")
	for _, w := range want {
		n := find(t, have.Neighbours, func(n Neighbour) bool { return n.IP.String() == w["dst"] })
		check(t, n.IP.String()+" state", n.State, "proxy")
		check(t, n.IP.String()+" link", n.Link, w["dev"])
	}
	check(t, "proxies", len(want), 2)
}

func FuzzParseNeighbour(f *testing.F) {
	seedDumps(f, unix.RTM_GETNEIGH, make([]byte, ndmsgLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, keep, err := parseNeighbour(b)
		if keep && (err != nil || !n.IP.IsValid()) {
			t.Errorf("kept %+v with %v", n, err)
		}
	})
}
