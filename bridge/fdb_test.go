package bridge

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func TestFDBAgreesWithBridge(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link set br0 address 02:00:00:00:00:01
		ip link set br0 up
		ip addr add 10.0.0.1/24 dev br0
		ip link add a0 type veth peer name a1
		ip link set a0 address 02:00:00:00:00:02 master br0 up
		ip link set a1 address 02:00:00:00:00:03 up
		bridge fdb add 52:54:00:00:00:02 dev a0 master static
	`)
	ctx := t.Context()
	if _, err := WaitPort(ctx, "a0", func(p Port) bool { return p.State == PortForwarding }); err != nil {
		t.Fatal(err)
	}
	sendFrame(t, "a1", "52:54:00:00:00:05")
	have, want := quiet(t, "bridge -j fdb")
	check(t, "entries", len(have.FDB), len(want))
	entry := func(mac, port string, self bool) FDBEntry {
		return find(t, have.FDB, func(e FDBEntry) bool { return e.MAC == mac && e.Port == port && e.Self == self })
	}
	for _, w := range want {
		self := false
		for _, f := range w["flags"].([]any) {
			self = self || f == "self"
		}
		e := entry(w["mac"].(string), w["ifname"].(string), self)
		check(t, e.MAC+" master", orNil(e.Bridge), w["master"])
		state := w["state"]
		if state == nil || state == "" {
			state = FDBLearned
		}
		check(t, e.MAC+" state", any(e.State), state)
	}
	until(t, "the learned MAC ages", func() bool {
		age := func() int64 {
			return find(t, read(t).FDB, func(e FDBEntry) bool { return e.MAC == "52:54:00:00:00:05" }).Age
		}
		was := age()
		if was < 50 {
			return false
		}
		sendFrame(t, "a1", "52:54:00:00:00:05") // seen again: young again
		return age() < was
	})
	check(t, "learned", entry("52:54:00:00:00:05", "a0", false).State, FDBLearned)
	check(t, "set by hand", entry("52:54:00:00:00:02", "a0", false).State, FDBStatic)
	check(t, "the port's own", entry("02:00:00:00:00:02", "a0", false).State, FDBPermanent)
}

// sendFrame sends one broadcast frame out of a link, inside the namespace.
func sendFrame(t *testing.T, link, from string) {
	t.Helper()
	l, err := ReadLink(link)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	mac, err := net.ParseMAC(from)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 60)
	copy(frame, []byte{255, 255, 255, 255, 255, 255})
	copy(frame[6:], mac)
	frame[12], frame[13] = 0x88, 0xb5 // EtherType for local experiments, IEEE 802
	if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: l.Index}); err != nil {
		t.Fatal(err)
	}
}

func FuzzParseFDB(f *testing.F) {
	seedDumps(f, unix.RTM_GETNEIGH, nl.NewIfInfomsg(afBridge).Serialize())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, keep, err := parseFDB(b)
		if keep && (err != nil || e.State == "") {
			t.Errorf("kept %+v with %v", e, err)
		}
	})
}
