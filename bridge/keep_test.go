package bridge

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// index is what tells a link that was made anew from the former: its number, the
// port's timers, and whether somebody has carrier by now.
var index = regexp.MustCompile(`(?m)^\d+: |\b(state|designated_port|designated_root|designated_bridge|[a-z_]*timer) +\S+|<.*>|NO-CARRIER`)

// TestKept takes a bridge away and makes it anew: what was kept of it, and of
// its port, is there again, as ip and bridge see it.
func TestKept(t *testing.T) {
	inNamespace(t)
	const bridge = `
		ip link add br0 address 02:00:00:00:00:b0 type bridge
		ip link set br0 up
		ip addr add 10.0.0.1/24 brd + dev br0
	`
	sh(t, bridge+`
		ip link add a0 type veth peer name a1
		ip link set a0 master br0 up
		bridge link set dev a0 hairpin on cost 77
		bridge fdb add 52:54:00:00:00:02 dev a0 master static
		bridge fdb add 52:54:00:00:00:03 dev a0 master permanent
		bridge fdb add 52:54:00:00:00:04 dev a0 master static sticky
		ip addr add 10.9.0.1/24 dev br0
		ip addr add fd09::1/64 dev br0 nodad
		ip route add 10.55.0.0/16 via 10.9.0.7
		ip route add 10.56.0.0/16 nexthop via 10.9.0.7 nexthop via 10.0.0.7
		ip route add 10.57.0.0/16 via 10.0.0.7
	`)
	see := func() string {
		lines := strings.Split(index.ReplaceAllString(sh(t, `
			bridge fdb show dev a0 static
			bridge fdb show dev a0 permanent
			ip -d link show dev a0
			ip addr show dev br0 scope global
			ip route show dev br0
			ip route show 10.56.0.0/16
			ip -6 route show dev br0 proto kernel fd00::/8
		`), ""), "\n")
		slices.Sort(lines) // a dump has the order of a hash
		return strings.Join(lines, "\n")
	}
	port, err := KeepPort("a0")
	if err != nil {
		t.Fatal(err)
	}
	restore, err := KeepAddresses("br0",
		func(a Address) bool {
			return a.Link == "br0" && a.Prefix != netip.MustParsePrefix("10.0.0.1/24") && !a.Prefix.Addr().IsLinkLocalUnicast()
		},
		func(r Route) bool { return r.Link == "br0" && r.Protocol != "kernel" })
	if err != nil {
		t.Fatal(err)
	}
	before := see()
	sh(t, "ip link del br0\nip link add other type veth peer name yonder\n"+bridge)
	if see() == before {
		t.Fatal("nothing was lost")
	}
	for range 2 { // what is there already stays
		if err := port.PutBack("br0"); err != nil {
			t.Fatal(err)
		}
		if err := restore("br0"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, see()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	}
	if err := port.PutBack("nothere"); err == nil {
		t.Error("put into a bridge that is not there")
	}
}
