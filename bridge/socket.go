package bridge

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Layout of linux/inet_diag.h.
const (
	inetDiagReqLen = 56 // struct inet_diag_req_v2
	inetDiagMsgLen = 72 // struct inet_diag_msg
	tcpListen      = 10 // TCP_LISTEN, net/tcp_states.h
	diagV6Only     = 11 // INET_DIAG_SKV6ONLY
	allStates      = 0xffffffff
)

type socketMsg struct {
	Socket
	device int
	inode  uint32
}

// networkPort says whether a port is one that networks serve: DNS, DHCP, TFTP,
// DHCPv6.
func networkPort(port int) bool {
	return port == 53 || port == 67 || port == 69 || port == 547
}

// inetSockets lists bound UDP and listening TCP sockets of both families.
func (c *conn) inetSockets(ctx context.Context) ([]socketMsg, error) {
	var list []socketMsg
	for _, family := range []uint8{afInet, afInet6} {
		for _, protocol := range []uint8{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			found, err := dumpAll(ctx, c, dumpRequest{
				unix.SOCK_DIAG_BY_FAMILY, unix.SOCK_DIAG_BY_FAMILY, diagRequest(family, protocol),
			}, func(b []byte) (socketMsg, bool, error) { return parseSocket(b, protocol) })
			if err != nil {
				return nil, err
			}
			list = append(list, found...)
		}
	}
	return list, nil
}

func diagRequest(family, protocol uint8) []byte {
	b := make([]byte, inetDiagReqLen)
	b[0], b[1] = family, protocol
	states := uint32(allStates)
	if protocol == unix.IPPROTO_TCP {
		states = 1 << tcpListen
	}
	binary.NativeEndian.PutUint32(b[4:], states)
	return b
}

// parseSocket reads struct inet_diag_msg. Sockets on other ports are left out.
func parseSocket(b []byte, protocol uint8) (socketMsg, bool, error) {
	var s socketMsg
	if len(b) < inetDiagMsgLen {
		return s, false, fmt.Errorf("parse socket: %w", errTruncated)
	}
	n, ok := ipFamily(b[0])
	s.Port = int(binary.BigEndian.Uint16(b[4:]))
	if !ok || !networkPort(s.Port) {
		return s, false, nil
	}
	s.Protocol = "udp"
	if protocol == unix.IPPROTO_TCP {
		s.Protocol = "tcp"
	}
	s.Address, _ = netip.AddrFromSlice(b[8 : 8+n])
	s.device = s32(b[40:])
	s.inode = u32(b[68:])
	err := walk(b[inetDiagMsgLen:], func(typ uint16, v []byte) error {
		if typ == diagV6Only {
			s.V6Only = u8(v) != 0
		}
		return nil
	})
	if err != nil {
		return s, false, fmt.Errorf("parse socket: %w", err)
	}
	return s, true, nil
}
