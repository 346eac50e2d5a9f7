package bridge

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const twoPorts = `
	ip link add br0 type bridge mcast_hash_max 512
	ip link set br0 up
	ip link add a0 type veth peer name a1
	ip link add b0 type veth peer name b1
	ip link set a0 master br0 up
	ip link set b0 master br0 up
	ip link set a1 up
	ip link set b1 up
`

// forward waits until the ports forward: before that they learn nothing.
func forward(t *testing.T, ports ...string) {
	t.Helper()
	for _, name := range ports {
		if _, err := WaitPort(t.Context(), name, func(p Port) bool { return p.State == PortForwarding }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCountersAgreeWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts)
	forward(t, "a0", "b0")
	for range 7 {
		sendFrame(t, "a1", "52:54:00:00:00:05")
	}
	have, want := quiet(t, "ip -j -s link")
	var ports []string
	for _, c := range have.Counters {
		ports = append(ports, c.Link)
		w := find(t, want, func(m map[string]any) bool { return m["ifname"] == c.Link })["stats64"].(map[string]any)
		rx, tx := w["rx"].(map[string]any), w["tx"].(map[string]any)
		check(t, c.Link+" rx", float64(c.RXPackets), rx["packets"])
		check(t, c.Link+" tx", float64(c.TXPackets), tx["packets"])
		check(t, c.Link+" rx dropped", float64(c.RXDropped), rx["dropped"])
		check(t, c.Link+" tx dropped", float64(c.TXDropped), tx["dropped"])
	}
	if diff := cmp.Diff([]string{"a0", "b0"}, ports); diff != "" {
		t.Errorf("counters of links (-want +have):\n%s", diff)
	}
}

// TestDropsOfATapThatNobodyReads: the counter that tells of a guest that does
// not take its packets.
func TestDropsOfATapThatNobodyReads(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link set br0 up
		ip tuntap add vnet0 mode tap
		ip link set vnet0 master br0 up
	`)
	holdTap(t, "vnet0")
	sh(t, "ip link set vnet0 txqueuelen 4")
	forward(t, "vnet0")
	for range 20 {
		sendFrame(t, "br0", "52:54:00:00:00:05")
	}
	c := find(t, read(t).Counters, func(c Counter) bool { return c.Link == "vnet0" })
	if c.TXDropped == 0 {
		t.Errorf("nothing was dropped: %+v", c)
	}
}

func TestPromiscuityAgreesWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts+"ip link set b0 promisc on\n")
	// A bridge's timers, which ip shows too, never stand still: promiscuity does.
	have, want := read(t), tool(t, "ip -d -j link")
	for _, w := range want {
		l := find(t, have.Links, func(l Link) bool { return l.Name == w["ifname"] })
		if l.Promiscuity == nil {
			t.Fatalf("%s: not known", l.Name)
		}
		check(t, l.Name, float64(*l.Promiscuity), w["promiscuity"])
	}
	check(t, "a port", *find(t, have.Links, func(l Link) bool { return l.Name == "a0" }).Promiscuity, 1)
	check(t, "no port", *find(t, have.Links, func(l Link) bool { return l.Name == "a1" }).Promiscuity, 0)
}

func TestGroupsAgreeWithBridge(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts+`
		bridge mdb add dev br0 port a0 grp 239.1.1.1 permanent
		bridge mdb add dev br0 port b0 grp 239.1.1.1 permanent
		bridge mdb add dev br0 port a0 grp ff0e::7 permanent
		ip link add br1 type bridge
	`)
	have, mdb := quiet(t, "bridge -j mdb")
	groups, ports := map[string]bool{}, map[string]int{}
	for _, table := range mdb {
		for _, e := range table["mdb"].([]any) {
			entry := e.(map[string]any)
			groups[entry["grp"].(string)] = true
			ports[entry["port"].(string)]++
		}
	}
	check(t, "tables", len(have.Groups), len(ports)+1)
	for _, g := range have.Groups {
		check(t, "bridge", g.Bridge, "br0")
		if g.Port == "" {
			check(t, "groups", g.Count, len(groups))
		} else {
			check(t, "groups of "+g.Port, g.Count, ports[g.Port])
		}
	}
	check(t, "most that fit", find(t, have.Bridges, func(b Bridge) bool { return b.Name == "br0" }).GroupMax, 512)
}

func TestBigGroupTable(t *testing.T) {
	inNamespace(t)
	sh(t, strings.Replace(twoPorts, "512", "4096", 1))
	var batch strings.Builder
	for i := range 600 { // more than one netlink message
		fmt.Fprintf(&batch, "bridge mdb add dev br0 port a0 grp 239.1.%d.%d permanent\n", i/200, i%200)
	}
	sh(t, batch.String())
	have, _ := quiet(t, "bridge -j mdb")
	g := find(t, have.Groups, func(g Groups) bool { return g.Port == "a0" })
	if g.Count < 600 || g.Count > 610 {
		t.Errorf("have %d groups, want 600 and what the host itself joined", g.Count)
	}
}

// TestQuerierOfAnotherBridge: the address of the elected querier is told.
func TestQuerierOfAnotherBridge(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts+`
		ip link add br1 type bridge mcast_query_use_ifaddr 1
		ip addr add 10.1.1.1/24 dev br1
		ip link set a1 master br1
		ip link set br1 up
	`)
	forward(t, "a0", "a1")
	until(t, "br1 has an address to ask from", func() bool {
		return slices.ContainsFunc(read(t).Addresses, func(a Address) bool { return a.Link == "br1" && a.Prefix.Addr().Is6() && !a.Tentative })
	})
	sh(t, "ip link set br1 type bridge mcast_querier 1")
	until(t, "the querier is heard", func() bool {
		s := read(t)
		one := func(name string) Bridge { return find(t, s.Bridges, func(b Bridge) bool { return b.Name == name }) }
		return one("br0").Querier4 == "10.1.1.1" && strings.HasPrefix(one("br0").Querier6, "fe80::")
	})
}

func TestIPv6SwitchesOfABridge(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts+"sysctl -qw net.ipv6.conf.br0.autoconf=0\n")
	have := read(t).Sysctls
	for name, want := range map[string]string{"autoconf": "0", "accept_ra": "1", "disable_ipv6": "0"} {
		check(t, name, have["net.ipv6.conf.br0."+name], want)
	}
}

// TestParseVLANs parses what kernels with VLAN filtering send: a trunk with a
// native VLAN and a range.
func TestParseVLANs(t *testing.T) {
	msg := make([]byte, ifinfomsgLen)
	msg[0], msg[4] = afBridge, 7
	spec := []byte{}
	for _, info := range [][2]uint16{{vlanPVID | vlanUntagged, 1}, {0, 100}, {vlanRangeBegin, 200}, {vlanRangeEnd, 299}} {
		spec = append(spec, 8, 0, bridgeVLANInfo, 0, byte(info[0]), byte(info[0]>>8), byte(info[1]), byte(info[1]>>8))
	}
	msg = append(msg, byte(len(spec)+4), 0, unix.IFLA_AF_SPEC, 0)
	msg = append(msg, spec...)
	m, keep, err := parseVLANs(msg)
	if err != nil || !keep || m.index != 7 {
		t.Fatalf("%+v, %v, %v", m, keep, err)
	}
	want := []VLAN{{First: 1, Last: 1, PVID: true, Untagged: true}, {First: 100, Last: 100}, {First: 200, Last: 299}}
	if diff := cmp.Diff(want, m.list); diff != "" {
		t.Errorf("VLANs (-want +have):\n%s", diff)
	}
	if _, _, err := parseVLANs(msg[:len(msg)-2]); err == nil {
		t.Error("a message that is cut off has no error")
	}
}

// TestVLANsOfARealKernel parses what Linux 6.1 sent of a bridge br0 with the
// ports eth0, vnet0 and vnet1, for kernels on which no test can set a VLAN.
func TestVLANsOfARealKernel(t *testing.T) {
	text, err := os.ReadFile("testdata/vlans-linux-6.1.hex")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]VLAN{}
	for line := range strings.Lines(string(text)) {
		msg, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		m, keep, err := parseVLANs(msg)
		if err != nil || !keep {
			t.Fatalf("%+v, %v, %v", m, keep, err)
		}
		l, _, err := parseLink(msg)
		if err != nil || l.Index != m.index {
			t.Fatalf("%+v, %v", l, err)
		}
		have[l.Name] = m.list
	}
	plain := VLAN{First: 1, Last: 1, PVID: true, Untagged: true}
	want := map[string][]VLAN{
		"br0": {plain}, "eth0": {plain, {First: 100, Last: 100}},
		"vnet0": {{First: 100, Last: 100, PVID: true, Untagged: true}}, "vnet1": {plain, {First: 200, Last: 299}},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("VLANs (-want +have):\n%s", diff)
	}
}

// TestParseBridgeOfAFilteringKernel: attributes that not every kernel sends.
func TestParseBridgeOfAFilteringKernel(t *testing.T) {
	var br Bridge
	data, err := hex.DecodeString("0500070001000000" + "0600270001000000" + "0800300003000000" + "0800310064000000")
	if err != nil {
		t.Fatal(err)
	}
	if err := br.parse(data); err != nil {
		t.Fatal(err)
	}
	if !br.VLANFiltering || br.DefaultPVID == nil || *br.DefaultPVID != 1 || br.FDBLearned != 3 || br.FDBMax != 100 {
		t.Errorf("%+v", br)
	}
}

func TestObserveSeesAMACThatMoves(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts)
	forward(t, "a0", "b0")
	sendFrame(t, "a1", "52:54:00:00:00:05")
	ctx, o, w := t.Context(), newObserver(t), Watch{}
	for range 2 {
		// There and back again before anybody looks.
		sendFrame(t, "b1", "52:54:00:00:00:05")
		sendFrame(t, "a1", "52:54:00:00:00:05")
		sendFrame(t, "b1", "52:54:00:00:00:06")
		if err := o.look(ctx); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "every move is told", func() bool {
		if err := o.hear(ctx, time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		return len(o.seen[station{bridge: "br0", mac: "52:54:00:00:00:05"}]) == 5
	})
	o.tell(&w)
	want := []Move{{Bridge: "br0", MAC: "52:54:00:00:00:05", Ports: []string{"a0", "b0", "a0", "b0", "a0"}}}
	if diff := cmp.Diff(want, w.Moves); diff != "" {
		t.Errorf("moves (-want +have):\n%s", diff)
	}
	c := find(t, w.Counters, func(c Counter) bool { return c.Link == "a0" })
	if c.RXPackets == 0 || c.RXPackets > 10 {
		t.Errorf("counted %+v, want what came after the first look", c)
	}
}

// TestObserveAStorm: more moves than the socket holds.
func TestObserveAStorm(t *testing.T) {
	inNamespace(t)
	sh(t, twoPorts)
	forward(t, "a0", "b0")
	o, w := newObserver(t), Watch{}
	if err := o.events.SetReceiveBufferSize(8<<10, false); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		sendFrame(t, "b1", "52:54:00:00:00:05")
		sendFrame(t, "a1", "52:54:00:00:00:05")
	}
	until(t, "as much as is kept is told", func() bool {
		if err := o.hear(t.Context(), time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		o.tell(&w)
		return len(w.Moves) == 1 && len(w.Moves[0].Ports) == longestTrail
	})
}

func newObserver(t *testing.T) *observer {
	t.Helper()
	o, err := startObserver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.close)
	return o
}

func TestObserveAQuietHost(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge")
	w, err := Observe(t.Context(), Interval{Looks: 3, Every: time.Millisecond})
	if err != nil || w.Looks != 3 || len(w.Counters)+len(w.Moves) > 0 || w.Counters == nil || w.Moves == nil {
		t.Errorf("%+v, %v", w, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Observe(ctx, Interval{Looks: 3, Every: time.Hour}); err == nil {
		t.Error("an ended context has no error")
	}
}

func TestSinceASetBackCounter(t *testing.T) {
	check(t, "grown", since(10, 4), uint64(6))
	check(t, "set back", since(3, 10), uint64(3))
}

func FuzzParseSwitching(f *testing.F) {
	seedDumps(f, unix.RTM_GETSTATS, counterRequest())
	seedDumps(f, unix.RTM_GETLINK, vlanRequest())
	seedDumps(f, unix.RTM_GETMDB, slices.Concat([]byte{afBridge}, make([]byte, mdbHeaderLen-1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, keep, err := parseMDB(b); keep && (err != nil || m.groups == 0) {
			t.Errorf("kept %+v with %v", m, err)
		}
		if m, keep, err := parseVLANs(b); keep && (err != nil || len(m.list) == 0) {
			t.Errorf("kept %+v with %v", m, err)
		}
		if m, keep, err := parseCounter(b); keep && err != nil {
			t.Errorf("kept %+v with %v", m, err)
		}
		_ = new(Bridge).parse(b)
	})
}
