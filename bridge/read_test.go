package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// prefixes and addresses compare with ==.
var byValue = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

const mixedHost = `
	ip link add br0 type bridge stp_state 1 forward_delay 400
	ip link set br0 up
	ip addr add 10.9.9.1/24 dev br0
	ip tuntap add vnet0 mode tap
	ip link set vnet0 master br0 up
	ip link add v0 type veth peer name v1
	ip link set v0 up
	ip link set v1 master br0 up
	ip route add 10.88.0.0/16 via 10.9.9.2
	ip neigh add 10.9.9.7 lladdr 52:54:00:00:00:01 dev br0
	bridge fdb add 52:54:00:00:00:02 dev v1 master static
`

func TestReadRoundTripsThroughJSON(t *testing.T) {
	inNamespace(t)
	sh(t, mixedHost)
	want := read(t)
	for name, n := range map[string]int{
		"links": len(want.Links), "bridges": len(want.Bridges), "ports": len(want.Ports), "addresses": len(want.Addresses),
		"routes": len(want.Routes), "rules": len(want.Rules), "neighbours": len(want.Neighbours), "fdb": len(want.FDB),
		"forwarding": len(want.Forwarding), "sysctls": len(want.Sysctls),
	} {
		if n == 0 {
			t.Errorf("no %s were read", name)
		}
	}
	if len(want.Gaps) > 0 {
		t.Errorf("gaps: %+v", want.Gaps)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var have State
	if err := json.Unmarshal(b, &have); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, have, byValue); d != "" {
		t.Errorf("after JSON and back (-want +have):\n%s", d)
	}
}

func TestReadOfAnEmptyNamespaceHasNoNulls(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link set lo down")
	b, err := json.Marshal(read(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "null") {
		t.Errorf("null in %s", b)
	}
}

func TestReadTwiceIsEqual(t *testing.T) {
	inNamespace(t)
	sh(t, mixedHost)
	ages := cmp.Options{byValue, cmpopts.IgnoreFields(Neighbour{}, "Age", "Updated"), cmpopts.IgnoreFields(FDBEntry{}, "Age"),
		// A port learns while the test looks.
		cmpopts.IgnoreFields(Port{}, "State"), cmpopts.IgnoreFields(Link{}, "Oper", "Carrier"),
		cmpopts.IgnoreFields(State{}, "Routes", "Addresses", "Neighbours", "NeighbourTables", "FDB", "Switching")}
	if d := cmp.Diff(read(t), read(t), ages); d != "" {
		t.Error(d)
	}
}

func TestReadNamesTheNamespaceOfItsThread(t *testing.T) {
	inNamespace(t)
	have := read(t).Namespace
	link := sh(t, "readlink /proc/self/ns/net") // the child inherited the thread's
	if want := strings.Trim(strings.TrimSpace(link), "net:[]"); want != jsonNumber(have) {
		t.Errorf("have %d, want %s", have, want)
	}
	main, err := os.Readlink("/proc/1/ns/net")
	if err == nil && strings.Contains(main, jsonNumber(have)) {
		t.Errorf("read the namespace of process 1")
	}
}

func jsonNumber(n uint64) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestReadStopsWithItsContext(t *testing.T) {
	inNamespace(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v, want %v", err, context.Canceled)
	}
}
