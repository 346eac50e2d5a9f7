package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// sources collects the IPv4 source addresses that have reached the outside.
type sources struct {
	mu  sync.Mutex
	set map[netip.Addr]bool
}

func newSources() *sources { return &sources{set: map[netip.Addr]bool{}} }

func (s *sources) add(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set[a] = true
}

func (s *sources) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]netip.Addr, 0, len(s.set))
	for a := range s.set {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	list := make([]string, len(addrs))
	for i, a := range addrs {
		list[i] = a.String()
	}
	return list
}

// serve opens the outside's sockets; they stay in the namespace of the thread
// that calls this, wherever they are used afterwards.
func (o *outside) serve() error {
	web, err := net.Listen("tcp4", ":8080")
	if err != nil {
		return fmt.Errorf("listen outside: %w", err)
	}
	bare, err := net.Listen("tcp4", ":8081")
	if err != nil {
		return fmt.Errorf("listen outside: %w", err)
	}
	datagrams, err := net.ListenPacket("udp4", ":8080")
	if err != nil {
		return fmt.Errorf("listen outside: %w", err)
	}
	// No socket filter, no promiscuity: what was sent to this end, before its
	// own firewall or routing can drop it.
	wire, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_IP)))
	if err != nil {
		return fmt.Errorf("listen outside: %w", err)
	}
	go http.Serve(web, http.HandlerFunc(o.answerHTTP)) //nolint:errcheck,gosec // ends with the process; clients are the tests' own
	go answerTCP(bare)
	go answerUDP(datagrams)
	go o.watch(wire)
	return nil
}

func (o *outside) answerHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/seen" {
		for _, s := range o.seen.list() {
			_, _ = fmt.Fprintln(w, s)
		}
		return
	}
	_, _ = fmt.Fprintln(w, ipOf(r.RemoteAddr))
}

func answerTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		_, _ = fmt.Fprintln(conn, ipOf(conn.RemoteAddr().String()))
		_ = conn.Close()
	}
}

func answerUDP(c net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		_, from, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			_, _ = c.WriteTo([]byte(ipOf(from.String())+"\n"), from)
		}
	}
}

func ipOf(hostport string) string {
	ip, _, _ := strings.Cut(hostport, ":")
	return ip
}

// watch notes the source of every IPv4 packet that comes in from the host.
func (o *outside) watch(fd int) {
	own := netip.MustParseAddr(OutsideAddress)
	buf := make([]byte, 64) // the header is enough
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if err != nil || n < 20 {
			continue
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if source := netip.AddrFrom4([4]byte(buf[12:16])); source != own && !source.IsUnspecified() && !source.IsLoopback() {
			o.seen.add(source)
		}
	}
}

func htons(v uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v))
}
