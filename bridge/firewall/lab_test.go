package firewall

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// lab is a client, a router and a server, each in a namespace. Client and
// server have no addresses: they send frames that tests make, and show all
// that arrive. Two ways lead from one to the other: routed by c0 and s0, and
// by a bridge br0 with the ports b0 and b1. The test's thread is in the router.
//
//	client eth0 ── c0 (router) s0 ── eth0 server     10.1.0.0/24, 10.2.0.0/24
//	client eth1 ── b0 (br0) b1 ────── eth1 server     10.3.0.0/24
//	client mark ── m0                                 nobody filters here
type lab struct {
	t      testing.TB
	socket map[string]int // frames: client0, client1, server0, server1
	local  []int          // what arrives at the router itself
	mac    map[string]net.HardwareAddr
	index  map[string]int
	send4  int
	send6  int
	marks  [2]int // a frame from one to the other says that the queue is empty
	id     uint64
}

const neighbours = 5 // addresses .2 to .6 of each network are those of client and server

func newLab(t testing.TB) *lab {
	runtime.LockOSThread()
	l := &lab{t: t, socket: map[string]int{}, mac: map[string]net.HardwareAddr{}, index: map[string]int{}}
	oneProcessor(t)
	client, server, router := newNamespace(t), newNamespace(t), newNamespace(t)
	sh(t, `ip link set lo up
		ip link add br0 type bridge
		ip link set br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
		ip link set br0 address 02:00:00:00:00:03`)
	for _, s := range []string{"net.ipv4.ip_forward 1", "net.ipv6.conf.all.forwarding 1", "net.ipv4.conf.all.rp_filter 0", "net.ipv4.conf.default.rp_filter 0",
		"net.ipv6.conf.all.accept_dad 0", "net.ipv6.conf.default.accept_dad 0", "net.bridge.bridge-nf-call-iptables 0", "net.bridge.bridge-nf-call-ip6tables 0",
		"net.ipv4.icmp_ratelimit 0"} {
		key, v, _ := strings.Cut(s, " ")
		if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(key, ".", "/"), []byte(v), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, peer := range map[string]struct {
		ns   netns.NsHandle
		name string
	}{"c0": {client, "client0"}, "b0": {client, "client1"}, "s0": {server, "server0"}, "b1": {server, "server1"}, "m0": {client, "mark"}} {
		l.wire(name, peer.name, peer.ns)
	}
	sh(t, `ip link set b0 master br0
		ip link set b1 master br0
		ip link set br0 up
		ip addr add 10.1.0.1/24 dev c0
		ip addr add 10.2.0.1/24 dev s0
		ip addr add 10.3.0.1/24 dev br0
		ip addr add fd00:1::1/64 dev c0 nodad
		ip addr add fd00:2::1/64 dev s0 nodad
		ip addr add fd00:3::1/64 dev br0 nodad`)
	sh(t, "bridge fdb replace "+l.mac["server1"].String()+" dev b1 master static\n"+
		"bridge fdb replace "+l.mac["client1"].String()+" dev b0 master static")
	l.mac["br0"] = net.HardwareAddr{2, 0, 0, 0, 0, 3}
	l.neighbour("c0", "10.1.0.", "fd00:1::", l.mac["client0"])
	l.neighbour("s0", "10.2.0.", "fd00:2::", l.mac["server0"])
	l.neighbour("br0", "10.3.0.", "fd00:3::", l.mac["server1"])
	for _, name := range []string{"c0", "s0", "br0", "b0", "b1"} {
		i, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		l.index[name] = i.Index
	}
	l.open(client, "client0", "client1")
	l.open(server, "server0", "server1")
	l.marks[0] = frameSocket(t, client, "mark")
	l.marks[1] = frameSocket(t, router, "m0")
	for _, p := range []int{unix.IPPROTO_UDP, unix.IPPROTO_TCP, unix.IPPROTO_ICMP} {
		l.local = append(l.local, rawSocket(t, unix.AF_INET, p))
	}
	for _, p := range []int{unix.IPPROTO_UDP, unix.IPPROTO_TCP, unix.IPPROTO_ICMPV6} {
		l.local = append(l.local, rawSocket(t, unix.AF_INET6, p))
	}
	l.send4, l.send6 = rawSocket(t, unix.AF_INET, unix.IPPROTO_RAW), rawSocket(t, unix.AF_INET6, unix.IPPROTO_RAW)
	return l
}

// oneProcessor keeps the thread on one processor: all frames then pass one
// queue, in order.
func oneProcessor(t testing.TB) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
}

func newNamespace(t testing.TB) netns.NsHandle {
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("new network namespace (the live tests need root): %v", err)
	}
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}

// wire connects a port of the router with a namespace.
func (l *lab) wire(name, peer string, ns netns.NsHandle) {
	v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer, PeerNamespace: netlink.NsFd(ns)}
	if err := netlink.LinkAdd(v); err != nil {
		l.t.Fatal(err)
	}
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		l.t.Fatal(err)
	}
	defer h.Close()
	there, err := h.LinkByName(peer)
	if err != nil {
		l.t.Fatal(err)
	}
	here, err := netlink.LinkByName(name)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := errors.Join(h.LinkSetUp(there), netlink.LinkSetUp(here)); err != nil {
		l.t.Fatal(err)
	}
	l.mac[peer], l.mac[name] = there.Attrs().HardwareAddr, here.Attrs().HardwareAddr
}

func (l *lab) neighbour(dev, v4, v6 string, mac net.HardwareAddr) {
	for i := range neighbours {
		n := string(rune('2' + i))
		sh(l.t, "ip neigh replace "+v4+n+" lladdr "+mac.String()+" dev "+dev+" nud permanent\n"+
			"ip neigh replace "+v6+n+" lladdr "+mac.String()+" dev "+dev+" nud permanent")
	}
}

func (l *lab) open(ns netns.NsHandle, names ...string) {
	for _, n := range names {
		l.socket[n] = frameSocket(l.t, ns, n)
	}
}

// frameSocket opens a socket that sees all frames of a device. It stays in
// its namespace; the thread comes back.
func frameSocket(t testing.TB, ns netns.NsHandle, dev string) int {
	t.Helper()
	here, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	if err := netns.Set(ns); err != nil {
		t.Fatal(err)
	}
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK, all)
	if err == nil {
		var link netlink.Link
		if link, err = netlink.LinkByName(dev); err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Attrs().Index})
		}
	}
	if err := errors.Join(err, netns.Set(here)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func rawSocket(t testing.TB, family, proto int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK, proto)
	if err == nil && family == unix.AF_INET6 && proto == unix.IPPROTO_RAW {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_HDRINCL, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// packet is what a test sends.
type packet struct {
	src, dst     netip.Addr
	proto        string // udp, tcp, icmp (the one of its family)
	sport, dport int
	icmp         [2]byte // type and code
	id           uint64
}

func (p packet) number() byte {
	switch p.proto {
	case "udp":
		return protoUDP
	case "tcp":
		return protoTCP
	}
	if p.src.Is6() {
		return protoICMP6
	}
	return protoICMP
}

// bytes is the IP packet with all checksums; its payload is the id.
func (p packet) bytes() []byte {
	var l4 []byte
	sum := 6
	switch p.proto {
	case "udp":
		l4 = append(be16(uint16(p.sport)), be16(uint16(p.dport))...)
		l4 = append(append(l4, be16(16)...), 0, 0)
	case "tcp":
		l4 = append(be16(uint16(p.sport)), be16(uint16(p.dport))...)
		l4 = append(l4, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0)
		sum = 16
	default:
		l4 = []byte{p.icmp[0], p.icmp[1], 0, 0, byte(p.sport >> 8), byte(p.sport), 0, 1}
		sum = 2
	}
	l4 = binary.BigEndian.AppendUint64(l4, p.id)
	var pseudo []byte
	if p.number() != protoICMP {
		pseudo = append(append(append(pseudo, p.src.AsSlice()...), p.dst.AsSlice()...), 0, p.number())
		pseudo = append(pseudo, be16(uint16(len(l4)))...)
	}
	binary.BigEndian.PutUint16(l4[sum:], checksum(append(pseudo, l4...)))
	if p.src.Is6() {
		h := append([]byte{0x60, 0, 0, 0}, be16(uint16(len(l4)))...)
		h = append(h, p.number(), 64)
		return append(append(append(h, p.src.AsSlice()...), p.dst.AsSlice()...), l4...)
	}
	h := append([]byte{0x45, 0}, be16(uint16(20+len(l4)))...)
	h = append(h, byte(p.id>>8), byte(p.id), 0x40, 0, 64, p.number(), 0, 0)
	h = append(append(h, p.src.AsSlice()...), p.dst.AsSlice()...)
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, l4...)
}

func checksum(b []byte) uint16 {
	var n uint32
	for i := 0; i+1 < len(b); i += 2 {
		n += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return ^uint16(n)
}

// frame sends a packet from a socket of client or server to a MAC.
func (l *lab) frame(from, to string, p packet) {
	l.t.Helper()
	eth := append(append([]byte{}, l.mac[to]...), l.mac[from]...)
	typ := uint16(unix.ETH_P_IP)
	if p.src.Is6() {
		typ = unix.ETH_P_IPV6
	}
	if _, err := unix.Write(l.socket[from], append(append(eth, be16(typ)...), p.bytes()...)); err != nil {
		l.t.Fatal(err)
	}
}

// emit sends a packet from the router itself. The kernel refuses what its own
// output hook drops.
func (l *lab) emit(p packet) {
	l.t.Helper()
	var err error
	if p.src.Is6() {
		err = unix.Sendto(l.send6, p.bytes(), 0, &unix.SockaddrInet6{Addr: p.dst.As16()})
	} else {
		err = unix.Sendto(l.send4, p.bytes(), 0, &unix.SockaddrInet4{Addr: p.dst.As4()})
	}
	if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOBUFS) {
		l.t.Logf("send %+v: %v", p, err)
	}
}

// settle waits until everything that was sent has arrived or is gone: frames
// on another wire of the same queue (that of the processor) come behind. Each
// of them follows by one hop.
func (l *lab) settle() {
	l.t.Helper()
	frame := append(append(append([]byte{}, l.mac["m0"]...), l.mac["mark"]...), 0x88, 0xb5)
	for range 6 {
		l.id++
		mark := binary.BigEndian.AppendUint64(append([]byte{}, frame...), l.id)
		if _, err := unix.Write(l.marks[0], mark); err != nil {
			l.t.Fatal(err)
		}
		for begin := time.Now(); ; {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.marks[1]), Events: unix.POLLIN}}, 1000)
			if l.has(l.marks[1], mark) {
				break
			}
			if time.Since(begin) > 20*time.Second {
				l.t.Fatal("a frame from the client never arrived")
			}
		}
	}
}

func (l *lab) has(fd int, want []byte) bool {
	b := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			return false
		}
		if bytes.Equal(b[:n], want) {
			return true
		}
	}
}

// arrival is where and how a packet came out.
type arrival struct {
	where        string // client0, server1, router, ...
	src, dst     netip.Addr
	sport, dport int
}

// arrivals empties all sockets and keeps what belongs to ids.
func (l *lab) arrivals() map[uint64][]arrival {
	l.t.Helper()
	l.settle()
	out := map[uint64][]arrival{}
	b := make([]byte, 2048)
	for name, fd := range l.socket {
		for {
			n, from, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				break
			}
			if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING && n > linkLen {
				note(out, name, b[linkLen:n])
			}
		}
	}
	for i, fd := range l.local {
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				break
			}
			if i < 3 {
				note(out, "router", b[:n])
			} else {
				// No IP header with IPv6.
				p := append([]byte{0x60, 0, 0, 0, 0, 0, []byte{protoUDP, protoTCP, protoICMP6}[i-3], 64}, make([]byte, 32)...)
				note(out, "router", append(p, b[:n]...))
			}
		}
	}
	return out
}

// note finds the id at the end of a packet that is not an error message about
// another.
func note(out map[uint64][]arrival, where string, b []byte) {
	var a arrival
	var proto byte
	var l4 []byte
	switch {
	case len(b) > ip4Len && b[0]>>4 == 4:
		proto, l4 = b[ip4Proto], b[ip4Len:min(len(b), int(binary.BigEndian.Uint16(b[2:])))]
		a.src, a.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	case len(b) > ip6Len && b[0]>>4 == 6:
		proto, l4 = b[ip6Next], b[ip6Len:]
		a.src, a.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	}
	size := map[byte]int{protoUDP: 16, protoTCP: 28, protoICMP: 16, protoICMP6: 16}[proto]
	if size == 0 || len(l4) != size || proto == protoICMP && l4[0] != 8 || proto == protoICMP6 && l4[0] != 128 {
		return // an answer of the router's carries the id, too
	}
	a.where = where
	a.sport, a.dport = int(binary.BigEndian.Uint16(l4)), int(binary.BigEndian.Uint16(l4[2:]))
	id := binary.BigEndian.Uint64(l4[size-8:])
	out[id] = append(out[id], a)
}
